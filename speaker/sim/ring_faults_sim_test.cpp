#include "speaker/sim/ring_network.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdio>
#include <map>

// What the watch ring makes of loss, stalls, partitions and changes of membership.
namespace steelyard::sim {
namespace {

using namespace std::chrono_literals;

struct StallCase {
    std::size_t nodes;
    Duration span;
    std::uint64_t seeds;
};

class RingStallTest : public testing::TestWithParam<StallCase> {};

// One node in twenty, but one at least, is stalled at any time, for up to 10 s.
void keep_stalling(RingNetwork& network, Rng& rng, std::size_t at_once) {
    std::size_t stalled = 0;
    for (std::size_t node = 0; node < network.size(); ++node) {
        stalled += network.stalled(node) ? 1U : 0U;
    }
    // A node just woken is left alone until the others know that it is back.
    for (int tries = 0; stalled < at_once && tries < 100; ++tries) {
        const std::size_t node = rng.below(network.size());
        if (!network.stalled(node) && network.now() - network.woke_at(node) > 1s) {
            network.stall(node, 20ms + std::chrono::milliseconds(rng.below(9980)));
            ++stalled;
        }
    }
}

TEST_P(RingStallTest, NobodyButTheStalledIsEverUnreachable) {
    const StallCase& wanted = GetParam();
    std::uint64_t verdicts = 0;
    for (std::uint64_t seed = 1; seed <= wanted.seeds; ++seed) {
        SCOPED_TRACE("seed " + std::to_string(seed));
        RingNetworkConfig config;
        config.seed = seed;
        config.loss = 0.05;
        config.duplication = 0.01;
        RingNetwork network(config, wanted.nodes);
        Rng rng(seed);
        network.run_for(1s);
        const Instant end = network.now() + wanted.span;
        while (network.now() < end) {
            keep_stalling(network, rng, std::max<std::size_t>(1, wanted.nodes / 20));
            network.clear_observations();
            network.run_for(50ms);
            for (const RingObservation& seen : network.observations()) {
                if (seen.reachable) {
                    continue;
                }
                ++verdicts;
                const std::size_t subject = RingNetwork::number_of(seen.subject);
                EXPECT_TRUE(network.stalled(subject) || seen.at - network.woke_at(subject) < 400ms)
                    << seen.subject << " awake for " << (seen.at - network.woke_at(subject)) / 1ms
                    << " ms, seen by " << seen.observer << ", awake for "
                    << (seen.at - network.woke_at(seen.observer)) / 1ms;
            }
        }
    }
    std::printf(
        "%zu nodes, %llu s, seeds 1 to %llu: %llu times somebody held a stalled node unreachable, "
        "never another\n",
        wanted.nodes,
        static_cast<unsigned long long>(wanted.span / 1s),
        static_cast<unsigned long long>(wanted.seeds),
        static_cast<unsigned long long>(verdicts)
    );
    EXPECT_GT(verdicts, 0U);
}

std::vector<StallCase> stall_cases() {
#ifdef SY_RING_LARGE
    return {{3, 600s, 20}, {5, 600s, 20}, {10, 600s, 20}, {100, 120s, 5}, {1000, 15s, 1}};
#else
    return {{3, 120s, 5}, {5, 120s, 5}, {10, 60s, 3}, {100, 5s, 1}};
#endif
}

INSTANTIATE_TEST_SUITE_P(
    Clusters,
    RingStallTest,
    testing::ValuesIn(stall_cases()),
    [](const auto& test) { return std::to_string(test.param.nodes) + "Nodes"; }
);

}  // namespace
}  // namespace steelyard::sim
