#pragma once

#include "common/base/time.hpp"
#include "common/net/prefix.hpp"

#include <chrono>
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

struct ProxyConfig {
    Mode mode = Mode::Full;
    std::string scheduler = "rr";
    unsigned masquerade_bit = 14;  // packet mark 1 << bit; kube-proxy's default is 0x4000
    bool masquerade_all = false;   // masquerade every packet to a ClusterIP
    // Sources inside are pods: not masqueraded towards a ClusterIP. Empty: only the node's own
    // traffic is masqueraded, as kube-proxy does without a local detector.
    std::vector<net::Prefix> pod_cidrs;
    std::vector<net::Prefix> node_port_addresses;  // empty: every address of the node
    std::vector<net::Prefix> exclude_cidrs;        // virtual servers inside are left alone
    bool answer_ping = true;  // ICMP echo to virtual addresses; kube-proxy refuses it
    Duration drain_grace = std::chrono::seconds{30};
    // IPVS idle timeouts; 0 keeps the kernel's 900, 120 and 300 s.
    std::chrono::seconds tcp_timeout{0};
    std::chrono::seconds tcp_fin_timeout{0};
    std::chrono::seconds udp_timeout{0};

    friend bool operator==(const ProxyConfig&, const ProxyConfig&) = default;
};

}  // namespace steelyard::proxy
