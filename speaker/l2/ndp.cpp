#include "speaker/l2/ndp.hpp"

#include "common/wire/reader.hpp"
#include "speaker/l2/arp.hpp"
#include "speaker/l2/read.hpp"

namespace steelyard::l2 {
namespace {

constexpr std::uint8_t kHopLimit = 255;
constexpr std::size_t kEthernetHeader = 14;
constexpr std::size_t kIpv6Header = 40;
constexpr std::size_t kFixedPart = 24;  // of both messages
constexpr std::uint8_t kSourceLinkLayer = 1;
constexpr std::uint8_t kTargetLinkLayer = 2;
constexpr std::uint8_t kRouterFlag = 0x80;
constexpr std::uint8_t kSolicitedFlag = 0x40;
constexpr std::uint8_t kOverrideFlag = 0x20;

// False when an option has length zero or runs over the end (RFC 4861 4.6).
bool read_options(wire::Reader& in, std::uint8_t wanted, std::optional<net::MacAddress>& found) {
    while (in.ok() && in.remaining() > 0) {
        const std::uint8_t type = in.u8();
        const std::size_t units = in.u8();
        if (units == 0) {
            return false;
        }
        if (type == wanted && units == 1 && !found) {
            found = read_mac(in);
        } else {
            in.skip(units * 8 - 2);
        }
    }
    return in.ok();
}

bool is_solicited_node_group(const net::IpAddress& address, const net::IpAddress& target) {
    return address == solicited_node_group(target);
}

// What RFC 4861 7.1.1 and 7.1.2 ask beyond the format.
bool is_consistent(const NdpPacket& packet) {
    // IpAddress folds IPv4-mapped addresses; they have no business on a link (RFC 4038 4.2).
    if (packet.target.is_v4() || packet.source.is_v4() || packet.destination.is_v4()) {
        return false;
    }
    if (packet.target.is_multicast() || packet.source.is_multicast()) {
        return false;
    }
    if (packet.type == NdpType::Advertisement) {
        return !(packet.destination.is_multicast() && packet.solicited);
    }
    return !packet.source.is_unspecified() ||
           (is_solicited_node_group(packet.destination, packet.target) && !packet.link_layer);
}

std::uint8_t flags(const NdpPacket& packet) {
    return static_cast<std::uint8_t>(
        (packet.router ? kRouterFlag : 0U) | (packet.solicited ? kSolicitedFlag : 0U) |
        (packet.override_cache ? kOverrideFlag : 0U)
    );
}

// Reads the ICMPv6 message; its length and checksum are already checked.
Decoded<NdpPacket> decode_message(NdpPacket packet, std::span<const std::byte> message) {
    wire::Reader in(message);
    const std::uint8_t type = in.u8();
    const std::uint8_t code = in.u8();
    in.skip(2);
    const std::uint8_t bits = in.u8();
    in.skip(3);
    packet.target = read_ipv6(in);
    const bool solicitation = type == static_cast<std::uint8_t>(NdpType::Solicitation);
    const bool advertisement = type == static_cast<std::uint8_t>(NdpType::Advertisement);
    if (!solicitation && !advertisement) {
        return Drop::NotForUs;  // router discovery, multicast listeners
    }
    packet.type = NdpType{type};
    if (advertisement) {
        packet.router = (bits & kRouterFlag) != 0;
        packet.solicited = (bits & kSolicitedFlag) != 0;
        packet.override_cache = (bits & kOverrideFlag) != 0;
    }
    const std::uint8_t wanted = solicitation ? kSourceLinkLayer : kTargetLinkLayer;
    if (code != 0 || !read_options(in, wanted, packet.link_layer) || !is_consistent(packet)) {
        return Drop::Malformed;
    }
    return packet;
}

}  // namespace

Decoded<NdpPacket> decode_ndp(std::span<const std::byte> frame) {
    wire::Reader in(frame);
    NdpPacket packet;
    packet.frame_destination = read_mac(in);
    packet.frame_source = read_mac(in);
    if (const auto refused = refuse_ether_type(in, kEtherTypeIpv6)) {
        return *refused;
    }
    const bool ipv6 = (in.u32() >> 28U) == 6;
    const std::size_t payload_length = in.u16();
    const bool icmpv6 = in.u8() == kIcmpv6;
    const bool on_link = in.u8() == kHopLimit;  // nobody off the link can forge it
    packet.source = read_ipv6(in);
    packet.destination = read_ipv6(in);
    const auto message = in.bytes(payload_length);  // Ethernet may pad behind it
    if (!in.ok()) {
        return Drop::Truncated;
    }
    if (!ipv6 || !icmpv6) {
        return Drop::EtherType;
    }
    if (message.size() < kFixedPart) {
        return Drop::Truncated;
    }
    if (!on_link) {
        return Drop::HopLimit;
    }
    const auto addresses = frame.subspan(kEthernetHeader + 8, 32);
    if (icmpv6_checksum(addresses, message) != 0) {
        return Drop::Checksum;
    }
    return decode_message(packet, message);
}

Frame encode_ndp(const NdpPacket& packet) {
    Frame out;
    out.bytes(packet.frame_destination.bytes);
    out.bytes(packet.frame_source.bytes);
    out.u16(kEtherTypeIpv6);
    out.u16(0x6000);
    out.u16(0);
    out.u16(static_cast<std::uint16_t>(kFixedPart + (packet.link_layer ? 8U : 0U)));
    out.u8(kIcmpv6);
    out.u8(kHopLimit);
    out.bytes(packet.source.bytes());
    out.bytes(packet.destination.bytes());
    out.u8(static_cast<std::uint8_t>(packet.type));
    out.u8(0);
    out.u16(0);
    out.u8(flags(packet));
    out.u8(0);
    out.u16(0);
    out.bytes(packet.target.bytes());
    if (packet.link_layer) {
        out.u8(packet.type == NdpType::Solicitation ? kSourceLinkLayer : kTargetLinkLayer);
        out.u8(1);
        out.bytes(packet.link_layer->bytes);
    }
    const auto addresses = out.view().subspan(kEthernetHeader + 8, 32);
    const auto message = out.view().subspan(kEthernetHeader + kIpv6Header);
    out.patch_u16(kEthernetHeader + kIpv6Header + 2, icmpv6_checksum(addresses, message));
    return out;
}

NdpPacket solicited_advertisement(const net::MacAddress& mac, const NdpPacket& solicitation) {
    NdpPacket reply = unsolicited_advertisement(mac, solicitation.target, all_nodes());
    if (!solicitation.source.is_unspecified()) {
        reply.frame_destination = solicitation.link_layer.value_or(solicitation.frame_source);
        reply.destination = solicitation.source;
        reply.solicited = true;
    }
    return reply;
}

NdpPacket unsolicited_advertisement(
    const net::MacAddress& mac, const net::IpAddress& address, const net::IpAddress& destination
) {
    NdpPacket packet;
    packet.frame_destination = multicast_mac(destination);
    packet.frame_source = mac;
    packet.source = address;
    packet.destination = destination;
    packet.type = NdpType::Advertisement;
    packet.override_cache = true;
    packet.target = address;
    packet.link_layer = mac;
    return packet;
}

net::IpAddress all_nodes() {
    return net::IpAddress::v6({0xff, 0x02, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x01});
}

net::IpAddress all_routers() {
    return net::IpAddress::v6({0xff, 0x02, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x02});
}

net::IpAddress solicited_node_group(const net::IpAddress& address) {
    std::array<std::uint8_t, 16> group{0xff, 0x02, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x01, 0xff};
    const auto bytes = address.bytes();
    for (std::size_t i = 0; i < 3; ++i) {
        group[13 + i] = bytes[bytes.size() - 3 + i];
    }
    return net::IpAddress::v6(group);
}

net::MacAddress multicast_mac(const net::IpAddress& group) {
    const auto bytes = group.bytes();
    net::MacAddress mac{{0x33, 0x33, 0, 0, 0, 0}};
    for (std::size_t i = 0; i < 4; ++i) {
        mac.bytes[2 + i] = bytes[bytes.size() - 4 + i];
    }
    return mac;
}

}  // namespace steelyard::l2
