#pragma once

#include "common/base/time.hpp"
#include "common/net/ip.hpp"
#include "speaker/bgp/wire/open.hpp"

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>

// What one BGP neighbour is to be, as configured. A value: the session core, the driver of its
// sockets and the planner all read this one.
namespace steelyard::bgp {

// Which AS number the neighbour must have.
struct RemoteAs {
    enum class Kind : std::uint8_t {
        Exactly,   // `asn`
        Internal,  // ours: iBGP
        External,  // any other than ours: eBGP
    };
    Kind kind = Kind::Exactly;
    std::uint32_t asn = 0;  // only with Exactly
    friend bool operator==(const RemoteAs&, const RemoteAs&) = default;
};

struct PeerConfig {
    std::string name;
    std::uint32_t local_asn = 0;
    RemoteAs remote_as;
    std::optional<net::IpAddress> address;  // nothing: unnumbered, by `interface`
    std::string interface;                  // unnumbered, or where a link-local address lies
    std::uint16_t port = 179;
    std::optional<net::IpAddress> source;
    std::string vrf;
    std::uint32_t router_id = 0;                    // host order
    Duration hold_time = std::chrono::seconds(90);  // 0, or 3 s and more
    std::optional<Duration> keepalive_time;         // nothing: a third of the negotiated hold time
    std::optional<Duration> connect_time;  // between attempts to connect; nothing: rising to 30 s
    std::string password;                  // TCP MD5 (RFC 2385); empty: none
    bool passive = false;                  // wait for the neighbour to connect
    bool multihop = false;
    std::optional<std::uint8_t> ttl_security_hops;  // GTSM (RFC 5082): farthest accepted, in hops
    bool v4 = false;                                // families to offer
    bool v6 = false;
    bool graceful_restart = false;
    Duration restart_time = std::chrono::seconds(120);  // how long the neighbour keeps our routes
    std::optional<bgp_wire::Role> role;                 // ours (RFC 9234), eBGP only
    bool bfd = false;
    friend bool operator==(const PeerConfig&, const PeerConfig&) = default;
};

// Whether a session under `old` must end for `next` to hold: when what identifies the neighbour or
// what was said in OPEN differs. Hold and restart time wait for the next session; keepalive,
// connect time, passive and BFD apply to the running one.
[[nodiscard]] bool needs_reset(const PeerConfig& old, const PeerConfig& next);

// Whether both lead to the same neighbour, which knows us by the same address.
[[nodiscard]] bool same_neighbour(const PeerConfig& one, const PeerConfig& other);

// "10.0.0.1:179", "[fe80::1]:179%eth1", "eth1" for messages.
[[nodiscard]] std::string remote_name(const PeerConfig& config);

}  // namespace steelyard::bgp
