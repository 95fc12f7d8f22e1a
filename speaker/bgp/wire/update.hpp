#pragma once

#include "common/net/ip.hpp"
#include "speaker/bgp/wire/notification.hpp"

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

// UPDATE as received (RFC 4271 4.3, RFC 4760), judged by RFC 7606: routes are counted and dropped,
// there is no RIB-in. Attributes that the judgement does not need are skipped by their length.
// Where the RFC leaves the choice between disabling a family and a session reset, the family is
// disabled, since that costs our own announcements nothing.
namespace steelyard::bgp_wire {

struct UpdateContext {
    bool as4 = true;
    bool ibgp = false;
    bool v4 = true;  // negotiated for this session
    bool v6 = false;
    bool v4_over_v6 = false;  // IPv4 NLRI may have an IPv6 next hop
};

// From weak to strong: when several apply, the strongest does (RFC 7606 3 h).
enum class Verdict : std::uint8_t {
    Accept,
    Discard,          // an attribute is ignored, the routes stand
    TreatAsWithdraw,  // the routes announced count as withdrawn
    DisableFamily,    // no further routes of this family are taken on this session
    Reset,            // send `reset`, close
};
[[nodiscard]] std::string_view to_string(Verdict verdict);  // "treat-as-withdraw"

struct UpdateSummary {
    struct Routes {
        std::uint32_t announced = 0;
        std::uint32_t withdrawn = 0;
        bool disabled = false;  // with Verdict::DisableFamily, for the family it hits
    };
    Routes v4;
    Routes v6;
    std::optional<net::Family> end_of_rib;
    Verdict verdict = Verdict::Accept;
    std::string why;  // the strongest complaint: "ORIGIN: length 2, want 1"; empty for Accept
    std::optional<Notification> reset;  // exactly with Verdict::Reset
};

[[nodiscard]] UpdateSummary decode_update(
    std::span<const std::byte> body, const UpdateContext& context
);

}  // namespace steelyard::bgp_wire
