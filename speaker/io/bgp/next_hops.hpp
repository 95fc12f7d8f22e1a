#pragma once

#include "common/net/interface.hpp"
#include "common/net/ip.hpp"
#include "speaker/bgp/session/negotiated.hpp"
#include "speaker/bgp/session/peer_config.hpp"

#include <optional>
#include <string>
#include <vector>

// Where routers shall send what we announce: the NEXT_HOP of each family of one session (RFC 4271
// 5.1.3, RFC 2545 3, RFC 8950 3), from the session's own address and this node's interfaces. Pure.
namespace steelyard::io {

struct NextHops {
    std::optional<net::IpAddress> v4;          // else, where RFC 8950 was agreed on, the others
    std::optional<net::IpAddress> v6;          // global
    std::optional<net::IpAddress> link_local;  // of the same interface, for who is on the link
    std::string why_not_v4;  // a negotiated family without next hop cannot be sent
    std::string why_not_v6;
    friend bool operator==(const NextHops&, const NextHops&) = default;
};

[[nodiscard]] NextHops next_hops(
    const net::IpAddress& local,
    const net::IpAddress& remote,
    const std::string& interface,  // of a link-local session; else where `local` is
    bool multihop,
    const bgp::Negotiated& negotiated,
    const std::vector<net::Interface>& interfaces
);

// RFC 5082 and what routers expect of a neighbour on the link: TTL 1 on eBGP unless multihop.
struct TtlPlan {
    std::optional<std::uint8_t> send;
    std::optional<std::uint8_t> minimum;
    friend bool operator==(const TtlPlan&, const TtlPlan&) = default;
};
[[nodiscard]] TtlPlan ttl_plan(const bgp::PeerConfig& config);

}  // namespace steelyard::io
