#include "speaker/io/dataplane/dataplane.hpp"
#include "speaker/io/dataplane/guest_net.hpp"
#include "speaker/io/dataplane/leftovers.hpp"
#include "speaker/io/dataplane/loop_fixture.hpp"

#include <gmock/gmock.h>

// What a start in another mode finds, in a real kernel: part of sy_dataplane_guest_test.
namespace steelyard::dataplane {
namespace {

using proxy::Mode;
using testing::ElementsAre;
using testing::IsEmpty;
using testing::Key;

class LeftoversGuestTest : public LoopTest {
protected:
    LeftoversGuestTest() { guest::enter_fresh_node(); }

    std::unique_ptr<Dataplane> dataplane(Mode mode) {
        proxy::ProxyConfig config;
        config.mode = mode;
        return make_ipvs_dataplane(ioc_.get_executor(), config);
    }
    Leftovers found() {
        auto leftovers = wait(find_leftovers(ioc_.get_executor()));
        EXPECT_TRUE(leftovers) << to_string(leftovers.error());
        return leftovers ? *leftovers : Leftovers();
    }
};

TEST_F(LeftoversGuestTest, EachModeIsFoundUntilItIsCleanedUp) {
    EXPECT_THAT(found(), IsEmpty());
    for (const Mode mode : {Mode::LoadBalancer, Mode::Full}) {
        const auto plane = dataplane(mode);
        ASSERT_TRUE(wait(plane->start()));
        EXPECT_THAT(found(), ElementsAre(Key(mode)));
        ASSERT_TRUE(wait(plane->cleanup()));
        EXPECT_THAT(found(), IsEmpty());
    }
}

TEST_F(LeftoversGuestTest, CleaningOneModeLeavesTheOthersSets) {
    ASSERT_TRUE(wait(dataplane(Mode::Full)->start()));
    ASSERT_TRUE(wait(dataplane(Mode::LoadBalancer)->start()));

    ASSERT_TRUE(wait(dataplane(Mode::LoadBalancer)->cleanup()));

    EXPECT_THAT(found(), ElementsAre(Key(Mode::Full)));
}

}  // namespace
}  // namespace steelyard::dataplane
