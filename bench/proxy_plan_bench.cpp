#include "speaker/proxy/diff/ledger.hpp"
#include "speaker/proxy/planner.hpp"

#include <malloc.h>

#include <algorithm>
#include <cstdio>
#include <ctime>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

// What the service proxy costs this node before a byte goes to the kernel: 10 000 Services with
// five endpoints each, planned, merged, compared and mirrored; then one endpoint, a node that dies,
// and an audit that finds everything in place. CPU time of this process, median of several rounds;
// memory as the allocator counts it.
namespace {

using namespace steelyard;

constexpr std::uint32_t kServices = 10'000;
constexpr std::uint32_t kEndpoints = 5;
constexpr std::uint32_t kNodes = 500;
constexpr int kRounds = 9;
const Instant kNow{std::chrono::hours{1}};

double cpu_milliseconds() {
    timespec now{};
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return static_cast<double>(now.tv_sec) * 1e3 + static_cast<double>(now.tv_nsec) / 1e6;
}

// `before` each round is not counted.
double median_cost(
    const std::function<void(int)>& body, const std::function<void()>& before = [] {}
) {
    std::vector<double> rounds;
    for (int round = 0; round < kRounds; ++round) {
        before();
        const double start = cpu_milliseconds();
        body(round);
        rounds.push_back(cpu_milliseconds() - start);
    }
    std::sort(rounds.begin(), rounds.end());
    return rounds[rounds.size() / 2];
}

double megabytes_in_use() {
    const auto info = mallinfo2();
    return static_cast<double>(info.uordblks + info.hblkhd) / 1e6;
}

proxy::ServiceRef service(std::uint32_t number) {
    auto made = std::make_shared<kube::Service>();
    made->meta.key = {"default", "s" + std::to_string(number)};
    made->type = kube::ServiceType::ClusterIp;
    made->cluster_ips = {net::IpAddress::v4(0x0a600000U + number)};
    kube::ServicePort port;
    port.name = "http";
    port.port = 80;
    made->ports = {port};
    return made;
}

proxy::SliceRef slice(std::uint32_t number, std::uint32_t endpoints) {
    auto made = std::make_shared<kube::EndpointSlice>();
    made->meta.key = {"default", "s" + std::to_string(number) + "-1"};
    made->service = "s" + std::to_string(number);
    made->ports = {kube::SlicePort{"http", net::Protocol::Tcp, 8080}};
    for (std::uint32_t i = 0; i < endpoints; ++i) {
        kube::SliceEndpoint endpoint;
        endpoint.address = net::IpAddress::v4(0x0b000000U + number * 16 + i);
        endpoint.node_name = "n" + std::to_string((number + i * 7) % kNodes);
        made->endpoints.push_back(endpoint);
    }
    return made;
}

struct Cluster {
    std::vector<proxy::ServiceRef> services;
    std::vector<proxy::SliceRef> slices;
};

proxy::Context context() {
    proxy::Context made;
    made.node_name = "n0";
    made.node_addresses = {net::IpAddress::v4(0xac100001U)};
    return made;
}

void fill(proxy::Planner& planner, const Cluster& cluster) {
    for (const auto& each : cluster.services) {
        planner.set_service(each->meta.key, each);
    }
    for (const auto& each : cluster.slices) {
        planner.set_slice(each->meta.key, each);
    }
}

std::size_t bring_up(proxy::Ledger& ledger, const proxy::Changes& changes) {
    ledger.update(changes);
    const auto ops = ledger.diff(kNow);
    ledger.acknowledge(ops, {}, kNow);
    return ops.size();
}

double cold_start(const Cluster& cluster, std::size_t& ops) {
    std::optional<proxy::Planner> planner;
    std::optional<proxy::Ledger> ledger;
    return median_cost(
        [&](int) {
            planner.emplace(context());
            fill(*planner, cluster);
            ledger.emplace(proxy::ProxyConfig());
            ops = bring_up(*ledger, planner->take_changes());
        },
        [&] {  // a proxy that starts takes nothing down
            ledger.reset();
            planner.reset();
        }
    );
}

void audit(proxy::Ledger& ledger, const proxy::KernelTables& kernel) {
    ledger.begin_reading();
    for (const net::IpAddress& address : kernel.addresses) {
        ledger.see_address(address);
    }
    for (const net::IpAddress& address : kernel.routes) {
        ledger.see_route(address, std::nullopt);
    }
    for (const auto& [set, entries] : kernel.sets) {
        for (const auto& [entry, mark] : entries) {
            ledger.see_entry(set, entry, mark);
        }
    }
    for (const auto& [key, server] : kernel.virtual_servers) {
        ledger.see_server(key, server.scheduling, server.real_servers);
    }
    ledger.end_reading();
}

}  // namespace

int main() {
    Cluster cluster;
    for (std::uint32_t number = 0; number < kServices; ++number) {
        cluster.services.push_back(service(number));
        cluster.slices.push_back(slice(number, kEndpoints));
    }
    std::printf("%u Services x %u endpoints on %u nodes\n", kServices, kEndpoints, kNodes);

    std::size_t ops = 0;
    const double cold = cold_start(cluster, ops);
    std::printf("cold start: plan, merge, compare, mirror  %8.2f ms, %zu operations\n", cold, ops);

    const double objects = megabytes_in_use();
    proxy::Planner planner(context());
    fill(planner, cluster);
    auto changes = planner.take_changes();
    const double planned = megabytes_in_use();
    proxy::Ledger ledger{proxy::ProxyConfig()};
    bring_up(ledger, changes);
    changes = proxy::Changes();
    malloc_trim(0);
    const double mirrored = megabytes_in_use();
    std::printf(
        "memory: plan %.2f MB, merged and mirrored %.2f MB: %.0f bytes a Service\n",
        planned - objects,
        mirrored - planned,
        (mirrored - objects) * 1e6 / kServices
    );

    const double one = median_cost([&](int round) {
        const auto changed = slice(77, kEndpoints + 1 + static_cast<std::uint32_t>(round));
        planner.set_slice(changed->meta.key, changed);
        ops = bring_up(ledger, planner.take_changes());
    });
    std::printf("one endpoint more                         %8.4f ms, %zu operations\n", one, ops);

    const double dead = median_cost([&](int round) {
        proxy::Context next = planner.context();
        next.unreachable_nodes = {"n" + std::to_string(round + 1)};
        planner.set_context(std::move(next));
        ops = bring_up(ledger, planner.take_changes());
    });
    std::printf("a node dies, another is back              %8.2f ms, %zu operations\n", dead, ops);

    const proxy::KernelTables kernel = ledger.found();
    const double audited = median_cost([&](int) {
        audit(ledger, kernel);
        ops = ledger.diff(kNow).size();
    });
    std::printf(
        "audit with everything in place            %8.2f ms, %zu operations\n", audited, ops
    );
    return ops == 0 ? 0 : 1;
}
