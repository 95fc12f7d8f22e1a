#pragma once

#include "common/net/ip.hpp"
#include "common/net/mac.hpp"
#include "speaker/l2/drop.hpp"
#include "speaker/l2/frame.hpp"

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>

// Neighbor Solicitation and Neighbor Advertisement (RFC 4861 4.3, 4.4) in Ethernet frames, valid
// by its sections 7.1.1 and 7.1.2: hop limit 255, checksum, code 0, options of positive length.
namespace steelyard::l2 {

enum class NdpType : std::uint8_t { Solicitation = 135, Advertisement = 136 };

struct NdpPacket {
    net::MacAddress frame_destination;
    net::MacAddress frame_source;
    net::IpAddress source;  // unspecified: duplicate address detection (RFC 4862 5.4.2)
    net::IpAddress destination;
    NdpType type = NdpType::Solicitation;
    bool router = false;  // R, S and O of an advertisement
    bool solicited = false;
    bool override_cache = false;
    net::IpAddress target;
    // Source link-layer option of a solicitation, target link-layer option of an advertisement.
    std::optional<net::MacAddress> link_layer;
    friend bool operator==(const NdpPacket&, const NdpPacket&) = default;
};

// Refused when the frame is anything but a valid one of the two.
[[nodiscard]] Decoded<NdpPacket> decode_ndp(std::span<const std::byte> frame);
// Every address must be IPv6.
[[nodiscard]] Frame encode_ndp(const NdpPacket& packet);

// RFC 4861 7.2.4: Solicited, and Override, since the address is unicast, ours rather than proxied,
// and the option is there. Router is not set: we route nothing. To all nodes, unsolicited, when the
// solicitation was a duplicate address probe.
[[nodiscard]] NdpPacket solicited_advertisement(
    const net::MacAddress& mac, const NdpPacket& solicitation
);
// RFC 4861 7.2.6, with Override set: who knows another MAC shall forget it. To all_nodes() or
// all_routers().
[[nodiscard]] NdpPacket unsolicited_advertisement(
    const net::MacAddress& mac, const net::IpAddress& address, const net::IpAddress& destination
);

[[nodiscard]] net::IpAddress all_nodes();    // ff02::1
[[nodiscard]] net::IpAddress all_routers();  // ff02::2

// ff02::1:ffXX:XXXX (RFC 4291 2.7.1) and the Ethernet group of a multicast address (RFC 2464 7).
[[nodiscard]] net::IpAddress solicited_node_group(const net::IpAddress& address);
[[nodiscard]] net::MacAddress multicast_mac(const net::IpAddress& group);

}  // namespace steelyard::l2
