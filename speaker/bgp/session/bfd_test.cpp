#include "speaker/bgp/session/peer.hpp"
#include "speaker/bgp/session/testing.hpp"

#include <gtest/gtest.h>

namespace steelyard::bgp {
namespace {

using namespace std::chrono_literals;

TEST(BfdTest, BfdDownEndsTheSessionAndWaitsForBfd) {
    auto config = test_config();
    config.bfd = true;
    Rig rig(config);
    rig.reach(State::Established);  // does not wait for BFD
    rig.bfd(BfdState::Down);
    EXPECT_EQ(rig.peer.state(), State::Established) << "it never was up";
    rig.bfd(BfdState::Up);
    rig.bfd(BfdState::AdminDown);
    rig.bfd(BfdState::Up);
    EXPECT_EQ(story(rig.bfd(BfdState::Down)), "down, NOTIFICATION 6/10, flush");
    EXPECT_EQ(rig.trouble(), "BFD lost the peer");

    EXPECT_EQ(story(rig.run_for(20s)), "");
    rig.accept();
    EXPECT_FALSE(rig.accepted);
    rig.bfd(BfdState::Up);
    EXPECT_EQ(story(rig.run_for(0s)), "dial");
}

TEST(BfdTest, WithoutBfdComingUpItTriesAfterAWhile) {
    auto config = test_config();
    config.bfd = true;
    Rig rig(config);
    rig.reach(State::Established);
    rig.bfd(BfdState::Up);
    rig.bfd(BfdState::Down);
    EXPECT_EQ(story(rig.run_for(kBfdPatience - 1ms)), "");
    EXPECT_EQ(story(rig.run_for(1ms)), "dial");
}

TEST(BfdTest, BfdOfTheNeighbourBeforeSaysNothingOfTheNext) {
    auto config = test_config();
    config.bfd = true;
    Rig rig(config);
    rig.reach(State::Established);
    rig.bfd(BfdState::Up);
    config.address = net::IpAddress::v4(0x0a000009);
    rig.update(config);
    EXPECT_EQ(rig.peer.bfd(), BfdState::None);
    rig.connect();
    EXPECT_EQ(story(rig.bfd(BfdState::Down)), "");
}

TEST(BfdTest, WhenBfdIsTakenOutOfServiceNothingWaitsForIt) {
    for (const BfdState next : {BfdState::None, BfdState::AdminDown}) {
        auto config = test_config();
        config.bfd = true;
        Rig rig(config);
        rig.reach(State::Established);
        rig.bfd(BfdState::Up);
        rig.bfd(BfdState::Down);
        rig.bfd(next);
        EXPECT_EQ(story(rig.run_for(kFirstIdleHold)), "dial");
    }
}

// One that restarted calls again before BFD noticed that it was gone.
TEST(BfdTest, BfdDownBeforeTheSessionIsUpCostsNoMoreThanTheAttempt) {
    auto config = test_config();
    config.bfd = true;
    Rig rig(config);
    rig.reach(State::OpenConfirm);
    rig.bfd(BfdState::Up);
    EXPECT_EQ(story(rig.bfd(BfdState::Down)), "NOTIFICATION 6/10, flush");
    EXPECT_EQ(story(rig.run_for(kFirstIdleHold)), "dial");
    EXPECT_EQ(story(rig.accept()), "OPEN");
}

TEST(BfdTest, APeerThatOnlyRestartsIsHeardBeforeBfdIsUpAgain) {
    auto config = test_config();
    config.bfd = true;
    Rig rig(config);
    const ConnectionId id = rig.reach(State::Established);
    rig.bfd(BfdState::Up);
    rig.close(id);
    EXPECT_EQ(story(rig.bfd(BfdState::Down)), "");
    rig.run_for(kDeafToCalls);
    rig.accept();
    EXPECT_TRUE(rig.accepted);
}

TEST(BfdTest, AFlappingBfdIsDampedToo) {
    auto config = test_config();
    config.bfd = true;
    Rig rig(config);
    rig.start();
    for (Duration passed{}; passed < 1h; passed += 1s) {
        if (rig.peer.state() == State::Connect) {
            rig.reach(State::Established);
        }
        rig.bfd(BfdState::Up);
        rig.run_for(1s);
        rig.bfd(BfdState::Down);
    }
    EXPECT_LE(all<Dial>(rig.log).size(), 60U);
}

}  // namespace
}  // namespace steelyard::bgp
