#include "speaker/bgp/rib/lab_testing.hpp"

#include <gtest/gtest.h>

#include <cstddef>
#include <cstdint>
#include <limits>
#include <string>

namespace steelyard::bgp_rib {
namespace {

// Messages, bytes and memory: how little of each a table needs.

std::size_t ceil_divide(std::size_t value, std::size_t by) {
    return (value + by - 1) / by;
}

TEST(RibPackingTest, WithoutALimitEverythingIsAppendedToWhatIsThere) {
    RibOut rib;
    rib.release();
    rib.apply(announce_many(2000), 1);
    const PeerId peer = rib.add_peer(session_of());
    wire::Writer out;
    bgp_wire::encode_keepalive(out);

    EXPECT_GT(rib.write(peer, out, std::numeric_limits<std::size_t>::max()), 10'000U);
    EXPECT_FALSE(rib.pending(peer));
}

TEST(RibPackingTest, AMessageCarriesAsManyPrefixesAsFit) {
    for (const std::uint32_t count : {1U, 809U, 810U, 811U, 1620U, 10'000U}) {
        Lab lab;
        lab.rib.apply(announce_many(count), 1);
        lab.add(session_of());

        lab.drain(0, 1);

        EXPECT_EQ(lab.listeners[0].updates, ceil_divide(count, kPerMessage)) << count;
        EXPECT_EQ(lab.listeners[0].table.size(), count);
    }
}

TEST(RibPackingTest, OnlyTheLastMessageOfASetIsNotFullWhateverTheLimit) {
    for (const std::uint32_t sets : {2U, 7U, 100U}) {
        for (const std::size_t limit : {1U, 5000U, 1'000'000U}) {
            Lab lab;
            lab.rib.apply(announce_many(10'000, sets), 1);
            lab.add(session_of());

            lab.drain(0, limit);

            EXPECT_LE(lab.listeners[0].updates, ceil_divide(10'000, kPerMessage) + sets)
                << sets << " sets, limit " << limit;
        }
    }
}

TEST(RibPackingTest, WithdrawalsArePackedAndSplitToo) {
    Lab lab;
    lab.rib.apply(announce_many(10'000), 1);
    lab.add(session_of());
    lab.drain(0);
    const std::size_t before = lab.listeners[0].updates;
    Changes gone;
    for (std::uint32_t i = 0; i < 10'000; ++i) {
        gone.remove.push_back(v4(i));
    }

    lab.rib.apply(gone, 2);
    lab.drain(0);

    EXPECT_EQ(lab.listeners[0].updates - before, ceil_divide(10'000, (4096 - 23) / 5));
    EXPECT_TRUE(lab.listeners[0].table.empty());
    EXPECT_EQ(lab.rib.figures().tombstones, 0U);
}

TEST(RibPackingTest, Ipv6AndExtendedMessagesFillToTheirSize) {
    Lab lab;
    SessionView session = session_of();
    session.v6 = true;
    session.next_hop_v6 = net::IpAddress::parse("2001:db8::ff").value();
    session.max_message = bgp_wire::kMaxExtendedMessage;
    Changes changes = announce_many(26'000);
    for (std::uint64_t i = 0; i < 3800; ++i) {
        changes.upsert.push_back({v6(i), {{{}, {}}}});
    }
    lab.rib.apply(changes, 1);
    lab.add(session);

    lab.drain(0);

    EXPECT_EQ(lab.listeners[0].updates, 2U + 1U);
    EXPECT_EQ(lab.rib.prefixes(lab.ids[0], net::Family::V4), 26'000U);
    EXPECT_EQ(lab.rib.prefixes(lab.ids[0], net::Family::V6), 3800U);
}

TEST(RibPackingTest, AThousandChangesMeanwhileAreTwoMessages) {
    Lab lab;
    lab.rib.apply(announce_many(100'000), 1);
    lab.add(session_of());
    lab.drain(0);
    const std::size_t before = lab.listeners[0].updates;

    for (std::uint32_t i = 0; i < 1000; ++i) {
        lab.rib.apply(announce(v4(i * 97), with_med(1)), 2 + i);
    }
    lab.drain(0);

    EXPECT_EQ(lab.listeners[0].updates - before, 2U);
    EXPECT_EQ(lab.rib.synced(lab.ids[0]), 1001U);
}

TEST(RibPackingTest, MoreThanSixtyFourPeersLagEachForItself) {
    Lab lab;
    lab.rib.apply(announce_many(5), 1);
    for (std::size_t peer = 0; peer < 130; ++peer) {
        lab.add(session_of(std::to_string(peer)));
        lab.drain(peer);
    }

    lab.rib.apply(announce(v4(0), with_med(1)), 2);
    lab.rib.apply({{}, {v4(1)}}, 3);
    for (std::size_t peer = 0; peer < 130; peer += 2) {
        lab.drain(peer);
    }
    lab.rib.apply(announce(v4(0), with_med(2)), 4);

    for (std::size_t peer = 0; peer < 130; ++peer) {
        lab.drain(peer);
        EXPECT_EQ(lab.listeners[peer].table.size(), 4U);
        EXPECT_EQ(lab.listeners[peer].announcements, peer % 2 == 0 ? 7U : 6U);
    }
    EXPECT_EQ(lab.rib.figures().tombstones, 0U);
}

TEST(RibPackingTest, AHundredThousandRoutesReachEightPeersInTheFewestMessages) {
    Lab lab;
    lab.rib.apply(announce_many(100'000), 1);
    for (std::size_t peer = 0; peer < 8; ++peer) {
        lab.add(session_of(std::to_string(peer)));

        EXPECT_EQ(lab.count_messages(peer, std::size_t{1} << (8 + peer)), 124U + 1U);
        EXPECT_EQ(lab.rib.prefixes(lab.ids[peer]), 100'000U);
    }
}

TEST(RibPackingTest, APeerCostsABitARouteAndALaggingOneLittleMore) {
    Lab lab;
    lab.rib.apply(announce_many(100'000), 1);
    const auto alone = lab.rib.figures();
    for (std::size_t peer = 0; peer < 8; ++peer) {
        lab.add(session_of(std::to_string(peer)));
        (void)lab.count_messages(peer);
    }
    const auto synced = lab.rib.figures();
    EXPECT_EQ(synced.shared_bytes, alone.shared_bytes);
    EXPECT_LT(synced.peer_bytes, 8U * (100'000 / 8 + 512));
    EXPECT_LT(synced.shared_bytes, 49U * 100'000);

    Changes all = announce_many(100'000);
    for (Route& route : all.upsert) {
        route.paths.front().attributes.med = 1;
    }
    lab.rib.apply(all, 2);
    EXPECT_LT(lab.rib.figures().shared_bytes - synced.shared_bytes, 100'000U * 34);
    for (std::size_t peer = 0; peer < 8; ++peer) {
        (void)lab.count_messages(peer);
    }

    EXPECT_LT(lab.rib.figures().shared_bytes, synced.shared_bytes + 1024);
    EXPECT_EQ(lab.rib.figures().attribute_sets, 1U);
}

}  // namespace
}  // namespace steelyard::bgp_rib
