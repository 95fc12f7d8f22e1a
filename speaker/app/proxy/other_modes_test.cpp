#include "speaker/app/proxy/other_modes.hpp"

#include <gmock/gmock.h>

namespace steelyard::speaker {
namespace {

using proxy::Mode;
using testing::ElementsAre;
using testing::IsEmpty;

const dataplane::Leftovers kBoth{
    {Mode::Full, "KUBE-NO-LOCAL"}, {Mode::LoadBalancer, "SYLB-NO-LOCAL"}};

TEST(OtherModesTest, TheTablesOfTheModeThatStartsAreNoLeftovers) {
    const OtherModes full = judge({{Mode::Full, "KUBE-NO-LOCAL"}}, Mode::Full);
    const OtherModes beside = judge({{Mode::LoadBalancer, "SYLB-NO-LOCAL"}}, Mode::LoadBalancer);

    EXPECT_FALSE(full.clean_load_balancer || beside.clean_load_balancer);
    EXPECT_THAT(full.advice, IsEmpty());
    EXPECT_THAT(beside.advice, IsEmpty());
}

TEST(OtherModesTest, WhatIsSurelyOursGoes) {
    EXPECT_TRUE(judge(kBoth, Mode::Full).clean_load_balancer);
    EXPECT_TRUE(judge(kBoth, Mode::AnnounceOnly).clean_load_balancer);
    EXPECT_THAT(judge(kBoth, Mode::Full).advice, IsEmpty());
}

TEST(OtherModesTest, WhatMayBeAKubeProxysIsNamedWithTheCommandThatRemovesIt) {
    for (const Mode now : {Mode::LoadBalancer, Mode::AnnounceOnly}) {
        EXPECT_THAT(
            judge(kBoth, now).advice,
            ElementsAre(
                "--proxy-mode=full ran on this node and left its tables in the kernel (ipset "
                "KUBE-NO-LOCAL for one): stop kube-proxy here, run \"steelyard-speaker --cleanup "
                "--proxy-mode=full\", and start it again"
            )
        );
    }
}

}  // namespace
}  // namespace steelyard::speaker
