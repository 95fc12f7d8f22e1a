#include "bench/proxy/objects.hpp"
#include "bench/proxy/parts.hpp"
#include "bench/proxy/turns.hpp"

#include <cstdio>

// Packets through a node: forwarded as they are, to a virtual address with and without many others
// beside it, and by a DNAT rule.
namespace steelyard::bench {
namespace {

using dataplane::guest::sh;

constexpr const char* kNat = "iptables-legacy -t nat ";

std::vector<Lane> lanes() {
    std::vector<Lane> all;
    all.push_back({"plain forwarding", to_server});
    all.push_back({"forwarding with connection tracking and nat", [](const Path& path) {
                       sh(std::string(kNat) + "-A POSTROUTING -o nowhere -j MASQUERADE");
                       to_server(path);
                   }});
    all.push_back({"IPVS by hand: no rules, no tracking", [](const Path& path) {
                       sh("sysctl -qw net.ipv4.vs.conntrack=0");
                       ipvs_by_hand(path);
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
    const std::vector<Lane> all = lanes();
    const std::vector<double> rate = take_turns(all, settings.rounds + 2);
    for (std::size_t i = 0; i < all.size(); ++i) {
        std::printf(
            "  %-46s %8.0f packets/s, %.2f of plain\n",
            all[i].what.c_str(),
            rate[i],
            rate[i] / rate[kPlain]
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
}

}  // namespace steelyard::bench
