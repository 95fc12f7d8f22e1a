#include "speaker/bgp/session/trouble.hpp"

#include "speaker/bgp/session/testing.hpp"

#include <gtest/gtest.h>

#include <functional>
#include <vector>

namespace steelyard::bgp {
namespace {

using namespace std::chrono_literals;
using bgp_wire::Cease;

std::vector<std::string> news(const Actions& actions) {
    std::vector<std::string> out;
    for (const auto& change : all<TroubleChanged>(actions)) {
        if (change.news) {
            out.push_back(change.trouble->text);
        }
    }
    return out;
}

// The peer answers our call with this error.
Actions refuse(Rig& rig, const wire::Bytes& error) {
    rig.connect();
    return rig.feed(rig.dialled(), error);
}

TEST(TroubleTest, EachTroubleIsTextForPeople) {
    namespace errc = boost::system::errc;
    struct Case {
        std::function<void(Rig&)> cause;
        Trouble::Kind kind;
        std::string text;
    };
    const std::vector<Case> cases{
        {[](Rig& rig) { rig.fail(errc::connection_refused); },
         Trouble::Kind::Refused,
         "10.0.0.2:179 refuses connections: nothing listens on that port, or a firewall answers"},
        {[](Rig& rig) { rig.tick(); },
         Trouble::Kind::Unreachable,
         "no answer from 10.0.0.2:179: it is unreachable, expects a password, or is more than one "
         "hop away (that needs ebgpMultiHop)"},
        {[](Rig& rig) { rig.fail(errc::host_unreachable); },
         Trouble::Kind::Unreachable,
         "10.0.0.2:179 cannot be reached: on this network it answers no ARP or neighbour "
         "discovery, or a router reports it unreachable (more than one hop away needs "
         "ebgpMultiHop)"},
        {[](Rig& rig) { rig.fail(errc::network_unreachable); },
         Trouble::Kind::Unreachable,
         "this node has no route to 10.0.0.2:179"},
        {[](Rig& rig) {
             rig.connect();
             rig.close(rig.dialled());
         },
         Trouble::Kind::ClosedEarly,
         "the peer closed the connection before the session was up (connection reset by peer): it "
         "may not have this node as a neighbour"},
        {[](Rig& rig) {
             refuse(rig, bytes_of(bgp_wire::make_notification(bgp_wire::OpenError::BadPeerAs)));
         },
         Trouble::Kind::NotificationReceived,
         "the peer refuses our OPEN: OPEN Message Error/Bad Peer AS (we are in AS 64512)"},
        {[](Rig& rig) {
             refuse(
                 rig,
                 bytes_of(
                     bgp_wire::make_notification(bgp_wire::OpenError::UnsupportedOptionalParameter)
                 )
             );
         },
         Trouble::Kind::NotificationReceived,
         "the peer refuses our OPEN: OPEN Message Error/Unsupported Optional Parameter (it does "
         "not accept our capabilities)"},
        {[](Rig& rig) {
             refuse(rig, bytes_of(bgp_wire::cease(Cease::AdministrativeShutdown, "until noon")));
         },
         Trouble::Kind::NotificationReceived,
         "the peer closed the session: Cease/Administrative Shutdown: until noon"},
        {[](Rig& rig) {
             rig.connect();
             rig.now += kOpenHoldTime;
             rig.deadline();
         },
         Trouble::Kind::HoldTimerExpired,
         "the peer accepted the connection but sent no OPEN for 240 s"},
    };
    for (const Case& one : cases) {
        Rig rig;
        rig.start();
        one.cause(rig);
        EXPECT_EQ(rig.trouble(), one.text);
        EXPECT_EQ(rig.peer.trouble()->kind, one.kind);
        EXPECT_EQ(news(rig.log), std::vector{one.text});
    }
}

// TTL security on our side only does this: the peer calls, and the kernel drops what it says.
TEST(TroubleTest, ConnectionsOnWhichNothingIsHeardAreNoReasonForSilence) {
    auto config = test_config();
    config.ttl_security_hops = 1;
    Rig rig(config);
    rig.start();
    rig.accept();
    rig.run_for(kDialTimeout);
    EXPECT_EQ(rig.peer.trouble()->kind, Trouble::Kind::Unreachable);
    EXPECT_EQ(rig.trouble().substr(0, 28), "no answer from 10.0.0.2:179:");

    rig.run_for(kOpenPatience);
    const std::string unheard =
        "connected with 10.0.0.2, but no OPEN came for 15 s: it does not use TTL security, is more "
        "than 1 hops away, or hangs";
    EXPECT_EQ(rig.trouble(), unheard);
    rig.run_for(3min);
    EXPECT_EQ(rig.trouble(), unheard) << "the next failing dials say less";
    rig.act([&](Actions& out) {
        rig.peer.on_closed(*rig.accepted, "Connection timed out", rig.now, out);
    });
    EXPECT_EQ(rig.trouble(), unheard);
}

TEST(TroubleTest, AnOpenEndsTheTroubleOfDialling) {
    Rig rig;
    rig.start();
    rig.accept();
    rig.feed(*rig.accepted, bytes_of(their_open()));
    rig.fail();
    EXPECT_EQ(rig.peer.trouble(), std::nullopt);
    rig.run_for(kOpenPatience);
    EXPECT_EQ(rig.peer.trouble(), std::nullopt);
}

TEST(TroubleTest, APassivePeerSaysThatNobodyCalls) {
    auto config = test_config();
    config.passive = true;
    Rig rig(config);
    rig.start();
    EXPECT_EQ(rig.trouble(), "");
    rig.run_for(kOpenPatience);
    EXPECT_EQ(
        rig.trouble(), "the peer has not called for 15 s, and this node does not dial: passive mode"
    );
    rig.accept();
    rig.feed(*rig.accepted, bytes_of(their_open()));
    rig.feed(*rig.accepted, keepalive());
    EXPECT_EQ(rig.peer.trouble(), std::nullopt);
    rig.close(*rig.accepted);
    EXPECT_EQ(rig.trouble(), "connection lost: connection reset by peer");
    rig.run_for(1h);
    EXPECT_EQ(rig.trouble(), "connection lost: connection reset by peer") << "that says more";
}

TEST(TroubleTest, ALastingTroubleIsToldOnce) {
    Rig rig;
    rig.start();
    const auto bad_as = bytes_of(bgp_wire::make_notification(bgp_wire::OpenError::BadPeerAs));
    for (int i = 0; i < 50; ++i) {
        if (i % 2 == 0) {
            rig.fail();
        } else {
            refuse(rig, bad_as);
        }
        rig.tick();
    }
    EXPECT_EQ(news(rig.log).size(), 2U);
    // A session later the same is news again.
    rig.reach(State::Established);
    EXPECT_EQ(rig.peer.trouble(), std::nullopt);
    rig.close(rig.dialled());
    rig.tick();
    rig.fail();
    EXPECT_EQ(news(rig.log).size(), 4U);
}

}  // namespace
}  // namespace steelyard::bgp
