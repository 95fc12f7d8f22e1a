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

// What the speaker is told on its command line and in its environment: MetalLB's flags and
// variables (their names, their defaults) and a few of our own for the node service proxy. A flag
// wins over its variable. Nothing here reads a file or the environment by itself.
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
};

// What parsing came to: options to run with, or text to print and leave with.
struct Parsed {
    std::optional<Options> options;
    std::string output;  // help or version (exit 0), or one line of error (exit 2)
    int exit_status = 0;
};

using daemon::Environment;

[[nodiscard]] Parsed parse_options(
    const std::vector<std::string>& arguments, Environment environment
);

}  // namespace steelyard::speaker
