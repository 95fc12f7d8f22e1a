#include "speaker/proxy/rules/rules.hpp"

#include <algorithm>
#include <array>
#include <cstdio>
#include <set>
#include <utility>

namespace steelyard::proxy {
namespace {

using net::Family;

// Writes rule text for one family and configuration.
class Writer {
public:
    Writer(const ProxyConfig& config, Family family)
        : config_(config), family_(family), names_(names_for(config.mode)) {
        std::array<char, 16> text{};
        std::snprintf(text.data(), text.size(), "0x%x", 1U << config.masquerade_bit);
        mark_ = text.data();
    }

    std::string chain(std::string_view name) const {
        return names_.prefix + "-" + std::string(name);
    }

    std::string in_set(SetName set, std::string_view dimensions) const {
        return "-m set --match-set " + set_name({set, family_}, names_.prefix) + " " +
               std::string(dimensions);
    }
    std::string not_in_set(SetName set, std::string_view dimensions) const {
        return "-m set ! --match-set " + set_name({set, family_}, names_.prefix) + " " +
               std::string(dimensions);
    }
    std::string jump(std::string_view name) const { return " -j " + chain(name); }

    RuleTable nat() const {
        RuleTable table{"nat", {}, {}};
        table.chains.push_back(services());
        table.chains.push_back({chain("MARK-MASQ"), {"-j MARK --set-xmark " + mark_ + "/" + mark_}}
        );
        table.chains.push_back(
            {chain("LOAD-BALANCER"),
             {in_set(SetName::LoadBalancerLocal, "dst,dst") + " -j RETURN",
              "-j " + chain("MARK-MASQ")}}
        );
        table.chains.push_back(node_port());
        table.chains.push_back(
            {chain("POSTROUTING"),
             {// a pod that reaches itself through its Service must see another source
              in_set(SetName::LoopBack, "dst,dst,src") + " -j MASQUERADE",
              "-m mark ! --mark " + mark_ + "/" + mark_ + " -j RETURN",
              "-j MARK --set-xmark " + mark_ + "/0x0",
              "-j MASQUERADE --random-fully"}}
        );
        table.jumps = {
            {"PREROUTING", chain("SERVICES")},
            {"OUTPUT", chain("SERVICES")},
            {"POSTROUTING", chain("POSTROUTING")}};
        return table;
    }

    RuleTable filter() const {
        RuleTable table{"filter", {}, {}};
        table.chains.push_back(
            {chain("FORWARD"),
             {"-m mark --mark " + mark_ + "/" + mark_ + " -j ACCEPT",
              "-m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT"}}
        );
        table.chains.push_back(
            {chain("NODE-PORT"), {in_set(SetName::HealthCheckNodePort, "dst") + " -j ACCEPT"}}
        );
        table.chains.push_back(
            {chain("PROXY-FIREWALL"),
             {in_set(SetName::LoadBalancerFw, "dst,dst") + jump("SOURCE-RANGES-FIREWALL")}}
        );
        table.chains.push_back(
            {chain("SOURCE-RANGES-FIREWALL"),
             {in_set(SetName::LoadBalancerSourceCidr, "dst,dst,src") + " -j RETURN",
              in_set(SetName::LoadBalancerSourceIp, "dst,dst,src") + " -j RETURN",
              "-j DROP"}}
        );
        table.chains.push_back(ipvs_filter());
        // kube-proxy's rules for single addresses live here; ours are in mangle. Empty, so that
        // taking over from it leaves none behind.
        table.chains.push_back({chain("IPVS-OUT-FILTER"), {}});
        table.jumps = {
            {"INPUT", chain("IPVS-FILTER")},
            {"INPUT", chain("PROXY-FIREWALL")},
            {"INPUT", chain("NODE-PORT")},
            {"FORWARD", chain("FORWARD")}};
        return table;
    }

