#include "speaker/bgp/session/peer.hpp"

#include "speaker/bgp/session/testing.hpp"

#include <gtest/gtest.h>

#include <vector>

namespace steelyard::bgp {
namespace {

using namespace std::chrono_literals;
using bgp_wire::Cease;
using bgp_wire::MessageType;

// What the OPEN says of graceful restart on the connection just dialled.
bgp_wire::GracefulRestart offered(Rig& rig) {
    const auto sent = all<Send>(rig.connect()).at(0).bytes;
    const auto open = bgp_wire::decode_open(std::span(sent).subspan(bgp_wire::kHeaderSize));
    return std::get<bgp_wire::Open>(open).capabilities.graceful_restart.value();
}

// The peer answers our call with this error.
Actions refuse(Rig& rig, const wire::Bytes& error) {
    rig.connect();
    return rig.feed(rig.dialled(), error);
}

TEST(PeerTest, ASessionComesUpWithWhatBothAgreedOn) {
    Rig rig;
    const ConnectionId id = rig.reach(State::Established);

    EXPECT_EQ(story(rig.log), "dial, OPEN, KEEPALIVE, up");
    const auto up = all<Established>(rig.log).at(0);
    EXPECT_EQ(up.id, id);
    EXPECT_EQ(up.negotiated, *rig.peer.negotiated());
    EXPECT_EQ(up.negotiated.remote_asn, kTheirAs);
    EXPECT_EQ(up.endpoints, Rig::ends());
    EXPECT_EQ(rig.peer.session(), id);
    const Counters& counters = rig.peer.counters();
    EXPECT_EQ(counters.in.opens + counters.in.keepalives, 2U);
    EXPECT_EQ(counters.out.total(), 2U);
    EXPECT_EQ(counters.in.bytes, bytes_of(their_open()).size() + 19);
}

TEST(PeerTest, APassivePeerNeverDials) {
    auto config = test_config();
    config.passive = true;
    Rig rig(config);
    rig.start();
    EXPECT_EQ(rig.peer.state(), State::Active);

    EXPECT_EQ(story(rig.accept()), "OPEN");
    rig.feed(*rig.accepted, bytes_of(their_open()));
    EXPECT_EQ(story(rig.feed(*rig.accepted, keepalive())), "up");
    rig.close(*rig.accepted);
    rig.run_for(1h);
    EXPECT_TRUE(all<Dial>(rig.log).empty());
    EXPECT_EQ(rig.peer.state(), State::Active);
}

TEST(PeerTest, UnexpectedMessagesAreAnsweredWithTheirType) {
    for (const State state : {State::OpenSent, State::OpenConfirm}) {
        Rig rig;
        rig.reach(state);
        const Actions out =
            rig.feed(rig.dialled(), message(MessageType::Update, from_hex("00000000")));
        EXPECT_EQ(
            all<Send>(out).at(0).bytes,
            bytes_of(bgp_wire::Notification{
                5, static_cast<std::uint8_t>(state == State::OpenSent ? 1 : 2), from_hex("02")})
        );
    }
}

TEST(PeerTest, StopTellsThePeerWhyAndLetsRoutesGoOrStay) {
    struct Case {
        Stop::Kind kind;
        bool restart;  // graceful restart negotiated
        bool n_bit;    // RFC 8538
        std::string outcome;
        std::optional<bgp_wire::Notification> sent;
    };
    const auto shutdown = bgp_wire::cease(Cease::AdministrativeShutdown, "bye");
    const auto gone = bgp_wire::cease(Cease::PeerDeconfigured);
    const auto reset = bgp_wire::cease(Cease::AdministrativeReset, "bye");
    const auto changed = bgp_wire::cease(Cease::OtherConfigurationChange);
    using Kind = Stop::Kind;
    const std::vector<Case> cases{
        {Kind::GracefulRestart, true, false, "down keeping routes, close", {}},
        {Kind::GracefulRestart, true, true, "down keeping routes, close", {}},
        {Kind::GracefulRestart, false, false, "down, NOTIFICATION 6/2, flush", shutdown},
        {Kind::Shutdown, false, false, "down, NOTIFICATION 6/2, flush", shutdown},
        {Kind::Shutdown, true, false, "down, NOTIFICATION 6/2, flush", shutdown},
        {Kind::Shutdown, true, true, "down, NOTIFICATION 6/9, flush", hard_reset(shutdown)},
        {Kind::PeerDeconfigured, false, false, "down, NOTIFICATION 6/3, flush", gone},
        {Kind::PeerDeconfigured, true, true, "down, NOTIFICATION 6/9, flush", hard_reset(gone)},
        {Kind::AdminReset, true, false, "down, NOTIFICATION 6/4, flush", reset},
        {Kind::AdminReset, true, true, "down keeping routes, NOTIFICATION 6/4, flush", reset},
        {Kind::ConfigChange, true, true, "down keeping routes, NOTIFICATION 6/6, flush", changed},
    };
    for (const Case& one : cases) {
        auto config = test_config();
        config.graceful_restart = one.restart;
        auto open = their_open();
        open.capabilities.graceful_restart = helper(one.n_bit);
        Rig rig(config);
        rig.reach(State::Established, open);
        EXPECT_EQ(rig.peer.restarts_gracefully(), one.restart);

        const Actions out = rig.stop(one.kind, "bye");
        EXPECT_EQ(story(out), one.outcome);
        if (one.sent) {
            EXPECT_EQ(all<Send>(out).at(0).bytes, bytes_of(*one.sent));
        }
        EXPECT_EQ(rig.peer.next_deadline(), Instant::max());
        rig.accept();
        EXPECT_FALSE(rig.accepted);
        EXPECT_EQ(story(rig.start()), "dial");
    }
}

TEST(PeerTest, APeerKeepsOurRoutesAsItPromised) {
    struct Case {
        bool restart;
        bool n_bit;
        bgp_wire::Notification received;
        bool kept_after_notification;
    };
    const auto reset = bgp_wire::cease(Cease::AdministrativeReset);
    const std::vector<Case> cases{
        {false, true, reset, false},
        {true, false, reset, false},
        {true, true, reset, true},
        {true, true, bgp_wire::hard_reset(reset), false},
        {true, true, bgp_wire::hold_timer_expired(), true},
    };
    for (const Case& one : cases) {
        auto config = test_config();
        config.graceful_restart = one.restart;
        auto open = their_open();
        open.capabilities.graceful_restart = helper(one.n_bit);
        Rig rig(config);
        const ConnectionId id = rig.reach(State::Established, open);
        EXPECT_EQ(
            all<Down>(rig.feed(id, bytes_of(one.received))).at(0).routes_kept,
            one.kept_after_notification
        );
        Rig other(config);
        other.reach(State::Established, open);
        EXPECT_EQ(all<Down>(other.close(other.dialled())).at(0).routes_kept, one.restart);
    }
}

TEST(PeerTest, OnlyTheFirstSessionsAfterAStartSayRestarting) {
    auto config = test_config();
    config.graceful_restart = true;
    Rig rig(config, true);
    rig.start();
    EXPECT_TRUE(offered(rig).restarting);
    rig.close(rig.dialled());
    rig.tick();
    EXPECT_TRUE(offered(rig).restarting);
    rig.peer.restart_done();
    rig.close(rig.dialled());
    rig.tick();
    EXPECT_FALSE(offered(rig).restarting);
}

// RFC 4724 4.1: what a booted node had forwarded is lost, and the peer must not keep it.
TEST(PeerTest, ForwardingWasKeptByARestartedProcessAndOnceThereWasASession) {
    auto config = test_config();
    config.graceful_restart = true;
    for (const bool restarting : {true, false}) {
        Rig rig(config, restarting);
        rig.start();
        EXPECT_EQ(offered(rig).families.at(0).forwarding, restarting);
        rig.close(rig.dialled());
        rig.tick();
        EXPECT_EQ(offered(rig).families.at(0).forwarding, restarting) << "still no session";
        rig.feed(rig.dialled(), bytes_of(their_open()));
        rig.feed(rig.dialled(), keepalive());
        rig.close(rig.dialled());
        rig.tick();
        EXPECT_TRUE(offered(rig).families.at(0).forwarding) << "only TCP broke";
        rig.stop(Stop::Kind::AdminReset);
        rig.start();
        EXPECT_TRUE(offered(rig).families.at(0).forwarding);
    }
}

TEST(PeerTest, UpdateAppliesLiveWhatItCan) {
    Rig rig;
    const ConnectionId id = rig.reach(State::Established);
    auto config = test_config();
    config.keepalive_time = 2s;
    config.hold_time = 9s;
    config.connect_time = 5s;
    config.name = "renamed";
    EXPECT_EQ(story(rig.update(config)), "");
    EXPECT_EQ(rig.peer.session(), id);
    EXPECT_EQ(rig.peer.negotiated()->keepalive, 2s);
    EXPECT_EQ(rig.peer.negotiated()->hold_time, 90s);
    EXPECT_LE(rig.peer.next_deadline(), rig.now + 2s);
}

TEST(PeerTest, UpdateOfTheIdentityStartsAnew) {
    Rig rig;
    rig.reach(State::Established);
    auto config = test_config();
    config.address = net::IpAddress::v4(0x0a000009);
    EXPECT_EQ(story(rig.update(config)), "down, NOTIFICATION 6/3, flush, dial");
    EXPECT_EQ(all<Dial>(rig.log).back().remote.address, config.address);
    EXPECT_EQ(rig.peer.trouble(), std::nullopt);
}

// The old neighbour hears no more of us, so nothing would end its patience but the restart time.
TEST(PeerTest, WhoIsLeftForAnotherNeighbourDropsOurRoutes) {
    auto config = test_config();
    config.graceful_restart = true;
    auto open = their_open();
    open.capabilities.graceful_restart = helper(true);
    Rig rig(config);
    rig.reach(State::Established, open);
    config.address = net::IpAddress::v4(0x0a000009);
    EXPECT_EQ(story(rig.update(config)), "down, NOTIFICATION 6/9, flush, dial");

    Rig same(config);
    same.reach(State::Established, open);
    config.v6 = true;
    EXPECT_EQ(story(same.update(config)), "down keeping routes, NOTIFICATION 6/6, flush, dial");
}

TEST(PeerTest, UpdateEndsAWaitForARepairOnOurSide) {
    Rig rig;
    rig.start();
    const auto bad_as = bytes_of(bgp_wire::make_notification(bgp_wire::OpenError::BadPeerAs));
    refuse(rig, bad_as);
    EXPECT_EQ(rig.peer.state(), State::Idle);
    auto config = test_config();
    config.local_asn = 64999;
    EXPECT_EQ(story(rig.update(config)), "dial");
}

TEST(PeerTest, AnUnnumberedPeerIsDialledOnceItsAddressIsKnown) {
    auto config = test_config();
    config.address.reset();
    config.interface = "eth1";
    Rig rig(config);
    EXPECT_EQ(story(rig.start()), "");
    EXPECT_EQ(story(rig.run_for(kHearPatience - 1ms)), "");
    EXPECT_FALSE(rig.peer.trouble()) << "routers take a moment to advertise";
    rig.run_for(1ms);
    EXPECT_EQ(rig.trouble(), "no router advertisement heard on eth1 yet");
    const auto address = net::IpAddress::parse("fe80::2").value();
    const auto set = [&](std::optional<net::IpAddress> to) {
        return rig.act([&](Actions& out) { rig.peer.set_address(to, rig.now, out); });
    };
    EXPECT_EQ(story(set(address)), "dial");
    EXPECT_EQ(all<Dial>(rig.log).back().remote, (net::Endpoint{address, 179}));
    EXPECT_EQ(story(set(address)), "");
    EXPECT_EQ(story(set(std::nullopt)), "close");
}

TEST(PeerTest, RefreshIsHandedOutWithMarksWhenEnhanced) {
    const auto request = message(MessageType::RouteRefresh, from_hex("00010001"));
    Rig rig;
    rig.reach(State::Established);
    EXPECT_EQ(story(rig.feed(rig.dialled(), request)), "refresh");
    wire::Bytes many;
    for (int i = 0; i < 1000; ++i) {
        many.insert(many.end(), request.begin(), request.end());
    }
    EXPECT_EQ(story(rig.feed(rig.dialled(), many)), "refresh") << "once a read is enough";
    const auto of_v6 = message(MessageType::RouteRefresh, from_hex("00020001"));
    const auto begin = message(MessageType::RouteRefresh, from_hex("00010101"));
    EXPECT_EQ(story(rig.feed(rig.dialled(), of_v6)), "") << "not negotiated";
    EXPECT_EQ(story(rig.feed(rig.dialled(), begin)), "");

    auto open = their_open();
    open.capabilities.enhanced_refresh = true;
    Rig enhanced;
    enhanced.reach(State::Established, open);
    EXPECT_EQ(story(enhanced.feed(enhanced.dialled(), request)), "marked refresh");
}

}  // namespace
}  // namespace steelyard::bgp
