#pragma once

#include "speaker/bgp/session/negotiated.hpp"
#include "speaker/bgp/session/peer_config.hpp"
#include "speaker/bgp/wire/notification.hpp"
#include "speaker/bgp/wire/open.hpp"

#include <optional>

// Graceful restart (RFC 4724, 8538) from this speaker's side: it holds no routes of others, so what
// matters is what the peer does with ours.
namespace steelyard::bgp {

// What this speaker kept of an earlier session with the peer, for our OPEN (RFC 4724 4.1).
struct Kept {
    bool restarting = false;  // R bit: the process is new and has not told all its routes yet
    // F bit: the kernel went on forwarding, since only the process or its TCP connection ended. A
    // node that was booted did not, and the peer must then forget what it kept.
    bool forwarding = false;
};

// What our OPEN offers; nothing when the configuration does not ask for it.
[[nodiscard]] std::optional<bgp_wire::GracefulRestart> offered_restart(
    const PeerConfig& config, const Kept& kept
);

// Whether the peer keeps our routes after TCP ended without a word.
[[nodiscard]] bool kept_after_close(const Negotiated& negotiated);
// After a NOTIFICATION of either side: only with the N bit of both, and never after a Hard Reset.
[[nodiscard]] bool kept_after(
    const Negotiated& negotiated, const bgp_wire::Notification& notification
);

// `notification` in the form that makes the peer drop our routes at once.
[[nodiscard]] bgp_wire::Notification dropping_routes(
    const Negotiated& negotiated, bgp_wire::Notification notification
);

}  // namespace steelyard::bgp
