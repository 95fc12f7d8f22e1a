#pragma once

#include "common/base/time.hpp"
#include "common/config/communities.hpp"
#include "common/kube/model/meta.hpp"
#include "common/net/ip.hpp"

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

// BGP and BFD as the user configured them: checked, defaults filled in, references resolved.
namespace steelyard::config {

// Timers of RFC 5880 for the sessions of the peers that name the profile.
struct BfdProfile {
    std::string name;
    std::chrono::milliseconds receive_interval{300};
    std::chrono::milliseconds transmit_interval{300};
    std::uint8_t detect_multiplier = 3;
    bool echo = false;
    std::chrono::milliseconds echo_interval{50};
    bool passive = false;
    std::uint8_t minimum_ttl = 254;  // of received packets, multihop only
    friend bool operator==(const BfdProfile&, const BfdProfile&) = default;
};

// The AS number a peer must have.
struct RemoteAs {
    enum class Kind : std::uint8_t { Exactly, Internal, External };
    Kind kind = Kind::Exactly;
    std::uint32_t asn = 0;  // of Exactly
    friend bool operator==(const RemoteAs&, const RemoteAs&) = default;
};

// RFC 9234, what we are to the peer; the numbers are those of the capability.
enum class BgpRole : std::uint8_t {
    Provider = 0,
    RouteServer = 1,
    RouteServerClient = 2,
    Customer = 3,
    Peer = 4
};

struct BgpPeer {
    std::string name;
    std::uint32_t local_asn = 0;  // localASN, or myASN: the one number this peer sees
    RemoteAs remote_as;
    std::optional<net::IpAddress> address;  // this or `interface`, never both
    std::string interface;                  // unnumbered
    std::optional<net::IpAddress> source;
    std::uint16_t port = 179;
    std::string vrf;  // "": the main table
    std::chrono::seconds hold_time{90};
    std::optional<std::chrono::seconds> keepalive_time;  // absent: a third of the negotiated hold
    std::optional<std::chrono::seconds> connect_time;    // absent: the speaker's own backoff
    std::optional<std::uint32_t> router_id;              // host order; absent: the speaker's choice
    std::string password;     // TCP MD5, 1..80 bytes; "": none, or its Secret is not known here
    std::string bfd_profile;  // exists; "": no BFD
    bool graceful_restart = false;
    std::chrono::seconds restart_time{120};         // RFC 4724
    bool multihop = false;                          // external and more than one hop away
    std::optional<std::uint8_t> ttl_security_hops;  // RFC 5082: accept TTL >= 256 - hops
    bool passive = false;
    bool dual_stack = false;  // both families; otherwise that of the address (unnumbered: both)
    std::optional<BgpRole> role;
    std::vector<kube::LabelSelector> node_selectors;  // OR; empty: all nodes
    friend bool operator==(const BgpPeer&, const BgpPeer&) = default;
};

struct BgpAdvertisement {
    std::string name;
    std::vector<std::string> pools;  // resolved from names and selectors, sorted
    std::uint8_t aggregation_length = 32;
    std::uint8_t aggregation_length_v6 = 128;
    std::optional<std::uint32_t> local_pref;  // absent (or written as 0): the speaker's default
    Communities communities;
    std::vector<kube::LabelSelector> node_selectors;     // OR; empty: all nodes
    std::vector<std::string> peers;                      // BGPPeer names; empty: all
    std::vector<kube::LabelSelector> service_selectors;  // OR; empty: all Services
    std::optional<std::uint32_t> med;
    std::uint8_t as_path_prepend = 0;  // 0..10 more of our AS number
    bool link_bandwidth = false;       // weight by ready endpoints of this node

    [[nodiscard]] unsigned aggregation(net::Family family) const {
        return family == net::Family::V4 ? aggregation_length : aggregation_length_v6;
    }
    friend bool operator==(const BgpAdvertisement&, const BgpAdvertisement&) = default;
};

}  // namespace steelyard::config
