#include "speaker/app/proxy/other_modes.hpp"

#include <gmock/gmock.h>

namespace steelyard::speaker {
namespace {

using proxy::Mode;
using testing::ElementsAre;
using testing::IsEmpty;
using testing::SizeIs;

const dataplane::Leftovers kBoth{
    {Mode::Full, "KUBE-NO-LOCAL"}, {Mode::LoadBalancer, "SYLB-NO-LOCAL"}};

TEST(OtherModesTest, TheTablesOfTheModeThatStartsAreNoLeftovers) {
    EXPECT_THAT(advice_on({{Mode::Full, "KUBE-NO-LOCAL"}}, Mode::Full), IsEmpty());
    EXPECT_THAT(advice_on({{Mode::LoadBalancer, "SYLB-NO-LOCAL"}}, Mode::LoadBalancer), IsEmpty());
}

TEST(OtherModesTest, EachOtherModeIsNamedWithTheCommandThatRemovesIt) {
    EXPECT_THAT(
        advice_on(kBoth, Mode::LoadBalancer),
        ElementsAre(
            "--proxy-mode=full ran on this node and left its tables in the kernel (ipset "
            "KUBE-NO-LOCAL for one): stop kube-proxy here, run \"steelyard-speaker --cleanup "
            "--proxy-mode=full\", then start it again"
        )
    );
    EXPECT_THAT(
        advice_on(kBoth, Mode::Full),
        ElementsAre(
            "--proxy-mode=load-balancer ran on this node and left its tables in the kernel (ipset "
            "SYLB-NO-LOCAL for one): run \"steelyard-speaker --cleanup "
            "--proxy-mode=load-balancer\", then start this speaker again"
        )
    );
    EXPECT_THAT(advice_on(kBoth, Mode::AnnounceOnly), SizeIs(2));
}

}  // namespace
}  // namespace steelyard::speaker
