#include "speaker/proxy/rules/rules.hpp"

#include <algorithm>
#include <array>
#include <cstdio>
#include <utility>

namespace steelyard::proxy {
namespace {

using net::Family;

// Set in every mark that leads to a virtual server.
constexpr std::string_view kOurs = "0x80000000/0x80000000";  // kMarkBase/kMarkMask
constexpr std::string_view kEstablished = "-m conntrack --ctstate ESTABLISHED -j ";

// Writes rule text for one family and configuration.
class Writer {
public:
    Writer(const ProxyConfig& config, Family family)
        : config_(config), family_(family), names_(names_for(config.mode)) {
        std::array<char, 16> text{};
        std::snprintf(text.data(), text.size(), "0x%x", 1U << config.masquerade_bit);
        bit_ = text.data();
        masquerade_ = bit_ + "/" + bit_;
    }

    // Marks, which choose the virtual server, are set before any other decision and last until
    // IPVS has seen them. IPVS compares the whole mark, so that nothing may be added to it on the
    // way, and sends what it has translated through OUTPUT again, where the mark has to go: other
    // people's policy routes and filters may take its bits for theirs.
    RuleTable mangle() const {
        RuleTable table{"mangle", {}, {}};
        const std::string clear =
            "-m mark --mark " + std::string(kOurs) + " -j MARK --set-xmark 0x0/0xffffffff";
        // IPVS knows where the packets of its connections go and asks for no mark. When it forgets
        // a connection conntrack has to as well, so that what comes then is new.
        Chain arriving{chain("MARK-PREROUTING"), {clear, std::string(kEstablished) + "RETURN"}};
        for (const std::string& pods : from_inside()) {
            arriving.rules.push_back(pods + map_mark(SetName::InternalMark));
        }
        arriving.rules.push_back("-j " + chain("MARK-ALL"));
        table.chains.push_back(std::move(arriving));
        // What IPVS has translated for others leaves at once. The node's own packets to a frontend
        // go by lo, unless their socket is bound to another device.
        table.chains.push_back(
            {chain("MARK-OUTPUT"),
             {clear,
              "! -o lo -m addrtype ! --src-type LOCAL -j RETURN",
              "-j " + chain("IPVS-OUT-FILTER"),
              map_mark(SetName::InternalMark),
              "-j " + chain("MARK-ALL")}}
        );
        table.chains.push_back(
            {chain("MARK-ALL"),
             {"-m mark --mark " + std::string(kOurs) + " -j RETURN",
              // A Local policy that has endpoints elsewhere only. New connections: old ones go on
              // to an endpoint that is on its way out.
              "-m conntrack --ctstate NEW " + in_set(SetName::NoLocal, "dst,dst") + " -j DROP",
              map_mark(SetName::AffinityMark)}}
        );
        // The node's own packets to an address whose source ranges leave the node out. Here, not
        // in filter OUTPUT: that runs after IPVS has rewritten the destination, so it would need a
        // rule an address, while mangle OUTPUT still sees the virtual address and needs one.
        table.chains.push_back(
            {chain("IPVS-OUT-FILTER"),
             {in_set(SetName::LoadBalancerSourceCidr, "dst,dst,src") + " -j RETURN",
              in_set(SetName::LoadBalancerSourceIp, "dst,dst,src") + " -j RETURN",
              in_set(SetName::LoadBalancerFw, "dst,dst") + " -j DROP"}}
        );
        table.jumps = {{"PREROUTING", chain("MARK-PREROUTING")}, {"OUTPUT", chain("MARK-OUTPUT")}};
        return table;
    }

