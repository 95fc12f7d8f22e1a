#include "speaker/sim/network.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdio>
#include <numeric>

namespace steelyard::sim {
namespace {

using namespace std::chrono_literals;
using gossip::Changed;
using gossip::Profile;

double seconds(Duration span) {
    return std::chrono::duration<double>(span).count();
}

std::set<std::size_t> all_but(std::size_t nodes, std::size_t missing) {
    std::set<std::size_t> out;
    for (std::size_t i = 0; i < nodes; ++i) {
        if (i != missing) {
            out.insert(i);
        }
    }
    return out;
}

// How long after a crash the first and the last of the others take note.
struct Detection {
    double first_suspect = 0;
    double first_dead = 0;
    double all_dead = 0;
};

Detection kill_one(std::size_t nodes, Profile profile, std::uint64_t seed) {
    NetworkConfig config;
    config.seed = seed;
    config.timing = gossip::timing(profile);
    GossipNetwork network(config);
    EXPECT_TRUE(network.start_cluster(nodes, 500ms, 60s));
    network.run_for(3s + 1ms * static_cast<int>(Rng(seed).below(1000)));
    network.clear_observations();
    const Instant crash = network.now();
    network.crash(nodes - 1);
    EXPECT_TRUE(
        network.run_until([&] { return network.count(Changed::Kind::Failed) >= nodes - 1; }, 120s)
    );
    Detection out;
    for (const Observation& seen : network.observations()) {
        EXPECT_EQ(seen.member, nodes - 1);
        const double at = seconds(seen.at - crash);
        if (seen.kind == Changed::Kind::Suspected && out.first_suspect == 0) {
            out.first_suspect = at;
        }
        if (seen.kind == Changed::Kind::Failed) {
            out.first_dead = out.first_dead == 0 ? at : out.first_dead;
            out.all_dead = at;
        }
    }
    return out;
}

double mean(const std::vector<double>& values) {
    return std::accumulate(values.begin(), values.end(), 0.0) / static_cast<double>(values.size());
}

double largest(const std::vector<double>& values) {
    return *std::max_element(values.begin(), values.end());
}

struct DetectionCase {
    std::size_t nodes;
    Profile profile;
    std::uint64_t runs;
    double mean_bound;  // seconds until every other node says dead
    double worst_bound;
};

class DetectionTest : public testing::TestWithParam<DetectionCase> {};

TEST_P(DetectionTest, ACrashedNodeIsDeclaredDeadEverywhereInTime) {
    const DetectionCase& wanted = GetParam();
    std::vector<double> suspect;
    std::vector<double> first;
    std::vector<double> all;
    for (std::uint64_t seed = 1; seed <= wanted.runs; ++seed) {
        SCOPED_TRACE("seed " + std::to_string(seed));
        const Detection detection = kill_one(wanted.nodes, wanted.profile, seed);
        suspect.push_back(detection.first_suspect);
        first.push_back(detection.first_dead);
        all.push_back(detection.all_dead);
    }
    std::printf(
        "%s profile, %zu nodes, seeds 1 to %llu: suspected after %.2f s (worst %.2f), first dead "
        "%.2f (%.2f), dead everywhere %.2f (%.2f)\n",
        std::string(to_string(wanted.profile)).c_str(),
        wanted.nodes,
        static_cast<unsigned long long>(wanted.runs),
        mean(suspect),
        largest(suspect),
        mean(first),
        largest(first),
        mean(all),
        largest(all)
    );
    EXPECT_LT(mean(all), wanted.mean_bound);
    EXPECT_LT(largest(all), wanted.worst_bound);
}

INSTANTIATE_TEST_SUITE_P(
    Clusters,
    DetectionTest,
    testing::Values(
        DetectionCase{3, Profile::Fast, 50, 1.4, 1.8},
        DetectionCase{5, Profile::Fast, 50, 1.8, 4.0},
        DetectionCase{10, Profile::Fast, 30, 1.8, 4.0},
        DetectionCase{100, Profile::Fast, 3, 3.5, 6.0},
        DetectionCase{3, Profile::Lan, 20, 7.0, 9.0}
    ),
    [](const auto& test) {
        return std::string(to_string(test.param.profile)) + std::to_string(test.param.nodes);
    }
);

TEST(GossipSimTest, TwoHundredNodesFindEachOther) {
    GossipNetwork network(NetworkConfig{});

    EXPECT_TRUE(network.start_cluster(200, 3s, 60s));
    std::printf(
        "200 nodes know each other after %.1f s\n", seconds(network.now() - Instant()) - 3600
    );
}

TEST(GossipSimTest, ARunCanBeReplayedFromItsSeed) {
    const auto run = [](std::uint64_t seed) {
        NetworkConfig config;
        config.seed = seed;
        config.loss = 0.1;
        GossipNetwork network(config);
        network.start_cluster(10, 1s, 20s);
        network.crash(3);
        network.run_for(10s);
        return std::pair(network.packets(), network.observations().size());
    };

    EXPECT_EQ(run(7), run(7));
    EXPECT_NE(run(7).first, run(8).first);
}

TEST(GossipSimTest, OnePercentLossAndDuplicationKillNobody) {
    for (std::uint64_t seed = 1; seed <= 5; ++seed) {
        SCOPED_TRACE("seed " + std::to_string(seed));
        NetworkConfig config;
        config.seed = seed;
        config.loss = 0.01;
        config.duplication = 0.01;
        GossipNetwork network(config);
        ASSERT_TRUE(network.start_cluster(20, 1s, 30s));

        network.run_for(120s);

        // Not even an early warning: three others and TCP are asked before anybody is accused.
        EXPECT_EQ(network.count(Changed::Kind::Suspected), 0U);
        EXPECT_EQ(network.count(Changed::Kind::Failed), 0U);
        EXPECT_TRUE(network.converged());
    }
}

TEST(GossipSimTest, APartitionIsSeenAndHeals) {
    GossipNetwork network(NetworkConfig{});
    ASSERT_TRUE(network.start_cluster(6, 1s, 30s));
    network.partition({{0, 1, 2}, {3, 4, 5}});
    EXPECT_TRUE(network.run_until([&] { return network.count(Changed::Kind::Failed) == 18; }, 30s));

    network.partition({});

    EXPECT_TRUE(network.run_until([&] { return network.converged(); }, 60s));
}

TEST(GossipSimTest, APartitionLongerThanTheMemoryOfTheDeadHealsByJoining) {
    GossipNetwork network(NetworkConfig{});
    ASSERT_TRUE(network.start_cluster(4, 1s, 30s));
    network.partition({{0, 1}, {2, 3}});
    network.run_for(90s);
    EXPECT_EQ(network.core(0).members().size(), 2U);

    network.partition({});
    network.join(0, 2);

    EXPECT_TRUE(network.run_until([&] { return network.converged(); }, 5s));
}

TEST(GossipSimTest, AShortStallIsRefutedNotFatal) {
    for (std::uint64_t seed = 1; seed <= 10; ++seed) {
        SCOPED_TRACE("seed " + std::to_string(seed));
        NetworkConfig config;
        config.seed = seed;
        GossipNetwork network(config);
        ASSERT_TRUE(network.start_cluster(5, 1s, 30s));
        network.run_for(2s);
        network.clear_observations();

        network.stall(2, 600ms);
        network.run_for(5s);

        EXPECT_EQ(network.count(Changed::Kind::Failed), 0U);
        EXPECT_TRUE(network.converged());
    }
}

TEST(GossipSimTest, ALongStallAccusesNobodyElseAndTheNodeComesBack) {
    GossipNetwork network(NetworkConfig{});
    ASSERT_TRUE(network.start_cluster(5, 1s, 30s));
    network.run_for(2s);
    network.clear_observations();

    network.stall(2, 10s);
    network.run_for(15s);

    for (const Observation& seen : network.observations()) {
        EXPECT_EQ(seen.member, 2U);
    }
    EXPECT_TRUE(network.run_until([&] { return network.converged(); }, 20s));
}

TEST(GossipSimTest, LeavingIsQuickAndNotAFailure) {
    for (const std::size_t nodes : {2U, 3U, 50U}) {
        SCOPED_TRACE(nodes);
        GossipNetwork network(NetworkConfig{});
        ASSERT_TRUE(network.start_cluster(nodes, 1s, 30s));
        network.run_for(3s);
        network.clear_observations();
        const Instant start = network.now();

        network.leave(1);
        EXPECT_TRUE(network.run_until([&] { return network.leave_finished(1); }, 1s));
        EXPECT_TRUE(network.run_until([&] { return network.all_see(all_but(nodes, 1)); }, 2s));

        std::printf("%zu nodes: left after %.2f s\n", nodes, seconds(network.now() - start));
        EXPECT_EQ(network.count(Changed::Kind::Failed), 0U);
        EXPECT_EQ(network.count(Changed::Kind::Left), nodes - 1);
    }
}

TEST(GossipSimTest, ARestartedNodeIsBackAtOnce) {
    GossipNetwork network(NetworkConfig{});
    ASSERT_TRUE(network.start_cluster(5, 1s, 30s));
    network.crash(4);
    ASSERT_TRUE(network.run_until([&] { return network.all_see(all_but(5, 4)); }, 20s));

    network.restart(4);
    network.join(4, 0);

    EXPECT_TRUE(network.run_until([&] { return network.converged(); }, 2s));
}

}  // namespace
}  // namespace steelyard::sim
