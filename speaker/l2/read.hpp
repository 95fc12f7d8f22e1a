#pragma once

#include "common/net/ip.hpp"
#include "common/net/mac.hpp"
#include "common/wire/reader.hpp"
#include "speaker/l2/drop.hpp"
#include "speaker/l2/frame.hpp"

#include <array>
#include <cstring>
#include <optional>

// Fields all codecs read, and checksums. Private to the room.
namespace steelyard::l2 {

inline net::MacAddress read_mac(wire::Reader& in) {
    net::MacAddress mac;
    const auto bytes = in.bytes(mac.bytes.size());
    if (bytes.size() == mac.bytes.size()) {
        std::memcpy(mac.bytes.data(), bytes.data(), bytes.size());
    }
    return mac;
}

inline net::IpAddress read_ipv6(wire::Reader& in) {
    std::array<std::uint8_t, 16> address{};
    const auto bytes = in.bytes(address.size());
    if (bytes.size() == address.size()) {
        std::memcpy(address.data(), bytes.data(), bytes.size());
    }
    return net::IpAddress::v6(address);
}

// Reads the EtherType behind the two MACs; the reason to go no further, if there is one.
inline std::optional<Drop> refuse_ether_type(wire::Reader& in, std::uint16_t wanted) {
    const std::uint16_t type = in.u16();
    if (!in.ok()) {
        return Drop::Truncated;
    }
    if (type == wanted) {
        return std::nullopt;
    }
    return type == kEtherTypeVlan || type == kEtherTypeServiceVlan ? Drop::Vlan : Drop::EtherType;
}

// RFC 1071: the sum so far, and the complement that goes into a header. Over what carries a correct
// checksum the result is zero.
inline std::uint32_t add_words(std::uint32_t sum, std::span<const std::byte> bytes) {
    for (std::size_t i = 0; i < bytes.size(); i += 2) {
        const auto high = std::to_integer<std::uint32_t>(bytes[i]) << 8U;
        const auto low = i + 1 < bytes.size() ? std::to_integer<std::uint32_t>(bytes[i + 1]) : 0U;
        sum += high | low;
    }
    return sum;
}

inline std::uint16_t checksum_of(std::uint32_t sum) {
    while (sum > 0xffffU) {
        sum = (sum & 0xffffU) + (sum >> 16U);
    }
    return static_cast<std::uint16_t>(~sum & 0xffffU);
}

inline constexpr std::uint8_t kIcmpv6 = 58;

// RFC 8200 8.1: over the pseudo header and the message. `addresses` is source and destination as
// they stand in the IPv6 header.
inline std::uint16_t icmpv6_checksum(
    std::span<const std::byte> addresses, std::span<const std::byte> message
) {
    const auto start = static_cast<std::uint32_t>(message.size()) + kIcmpv6;
    return checksum_of(add_words(add_words(start, addresses), message));
}

}  // namespace steelyard::l2