    RuleTable nat() const {
        RuleTable table{"nat", {}, {}};
        table.chains.push_back(services());
        // A packet with a mark of ours keeps it as it is; its connection remembers instead.
        table.chains.push_back(
            {chain("MARK-MASQ"),
             {"-m mark --mark " + std::string(kOurs) + " -j CONNMARK --set-xmark " + masquerade_,
              "-m mark ! --mark " + std::string(kOurs) + " -j MARK --set-xmark " + masquerade_}}
        );
        table.chains.push_back(
            {chain("LOAD-BALANCER"),
             {in_set(SetName::LoadBalancerLocal, "dst,dst") + " -j RETURN",
              "-j " + chain("MARK-MASQ")}}
        );
        table.chains.push_back(short_circuit());
        table.chains.push_back(node_port());
        table.chains.push_back(
            {chain("POSTROUTING"),
             {// a pod that reaches itself through its Service must see another source
              in_set(SetName::LoopBack, "dst,dst,src") + " -j MASQUERADE",
              "-m connmark --mark " + masquerade_ + " -j MASQUERADE --random-fully",
              // The kernel may choose a virtual address as the source of the node's own packets;
              // the answer would reach whichever node has that address, not this one.
              "! -o lo -m mark ! --mark " + masquerade_ + " " + in_set(SetName::IpvsIps, "src") +
                  " -m addrtype --src-type LOCAL -j MASQUERADE --random-fully",
              "-m mark ! --mark " + masquerade_ + " -j RETURN",
              "-j MARK --set-xmark " + bit_ + "/0x0",
              "-j MASQUERADE --random-fully"}}
        );
        table.jumps = {
            {"PREROUTING", chain("SERVICES")},
            {"OUTPUT", chain("SERVICES")},
            {"POSTROUTING", chain("POSTROUTING")}};
        return table;
    }

    RuleTable filter() const {
        const bool full = config_.mode == Mode::Full;
        RuleTable table{"filter", {}, {}};
        Chain forward{chain("FORWARD"), {}};
        if (full && !config_.conntrack.tcp_be_liberal) {
            // What conntrack cannot place, such as a segment out of window, would reach the client
            // untranslated, and be answered with a reset.
            forward.rules.push_back("-m conntrack --ctstate INVALID -j DROP");
        }
        forward.rules.push_back("-m mark --mark " + masquerade_ + " -j ACCEPT");
        forward.rules.push_back("-m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT");
        table.chains.push_back(std::move(forward));
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
            {"INPUT", chain("NODE-PORT")}};
        if (full) {
            // An address of a Service is a local one, so what is still on its way elsewhere goes
            // to none: refused here, instead of leaving by the default route.
            table.chains.push_back(
                {chain("UNALLOCATED"),
                 {"-m conntrack --ctstate NEW " + in_set(SetName::ServiceCidr, "dst") +
                  " -m addrtype ! --dst-type LOCAL -j REJECT --reject-with " + unreachable()}}
            );
            table.jumps.push_back({"FORWARD", chain("UNALLOCATED")});
            table.jumps.push_back({"OUTPUT", chain("UNALLOCATED")});
        }
        table.jumps.push_back({"FORWARD", chain("PROXY-FIREWALL")});
        table.jumps.push_back({"FORWARD", chain("FORWARD")});
        return table;
    }

private:
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
    std::string map_mark(SetName set) const {
        return "-j SET --map-set " + set_name({set, family_}, names_.prefix) +
               " dst,dst --map-mark";
    }
    std::string jump(std::string_view name) const { return " -j " + chain(name); }
    std::string unreachable() const {
        return family_ == Family::V4 ? "icmp-port-unreachable" : "icmp6-port-unreachable";
    }

    std::vector<std::string> sources(const std::vector<net::Prefix>& prefixes) const {
        std::vector<std::string> found;
        for (const net::Prefix& prefix : prefixes) {
            if (prefix.address().family() == family_) {
                found.push_back("-s " + net::to_string(prefix) + " ");
            }
        }
        return found;
    }

    static std::vector<std::string> interface(const std::string& name) {
        return name.empty() ? std::vector<std::string>{} : std::vector{"-i " + name + " "};
    }

    // One match for each way in which a packet can come from a pod; none when pods are not told
    // from the rest.
    std::vector<std::string> from_pods() const {
        const LocalDetection& detect = config_.detect;
        switch (detect.kind) {
            case LocalDetection::Kind::None:
                break;
            case LocalDetection::Kind::ClusterCidr:
            case LocalDetection::Kind::NodeCidr:
                return sources(detect.cidrs);
            case LocalDetection::Kind::BridgeInterface:
                return interface(detect.name);
            case LocalDetection::Kind::InterfaceNamePrefix:
                return interface(detect.name.empty() ? "" : detect.name + "+");
        }
        return {};
    }

