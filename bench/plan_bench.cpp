#include "speaker/plan/plan.hpp"

#include <algorithm>
#include <cstdio>
#include <ctime>
#include <functional>
#include <memory>
#include <string>
#include <vector>

// What a membership event costs this node before it knows what to announce: the whole of plan(),
// which the speaker runs on every wake-up, for Services of policy Cluster and Local. CPU time of
// this process, and the median of several rounds, so that a busy machine does not decide it.
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

std::shared_ptr<const config::Config> one_pool() {
    config::Config config;
    config::Pool pool;
    pool.name = "lan";
    pool.ranges.push_back(net::Range::parse("10.0.0.0/8").value());
    config.pools.push_back(std::move(pool));
    config::L2Advertisement advertisement;
    advertisement.name = "all";
    advertisement.pools = {"lan"};
    config.l2_advertisements.push_back(std::move(advertisement));
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
        endpoint.addresses = {net::IpAddress::v4(0xac100000U + i * kEndpoints + e)};
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

}  // namespace

int main() {
    std::printf("the whole plan after a membership event, CPU time\n");
    for (const bool local : {false, true}) {
        measure(1000, 100, local);
        measure(10'000, 100, local);
        measure(10'000, 1000, local);
    }
    return 0;
}
