#include "speaker/sim/network.hpp"

#include <sys/resource.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <set>
#include <string>
#include <vector>

// A cluster of thousands in one process, on a virtual clock: what gossip costs each node, how long
// a crash takes to be known everywhere, how a partition heals, and whom it takes for dead when
// packets get lost and processes stall; our fast profile beside memberlist's lan profile.
// usage: sy_gossip_sim_bench [nodes (5000)] [seed (1)] [nodes of the storm (2000)]
// Loss, stalls and partitions make thousands of times the traffic of a crash: the storm has fewer
// nodes unless told otherwise, and a partition a thousand at most.
namespace {

using namespace steelyard;
using namespace std::chrono_literals;
using gossip::Changed;
using gossip::Profile;
using sim::GossipNetwork;
using sim::Observation;

constexpr std::size_t kStormNodes = 2000;

struct Run {
    std::size_t nodes;
    std::uint64_t seed;
    Profile profile;
};

double seconds(Duration span) {
    return std::chrono::duration<double>(span).count();
}

sim::NetworkConfig config_of(const Run& run, double loss, double duplication) {
    sim::NetworkConfig config;
    config.seed = run.seed;
    config.timing = gossip::timing(run.profile);
    config.loss = loss;
    config.duplication = duplication;
    return config;
}

// When each of `total` observers has noted this change; the first and the last.
struct Span {
    Duration first{};
    Duration last{};
    std::size_t observers = 0;
};
Span span_of(const GossipNetwork& network, Changed::Kind kind, std::size_t member, Instant since) {
    Span out;
    for (const Observation& seen : network.observations()) {
        if (seen.kind == kind && seen.member == member) {
            out.first = out.observers == 0 ? seen.at - since : out.first;
            out.last = seen.at - since;
            ++out.observers;
        }
    }
    return out;
}

void crash(const Run& run) {
    GossipNetwork network(config_of(run, 0, 0));
    network.start_known(run.nodes);
    network.run_for(4s);
    const std::uint64_t packets = network.packets();
    const Duration quiet = 5s;
    network.run_for(quiet);
    const double cost = static_cast<double>(network.packets() - packets) /
                        static_cast<double>(run.nodes) / seconds(quiet);
    network.clear_observations();
    const std::size_t victim = run.nodes / 2;
    const Instant now = network.now();
    network.crash(victim);
    (void
    )network.run_until([&] { return network.count(Changed::Kind::Failed) >= run.nodes - 1; }, 60s);
    const Span suspected = span_of(network, Changed::Kind::Suspected, victim, now);
    const Span failed = span_of(network, Changed::Kind::Failed, victim, now);
    std::printf(
        "  a crash: suspected first after %.2f s, everywhere %.2f s later; dead first after %.2f "
        "s, "
        "on all %zu others after %.2f s\n  quiet: %.1f packets a node and second\n",
        seconds(suspected.first),
        seconds(suspected.last - suspected.first),
        seconds(failed.first),
        failed.observers,
        seconds(failed.last),
        cost
    );
}

// 5 % of packets lost, 1 % twice, 5 % of the nodes stalled for up to 10 s; then a partition.
void storm(const Run& run) {
    GossipNetwork network(config_of(run, 0.05, 0.01));
    network.start_known(run.nodes);
    network.run_for(2s);
    network.clear_observations();
    Rng rng(run.seed);
    std::set<std::size_t> stalled;
    while (stalled.size() < run.nodes / 20) {
        stalled.insert(rng.below(run.nodes));
    }
    for (const std::size_t node : stalled) {
        network.stall(node, 100ms + 1ms * static_cast<int>(rng.below(9'900)));
    }
    const std::uint64_t packets = network.packets();
    network.run_for(12s);
    std::set<std::size_t> wrongly_suspected;
    std::set<std::size_t> wrongly_dead;
    std::set<std::size_t> dead;
    for (const Observation& seen : network.observations()) {
        const bool innocent = stalled.count(seen.member) == 0;
        if (seen.kind == Changed::Kind::Suspected && innocent) {
            wrongly_suspected.insert(seen.member);
        }
        if (seen.kind == Changed::Kind::Failed) {
            (innocent ? wrongly_dead : dead).insert(seen.member);
        }
    }
    std::printf(
        "  5 %% loss, %zu of %zu nodes stalled for up to 10 s: %zu of the others taken for dead, "
        "%zu "
        "suspected; %zu of the stalled ones dead for a while; %.1f packets a node and second\n",
        stalled.size(),
        run.nodes,
        wrongly_dead.size(),
        wrongly_suspected.size(),
        dead.size(),
        static_cast<double>(network.packets() - packets) / static_cast<double>(run.nodes) / 12
    );
}

// A twentieth against the rest, at most a thousand in all: each of the few finds out about each of
// the many.
void heal(const Run& all) {
    const Run run{std::min(all.nodes, std::size_t{1000}), all.seed, all.profile};
    GossipNetwork network(config_of(run, 0, 0));
    network.start_known(run.nodes);
    network.run_for(1s);
    std::set<std::size_t> one;
    std::set<std::size_t> other;
    for (std::size_t i = 0; i < run.nodes; ++i) {
        (i < run.nodes / 20 ? one : other).insert(i);
    }
    network.partition({one, other});
    network.run_for(8s);
    network.partition({});
    const Instant healed = network.now();
    const std::uint64_t packets = network.packets();
    const std::uint64_t streams = network.streams();
    const bool whole = network.run_until([&] { return network.converged(); }, 30s);
    const auto nodes = static_cast<double>(run.nodes);
    std::printf(
        "  5 %% of %zu cut off for 8 s: %s after %.2f s, with %.0f packets and %.2f streams a "
        "node\n",
        run.nodes,
        whole ? "one ring again" : "NOT one ring",
        seconds(network.now() - healed),
        static_cast<double>(network.packets() - packets) / nodes,
        static_cast<double>(network.streams() - streams) / nodes
    );
}

struct Usage {
    double cpu = 0;     // seconds
    double memory = 0;  // gigabytes, the most there was
};
Usage usage() {
    rusage raw{};
    getrusage(RUSAGE_SELF, &raw);
    const auto of = [](const timeval& time) {
        return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) / 1e6;
    };
    return {of(raw.ru_utime) + of(raw.ru_stime), static_cast<double>(raw.ru_maxrss) / (1 << 20)};
}

void measured(const Run& run, const char* what, void (*body)(const Run&)) {
    const Usage before = usage();
    body(run);
    const Usage after = usage();
    std::printf(
        "    (%s: %.0f s of CPU, %.1f GB of memory)\n", what, after.cpu - before.cpu, after.memory
    );
    std::fflush(stdout);
}

}  // namespace

int main(int argc, char** argv) {
    Run run{5000, 1, Profile::Fast};
    if (argc > 1) {
        run.nodes = std::strtoul(argv[1], nullptr, 10);
    }
    if (argc > 2) {
        run.seed = std::strtoull(argv[2], nullptr, 10);
    }
    Run stormy = run;
    stormy.nodes = argc > 3 ? std::strtoul(argv[3], nullptr, 10) : std::min(run.nodes, kStormNodes);
    if (run.nodes < 20 || stormy.nodes < 20) {
        std::fprintf(stderr, "usage: sy_gossip_sim_bench [nodes] [seed] [nodes of the storm]\n");
        return 2;
    }
    for (const Profile profile : {Profile::Fast, Profile::Lan}) {
        run.profile = stormy.profile = profile;
        std::printf(
            "%zu nodes, %s profile, seed %llu\n",
            run.nodes,
            std::string(to_string(profile)).c_str(),
            static_cast<unsigned long long>(run.seed)
        );
        measured(run, "crash", crash);
        measured(stormy, "loss and stalls", storm);
        if (profile == Profile::Fast) {
            measured(run, "partition", heal);
        }
    }
    return 0;
}
