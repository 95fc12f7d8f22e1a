#include "bench/proxy/child.hpp"
#include "bench/proxy/parts.hpp"
#include "bench/proxy/turns.hpp"

#include <cstdio>

// What a packet through the node pays for what: the same path with one thing more, or one less.
namespace steelyard::bench {
namespace {

using dataplane::guest::sh;

Lane by_hand(const std::string& what, const std::string& before) {
    return {what, [before](const Path& path) {
                sh(before);
                ipvs_by_hand(path);
            }};
}

Lane ours_after(const std::string& what, const std::string& afterwards) {
    return programmed("ours " + what, 99, kPods, afterwards);
}

std::string without(const std::string& table, const std::string& hook) {
    return "iptables-legacy -t " + table + " -F " + hook;
}

std::vector<Lane> lanes() {
    constexpr const char* kNat = "iptables-legacy -t nat -A POSTROUTING -o nowhere -j MASQUERADE";
    const std::string untracked = "sysctl -qw net.ipv4.vs.conntrack=0";
    const std::string tracked = std::string("sysctl -qw net.ipv4.vs.conntrack=1 && ") + kNat;
    const std::string tables = tracked + " && iptables-legacy -t filter -L -n > /dev/null";
    std::vector<Lane> all;
    all.push_back({"plain forwarding", to_server});
    all.push_back({"forwarding, tracked, nat", [](const Path& path) {
                       sh(kNat);
                       to_server(path);
                   }});
    all.push_back(by_hand("IPVS by hand, untracked", untracked));
    all.push_back(by_hand("IPVS by hand, tracked, nat", tracked));
    all.push_back(by_hand("... and an empty table filter", tables));
    all.push_back(by_hand(
        "... and an empty table mangle", tables + " && iptables-legacy -t mangle -L -n > /dev/null"
    ));
    all.push_back(ours_after(
        "without any rule", "for t in mangle nat filter; do iptables-legacy -t $t -F; done"
    ));
    all.push_back(ours_after(
        "without mangle and filter", "for t in mangle filter; do iptables-legacy -t $t -F; done"
    ));
    all.push_back(ours_after("without mangle PREROUTING", without("mangle", "PREROUTING")));
    all.push_back(ours_after("without mangle OUTPUT", without("mangle", "OUTPUT")));
    all.push_back(ours_after("without filter INPUT", without("filter", "INPUT")));
    all.push_back(ours_after("without filter OUTPUT", without("filter", "OUTPUT")));
    all.push_back(ours_after("without filter FORWARD", without("filter", "FORWARD")));
    all.push_back(ours_after("without nat", without("nat", "")));
    all.push_back(ours_after("as it is", ""));
    return all;
}

}  // namespace

void bench_apart(const Settings& settings) {
    const std::vector<Lane> all = lanes();
    const std::vector<double> rates = take_turns(all, settings.rounds + 2);
    for (std::size_t i = 0; i < all.size(); ++i) {
        std::printf(
            "  %-46s %8.0f packets/s, %.2f of plain, %5.0f ns\n",
            all[i].what.c_str(),
            rates[i],
            rates[i] / rates[0],
            1e9 / rates[i]
        );
    }
}

}  // namespace steelyard::bench
