#pragma once

#include "speaker/bgp/session/negotiated.hpp"
#include "speaker/bgp/session/peer_config.hpp"
#include "speaker/bgp/wire/notification.hpp"
#include "speaker/bgp/wire/open.hpp"

#include <optional>

// Graceful restart (RFC 4724, 8538) from this speaker's side: it holds no routes of others, so what
// matters is what the peer does with ours.
namespace steelyard::bgp {

// What our OPEN offers. The F bit is always set: the kernel forwards whether this process runs or
// not. Nothing when the configuration does not ask for it.
[[nodiscard]] std::optional<bgp_wire::GracefulRestart> offered_restart(
    const PeerConfig& config, bool restarting
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
