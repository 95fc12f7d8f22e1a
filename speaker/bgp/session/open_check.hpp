#pragma once

#include "speaker/bgp/session/action.hpp"
#include "speaker/bgp/session/connection.hpp"
#include "speaker/bgp/session/graceful_restart.hpp"
#include "speaker/bgp/session/peer_config.hpp"
#include "speaker/bgp/wire/open.hpp"

#include <variant>

// The two OPENs of a connection: ours made, the peer's judged (RFC 4271 6.2), both agreed upon.
namespace steelyard::bgp {

[[nodiscard]] bgp_wire::Open make_open(
    const PeerConfig& config, const Endpoints& ends, const Kept& kept
);

// `sent` is our OPEN on the same connection.
[[nodiscard]] std::variant<Negotiated, Fault> check_open(
    const PeerConfig& config, const bgp_wire::Open& sent, const bgp_wire::Open& received
);

// Keepalives leave after this much silence: as configured, but never less often than the
// negotiated hold time needs; 0 without a hold time.
[[nodiscard]] Duration keepalive_interval(const PeerConfig& config, Duration hold_time);

}  // namespace steelyard::bgp
