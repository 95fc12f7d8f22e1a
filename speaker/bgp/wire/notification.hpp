#pragma once

#include "common/wire/writer.hpp"
#include "speaker/bgp/wire/message.hpp"

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <variant>

// NOTIFICATION (RFC 4271 4.5 and 6): why a session ends, as a value. A decoder that refuses a
// message returns the Notification to send before closing, with the exact code, subcode and data.
// Codes of RFC 4271, 4486, 6608, 7313, 8538 (hard reset), 9003 (communication), 9234, 9384 and
// 9687.
namespace steelyard::bgp_wire {

enum class ErrorCode : std::uint8_t {
    MessageHeader = 1,
    Open = 2,
    Update = 3,
    HoldTimerExpired = 4,
    FiniteStateMachine = 5,
    Cease = 6,
    RouteRefresh = 7,
    SendHoldTimerExpired = 8,
};

enum class HeaderError : std::uint8_t {
    ConnectionNotSynchronized = 1,
    BadMessageLength = 2,
    BadMessageType = 3,
};

enum class OpenError : std::uint8_t {
    Unspecific = 0,
    UnsupportedVersion = 1,
    BadPeerAs = 2,
    BadBgpIdentifier = 3,
    UnsupportedOptionalParameter = 4,
    UnacceptableHoldTime = 6,
    UnsupportedCapability = 7,
    RoleMismatch = 11,
};

enum class UpdateError : std::uint8_t {
    Unspecific = 0,
    MalformedAttributeList = 1,
    UnrecognizedWellKnownAttribute = 2,
    MissingWellKnownAttribute = 3,
    AttributeFlagsError = 4,
    AttributeLengthError = 5,
    InvalidOrigin = 6,
    InvalidNextHop = 8,
    OptionalAttributeError = 9,
    InvalidNetworkField = 10,
    MalformedAsPath = 11,
};

enum class FsmError : std::uint8_t {
    Unspecified = 0,
    UnexpectedInOpenSent = 1,
    UnexpectedInOpenConfirm = 2,
    UnexpectedInEstablished = 3,
};

enum class Cease : std::uint8_t {
    Unspecific = 0,
    MaximumPrefixes = 1,
    AdministrativeShutdown = 2,
    PeerDeconfigured = 3,
    AdministrativeReset = 4,
    ConnectionRejected = 5,
    OtherConfigurationChange = 6,
    ConnectionCollisionResolution = 7,
    OutOfResources = 8,
    HardReset = 9,
    BfdDown = 10,
};

enum class RouteRefreshError : std::uint8_t { InvalidMessageLength = 1 };

struct Notification {
    std::uint8_t code = 0;
    std::uint8_t subcode = 0;
    wire::Bytes data;
    friend bool operator==(const Notification&, const Notification&) = default;
};

// What a decoder makes of a body: the message, or what to answer before closing.
template <class T>
using Decoded = std::variant<T, Notification>;

[[nodiscard]] Notification make_notification(HeaderError error, wire::Bytes data = {});
[[nodiscard]] Notification make_notification(OpenError error, wire::Bytes data = {});
[[nodiscard]] Notification make_notification(UpdateError error, wire::Bytes data = {});
[[nodiscard]] Notification make_notification(FsmError error, wire::Bytes data = {});
[[nodiscard]] Notification make_notification(RouteRefreshError error, wire::Bytes data = {});
[[nodiscard]] Notification hold_timer_expired();
[[nodiscard]] Notification send_hold_timer_expired();
// The text, UTF-8, travels only with AdministrativeShutdown and AdministrativeReset (RFC 9003) and
// is cut at a character's border to 255 octets.
[[nodiscard]] Notification cease(Cease reason, std::string_view communication = {});
// The peer shall not keep our routes, graceful restart or not: `inner` inside a Hard Reset
// (RFC 8538 3.1).
[[nodiscard]] Notification hard_reset(const Notification& inner);

[[nodiscard]] bool is(const Notification& notification, ErrorCode code);
[[nodiscard]] bool is(const Notification& notification, Cease reason);
// What a Hard Reset carries; nothing for any other notification or when it carries too little.
[[nodiscard]] std::optional<Notification> encapsulated(const Notification& notification);
// The communication of a shutdown or reset, made printable; empty when there is none. What is not
// UTF-8 or claims more than there is shows as escaped octets.
[[nodiscard]] std::string communication(const Notification& notification);

// As operators know it: "Cease/Administrative Shutdown: maintenance until noon",
// "OPEN Message Error/Bad Peer AS", "Cease/Hard Reset (Cease/Administrative Reset)".
[[nodiscard]] std::string to_string(const Notification& notification);

// Total: an error in a NOTIFICATION cannot be answered (RFC 4271 6.4), so a body that is too short
// (the Framer lets none through) reads as zeros.
[[nodiscard]] Notification decode_notification(std::span<const std::byte> body);
// Data that would not fit is cut.
void encode_notification(
    wire::Writer& out, const Notification& notification, std::size_t max_message = kMaxMessage
);

}  // namespace steelyard::bgp_wire
