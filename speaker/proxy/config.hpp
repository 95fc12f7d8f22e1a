#pragma once

#include "common/base/time.hpp"
#include "common/net/prefix.hpp"

#include <chrono>
#include <cstdint>
#include <string>
#include <vector>

// What an operator can choose about the node's service proxy. Defaults are kube-proxy's, except the
// bounded drain: kube-proxy waits for the last connection without a limit.
namespace steelyard::proxy {

enum class Mode {
    Full,          // replaces kube-proxy: ClusterIP, NodePort, ExternalIP, LoadBalancer
    LoadBalancer,  // LoadBalancer addresses only; kube-proxy keeps the rest
    AnnounceOnly,  // programs nothing
};

// How a packet is known to come from a pod of this cluster. kube-proxy's detectLocalMode. Without
// one, only the node's own packets are told from the rest.
struct LocalDetection {
    enum class Kind { None, ClusterCidr, NodeCidr, BridgeInterface, InterfaceNamePrefix };
    Kind kind = Kind::None;
    std::vector<net::Prefix> cidrs;  // sources of pods, for ClusterCidr and NodeCidr
    std::string name;                // of the bridge, or what pod interfaces begin with
    friend bool operator==(const LocalDetection&, const LocalDetection&) = default;
};

// How the node makes a virtual address its own.
enum class Binding {
    Auto,       // addresses while there are few of them, further ones as routes
    Addresses,  // on the dummy link, as kube-proxy; the cost of each grows with their number
    Routes,     // host routes in table local
};

// Flags of a scheduler; which of them one knows is its own affair (sh and mh know both).
struct SchedulerFlags {
    bool source_port_hash = false;  // sh-port, mh-port: the source port takes part in the hash
    bool fallback = false;          // sh-fallback, mh-fallback: another one where the hash leads
                                    // to a real server that takes no connections
    friend bool operator==(const SchedulerFlags&, const SchedulerFlags&) = default;
};

// net.netfilter.nf_conntrack_*; 0 leaves what the kernel has.
struct ConntrackSettings {
    std::uint32_t max_per_core = 32768;
    std::uint32_t min = 131072;
    std::chrono::seconds tcp_established_timeout{86400};
    std::chrono::seconds tcp_close_wait_timeout{3600};
    bool tcp_be_liberal = false;
    std::chrono::seconds udp_timeout{0};
    std::chrono::seconds udp_stream_timeout{0};
    friend bool operator==(const ConntrackSettings&, const ConntrackSettings&) = default;
};

struct ProxyConfig {
    Mode mode = Mode::Full;
    std::string load_balancer_class;  // whose addresses are ours in mode LoadBalancer; "": without
    std::string scheduler = "rr";
    SchedulerFlags scheduler_flags;  // beside mh-port, which `mh` has as under kube-proxy
    unsigned masquerade_bit = 14;    // packet mark 1 << bit; kube-proxy's default is 0x4000
    bool masquerade_all = false;     // masquerade every packet to a ClusterIP
    // Sources that are pods are not masqueraded towards a ClusterIP, and reach all endpoints of an
    // external frontend with a Local policy.
    LocalDetection detect;
    std::vector<net::Prefix> node_pod_cidrs;       // of this node's own pods, where they are known
    std::vector<net::Prefix> node_port_addresses;  // empty: every address of the node
    bool node_port_primary = false;                // NodePorts on the node's first addresses only
    std::vector<net::Prefix> exclude_cidrs;        // virtual servers inside are left alone
    Binding binding = Binding::Auto;
    bool answer_ping = true;  // ICMP echo to virtual addresses; kube-proxy refuses it
    Duration drain_grace = std::chrono::seconds{30};
    // IPVS idle timeouts; 0 keeps the kernel's 900, 120 and 300 s.
    std::chrono::seconds tcp_timeout{0};
    std::chrono::seconds tcp_fin_timeout{0};
    std::chrono::seconds udp_timeout{0};
    ConntrackSettings conntrack;

    friend bool operator==(const ProxyConfig&, const ProxyConfig&) = default;
};

}  // namespace steelyard::proxy