    // Pods that a Local policy does not hold. Those of this node are known by their addresses where
    // nothing was said; for a ClusterIP that would masquerade everybody else.
    std::vector<std::string> from_inside() const {
        return config_.detect.kind == LocalDetection::Kind::None ? sources(config_.node_pod_cidrs)
                                                                 : from_pods();
    }

    Chain services() const {
        Chain chain{this->chain("SERVICES"), {}};
        auto& rules = chain.rules;
        rules.push_back(
            std::string(family_ == Family::V4 ? "-s 127.0.0.0/8" : "-s ::1/128") + " -j RETURN"
        );
        rules.push_back(in_set(SetName::InternalMark, "dst,dst") + jump("SHORT-CIRCUIT"));
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
        const std::string cluster_ip = in_set(SetName::ClusterIp, "dst,dst");
        if (config_.masquerade_all) {
            rules.push_back(cluster_ip + jump("MARK-MASQ"));
            return;
        }
        const std::vector<std::string> pods = from_pods();
        if (pods.empty()) {  // only the node's own packets are told apart
            rules.push_back(cluster_ip + " -m addrtype --src-type LOCAL" + jump("MARK-MASQ"));
            return;
        }
        if (pods.size() == 1) {
            rules.push_back("! " + pods.front() + cluster_ip + jump("MARK-MASQ"));
            return;
        }
        for (const std::string& prefix : pods) {  // let each range off, then mark
            rules.push_back(prefix + cluster_ip + " -j ACCEPT");
        }
        rules.push_back(cluster_ip + jump("MARK-MASQ"));
    }

    // Clients inside the cluster reach all endpoints of a frontend with a Local policy, as if they
    // had gone out and come in elsewhere. The answer has to come back through this node: that of a
    // pod of this node does, others need this node's address. Without the node's own pod ranges the
    // frontend tells most of them apart: a pod elsewhere meets virtual addresses on its own node
    // and comes here for a node port only. There a connection that works matters more than a local
    // pod's address; towards virtual addresses network policies go by it.
    Chain short_circuit() const {
        Chain chain{this->chain("SHORT-CIRCUIT"), {}};
        chain.rules.push_back("-m addrtype --src-type LOCAL" + jump("MARK-MASQ"));
        const std::vector<std::string> here = sources(config_.node_pod_cidrs);
        if (config_.detect.kind == LocalDetection::Kind::ClusterCidr) {
            for (const std::string& prefix : here) {
                chain.rules.push_back(prefix + "-j RETURN");
            }
            const std::string where =
                here.empty() ? not_in_set(SetName::IpvsIps, "dst") + " " : std::string();
            for (const std::string& prefix : from_pods()) {
                chain.rules.push_back(prefix + where + "-j " + this->chain("MARK-MASQ"));
            }
        }
        return chain;
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
        // Only what is new is ever refused.
        Chain chain{this->chain("IPVS-FILTER"), {"-m conntrack ! --ctstate NEW -j RETURN"}};
        for (const SetName set :
             {SetName::ClusterIp,
              SetName::LoadBalancer,
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
        chain.rules.push_back(
            in_set(SetName::IpvsIps, "dst") + " -j REJECT --reject-with " + unreachable()
        );
        return chain;
    }

    const ProxyConfig& config_;
    Family family_;
    Names names_;
    std::string bit_;         // 0x4000
    std::string masquerade_;  // 0x4000/0x4000
};

}  // namespace

Names names_for(Mode mode) {
    return mode == Mode::LoadBalancer ? Names{"SYLB", "steelyard0"} : Names{};
}

std::vector<RuleTable> static_rules(const ProxyConfig& config, net::Family family) {
    const Writer writer(config, family);
    return {writer.mangle(), writer.nat(), writer.filter()};
}

}  // namespace steelyard::proxy
