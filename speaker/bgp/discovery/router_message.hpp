#pragma once

#include "common/net/ip.hpp"
#include "common/net/mac.hpp"
#include "common/wire/writer.hpp"

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

// Router Solicitation and Router Advertisement (RFC 4861 4.1, 4.2) as a raw ICMPv6 socket carries
// them: without the IPv6 header, whose source and hop limit come beside; the kernel has checked the
// checksum and fills in ours. Only what finding a neighbour needs is kept; prefixes and the like
// are validated in form and skipped.
namespace steelyard::bgp_discovery {

enum class RouterMessage : std::uint8_t { Solicitation = 133, Advertisement = 134 };

// Why a packet is not a valid one of the two (RFC 4861 6.1.1, 6.1.2).
enum class Refusal : std::uint8_t {
    None,
    HopLimit,   // not 255: it came from beyond the link
    Source,     // an advertisement not from a link-local address
    OtherType,  // some other ICMPv6 message
    Malformed,  // too short, a code but 0, an option without length or beyond the end
};
inline constexpr std::size_t kRefusals = 5;
[[nodiscard]] std::string_view to_string(Refusal refusal);

struct Decoded {
    Refusal refusal = Refusal::None;
    RouterMessage type = RouterMessage::Solicitation;  // only without a refusal
};

[[nodiscard]] Decoded decode(
    std::span<const std::byte> message, const net::IpAddress& source, int hop_limit
);

[[nodiscard]] wire::Bytes encode_solicitation(const std::optional<net::MacAddress>& mac);
// Router lifetime 0: "I am here", and by no means a default router (RFC 4861 6.2.5).
[[nodiscard]] wire::Bytes encode_advertisement(const std::optional<net::MacAddress>& mac);

[[nodiscard]] net::IpAddress all_nodes();    // ff02::1
[[nodiscard]] net::IpAddress all_routers();  // ff02::2

}  // namespace steelyard::bgp_discovery
