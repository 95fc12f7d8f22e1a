#include "speaker/bgp/session/collision.hpp"

#include "speaker/bgp/session/testing.hpp"

#include <gtest/gtest.h>

namespace steelyard::bgp {
namespace {

using namespace std::chrono_literals;
using bgp_wire::Cease;
using bgp_wire::MessageType;

TEST(CollisionTest, ACollisionIsWonByTheConnectionOfTheHigherRouterId) {
    for (const bool ours_higher : {false, true}) {
        auto config = test_config();
        config.router_id = ours_higher ? kTheirId + 1 : kOurId;
        Rig rig(config);
        rig.reach(State::OpenConfirm);
        rig.accept();
        Actions out = rig.feed(*rig.accepted, bytes_of(their_open()));
        if (!ours_higher) {
            EXPECT_EQ(story(out), "KEEPALIVE");
            out = rig.feed(*rig.accepted, keepalive());
        }
        const auto closed = all<Close>(out).at(0).id;
        EXPECT_EQ(closed, ours_higher ? *rig.accepted : rig.dialled());
        EXPECT_EQ(
            story(out), ours_higher ? "NOTIFICATION 6/7, flush" : "NOTIFICATION 6/7, flush, up"
        );
        EXPECT_EQ(rig.peer.trouble(), std::nullopt);
    }
}

TEST(CollisionTest, TheLosingConnectionWaitsForTheOtherOnlySoLong) {
    Rig rig;  // the peer's id is higher, so its call would win
    const ConnectionId id = rig.reach(State::OpenSent);
    rig.accept();
    rig.feed(id, bytes_of(their_open()));
    EXPECT_EQ(story(rig.feed(id, keepalive())), "");
    EXPECT_EQ(rig.peer.state(), State::OpenConfirm);
    // Already established for the peer: what it sends now is no error.
    EXPECT_EQ(story(rig.feed(id, message(MessageType::Update, from_hex("00000000")))), "");

    EXPECT_EQ(story(rig.run_for(kCollisionPatience)), "NOTIFICATION 6/7, flush, up");
    EXPECT_EQ(rig.peer.session(), id);
}

// For the peer the losing connection may be established since our KEEPALIVE, and it then closes the
// other one: what it answers there decides, or both ends close both.
TEST(CollisionTest, AConnectionThePeerMayHaveEstablishedIsNotGivenUpOnAnOpen) {
    for (const bool peer_keeps_ours : {true, false}) {
        Rig rig;  // the peer's id is higher, so its call would win
        const ConnectionId id = rig.reach(State::OpenConfirm);
        rig.accept();
        EXPECT_EQ(story(rig.feed(*rig.accepted, bytes_of(their_open()))), "KEEPALIVE");
        if (peer_keeps_ours) {
            const auto collision = bgp_wire::cease(Cease::ConnectionCollisionResolution);
            EXPECT_EQ(story(rig.feed(*rig.accepted, bytes_of(collision))), "close");
            EXPECT_EQ(story(rig.feed(id, keepalive())), "up");
        } else {
            EXPECT_EQ(story(rig.feed(*rig.accepted, keepalive())), "NOTIFICATION 6/7, flush, up");
        }
        EXPECT_EQ(rig.peer.session(), peer_keeps_ours ? id : *rig.accepted);
        EXPECT_EQ(rig.peer.trouble(), std::nullopt);
    }
}

TEST(CollisionTest, WhereThePeerConfirmsNeitherConnectionTheRuleDecides) {
    Rig rig;
    const ConnectionId id = rig.reach(State::OpenConfirm);
    rig.accept();
    rig.feed(*rig.accepted, bytes_of(their_open()));
    const Actions out = rig.run_for(kCollisionPatience);
    EXPECT_EQ(story(out), "NOTIFICATION 6/7, flush");
    EXPECT_EQ(all<Close>(out).at(0).id, id);
}

TEST(CollisionTest, ASessionThePeerEndsAsACollisionIsSoughtAgain) {
    const auto collision = bytes_of(bgp_wire::cease(Cease::ConnectionCollisionResolution));
    Rig rig;
    EXPECT_EQ(story(rig.feed(rig.reach(State::Established), collision)), "down, close");
    EXPECT_EQ(rig.peer.state(), State::Active);
    EXPECT_EQ(story(rig.run_for(kFirstIdleHold)), "dial");
}

// Its call may be on the way to us.
TEST(CollisionTest, AConnectionLostToOneWeDoNotKnowOfLeavesUsListening) {
    const auto collision = bytes_of(bgp_wire::cease(Cease::ConnectionCollisionResolution));
    Rig rig;
    EXPECT_EQ(story(rig.feed(rig.reach(State::OpenSent), collision)), "close");
    EXPECT_EQ(
        rig.trouble(),
        "the peer closed the session: Cease/Connection Collision Resolution (it holds another one "
        "with this node)"
    );
    EXPECT_EQ(story(rig.accept()), "OPEN");
}

TEST(CollisionTest, AnEstablishedSessionRefusesAnotherCall) {
    Rig rig;
    rig.reach(State::Established);
    rig.now += 30s;
    EXPECT_EQ(story(rig.accept()), "");
    EXPECT_FALSE(rig.accepted);
}

TEST(CollisionTest, ACallOfARestartedPeerReplacesTheSession) {
    auto open = their_open();
    open.capabilities.graceful_restart = helper(false);
    Rig rig;
    const ConnectionId old = rig.reach(State::Established, open);
    rig.now += 5s;
    rig.accept();
    EXPECT_FALSE(rig.accepted) << "so young a session is no restart but a collision";

    rig.now += 5s;
    EXPECT_EQ(story(rig.accept()), "OPEN");
    EXPECT_EQ(rig.peer.session(), old);
    EXPECT_EQ(story(rig.feed(*rig.accepted, bytes_of(open))), "down, close, KEEPALIVE");
    EXPECT_EQ(story(rig.feed(*rig.accepted, keepalive())), "up");
    EXPECT_EQ(rig.peer.session(), rig.accepted);
    EXPECT_EQ(rig.peer.trouble(), std::nullopt);
}

TEST(CollisionTest, ANewerCallReplacesAnUnfinishedOne) {
    auto config = test_config();
    config.passive = true;
    Rig rig(config);
    rig.start();
    rig.accept();
    const ConnectionId first = *rig.accepted;
    EXPECT_EQ(story(rig.accept()), "close, OPEN");
    EXPECT_EQ(story(rig.feed(first, bytes_of(their_open()))), "");
    EXPECT_EQ(story(rig.feed(*rig.accepted, bytes_of(their_open()))), "KEEPALIVE");
}

}  // namespace
}  // namespace steelyard::bgp
