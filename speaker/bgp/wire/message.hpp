#pragma once

#include "common/net/ip.hpp"
#include "common/wire/reader.hpp"
#include "common/wire/writer.hpp"

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

// What every BGP message has in common (RFC 4271 4.1): a marker of 16 octets of ones, a length that
// counts the header too, a type. Encoders of this room append whole messages to a wire::Writer;
// decoders get the body, what follows the header, and are total: any bytes have a defined outcome.
namespace steelyard::bgp_wire {

inline constexpr std::size_t kHeaderSize = 19;
inline constexpr std::size_t kMaxMessage = 4096;
inline constexpr std::size_t kMaxExtendedMessage = 65535;  // RFC 8654; never OPEN or KEEPALIVE

enum class MessageType : std::uint8_t {
    Open = 1,
    Update = 2,
    Notification = 3,
    Keepalive = 4,
    RouteRefresh = 5,
};
[[nodiscard]] std::string_view to_string(MessageType type);  // "OPEN"

// Stands in two-octet fields for an AS number that needs four (RFC 6793).
inline constexpr std::uint32_t kAsTrans = 23456;

// IANA's numbers for the two families this speaker carries, both SAFI 1 (unicast).
inline constexpr std::uint16_t kAfiV4 = 1;
inline constexpr std::uint16_t kAfiV6 = 2;
inline constexpr std::uint8_t kSafiUnicast = 1;
[[nodiscard]] constexpr std::uint16_t afi(net::Family family) {
    return family == net::Family::V4 ? kAfiV4 : kAfiV6;
}
// Nothing for any AFI/SAFI other than IPv4 and IPv6 unicast.
[[nodiscard]] std::optional<net::Family> unicast_family(std::uint16_t afi, std::uint8_t safi);

// Header with the length still to come; returns where the message starts, for end_message.
std::size_t begin_message(wire::Writer& out, MessageType type);
void end_message(wire::Writer& out, std::size_t start);

void encode_keepalive(wire::Writer& out);

}  // namespace steelyard::bgp_wire
