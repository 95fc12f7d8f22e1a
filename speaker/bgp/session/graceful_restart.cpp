#include "speaker/bgp/session/graceful_restart.hpp"

#include <algorithm>
#include <chrono>
#include <utility>

namespace steelyard::bgp {

std::optional<bgp_wire::GracefulRestart> offered_restart(
    const PeerConfig& config, const Kept& kept
) {
    if (!config.graceful_restart) {
        return std::nullopt;
    }
    constexpr std::int64_t kLongest = 4095;  // 12 bits
    const auto seconds =
        std::chrono::duration_cast<std::chrono::seconds>(config.restart_time).count();
    bgp_wire::GracefulRestart out;
    out.restarting = kept.restarting;
    out.notification = true;
    out.restart_seconds =
        static_cast<std::uint16_t>(std::clamp<std::int64_t>(seconds, 0, kLongest));
    if (config.v4) {
        out.families.push_back({net::Family::V4, kept.forwarding});
    }
    if (config.v6) {
        out.families.push_back({net::Family::V6, kept.forwarding});
    }
    return out;
}

bool kept_after_close(const Negotiated& negotiated) {
    return negotiated.graceful_restart;
}

bool kept_after(const Negotiated& negotiated, const bgp_wire::Notification& notification) {
    return negotiated.gr_notification && !bgp_wire::is(notification, bgp_wire::Cease::HardReset);
}

bgp_wire::Notification dropping_routes(
    const Negotiated& negotiated, bgp_wire::Notification notification
) {
    return negotiated.gr_notification ? bgp_wire::hard_reset(notification)
                                      : std::move(notification);
}

}  // namespace steelyard::bgp
