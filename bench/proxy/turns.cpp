#include "bench/proxy/turns.hpp"

#include "bench/proxy/child.hpp"
#include "bench/proxy/loop.hpp"
#include "bench/proxy/objects.hpp"

#include <memory>

namespace steelyard::bench {
namespace {

using dataplane::guest::sh;

constexpr std::size_t kPackets = 65'536;

struct Programmed {
    Loop loop;
    std::unique_ptr<dataplane::Dataplane> dataplane;
};

void program(Programmed& held, std::uint32_t others, const char* pods) {
    proxy::Context wanted = context();
    wanted.config.detect.kind = proxy::LocalDetection::Kind::ClusterCidr;
    wanted.config.detect.cidrs = {net::Prefix::parse(pods).value()};
    proxy::Planner planner(wanted);
    fill(planner, others);
    add_udp_service(planner);
    held.dataplane = dataplane::make_ipvs_dataplane(held.loop.executor(), wanted.config);
    if (auto started = held.loop.wait(held.dataplane->start()); !started) {
        fail(to_string(started.error()));
    }
    const auto report = held.loop.wait(held.dataplane->apply(planner.take_changes()));
    if (!report || !report->failures.empty()) {
        fail("the kernel refuses something");
    }
}

}  // namespace

void to_server(const Path& path) {
    path.aim(kServerAddress, kServerPort);
}

void to_virtual(const Path& path) {
    path.aim(kVirtualAddress, 80);
}

void ipvs_by_hand(const Path& path) {
    const std::string server = kServerAddress + (":" + std::to_string(kServerPort));
    sh(std::string("ip addr add ") + kVirtualAddress + "/32 dev lo");
    sh(std::string("ipvsadm -A -u ") + kVirtualAddress + ":80 -s rr");
    sh(std::string("ipvsadm -a -u ") + kVirtualAddress + ":80 -m -r " + server);
    to_virtual(path);
}

Lane programmed(
    const std::string& what, std::uint32_t others, const char* pods, const std::string& afterwards
) {
    return {what, [others, pods, afterwards](const Path& path) {
                static Programmed held;  // of this child, until it ends
                program(held, others, pods);
                if (!afterwards.empty()) {
                    sh(afterwards);
                }
                to_virtual(path);
            }};
}

std::vector<double> take_turns(const std::vector<Lane>& lanes, int rounds) {
    sh("sysctl -qw net.core.netdev_max_backlog=100000");  // nothing is dropped between two turns
    std::vector<std::unique_ptr<Node>> nodes;
    for (std::size_t i = 0; i < lanes.size(); ++i) {
        nodes.push_back(std::make_unique<Node>([&lanes, i]() -> Node::Serve {
            auto path = std::make_shared<Path>(std::to_string(i));
            lanes[i].prepare(*path);
            return [path]() -> Numbers {
                return {path->packets_per_second(kPackets)};
            };
        }));
        (void)nodes.back()->ask();  // caches warm, connections made
    }
    wait_until_idle();
    std::vector<Numbers> rates(lanes.size());
    for (int round = 0; round < rounds; ++round) {
        for (std::size_t i = 0; i < lanes.size(); ++i) {
            rates[i].push_back(nodes[i]->ask().front());
        }
    }
    std::vector<double> best;
    for (const Numbers& of_lane : rates) {
        best.push_back(quantile(of_lane, 1));
    }
    while (!nodes.empty()) {  // the later ones hold the earlier ones' pipes
        nodes.pop_back();
    }
    return best;
}

}  // namespace steelyard::bench
