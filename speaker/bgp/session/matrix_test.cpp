#include "speaker/bgp/session/testing.hpp"

#include <gtest/gtest.h>

#include <array>
#include <functional>

// Every state against every event (RFC 4271 8.2.2). "IdleHold" is Idle with its timer running,
// "Stopped" is Idle without. Each cell: what is done, then the state that follows if it is another.
namespace steelyard::bgp {
namespace {

using bgp_wire::MessageType;

constexpr std::array kStates{
    "Stopped", "IdleHold", "Connect", "Active", "OpenSent", "OpenConfirm", "Established"};
using Cells = std::array<std::string, kStates.size()>;
using Event = std::function<Actions(Rig&, ConnectionId)>;

// The connection that events are about; in states without one, an id that names none.
ConnectionId reach(Rig& rig, std::size_t state) {
    switch (state) {
        case 0:
            return ConnectionId{99};
        case 1:
            rig.reach(State::OpenSent);
            rig.feed(rig.dialled(), bytes_of(bgp_wire::cease(bgp_wire::Cease::ConnectionRejected)));
            return rig.dialled();
        case 2:
            return rig.reach(State::Connect);
        case 3:
            return rig.reach(State::Active);
        case 4:
            return rig.reach(State::OpenSent);
        case 5:
            return rig.reach(State::OpenConfirm);
        default:
            return rig.reach(State::Established);
    }
}

Event bytes(wire::Bytes what) {
    return [what](Rig& rig, ConnectionId id) {
        return rig.feed(id, what);
    };
}

Event after(Duration span) {
    return [span](Rig& rig, ConnectionId) {
        rig.now += span;
        return rig.deadline();
    };
}

void check(const std::string& name, const Event& event, const Cells& expected) {
    for (std::size_t i = 0; i < kStates.size(); ++i) {
        SCOPED_TRACE(name + " in " + kStates[i]);
        auto config = test_config();
        config.bfd = true;
        Rig rig(config);
        rig.bfd(BfdState::Up);
        const ConnectionId id = reach(rig, i);
        const State before = rig.peer.state();
        std::string outcome = story(event(rig, id));
        if (rig.peer.state() != before) {
            outcome += outcome.empty() ? "" : " ";
            outcome += "-> " + std::string(to_string(rig.peer.state()));
        }
        EXPECT_EQ(outcome, expected[i]);
    }
}

TEST(MatrixTest, Administration) {
    check(
        "start",
        [](Rig& rig, ConnectionId) { return rig.start(); },
        {"dial -> Connect", "", "", "", "", "", ""}
    );
    check(
        "shutdown",
        [](Rig& rig, ConnectionId) { return rig.stop(Stop::Kind::Shutdown); },
        {"",
         "",
         "close -> Idle",
         "-> Idle",
         "NOTIFICATION 6/2, flush -> Idle",
         "NOTIFICATION 6/2, flush -> Idle",
         "down, NOTIFICATION 6/2, flush -> Idle"}
    );
    check(
        "BFD down",
        [](Rig& rig, ConnectionId) { return rig.bfd(BfdState::Down); },
        {"",
         "",
         "",
         "",
         "NOTIFICATION 6/10, flush -> Idle",
         "NOTIFICATION 6/10, flush -> Idle",
         "down, NOTIFICATION 6/10, flush -> Idle"}
    );
}

TEST(MatrixTest, Timers) {
    check(
        "the next timer",
        [](Rig& rig, ConnectionId) { return rig.tick(); },
        {"", "dial -> Connect", "close -> Active", "dial -> Connect", "", "KEEPALIVE", "KEEPALIVE"}
    );
    check(
        "90 s without a sign of life",
        after(std::chrono::seconds(90)),
        {"",
         "dial -> Connect",
         "close -> Active",
         "dial -> Connect",
         "",
         "NOTIFICATION 4/0, flush -> Idle",
         "down, NOTIFICATION 4/0, flush -> Idle"}
    );
    check(
        "240 s without a sign of life",
        after(kOpenHoldTime),
        {"",
         "dial -> Connect",
         "close -> Active",
         "dial -> Connect",
         "NOTIFICATION 4/0, flush -> Idle",
         "KEEPALIVE",
         "KEEPALIVE"}
    );
}

TEST(MatrixTest, Tcp) {
    check(
        "connected",
        [](Rig& rig, ConnectionId id) {
            return rig.act([&](Actions& out) {
                rig.peer.on_connected(id, Rig::ends(), rig.now, out);
            });
        },
        {"", "", "OPEN -> OpenSent", "", "", "", ""}
    );
    check(
        "connect failed",
        [](Rig& rig, ConnectionId id) {
            return rig.act([&](Actions& out) {
                rig.peer.on_connect_failed(id, make_error(Errc::Timeout, "connect"), rig.now, out);
            });
        },
        {"", "", "-> Active", "", "", "", ""}
    );
    check(
        "accepted",
        [](Rig& rig, ConnectionId) {
            Actions out = rig.accept();
            return out;
        },
        {"", "", "OPEN -> OpenSent", "OPEN -> OpenSent", "OPEN", "OPEN", ""}
    );
    check(
        "closed",
        [](Rig& rig, ConnectionId id) { return rig.close(id); },
        {"", "", "-> Active", "", "-> Active", "-> Active", "down -> Active"}
    );
}

TEST(MatrixTest, Messages) {
    auto wrong_as = their_open();
    wrong_as.asn = 65000;
    wrong_as.capabilities.as4 = 65000;
    check(
        "OPEN",
        bytes(bytes_of(their_open())),
        {"",
         "",
         "",
         "",
         "KEEPALIVE -> OpenConfirm",
         "NOTIFICATION 5/2, flush -> Idle",
         "down, NOTIFICATION 5/3, flush -> Idle"}
    );
    check(
        "OPEN of another AS",
        bytes(bytes_of(wrong_as)),
        {"",
         "",
         "",
         "",
         "NOTIFICATION 2/2, flush -> Idle",
         "NOTIFICATION 5/2, flush -> Idle",
         "down, NOTIFICATION 5/3, flush -> Idle"}
    );
    check(
        "KEEPALIVE",
        bytes(keepalive()),
        {"", "", "", "", "NOTIFICATION 5/1, flush -> Idle", "up -> Established", ""}
    );
    check(
        "UPDATE",
        bytes(message(MessageType::Update, from_hex("00000000"))),
        {"", "", "", "", "NOTIFICATION 5/1, flush -> Idle", "NOTIFICATION 5/2, flush -> Idle", ""}
    );
    check(
        "UPDATE that cannot be parsed",
        bytes(message(MessageType::Update, from_hex("ffff0000"))),
        {"",
         "",
         "",
         "",
         "NOTIFICATION 5/1, flush -> Idle",
         "NOTIFICATION 5/2, flush -> Idle",
         "down, NOTIFICATION 3/1, flush -> Idle"}
    );
    check(
        "ROUTE-REFRESH",
        bytes(message(MessageType::RouteRefresh, from_hex("00010001"))),
        {"",
         "",
         "",
         "",
         "NOTIFICATION 5/1, flush -> Idle",
         "NOTIFICATION 5/2, flush -> Idle",
         "refresh"}
    );
    check(
        "NOTIFICATION",
        bytes(bytes_of(bgp_wire::cease(bgp_wire::Cease::AdministrativeReset))),
        {"", "", "", "", "close -> Idle", "close -> Idle", "down, close -> Idle"}
    );
    check(
        "version error",
        bytes(bytes_of(bgp_wire::make_notification(bgp_wire::OpenError::UnsupportedVersion))),
        {"", "", "", "", "close -> Idle", "close -> Idle", "down, close -> Idle"}
    );
    check(
        "bad marker",
        bytes(wire::Bytes(19)),
        {"",
         "",
         "",
         "",
         "NOTIFICATION 1/1, flush -> Idle",
         "NOTIFICATION 1/1, flush -> Idle",
         "down, NOTIFICATION 1/1, flush -> Idle"}
    );
    check(
        "unknown type",
        bytes(from_hex("ffffffffffffffffffffffffffffffff001309")),
        {"",
         "",
         "",
         "",
         "NOTIFICATION 1/3, flush -> Idle",
         "NOTIFICATION 1/3, flush -> Idle",
         "down, NOTIFICATION 1/3, flush -> Idle"}
    );
}

}  // namespace
}  // namespace steelyard::bgp
