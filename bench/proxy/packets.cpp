#include "bench/proxy/child.hpp"
#include "bench/proxy/loop.hpp"
#include "bench/proxy/objects.hpp"
#include "bench/proxy/parts.hpp"
#include "bench/proxy/path.hpp"

#include <cstdio>
#include <memory>
#include <vector>

// Packets through a node: forwarded as they are, to a virtual address with and without many others
// beside it, and by a DNAT rule. All paths exist at once and take turns.
namespace steelyard::bench {
namespace {

using dataplane::guest::sh;

constexpr std::size_t kPackets = 100'000;
constexpr const char* kNat = "iptables-legacy -t nat ";

struct Lane {
    const char* what;
    std::function<void(const Path&)> prepare;
};

// Everything of ours in place: rules, sets, `others` Services beside the one that is used.
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

void to_virtual(const Path& path) {
    path.aim(kVirtualAddress, 80);
}

void to_server(const Path& path) {
    path.aim(kServerAddress, kServerPort);
}

// The addresses of client and server count as pods', or do not.
constexpr const char* kPods = "10.1.0.0/16";
constexpr const char* kNoPods = "10.244.0.0/16";

Lane programmed(const char* what, std::uint32_t others, const char* pods) {
    return {what, [others, pods](const Path& path) {
                static Programmed held;  // of this child, until it ends
                program(held, others, pods);
                to_virtual(path);
            }};
}

std::vector<Lane> lanes() {
    std::vector<Lane> all;
    all.push_back({"plain forwarding", to_server});
    all.push_back({"forwarding with connection tracking and nat", [](const Path& path) {
                       sh(std::string(kNat) + "-A POSTROUTING -o nowhere -j MASQUERADE");
                       to_server(path);
                   }});
    all.push_back({"IPVS by hand: no rules, no tracking", [](const Path& path) {
                       const std::string server =
                           kServerAddress + (":" + std::to_string(kServerPort));
                       sh("sysctl -qw net.ipv4.vs.conntrack=0");
                       sh(std::string("ip addr add ") + kVirtualAddress + "/32 dev lo");
                       sh(std::string("ipvsadm -A -u ") + kVirtualAddress + ":80 -s rr");
                       sh(std::string("ipvsadm -a -u ") + kVirtualAddress + ":80 -m -r " + server);
                       to_virtual(path);
                   }});
    all.push_back(programmed("ours, 1 Service, from a pod", 0, kPods));
    all.push_back(programmed("ours, 10 000 Services, from a pod", kServices - 1, kPods));
    all.push_back(programmed("ours, 10 000 Services, masqueraded", kServices - 1, kNoPods));
    all.push_back({"iptables: one DNAT rule", [](const Path& path) {
                       const std::string server =
                           kServerAddress + (":" + std::to_string(kServerPort));
                       sh(std::string(kNat) + "-A PREROUTING -p udp -d " + kVirtualAddress +
                          " --dport 80 -j DNAT --to-destination " + server);
                       to_virtual(path);
                   }});
    return all;
}

enum Place { kPlain, kTracked, kBare, kOne, kMany, kMasqueraded, kDnat };

}  // namespace

void bench_packets(const Settings& settings) {
    sh("sysctl -qw net.core.netdev_max_backlog=100000");  // nothing is dropped between two turns
    const std::vector<Lane> all = lanes();
    std::vector<std::unique_ptr<Node>> nodes;
    for (std::size_t i = 0; i < all.size(); ++i) {
        nodes.push_back(std::make_unique<Node>([&all, i]() -> Node::Serve {
            auto path = std::make_shared<Path>(std::to_string(i));
            all[i].prepare(*path);
            return [path]() -> Numbers {
                return {path->packets_per_second(kPackets)};
            };
        }));
        (void)nodes.back()->ask();  // caches warm, connections made
    }
    wait_until_idle();
    std::vector<Numbers> rates(all.size());
    for (int round = 0; round < settings.rounds + 2; ++round) {
        for (std::size_t i = 0; i < all.size(); ++i) {
            rates[i].push_back(nodes[i]->ask().front());
        }
    }
    std::vector<double> rate;
    for (std::size_t i = 0; i < all.size(); ++i) {
        rate.push_back(quantile(rates[i], 1));  // others on the machine can only slow it down
        std::printf(
            "  %-46s %8.0f packets/s, %.2f of plain\n", all[i].what, rate[i], rate[i] / rate[kPlain]
        );
    }
    tell_at_least(
        "ours, 10 000 Services / plain forwarding", rate[kMany] / rate[kPlain], 0.85, " x"
    );
    tell_at_least(
        "ours / forwarding with tracking and nat", rate[kMany] / rate[kTracked], 0.85, " x"
    );
    tell_at_least("ours, 10 000 Services / 1 Service", rate[kMany] / rate[kOne], 0.97, " x");
    tell_at_least("ours / one DNAT rule", rate[kMany] / rate[kDnat], 1.4, " x");
    while (!nodes.empty()) {  // the later ones hold the earlier ones' pipes
        nodes.pop_back();
    }
}

}  // namespace steelyard::bench