    // The node's own packets to an address whose source ranges leave the node out. Here, not in
    // filter OUTPUT: that runs after IPVS has rewritten the destination, so it would need a rule an
    // address, while mangle OUTPUT still sees the virtual address and needs one.
    RuleTable mangle() const {
        RuleTable table{"mangle", {}, {}};
        table.chains.push_back(
            {chain("IPVS-OUT-FILTER"),
             {in_set(SetName::LoadBalancerSourceCidr, "dst,dst,src") + " -j RETURN",
              in_set(SetName::LoadBalancerSourceIp, "dst,dst,src") + " -j RETURN",
              in_set(SetName::LoadBalancerFw, "dst,dst") + " -j DROP"}}
        );
        table.jumps = {{"OUTPUT", chain("IPVS-OUT-FILTER")}};
        return table;
    }

private:
    Chain services() const {
        Chain chain{this->chain("SERVICES"), {}};
        auto& rules = chain.rules;
        rules.push_back(
            std::string(family_ == Family::V4 ? "-s 127.0.0.0/8" : "-s ::1/128") + " -j RETURN"
        );
        rules.push_back(in_set(SetName::LoadBalancer, "dst,dst") + jump("LOAD-BALANCER"));
        cluster_ip_masquerade(rules);
        rules.push_back(in_set(SetName::ExternalIp, "dst,dst") + jump("MARK-MASQ"));
        for (const SetName set : {SetName::ExternalIp, SetName::ExternalIpLocal}) {
            rules.push_back(in_set(set, "dst,dst") + " -m addrtype --dst-type LOCAL -j ACCEPT");
        }
        // Virtual addresses are local too. Without the set match a Service port that happens to
        // equal somebody's node port would be masqueraded (kube-proxy does that).
        rules.push_back(
            "-m addrtype --dst-type LOCAL " + not_in_set(SetName::IpvsIps, "dst") +
            jump("NODE-PORT")
        );
        // Stops other nat rules keyed on a local destination, such as a CNI's host ports.
        rules.push_back(in_set(SetName::ClusterIp, "dst,dst") + " -j ACCEPT");
        rules.push_back(in_set(SetName::LoadBalancer, "dst,dst") + " -j ACCEPT");
        return chain;
    }

    void cluster_ip_masquerade(std::vector<std::string>& rules) const {
        if (config_.masquerade_all) {
            rules.push_back(in_set(SetName::ClusterIp, "dst,dst") + jump("MARK-MASQ"));
            return;
        }
        std::vector<std::string> pods;
        for (const net::Prefix& prefix : config_.detect.cidrs) {
            if (prefix.address().family() == family_) {
                pods.push_back(net::to_string(prefix));
            }
        }
        if (pods.size() == 1) {
            rules.push_back(
                "! -s " + pods.front() + " " + in_set(SetName::ClusterIp, "dst,dst") +
                jump("MARK-MASQ")
            );
            return;
        }
        if (!pods.empty()) {  // mark, then let each pod range off
            for (const std::string& prefix : pods) {
                rules.push_back(
                    "-s " + prefix + " " + in_set(SetName::ClusterIp, "dst,dst") + " -j ACCEPT"
                );
            }
            rules.push_back(in_set(SetName::ClusterIp, "dst,dst") + jump("MARK-MASQ"));
            return;
        }
        // Without a pod range only the node's own packets are told apart: for those the kernel
        // picks the virtual address itself as the source.
        rules.push_back(in_set(SetName::ClusterIp, "src,dst") + jump("MARK-MASQ"));
    }

    Chain node_port() const {
        Chain chain{this->chain("NODE-PORT"), {}};
        struct PerProtocol {
            std::string_view match;
            SetName local;
            SetName all;
            std::string_view dimensions;
        };
        const std::array protocols{
            PerProtocol{"-p tcp ", SetName::NodePortLocalTcp, SetName::NodePortTcp, "dst"},
            PerProtocol{"-p udp ", SetName::NodePortLocalUdp, SetName::NodePortUdp, "dst"},
            PerProtocol{"-p sctp ", SetName::NodePortLocalSctp, SetName::NodePortSctp, "dst,dst"}};
        for (const PerProtocol& protocol : protocols) {
            chain.rules.push_back(
                std::string(protocol.match) + in_set(protocol.local, protocol.dimensions) +
                " -j RETURN"
            );
            chain.rules.push_back(
                std::string(protocol.match) + in_set(protocol.all, protocol.dimensions) +
                jump("MARK-MASQ")
            );
        }
        return chain;
    }

    // A virtual address is a local one, so without this every listener of the host would answer on
    // it (kubernetes/kubernetes issue 72236).
    Chain ipvs_filter() const {
        Chain chain{this->chain("IPVS-FILTER"), {}};
        for (const SetName set :
             {SetName::LoadBalancer,
              SetName::ClusterIp,
              SetName::ExternalIp,
              SetName::ExternalIpLocal}) {
            chain.rules.push_back(in_set(set, "dst,dst") + " -j RETURN");
        }
        chain.rules.push_back(in_set(SetName::HealthCheckNodePort, "dst") + " -j RETURN");
        if (config_.answer_ping) {
            chain.rules.push_back(
                family_ == Family::V4 ? "-p icmp -m icmp --icmp-type 8 -j RETURN"
                                      : "-p ipv6-icmp -m icmp6 --icmpv6-type 128 -j RETURN"
            );
        }
        const char* refuse =
            family_ == Family::V4 ? "icmp-port-unreachable" : "icmp6-port-unreachable";
        chain.rules.push_back(
            "-m conntrack --ctstate NEW " + in_set(SetName::IpvsIps, "dst") +
            " -j REJECT --reject-with " + refuse
        );
        return chain;
    }

