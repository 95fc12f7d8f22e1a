#include "speaker/plan/bgp_planner.hpp"
#include "speaker/plan/bgp_status.hpp"
#include "speaker/plan/plan.hpp"

#include <algorithm>
#include <cstdio>
#include <ctime>
#include <functional>
#include <memory>
#include <string>
#include <vector>

// What a membership event costs this node before it knows what to announce by ARP and NDP: the
// whole of plan(), which the speaker runs on every wake-up, for Services of policy Cluster and
// Local. And what BGP costs: the whole plan, and what one changed Service costs after that. CPU
// time of this process, and the median of several rounds, so that a busy machine does not decide
// it.
namespace {

using namespace steelyard;

constexpr int kRounds = 9;
constexpr std::uint32_t kEndpoints = 3;

double cpu_milliseconds() {
    timespec now{};
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return static_cast<double>(now.tv_sec) * 1e3 + static_cast<double>(now.tv_nsec) / 1e6;
}

double median_cost(const std::function<void(int)>& body) {
    std::vector<double> rounds;
    for (int round = 0; round < kRounds; ++round) {
        const double start = cpu_milliseconds();
        body(round);
        rounds.push_back(cpu_milliseconds() - start);
    }
    std::sort(rounds.begin(), rounds.end());
    return rounds[rounds.size() / 2];
}

std::shared_ptr<const config::Config> one_pool(
    std::uint8_t aggregation = 32, bool weighted = false
) {
    config::Config config;
    config::Pool pool;
    pool.name = "lan";
    pool.ranges.push_back(net::Range::parse("10.0.0.0/8").value());
    config.pools.push_back(std::move(pool));
    config::L2Advertisement advertisement;
    advertisement.name = "all";
    advertisement.pools = {"lan"};
    config.l2_advertisements.push_back(std::move(advertisement));
    for (const char* name : {"r1", "r2"}) {
        config::BgpPeer peer;
        peer.name = name;
        config.bgp_peers.push_back(std::move(peer));
    }
    config::BgpAdvertisement routes;
    routes.name = "all";
    routes.pools = {"lan"};
    routes.aggregation_length = aggregation;
    routes.link_bandwidth = weighted;
    config.bgp_advertisements.push_back(std::move(routes));
    return std::make_shared<const config::Config>(std::move(config));
}

std::string node_name(std::uint32_t i) {
    return "worker-" + std::to_string(i);
}

void add_service(
    speaker_plan::Snapshot& snapshot, std::uint32_t i, std::uint32_t nodes, bool local
) {
    auto service = std::make_shared<kube::Service>();
    service->meta.key = {"default", "service-" + std::to_string(i)};
    service->type = kube::ServiceType::LoadBalancer;
    service->external_traffic_policy =
        local ? kube::TrafficPolicy::Local : kube::TrafficPolicy::Cluster;
    service->ingress.push_back({net::IpAddress::v4(0x0a000000U + i), "", ""});
    auto slice = std::make_shared<kube::EndpointSlice>();
    slice->meta.key = {"default", service->meta.key.name + "-abcde"};
    slice->service = service->meta.key.name;
    for (std::uint32_t e = 0; e < kEndpoints; ++e) {
        kube::SliceEndpoint endpoint;
        endpoint.address = net::IpAddress::v4(0xac100000U + i * kEndpoints + e);
        endpoint.node_name = node_name((i * 7 + e * 31) % nodes);
        slice->endpoints.push_back(std::move(endpoint));
    }
    snapshot.slices[slice->meta.key] = slice;
    snapshot.services[service->meta.key] = service;
}

speaker_plan::Snapshot cluster(std::uint32_t services, std::uint32_t nodes, bool local) {
    speaker_plan::Snapshot snapshot;
    snapshot.node_name = node_name(0);
    snapshot.config = one_pool();
    snapshot.interfaces = {{"eth0", true, true}};
    snapshot.members.emplace();
    for (std::uint32_t i = 0; i < nodes; ++i) {
        auto node = std::make_shared<kube::Node>();
        node->meta.key.name = node_name(i);
        node->meta.labels["kubernetes.io/hostname"] = node->meta.key.name;
        snapshot.nodes[node->meta.key] = node;
        speaker_plan::MemberView member;
        member.name = node->meta.key.name;
        member.ready = member.steelyard_capable = true;
        member.interfaces = {{"eth0", true, true, true}};
        snapshot.members->push_back(std::move(member));
    }
    for (std::uint32_t i = 0; i < services; ++i) {
        add_service(snapshot, i, nodes, local);
    }
    return snapshot;
}

void measure(std::uint32_t services, std::uint32_t nodes, bool local) {
    speaker_plan::Snapshot snapshot = cluster(services, nodes, local);
    std::size_t announced = 0;
    const double cost = median_cost([&](int round) {
        // One node comes and goes.
        (*snapshot.members)[1].state = round % 2 == 0 ? speaker_plan::MemberState::Unreachable
                                                      : speaker_plan::MemberState::Alive;
        const auto plan = speaker_plan::plan(snapshot);
        announced = static_cast<std::size_t>(std::count_if(
            plan.addresses.begin(),
            plan.addresses.end(),
            [](const auto& entry) { return entry.second.announced_here; }
        ));
    });
    std::printf(
        "%6u Services %5u nodes  policy %-7s %8.2f ms   (%zu announced here)\n",
        services,
        nodes,
        local ? "Local" : "Cluster",
        cost,
        announced
    );
}

// The Service gets its endpoint taken away or given back; each round another one.
std::shared_ptr<const kube::EndpointSlice> edited(
    const speaker_plan::Snapshot& snapshot, int round
) {
    auto entry = snapshot.slices.begin();
    std::advance(entry, static_cast<std::ptrdiff_t>(round) * 97);
    auto slice = std::make_shared<kube::EndpointSlice>(*entry->second);
    slice->endpoints.clear();
    return slice;
}

void measure_bgp(std::uint32_t services, std::uint8_t aggregation, bool weighted) {
    speaker_plan::Snapshot snapshot = cluster(services, 100, false);
    snapshot.config = one_pool(aggregation, weighted);
    snapshot.servable.emplace();
    for (const auto& [key, service] : snapshot.services) {
        snapshot.servable->insert(*service->ingress.front().ip);
    }
    speaker_plan::BgpPlanner planner;
    const double whole = median_cost([&](int) {
        planner = speaker_plan::BgpPlanner();
        planner.sync(snapshot);
        static_cast<void>(planner.update());
    });
    const double told = median_cost([&](int round) {
        const auto slice = edited(snapshot, round);
        planner.set_slice(slice->meta.key, slice);
        static_cast<void>(planner.update());
    });
    planner.sync(snapshot);
    static_cast<void>(planner.update());
    const double compared = median_cost([&](int round) {
        const auto slice = edited(snapshot, round);
        snapshot.slices[slice->meta.key] = slice;
        planner.sync(snapshot);
        static_cast<void>(planner.update());
    });
    const double copied = median_cost([&](int) {
        const speaker_plan::Snapshot copy = snapshot;
        static_cast<void>(copy);
    });
    const speaker_plan::StatusScope scope{"worker-0", "metallb-system", std::nullopt};
    // All is written already: what a round of the writer costs that finds nothing to do.
    const std::vector<speaker_plan::BgpPeerFacts> facts = {
        {"r1", true, true, 99}, {"r2", true, true, 99}};
    speaker_plan::Objects<kube::ServiceBgpStatus> observed;
    for (auto& [key, status] : speaker_plan::desired_bgp_statuses(scope, planner.plan(), facts)) {
        observed[key] = std::make_shared<const kube::ServiceBgpStatus>(status);
    }
    const double statuses = median_cost([&](int) {
        const auto desired = speaker_plan::desired_bgp_statuses(scope, planner.plan(), facts);
        static_cast<void>(speaker_plan::diff_bgp_statuses(scope, desired, observed));
    });
    std::printf(
        "%6u Services in %5zu routes%s  whole %7.2f ms   one change %8.4f ms (1/%.0f), found by "
        "comparing %5.2f ms, the snapshot's copy %5.2f ms   status objects %6.2f ms\n",
        services,
        planner.plan().routes.size(),
        weighted ? " weighted" : "",
        whole,
        told,
        whole / told,
        compared,
        copied,
        statuses
    );
}

}  // namespace

int main() {
    std::printf("the whole plan after a membership event, CPU time\n");
    for (const bool local : {false, true}) {
        measure(1000, 100, local);
        measure(10'000, 100, local);
        measure(10'000, 1000, local);
    }
    std::printf("the BGP plan, CPU time\n");
    measure_bgp(1000, 32, false);
    measure_bgp(10'000, 32, false);
    measure_bgp(10'000, 32, true);
    measure_bgp(10'000, 24, true);
    measure_bgp(10'000, 16, true);
    return 0;
}
