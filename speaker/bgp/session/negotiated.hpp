#pragma once

#include "common/base/time.hpp"
#include "common/net/ip.hpp"
#include "speaker/bgp/wire/open.hpp"

#include <cstddef>
#include <cstdint>
#include <optional>

namespace steelyard::bgp {

// What both OPENs of a session agree on.
struct Negotiated {
    std::uint32_t local_asn = 0;
    std::uint32_t remote_asn = 0;
    std::uint32_t local_router_id = 0;
    std::uint32_t remote_router_id = 0;  // host order
    Duration hold_time{};                // 0: none, and no keepalives
    Duration keepalive{};
    bool ibgp = false;
    bool as4 = false;  // AS numbers of four octets in updates
    bool v4 = false;
    bool v6 = false;
    bool extended_message = false;  // messages of up to 65535 octets may be sent
    bool v4_over_v6 = false;        // IPv4 routes with an IPv6 next hop
    bool route_refresh = false;
    bool enhanced_refresh = false;       // answer a refresh between begin and end marks (RFC 7313)
    bool graceful_restart = false;       // the peer keeps our routes when the session breaks
    bool gr_notification = false;        // even when it ends with a NOTIFICATION (RFC 8538)
    bool peer_restarts = false;          // the peer can restart gracefully itself
    bool peer_restarting = false;        // it just did: its OPEN had the R bit
    std::optional<bgp_wire::Role> role;  // ours, when it was sent
    std::optional<bgp_wire::Role> remote_role;  // the peer's, when it sent one
    friend bool operator==(const Negotiated&, const Negotiated&) = default;

    [[nodiscard]] bool carries(net::Family family) const {
        return family == net::Family::V4 ? v4 : v6;
    }
    [[nodiscard]] std::size_t max_message() const {
        return extended_message ? bgp_wire::kMaxExtendedMessage : bgp_wire::kMaxMessage;
    }
};

}  // namespace steelyard::bgp
