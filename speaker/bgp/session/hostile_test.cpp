#include "speaker/bgp/session/script.hpp"
#include "speaker/bgp/session/testing.hpp"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace steelyard::bgp {
namespace {

using bgp_wire::MessageType;

wire::Bytes update_with(const std::string& attributes) {
    wire::Writer body;
    body.u16(0);
    const wire::Bytes raw = from_hex(attributes);
    body.u16(static_cast<std::uint16_t>(raw.size()));
    body.bytes(std::span<const std::byte>(raw));
    body.bytes(std::span<const std::byte>(from_hex("180a0000")));
    return message(MessageType::Update, body.take());
}

const std::string kOrigin = "40010100";
const std::string kPath =
    "400206"
    "0201"
    "0000fc01";
const std::string kNextHop =
    "400304"
    "0a000002";

// Bad in ways that RFC 7606 says must not end a session.
std::vector<wire::Bytes> bad_updates() {
    return {
        update_with("40010107" + kPath + kNextHop),    // ORIGIN 7
        update_with("4001020000" + kPath + kNextHop),  // of two octets
        update_with("c0010100" + kPath + kNextHop),    // optional
        update_with(kOrigin + kNextHop),               // no AS_PATH
        update_with(
            kOrigin +
            "4002060901"
            "0000fc01" +
            kNextHop
        ),  // segment of type 9
        update_with(
            kOrigin +
            "4002060205"
            "0000fc01" +
            kNextHop
        ),                                                         // five AS numbers, one there
        update_with(kOrigin + kPath),                              // no NEXT_HOP
        update_with(kOrigin + kPath + "4003030a0000"),             // of three octets
        update_with(kOrigin + kPath + kNextHop + "8004020001"),    // MED of two
        update_with(kOrigin + kPath + kNextHop + "c00803000001"),  // communities of three
        update_with(
            kOrigin + kPath + kNextHop +
            "c02005"
            "0000000001"
        ),  // large of five
        update_with(
            kOrigin + kPath + kNextHop +
            "c01003"
            "000001"
        ),  // extended of three
        update_with(
            kOrigin + kPath + kNextHop +
            "c0ff05"
            "01"
        ),  // past the end
    };
}

TEST(HostileTest, AHundredThousandBadUpdatesLeaveTheSessionUp) {
    Rig rig;
    const ConnectionId id = rig.reach(State::Established);
    rig.log.clear();
    const auto bad = bad_updates();
    for (std::size_t i = 0; i < 100000; ++i) {
        rig.feed(id, bad[i % bad.size()]);
    }
    EXPECT_EQ(rig.peer.state(), State::Established);
    const Counters& counters = rig.peer.counters();
    EXPECT_EQ(counters.in.updates, 100000U);
    EXPECT_EQ(counters.treated_as_withdraw + counters.attribute_discards, 100000U);
    EXPECT_EQ(rig.log.size(), 1U) << "and say so once";
    EXPECT_TRUE(std::holds_alternative<Notice>(rig.log.at(0)));
}

TEST(HostileTest, RoutesOfThePeerAreCountedAndDropped) {
    Rig rig;
    const ConnectionId id = rig.reach(State::Established);
    rig.feed(id, update_with(kOrigin + kPath + kNextHop));
    rig.feed(id, message(MessageType::Update, from_hex("0004180a00000000")));
    EXPECT_EQ(rig.peer.counters().v4.announced, 1U);
    EXPECT_EQ(rig.peer.counters().v4.withdrawn, 1U);
}

TEST(HostileTest, BytesMayComeOneByOne) {
    Rig rig;
    const ConnectionId id = rig.reach(State::OpenSent);
    wire::Bytes all = bytes_of(their_open());
    for (const wire::Bytes& more : {keepalive(), update_with(kOrigin + kPath + kNextHop)}) {
        all.insert(all.end(), more.begin(), more.end());
    }
    for (const std::byte byte : all) {
        rig.feed(id, {byte});
    }
    EXPECT_EQ(rig.peer.state(), State::Established);
    EXPECT_EQ(rig.peer.counters().v4.announced, 1U);
}

TEST(HostileTest, NothingIsDoneForWhatFollowsTheEnd) {
    Rig rig;
    const ConnectionId id = rig.reach(State::Established);
    wire::Bytes all = bytes_of(bgp_wire::cease(bgp_wire::Cease::AdministrativeReset));
    for (int i = 0; i < 100; ++i) {
        const wire::Bytes more = bytes_of(their_open());
        all.insert(all.end(), more.begin(), more.end());
    }
    EXPECT_EQ(story(rig.feed(id, all)), "down, close");
    EXPECT_EQ(story(rig.feed(id, all)), "");
}

// Any events in any order, over several thousand seeds: see script.hpp for what must hold.
TEST(HostileTest, AnyOrderOfEventsHasADefinedOutcome) {
    std::size_t sessions = 0;
    for (std::uint64_t seed = 1; seed <= 20000; ++seed) {
        SCOPED_TRACE("seed " + std::to_string(seed));
        Rng rng(seed);
        wire::Bytes script;
        if (seed % 2 == 0) {  // begins with a session
            script = from_hex(
                "00010005000900"
                "0a00"
            );
        }
        for (std::size_t i = 0; i < 120; ++i) {
            // Small numbers, so that operations are not mostly about nothing.
            const std::uint64_t bound = rng.below(4) == 0 ? 256 : 16;
            script.push_back(static_cast<std::byte>(rng.below(bound)));
        }
        sessions += Script(script).run();
    }
    EXPECT_GT(sessions, 1000U);  // the scripts do get far
}

}  // namespace
}  // namespace steelyard::bgp
