#include "speaker/sim/ring_network.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdio>

// How fast the watch ring is, and at what cost.
namespace steelyard::sim {
namespace {

using namespace std::chrono_literals;

double milliseconds(Duration span) {
    return std::chrono::duration<double, std::milli>(span).count();
}

std::set<std::size_t> all_of(const RingNetwork& network) {
    std::set<std::size_t> out;
    for (std::size_t i = 0; i < network.size(); ++i) {
        if (network.running(i)) {
            out.insert(i);
        }
    }
    return out;
}

struct Detection {
    Duration from_crash;
    Duration from_last_beat;
};

// Kills one node of a settled network and waits until all others know.
Detection kill_one(RingNetwork& network, std::size_t victim) {
    const Instant crash = network.now();
    const Instant beat = network.last_beat(victim);
    network.crash(victim);
    network.clear_observations();
    EXPECT_TRUE(network.run_until([&] { return network.all_hold(victim, true); }, 5s));
    Instant last = crash;
    for (const RingObservation& seen : network.observations()) {
        EXPECT_EQ(seen.subject, RingNetwork::name_of(victim));
        EXPECT_FALSE(seen.reachable);
        last = std::max(last, seen.at);
    }
    return {last - crash, last - beat};
}

double percentile(std::vector<Duration> spans, std::size_t percent) {
    std::sort(spans.begin(), spans.end());
    return milliseconds(spans[(spans.size() - 1) * percent / 100]);
}

struct DetectionCase {
    std::size_t nodes;
    std::uint64_t networks;
    std::size_t kills;             // in each
    std::size_t forget_every = 1;  // kills; then gossip has told everybody
};

class RingDetectionTest : public testing::TestWithParam<DetectionCase> {};

TEST_P(RingDetectionTest, ADeadNodeIsUnreachableEverywhereWithinThreeIntervalsAndABit) {
    const DetectionCase& wanted = GetParam();
    std::vector<Duration> from_crash;
    std::vector<Duration> from_beat;
    for (std::uint64_t seed = 1; seed <= wanted.networks; ++seed) {
        SCOPED_TRACE("seed " + std::to_string(seed));
        RingNetworkConfig config;
        config.seed = seed;
        RingNetwork network(config, wanted.nodes);
        Rng rng(seed + 1000);
        for (std::size_t kill = 0; kill < wanted.kills; ++kill) {
            network.run_for(400ms + std::chrono::microseconds(rng.below(100000)));
            const Detection detection = kill_one(network, kill);
            from_crash.push_back(detection.from_crash);
            from_beat.push_back(detection.from_last_beat);
            if ((kill + 1) % wanted.forget_every == 0) {
                network.set_members(all_of(network), 50ms);
            }
        }
    }
    std::printf(
        "%zu nodes, %zu kills: unreachable everywhere after p50 %.0f p99 %.0f worst %.0f ms from "
        "the crash, worst %.1f ms from the last heartbeat\n",
        wanted.nodes,
        from_crash.size(),
        percentile(from_crash, 50),
        percentile(from_crash, 99),
        percentile(from_crash, 100),
        percentile(from_beat, 100)
    );
    EXPECT_LT(percentile(from_beat, 100), 330.0 + 10.0);
}

std::vector<DetectionCase> detection_cases() {
#ifdef SY_RING_LARGE
    return {{3, 1000, 1}, {10, 100, 6}, {100, 10, 50}, {1000, 3, 50, 10}};
#else
    return {{2, 100, 1}, {3, 100, 1}, {10, 10, 6}, {100, 1, 20}, {1000, 1, 3, 10}};
#endif
}

INSTANTIATE_TEST_SUITE_P(
    Clusters,
    RingDetectionTest,
    testing::ValuesIn(detection_cases()),
    [](const auto& test) { return std::to_string(test.param.nodes) + "Nodes"; }
);

TEST(RingSimTest, ANodeCostsTheSameInEveryCluster) {
    std::vector<double> rates;
    for (const std::size_t nodes : {10U, 100U, 1000U}) {
        RingNetwork network(RingNetworkConfig{}, nodes);
        network.run_for(200ms);
        const auto packets = network.packets();
        const auto bytes = network.bytes();
        network.run_for(10s);
        const double rate =
            static_cast<double>(network.packets() - packets) / 10.0 / static_cast<double>(nodes);
        const double size = static_cast<double>(network.bytes() - bytes) /
                            static_cast<double>(network.packets() - packets);
        std::printf("%zu nodes: %.2f packets/s and node, %.1f bytes each\n", nodes, rate, size);
        rates.push_back(rate);
        EXPECT_NEAR(rate, 30.0, 0.1);
        EXPECT_LE(size, 64.0);
    }
    EXPECT_NEAR(rates.front(), rates.back(), 0.1);
}

TEST(RingSimTest, ARunCanBeReplayedFromItsSeed) {
    const auto run = [](std::uint64_t seed) {
        RingNetworkConfig config;
        config.seed = seed;
        config.loss = 0.1;
        RingNetwork network(config, 10);
        network.run_for(1s);
        network.crash(3);
        network.run_for(2s);
        return std::pair(network.packets(), network.observations().size());
    };

    EXPECT_EQ(run(7), run(7));
    EXPECT_NE(run(7).first, run(8).first);
}

}  // namespace
}  // namespace steelyard::sim
