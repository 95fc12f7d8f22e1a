#include "common/base/rng.hpp"
#include "speaker/bgp/rib/lab_testing.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace steelyard::bgp_rib {
namespace {

TEST(RibOutTest, NothingGoesOutWhileHeldNotEvenEndOfRib) {
    RibOut rib;
    const PeerId peer = rib.add_peer(session_of());
    rib.apply(announce(v4(1)), 1);
    wire::Writer out;

    EXPECT_FALSE(rib.pending(peer));
    EXPECT_EQ(rib.write(peer, out, 4096), 0U);
    rib.release();
    EXPECT_TRUE(rib.pending(peer));
    EXPECT_GT(rib.write(peer, out, 4096), 0U);
    EXPECT_FALSE(rib.pending(peer));
}

TEST(RibOutTest, EndOfRibFollowsTheWholeFirstTable) {
    Lab lab;
    lab.rib.apply(announce_many(2000), 1);
    lab.add(session_of());

    lab.write(0, 4000);
    EXPECT_FALSE(lab.listeners[0].boxes[0].end_of_rib);
    lab.drain(0);

    EXPECT_EQ(lab.listeners[0].table.size(), 2000U);
    EXPECT_TRUE(lab.listeners[0].boxes[0].end_of_rib);
    EXPECT_FALSE(lab.listeners[0].boxes[1].end_of_rib) << "not negotiated";
}

TEST(RibOutTest, EndOfRibIsSentForAFamilyThatHasNoNextHop) {
    Lab lab;
    lab.rib.apply(announce(v6(1)), 1);
    SessionView session = session_of();
    session.v6 = true;
    lab.add(session);

    lab.drain(0);

    EXPECT_TRUE(lab.listeners[0].boxes[1].end_of_rib);
    EXPECT_TRUE(lab.listeners[0].table.empty());
    EXPECT_EQ(lab.rib.unsendable(lab.ids[0], net::Family::V6), Unsendable::NoNextHop);
    EXPECT_EQ(lab.rib.unsendable(lab.ids[0], net::Family::V4), std::nullopt);
    EXPECT_EQ(lab.rib.synced(lab.ids[0]), 1U);
}

TEST(RibOutTest, Ipv4OverIpv6NextHopsIsAnnouncedAndWithdrawn) {
    Lab lab;
    SessionView session = session_of();
    session.next_hop_v4.reset();
    session.v4_over_v6 = true;
    session.next_hop_link_local = net::IpAddress::parse("fe80::1").value();
    lab.rib.apply(announce(v4(1)), 1);
    lab.add(session);
    lab.drain(0);
    ASSERT_EQ(lab.listeners[0].table.size(), 1U);
    EXPECT_EQ(to_string(lab.listeners[0].table[v4(1)].next_hop), "fe80::1");

    lab.rib.apply({{}, {v4(1)}}, 2);
    lab.drain(0);

    EXPECT_TRUE(lab.listeners[0].table.empty());
}

TEST(RibOutTest, ARouteThatGoesWhileItsNextHopChangesIsWithdrawn) {
    Lab lab;
    lab.rib.apply(announce_many(2), 1);
    lab.add(session_of());
    lab.drain(0);

    const auto other = net::IpAddress::v4(0xc0000202U);
    lab.rib.set_next_hops(lab.ids[0], other, {}, {});
    lab.rib.apply({{}, {v4(0)}}, 2);
    lab.listeners[0].expect_repeats(net::Family::V4);
    lab.drain(0);

    EXPECT_EQ(lab.listeners[0].table.size(), 1U);
    EXPECT_EQ(lab.listeners[0].table[v4(1)].next_hop, other);
    EXPECT_EQ(lab.listeners[0].announcements, 3U) << "two at first, one again";
}

TEST(RibOutTest, AFamilyThatLosesItsNextHopIsWithdrawnUntilItHasOneAgain) {
    Lab lab;
    lab.rib.apply(announce(v6(1)), 1);
    SessionView session = session_of();
    session.v6 = true;
    lab.add(session);
    lab.drain(0);
    const auto v6_hop = net::IpAddress::parse("fd00::1").value();

    lab.rib.set_next_hops(lab.ids[0], session.next_hop_v4, v6_hop, {});
    lab.drain(0);
    EXPECT_EQ(lab.listeners[0].table.size(), 1U);
    EXPECT_EQ(lab.rib.unsendable(lab.ids[0], net::Family::V6), std::nullopt);

    lab.rib.set_next_hops(lab.ids[0], session.next_hop_v4, {}, {});
    EXPECT_EQ(lab.rib.synced(lab.ids[0]), 1U) << "never falls";
    lab.drain(0);
    EXPECT_TRUE(lab.listeners[0].table.empty());
    EXPECT_EQ(lab.rib.unsendable(lab.ids[0], net::Family::V6), Unsendable::NoNextHop);
}

TEST(RibOutTest, AChangeTakenBackBeforeItWasToldIsNoMessage) {
    Lab lab;
    lab.rib.apply(announce_many(3), 1);
    lab.add(session_of());
    lab.drain(0);

    lab.rib.apply(announce(v4(1), with_med(1)), 2);
    lab.rib.apply({{}, {v4(2)}}, 3);
    lab.rib.apply(announce(v4(9)), 4);
    lab.rib.apply({announce_many(3).upsert, {v4(9)}}, 5);

    EXPECT_EQ(lab.write(0), 0U);
    EXPECT_FALSE(lab.rib.pending(lab.ids[0]));
    EXPECT_EQ(lab.rib.synced(lab.ids[0]), 5U);
}

TEST(RibOutTest, ADifferenceThatDoesNotShowOnTheSessionIsNoMessage) {
    Lab lab;
    lab.rib.apply(announce(v4(1)), 1);
    SessionView internal = session_of();
    internal.ibgp = true;
    lab.add(session_of());
    lab.add(internal);
    lab.drain(0);
    lab.drain(1);

    Attributes preferred;
    preferred.local_pref = 300;
    lab.rib.apply(announce(v4(1), preferred), 2);

    EXPECT_EQ(lab.write(0), 0U);
    EXPECT_GT(lab.write(1), 0U);
    EXPECT_EQ(lab.listeners[1].table[v4(1)].local_pref, 300U);
}

TEST(RibOutTest, TheFirstPathThatNamesThePeerIsItsRoute) {
    Lab lab;
    for (const char* const name : {"a", "b", "c"}) {
        lab.add(session_of(name));
    }

    lab.rib.apply({{{v4(1), {{{"b"}, with_med(1)}, {{"b", "a"}, with_med(2)}}}}, {}}, 1);
    for (std::size_t peer = 0; peer < 3; ++peer) {
        lab.drain(peer);
    }

    EXPECT_EQ(lab.listeners[0].table[v4(1)].med, 2U);
    EXPECT_EQ(lab.listeners[1].table[v4(1)].med, 1U);
    EXPECT_TRUE(lab.listeners[2].table.empty());
    EXPECT_FALSE(lab.rib.announced(lab.ids[2], v4(1)));
}

TEST(RibOutTest, APeerNoLongerNamedIsSentAWithdrawalOnlyIfItHadTheRoute) {
    Lab lab;
    lab.add(session_of("a"));
    lab.add(session_of("b"));
    lab.rib.apply(announce(v4(1)), 1);
    lab.drain(0);

    lab.rib.apply({{{v4(1), {{{"c"}, {}}}}}, {}}, 2);
    lab.drain(0);
    lab.drain(1);

    EXPECT_EQ(lab.listeners[0].withdrawals, 1U);
    EXPECT_EQ(lab.listeners[1].updates, 0U);
}

TEST(RibOutTest, ARemovedRouteStaysUntilTheSlowestPeerThatHadItKnows) {
    Lab lab;
    lab.add(session_of("a"));
    lab.add(session_of("b"));
    lab.rib.apply(announce(v4(1)), 1);
    lab.drain(0);
    lab.drain(1);

    lab.rib.apply({{}, {v4(1)}}, 2);
    EXPECT_EQ(lab.rib.figures().tombstones, 1U);
    lab.drain(0);
    EXPECT_EQ(lab.rib.figures().tombstones, 1U);
    lab.rib.remove_peer(lab.ids[1]);

    EXPECT_EQ(lab.rib.figures().tombstones, 0U);
    EXPECT_EQ(lab.rib.figures().attribute_sets, 0U);
}

TEST(RibOutTest, TheOrderOfEverythingInAPlanMeansNothing) {
    Rng rng(5);
    Changes sorted;
    for (std::uint32_t i = 0; i < 2000; ++i) {
        Attributes attributes;
        attributes.communities = {1, 2, 3 + i % 3};
        attributes.large = {{1, 1, 1}, {2, 2, 2}};
        sorted.upsert.push_back({v4(i), {{{"a", "b"}, attributes}}});
    }
    Changes shuffled = sorted;
    std::shuffle(shuffled.upsert.begin(), shuffled.upsert.end(), rng);
    for (Route& route : shuffled.upsert) {
        Path& path = route.paths.front();
        std::shuffle(path.peers.begin(), path.peers.end(), rng);
        auto& communities = path.attributes.communities;
        communities.push_back(2);
        std::shuffle(communities.begin(), communities.end(), rng);
        std::shuffle(path.attributes.large.begin(), path.attributes.large.end(), rng);
    }
    Lab lab;
    Lab other;
    lab.rib.apply(sorted, 1);
    other.rib.apply(shuffled, 1);
    lab.add(session_of("a"));
    other.add(session_of("a"));

    lab.drain(0);
    other.drain(0);

    EXPECT_EQ(lab.listeners[0].table, other.listeners[0].table);
    EXPECT_EQ(lab.listeners[0].updates, other.listeners[0].updates);
    other.rib.apply(sorted, 2);
    EXPECT_EQ(other.write(0), 0U);
}

TEST(RibOutTest, ARefreshIsMarkedWhereNegotiatedAndNotElsewhere) {
    for (const bool enhanced : {true, false}) {
        Lab lab;
        SessionView session = session_of();
        session.enhanced_refresh = enhanced;
        lab.add(session);
        lab.rib.apply(announce_many(1000), 1);
        lab.drain(0);
        const std::size_t before = lab.listeners[0].messages;

        lab.rib.refresh(lab.ids[0], net::Family::V4);
        lab.listeners[0].ask_refresh(net::Family::V4);
        EXPECT_TRUE(lab.rib.pending(lab.ids[0]));
        lab.drain(0);

        EXPECT_EQ(lab.listeners[0].messages - before, enhanced ? 4U : 2U);
        EXPECT_EQ(lab.listeners[0].announcements, 2000U);
        EXPECT_FALSE(lab.listeners[0].boxes[0].in_refresh);
    }
}

TEST(RibOutTest, ARefreshOfNothingIsTwoMarks) {
    Lab lab;
    SessionView session = session_of();
    session.enhanced_refresh = true;
    lab.add(session);
    lab.drain(0);

    lab.rib.refresh(lab.ids[0], net::Family::V4);
    lab.rib.refresh(lab.ids[0], net::Family::V6);

    EXPECT_EQ(lab.write(0), 2U * 23);
    EXPECT_FALSE(lab.rib.pending(lab.ids[0]));
}

TEST(RibOutTest, GracefulShutdownSendsEveryRouteOnceMore) {
    Lab lab;
    lab.rib.apply(announce_many(2000), 1);
    lab.add(session_of("a"));
    SessionView internal = session_of("b");
    internal.ibgp = true;
    lab.add(internal);
    lab.drain(0);
    lab.drain(1);

    lab.rib.set_graceful_shutdown(true);
    lab.drain(0);
    lab.drain(1);

    EXPECT_EQ(lab.listeners[0].announcements, 4000U);
    EXPECT_EQ(lab.listeners[0].table[v4(7)].communities, std::vector{0xffff0000U});
    EXPECT_EQ(lab.listeners[1].table[v4(7)].local_pref, 0U);
    lab.add(session_of("c"));
    lab.drain(2);
    EXPECT_EQ(lab.listeners[2].table[v4(7)].communities, std::vector{0xffff0000U});
}

TEST(RibOutTest, WithdrawnPeersHearNothingUntilResumed) {
    Lab lab;
    lab.rib.apply(announce_many(10), 1);
    lab.add(session_of());
    lab.drain(0);

    lab.rib.withdraw_all();
    lab.drain(0);
    EXPECT_TRUE(lab.listeners[0].table.empty());
    EXPECT_EQ(lab.rib.prefixes(lab.ids[0]), 0U);
    lab.rib.apply(announce(v4(77)), 2);
    EXPECT_EQ(lab.write(0), 0U);
    EXPECT_EQ(lab.rib.synced(lab.ids[0]), 2U);
    lab.rib.resume();
    lab.drain(0);

    EXPECT_EQ(lab.listeners[0].table.size(), 11U);
}

TEST(RibOutTest, SyncedIsTheLastChangeBeforeTheFirstUnsentOne) {
    Lab lab;
    lab.add(session_of());
    lab.drain(0);
    for (std::uint32_t i = 0; i < 2000; ++i) {
        lab.rib.apply(announce(v4(i)), 10 + i);
    }

    EXPECT_EQ(lab.rib.synced(lab.ids[0]), 9U);
    lab.write(0, 1);
    EXPECT_EQ(lab.rib.synced(lab.ids[0]), 9U + kPerMessage);
    lab.rib.refresh(lab.ids[0], net::Family::V4);
    lab.listeners[0].ask_refresh(net::Family::V4);
    lab.write(0, 1);
    EXPECT_GE(lab.rib.synced(lab.ids[0]), 9U + kPerMessage) << "it never falls";
    lab.drain(0);
    EXPECT_EQ(lab.rib.synced(lab.ids[0]), 2009U);
}

TEST(RibOutTest, AttributesThatFillAMessageAreNotSentAndWhatWasIsWithdrawn) {
    Lab lab;
    lab.rib.apply(announce(v4(1)), 1);
    lab.add(session_of());
    lab.drain(0);
    Attributes huge;
    for (std::uint32_t i = 0; i < 1015; ++i) {
        huge.communities.push_back(i);
    }

    lab.rib.apply(announce(v4(1), huge), 2);
    lab.rib.apply(announce(v4(2), huge), 3);
    lab.drain(0);

    EXPECT_TRUE(lab.listeners[0].table.empty());
    EXPECT_EQ(lab.listeners[0].withdrawals, 1U);
    EXPECT_EQ(lab.rib.too_long(lab.ids[0]), 1U);
    lab.rib.apply(announce(v4(2)), 4);
    lab.drain(0);
    EXPECT_EQ(lab.listeners[0].table.size(), 1U);
}

}  // namespace
}  // namespace steelyard::bgp_rib