    const ProxyConfig& config_;
    Family family_;
    Names names_;
    std::string mark_;
};

// What iptables-save printed: per table the rules of each chain, in order.
using Saved = std::map<std::string, std::map<std::string, std::vector<std::string>>, std::less<>>;

Saved parse_saved(std::string_view text) {
    Saved saved;
    std::map<std::string, std::vector<std::string>>* table = nullptr;
    while (!text.empty()) {
        const std::size_t end = std::min(text.find('\n'), text.size());
        std::string_view line = text.substr(0, end);
        text.remove_prefix(std::min(end + 1, text.size()));
        while (!line.empty() && (line.back() == ' ' || line.back() == '\r')) {
            line.remove_suffix(1);
        }
        if (line.starts_with('*')) {
            table = &saved[std::string(line.substr(1))];
        } else if (table != nullptr && line.starts_with(':')) {
            (*table)[std::string(line.substr(1, line.find(' ') - 1))];
        } else if (table != nullptr && line.starts_with("-A ")) {
            const std::string_view rule = line.substr(3);
            const std::size_t space = std::min(rule.find(' '), rule.size());
            const std::size_t body = std::min(space + 1, rule.size());
            (*table)[std::string(rule.substr(0, space))].emplace_back(rule.substr(body));
        }
    }
    return saved;
}

std::ptrdiff_t count_jumps(
    const std::map<std::string, std::vector<std::string>>& chains, const Jump& jump
) {
    const auto hook = chains.find(jump.hook);
    return hook == chains.end()
               ? 0
               : std::count(hook->second.begin(), hook->second.end(), "-j " + jump.target);
}

}  // namespace

Names names_for(Mode mode) {
    return mode == Mode::LoadBalancer ? Names{"SYLB", "steelyard0"} : Names{};
}

std::vector<RuleTable> static_rules(const ProxyConfig& config, net::Family family) {
    const Writer writer(config, family);
    return {writer.mangle(), writer.nat(), writer.filter()};
}

std::optional<std::string> missing_rules(
    const std::vector<RuleTable>& rules, std::string_view saved
) {
    Saved current = parse_saved(saved);
    std::string text;
    for (const RuleTable& table : rules) {
        auto& found = current[table.name];
        std::string declarations;
        std::string body;
        for (const Chain& chain : table.chains) {
            const auto present = found.find(chain.name);
            if (present != found.end() && present->second == chain.rules) {
                continue;
            }
            declarations += ":" + chain.name + " - [0:0]\n";  // creates, or empties
            for (const std::string& rule : chain.rules) {
                body += "-A " + chain.name + " " + rule + "\n";
            }
        }
        // Inserted last to first, so that the first ends up on top.
        for (auto jump = table.jumps.rbegin(); jump != table.jumps.rend(); ++jump) {
            const std::ptrdiff_t count = count_jumps(found, *jump);
            for (std::ptrdiff_t extra = 1; extra < count; ++extra) {
                body += "-D " + jump->hook + " -j " + jump->target + "\n";
            }
            if (count == 0) {
                body += "-I " + jump->hook + " 1 -j " + jump->target + "\n";
            }
        }
        if (!declarations.empty() || !body.empty()) {
            text += "*" + table.name + "\n" + declarations + body + "COMMIT\n";
        }
    }
    return text.empty() ? std::nullopt : std::optional(text);
}

std::string removal(const std::vector<RuleTable>& rules, std::string_view saved) {
    Saved current = parse_saved(saved);
    std::string text;
    for (const RuleTable& table : rules) {
        auto& found = current[table.name];
        std::string declarations;
        std::string jumps;
        std::string deletions;
        for (const Jump& jump : table.jumps) {
            for (std::ptrdiff_t left = count_jumps(found, jump); left > 0; --left) {
                jumps += "-D " + jump.hook + " -j " + jump.target + "\n";
            }
        }
        for (const Chain& chain : table.chains) {
            if (found.contains(chain.name)) {
                declarations += ":" + chain.name + " - [0:0]\n";
                deletions += "-X " + chain.name + "\n";
            }
        }
        if (!declarations.empty() || !jumps.empty()) {
            text += "*" + table.name + "\n" + declarations + jumps + deletions + "COMMIT\n";
        }
    }
    return text;
}

}  // namespace steelyard::proxy
