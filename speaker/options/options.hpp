#pragma once

#include "common/base/error.hpp"
#include "common/base/time.hpp"
#include "common/daemon/flags.hpp"
#include "common/net/ip.hpp"
#include "speaker/gossip/config.hpp"
#include "speaker/proxy/config.hpp"

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

// What the speaker is told: MetalLB's flags and variables and kube-proxy's flags, by their names,
// with their defaults, a few of our own, and kube-proxy's configuration file. A flag wins over its
// variable and over the file. Nothing here reads a file or the environment by itself: both are
// passed in.
namespace steelyard::speaker {

// Whether we answer ICMP echo for the addresses we announce. In the proxy's modes the kernel has
// the addresses and answers itself, so Auto means announce-only mode.
enum class AnswerPing : std::uint8_t { Auto, On, Off };

struct Options {
    std::string node_name;
    std::string ns;  // where the metallb.io objects live; "": that of our own pod
    std::string pod_name;
    std::string kubeconfig;  // "" = in-cluster configuration
    std::string log_level = "info";
    std::string load_balancer_class;  // "" = Services without a class
    bool ignore_exclude_label = false;
    std::uint16_t metrics_port = 9120;  // 0 = off
    std::uint16_t health_port = 17472;  // on 127.0.0.1
    // None: gossip is off and every node counts as alive.
    std::optional<net::IpAddress> gossip_address;
    std::uint16_t gossip_port = 7946;
    std::string gossip_labels;                // label selector of the speaker pods to join
    std::vector<net::Endpoint> gossip_peers;  // whom to join instead, when not empty
    std::string gossip_key_path;   // folder of the mounted Secret, with the file `secretkey`
    bool gossip_insecure = false;  // without a key, then
    gossip::Profile gossip_profile = gossip::Profile::Fast;
    bool watch_ring = true;
    std::uint16_t watch_ring_port = 7947;
    Duration watch_ring_interval = std::chrono::milliseconds(100);
    Duration failback_delay{};   // how long a node that came back leaves others what they have
    unsigned announce_pps = 15;  // gratuitous packets a second on each interface
    Duration announce_refresh = std::chrono::seconds(180);  // zero: none
    AnswerPing answer_ping = AnswerPing::Auto;
    std::uint16_t bgp_listen_port = 179;         // 0: peers cannot connect to us
    std::uint32_t bgp_default_local_pref = 100;  // on iBGP, where no advertisement says; MetalLB's
                                                 // native mode has 0
    Duration bgp_drain_wait = std::chrono::seconds(2);  // between the graceful-shutdown community
                                                        // and the withdrawal
    bool bfd_realtime = false;  // the thread of BFD, gossip and ARP goes before ordinary ones
    proxy::ProxyConfig proxy;

    // Of the node service proxy, outside of what its plan needs.
    // kube-proxy's own ports; none: off. On in full mode alone: in the others a kube-proxy has
    // them.
    std::optional<net::Endpoint> healthz_bind;  // /healthz, /livez; 0.0.0.0:10256
    std::optional<net::Endpoint> metrics_bind;  // /metrics, /proxyMode; 127.0.0.1:10249
    bool bind_address_hard_fail = false;        // a port of these that is taken ends the speaker
    std::vector<net::Prefix> service_cidrs;     // where ClusterIPs come from, beside what the
                                                // API's ServiceCIDRs say
    Duration sync_period = std::chrono::seconds(30);  // between two audits of the kernel
    Duration min_sync_period{};                       // between two writes to the kernel
    std::optional<int> oom_score_adj;  // of this process; none: what the kubelet gave it

    bool init_only = false;          // write the node's kernel settings and end; privileged
    bool cleanup = false;            // take everything of ours out of the kernel and end
    std::string write_config_to;     // write the configuration in force to this file and end
    std::vector<std::string> notes;  // what was told and is not followed, a line each: log once
};

// What parsing came to: options to run with, or text to print and leave with.
struct Parsed {
    std::optional<Options> options;
    std::string output;  // help or version (exit 0), or one line of error (exit 2)
    int exit_status = 0;
};

using daemon::Environment;

// Reads a file named by a flag or by another file; the Error names it.
using ReadFile = Result<std::string> (*)(const std::string& path);

[[nodiscard]] Parsed parse_options(
    const std::vector<std::string>& arguments, Environment environment, ReadFile read_file
);

}  // namespace steelyard::speaker
