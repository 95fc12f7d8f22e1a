#include "speaker/sim/ring_network.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdio>

// Single faults and changes of membership, and what the watch ring makes of them.
namespace steelyard::sim {
namespace {

using namespace std::chrono_literals;

constexpr std::size_t kReleasedBytes = ring::kHeader + 2 + ring::kTag;

RingNetworkConfig seeded(std::uint64_t seed) {
    RingNetworkConfig out;
    out.seed = seed;
    return out;
}

std::set<std::size_t> all_but(std::size_t nodes, const std::set<std::size_t>& missing) {
    std::set<std::size_t> out;
    for (std::size_t i = 0; i < nodes; ++i) {
        if (!missing.contains(i)) {
            out.insert(i);
        }
    }
    return out;
}

bool anybody_accused(const RingNetwork& network) {
    const auto& all = network.observations();
    return std::any_of(all.begin(), all.end(), [](const auto& seen) { return !seen.reachable; });
}

std::uint64_t accusations(const RingNetwork& network) {
    std::uint64_t out = 0;
    for (std::size_t node = 0; node < network.size(); ++node) {
        out += network.core(node).counters().accusations;
    }
    return out;
}

bool knows_itself_unreachable(const RingNetwork& network, std::size_t node) {
    return network.core(node).unreachable().contains(RingNetwork::name_of(node));
}

class RingStoryTest : public testing::TestWithParam<std::uint64_t> {};

TEST_P(RingStoryTest, AStalledNodeLearnsItAtOnceAndIsBackInHalfASecond) {
    for (const std::size_t nodes : {2U, 3U, 5U, 10U}) {
        SCOPED_TRACE(nodes);
        RingNetwork network(seeded(GetParam()), nodes);
        network.run_for(1s);
        const Instant stalled_at = network.now();
        network.stall(0, 4s);
        network.run_for(1s);
        EXPECT_TRUE(network.all_hold(0, true));
        EXPECT_LT(network.core(0).lease() - stalled_at, 271ms);  // long over when it wakes

        network.run_for(3s);
        EXPECT_LT(network.core(0).lease(), network.now());
        EXPECT_TRUE(network.run_until([&] { return knows_itself_unreachable(network, 0); }, 6ms));
        EXPECT_LT(network.core(0).lease(), network.now());

        const Instant woke = network.woke_at(0);
        EXPECT_TRUE(network.run_until([&] { return network.all_hold(0, false); }, 500ms));
        EXPECT_TRUE(network.run_until(
            [&] {
                return !knows_itself_unreachable(network, 0) &&
                       network.core(0).lease() > network.now();
            },
            500ms - (network.now() - woke)
        ));
    }
}

TEST_P(RingStoryTest, AShortStallCostsTheLeaseForOneRoundTrip) {
    RingNetwork network(seeded(GetParam()), 3);
    network.run_for(1s);
    // Two beats are missed but the watchers have not yet run out of patience.
    network.run_until([&] { return network.now() - network.last_beat(0) >= 99ms; }, 1s);
    network.stall(0, 176ms);
    network.run_for(176ms);

    EXPECT_LT(network.core(0).lease(), network.now());
    EXPECT_TRUE(network.run_until([&] { return network.core(0).lease() > network.now(); }, 300ms));
    EXPECT_EQ(network.core(0).counters().stalls, 1U);
    EXPECT_FALSE(anybody_accused(network));
}

TEST_P(RingStoryTest, AStalledNodeWithoutAnyWatcherLeftGoesOnAfterASecond) {
    RingNetwork network(seeded(GetParam()), 3);
    network.run_for(1s);
    network.crash(1);
    network.crash(2);
    network.stall(0, 2s);
    network.run_for(2900ms);
    EXPECT_LT(network.core(0).lease(), network.now());

    network.run_for(200ms);

    EXPECT_GT(network.core(0).lease(), network.now());
}

TEST_P(RingStoryTest, AVerdictLostOnTheWayComesAgain) {
    RingNetwork network(seeded(GetParam()), 6);
    network.run_for(1s);
    const auto watchers = network.watchers_of(0);
    std::size_t deaf = 1;
    while (std::count(watchers.begin(), watchers.end(), deaf) > 0) {
        ++deaf;
    }
    network.crash(0);
    // It hears no news until all copies have been sent.
    network.drop([&](std::size_t, std::size_t to, std::size_t bytes) {
        return to == deaf && bytes == ring::kHeader + 11 + ring::kTag;
    });
    network.run_for(400ms);
    EXPECT_FALSE(network.core(deaf).unreachable().contains("node-0"));

    network.drop({});

    EXPECT_TRUE(network.run_until([&] { return network.all_hold(0, true); }, 1100ms));
}

TEST_P(RingStoryTest, AnEndOfAVerdictLostOnTheWayIsForgottenInTime) {
    RingNetwork network(seeded(GetParam()), 6);
    network.run_for(1s);
    network.stall(0, 1s);
    network.run_for(1s);
    network.drop([&](std::size_t, std::size_t to, std::size_t bytes) {
        return to != 0 && bytes == ring::kHeader + 11 + ring::kTag;
    });

    network.run_for(600ms);
    network.drop({});

    EXPECT_TRUE(network.run_until([&] { return network.all_hold(0, false); }, 3s));
}

TEST_P(RingStoryTest, WatchersThatDieWithTheirNodeLeaveItToGossip) {
    RingNetwork network(seeded(GetParam()), 12);
    network.run_for(1s);
    const auto watchers = network.watchers_of(0);
    network.crash(0);
    network.crash(watchers[0]);
    network.crash(watchers[1]);
    const std::set<std::size_t> dead = {0, watchers[0], watchers[1]};

    network.run_for(5s);

    EXPECT_TRUE(network.all_hold(0, false));
    for (const RingObservation& seen : network.observations()) {
        EXPECT_TRUE(dead.contains(RingNetwork::number_of(seen.subject))) << seen.subject;
    }
    // Gossip takes them away, and the ring closes.
    network.set_members(all_but(12, dead), 300ms);
    network.run_for(1s);
    for (const std::size_t node : all_but(12, dead)) {
        EXPECT_TRUE(network.core(node).unreachable().empty());
        EXPECT_EQ(network.core(node).watched().size(), 3U);
    }
}

// 30 nodes come, 30 nodes go, 10 restart; everybody hears of it at another time.
TEST_P(RingStoryTest, ChangesOfMembershipAccuseNobodyEvenWithoutGoodbyes) {
    for (const bool goodbyes_lost : {false, true}) {
        RingNetwork network(seeded(GetParam()), 40);
        if (goodbyes_lost) {
            network.drop([](std::size_t, std::size_t, std::size_t bytes) {
                return bytes == kReleasedBytes;
            });
        }
        network.run_for(1s);
        std::set<std::size_t> members = all_but(40, {});
        for (std::size_t i = 0; i < 30; ++i) {
            members.insert(network.start());
            network.set_members(members, 100ms);
            network.run_for(200ms);
        }
        for (std::size_t i = 0; i < 30; ++i) {
            // Gossip loses it before it goes: nobody can miss it.
            members.erase(i);
            network.set_members(members, 100ms);
            network.run_for(200ms);
            network.crash(i);
        }
        for (std::size_t i = 30; i < 40; ++i) {
            network.crash(i);
            network.restart(i);
            network.set_members(members, 100ms);
            network.run_for(400ms);
        }

        for (const RingObservation& seen : network.observations()) {
            EXPECT_TRUE(seen.reachable) << seen.subject;
        }
        for (const std::size_t node : members) {
            EXPECT_EQ(network.core(node).watched().size(), 3U);
        }
    }
}

TEST_P(RingStoryTest, ANodeThatHearsNobodyAccusesNobody) {
    RingNetwork network(seeded(GetParam()), 5);
    network.run_for(1s);
    network.partition({{0}});

    network.run_for(10s);

    EXPECT_EQ(network.core(0).counters().accusations, 0U);
    EXPECT_GT(network.core(0).counters().abstentions, 0U);
    EXPECT_TRUE(network.core(0).unreachable().empty());
    EXPECT_TRUE(network.all_hold(0, true));
    EXPECT_GT(network.core(0).lease(), network.now());

    network.partition({});

    EXPECT_TRUE(network.run_until([&] { return network.all_hold(0, false); }, 600ms));
}

TEST_P(RingStoryTest, OneWayLossTowardsOneWatcherIsNoVerdict) {
    RingNetwork network(seeded(GetParam()), 6);
    network.run_for(1s);
    const std::size_t deaf = network.watchers_of(0)[1];
    network.drop([&](std::size_t from, std::size_t to, std::size_t) {
        return from == 0 && to == deaf;
    });

    network.run_for(10s);

    EXPECT_FALSE(anybody_accused(network));
    EXPECT_GT(network.core(deaf).counters().accusations, 0U);
}

TEST_P(RingStoryTest, ANodeThatNobodyHearsIsToldSo) {
    RingNetwork network(seeded(GetParam()), 4);
    network.run_for(1s);
    network.drop([](std::size_t from, std::size_t, std::size_t) { return from == 0; });

    EXPECT_TRUE(network.run_until([&] { return network.all_hold(0, true); }, 330ms));
    EXPECT_TRUE(network.run_until([&] { return knows_itself_unreachable(network, 0); }, 10ms));
    network.run_for(5s);
    EXPECT_TRUE(knows_itself_unreachable(network, 0));

    network.drop({});

    EXPECT_TRUE(network.run_until(
        [&] { return network.all_hold(0, false) && !knows_itself_unreachable(network, 0); }, 500ms
    ));
}

TEST_P(RingStoryTest, WithTwoNodesTheOneWatcherDecides) {
    RingNetwork network(seeded(GetParam()), 2);
    network.run_for(1s);
    network.crash(1);

    EXPECT_TRUE(network.run_until([&] { return network.all_hold(1, true); }, 340ms));
}

TEST_P(RingStoryTest, ALeavingNodeIsNotAccused) {
    for (const std::size_t nodes : {2U, 3U, 20U}) {
        RingNetwork network(seeded(GetParam()), nodes);
        network.run_for(1s);

        network.leave(0);
        network.run_for(30ms);
        network.crash(0);
        network.run_for(3s);

        EXPECT_FALSE(anybody_accused(network));
        EXPECT_EQ(accusations(network), 0U);
    }
}

TEST_P(RingStoryTest, APartitionIsHeldByEachSideAndForgottenWhenItHeals) {
    RingNetwork network(seeded(GetParam()), 3);
    network.run_for(1s);
    network.partition({{0}, {1, 2}});
    network.run_for(1s);
    EXPECT_TRUE(network.core(1).unreachable().contains("node-0"));
    EXPECT_TRUE(network.core(2).unreachable().contains("node-0"));
    EXPECT_TRUE(network.core(0).unreachable().empty());

    network.partition({});
    EXPECT_TRUE(network.run_until([&] { return knows_itself_unreachable(network, 0); }, 110ms));

    EXPECT_TRUE(network.run_until([&] { return network.all_hold(0, false); }, 500ms));
}

TEST_P(RingStoryTest, ANodeThatRestartsIsWatchedInItsNewLife) {
    RingNetwork network(seeded(GetParam()), 5);
    network.run_for(1s);
    network.crash(0);
    network.run_for(1s);
    EXPECT_TRUE(network.all_hold(0, true));

    network.restart(0);
    network.set_members(all_but(5, {}), 200ms);
    network.run_for(500ms);

    EXPECT_TRUE(network.all_hold(0, false));
    network.crash(0);
    EXPECT_TRUE(network.run_until([&] { return network.all_hold(0, true); }, 340ms));
}

TEST_P(RingStoryTest, KeysRotateNodeByNodeWithoutASuspicion) {
    const auto ring = [](std::vector<gossip_wire::Key> keys) {
        return gossip_wire::KeyRing::make(std::move(keys)).value();
    };
    const gossip_wire::Key old_key(32, std::byte{1});
    const gossip_wire::Key new_key(32, std::byte{2});
    RingNetworkConfig config = seeded(GetParam());
    config.keys = ring({old_key});
    RingNetwork network(config, 6);
    network.run_for(1s);

    for (const auto& step : {ring({old_key, new_key}), ring({new_key, old_key}), ring({new_key})}) {
        for (std::size_t node = 0; node < 6; ++node) {
            network.set_keys(node, step);
            network.run_for(70ms);
        }
    }
    network.run_for(1s);

    EXPECT_EQ(accusations(network), 0U);
    network.crash(0);
    EXPECT_TRUE(network.run_until([&] { return network.all_hold(0, true); }, 340ms));
}

TEST_P(RingStoryTest, AMillionReplaysChangeNothing) {
    RingNetwork network(seeded(GetParam()), 5);
    std::vector<std::tuple<std::size_t, std::size_t, wire::Bytes>> seen;
    network.tap([&](std::size_t from, std::size_t to, const wire::Bytes& bytes) {
        seen.emplace_back(from, to, bytes);
    });
    // Two verdicts and their ends are among what is recorded.
    network.run_for(1s);
    network.stall(0, 600ms);
    network.run_for(2s);
    network.stall(1, 600ms);
    network.run_for(2s);
    network.tap({});
    network.run_for(10ms);
    const std::size_t recorded = seen.size();
    network.clear_observations();
    std::uint64_t before = 0;
    std::uint64_t taken = 0;
    std::uint64_t replayed = 0;
    const auto count = [&] {
        taken = replayed = 0;
        for (std::size_t node = 0; node < network.size(); ++node) {
            taken += network.core(node).counters().packets_received;
            replayed += network.core(node).counters().replayed;
        }
    };
    count();
    before = taken;
    const std::uint64_t replayed_before = replayed;

    Rng rng(GetParam());
    const std::uint64_t tries = 200000;  // for each of five seeds
    for (std::uint64_t i = 0; i < tries; ++i) {
        const auto& [from, to, bytes] = seen[rng.below(recorded)];
        network.inject(from, to, bytes);
    }

    count();
    EXPECT_EQ(taken, before);
    EXPECT_EQ(replayed - replayed_before, tries);
    EXPECT_TRUE(network.observations().empty());
    for (std::size_t node = 0; node < network.size(); ++node) {
        EXPECT_TRUE(network.core(node).unreachable().empty());
    }
}

INSTANTIATE_TEST_SUITE_P(Seeds, RingStoryTest, testing::Range<std::uint64_t>(1, 6), [](auto& test) {
    return "Seed" + std::to_string(test.param);
});

}  // namespace
}  // namespace steelyard::sim
