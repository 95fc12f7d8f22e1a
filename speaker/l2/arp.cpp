#include "speaker/l2/arp.hpp"

#include "common/wire/reader.hpp"
#include "speaker/l2/read.hpp"

namespace steelyard::l2 {
namespace {

constexpr std::uint16_t kHardwareEthernet = 1;
constexpr std::uint16_t kProtocolIpv4 = 0x0800;

}  // namespace

Decoded<ArpPacket> decode_arp(std::span<const std::byte> frame) {
    wire::Reader in(frame);
    ArpPacket packet;
    packet.frame_destination = read_mac(in);
    packet.frame_source = read_mac(in);
    if (const auto refused = refuse_ether_type(in, kEtherTypeArp)) {
        return *refused;
    }
    const bool ethernet = in.u16() == kHardwareEthernet;
    const bool ipv4 = in.u16() == kProtocolIpv4;
    const bool lengths = in.u16() == 0x0604;  // hlen 6, plen 4
    const std::uint16_t operation = in.u16();
    packet.operation = ArpOperation{operation};
    packet.sender_mac = read_mac(in);
    packet.sender_ip = net::IpAddress::v4(in.u32());
    packet.target_mac = read_mac(in);
    packet.target_ip = net::IpAddress::v4(in.u32());
    if (!in.ok()) {
        return Drop::Truncated;
    }
    if (!ethernet || !ipv4 || !lengths || operation < 1 || operation > 2) {
        return Drop::Malformed;
    }
    return packet;
}

Frame encode_arp(const ArpPacket& packet) {
    Frame out;
    out.bytes(packet.frame_destination.bytes);
    out.bytes(packet.frame_source.bytes);
    out.u16(kEtherTypeArp);
    out.u16(kHardwareEthernet);
    out.u16(kProtocolIpv4);
    out.u16(0x0604);
    out.u16(static_cast<std::uint16_t>(packet.operation));
    out.bytes(packet.sender_mac.bytes);
    out.bytes(packet.sender_ip.bytes());
    out.bytes(packet.target_mac.bytes);
    out.bytes(packet.target_ip.bytes());
    return out;
}

ArpPacket arp_reply(
    const net::MacAddress& mac, const net::IpAddress& ip, const ArpPacket& request
) {
    return {
        request.sender_mac,
        mac,
        ArpOperation::Reply,
        mac,
        ip,
        request.sender_mac,
        request.sender_ip};
}

ArpPacket gratuitous_arp(ArpOperation form, const net::MacAddress& mac, const net::IpAddress& ip) {
    return {net::MacAddress::broadcast(), mac, form, mac, ip, net::MacAddress::broadcast(), ip};
}

ArpPacket arp_probe(const net::MacAddress& mac, const net::IpAddress& ip) {
    return {net::MacAddress::broadcast(), mac, ArpOperation::Request, mac, {}, {}, ip};
}

bool is_group(const net::MacAddress& mac) {
    return (mac.bytes[0] & 1U) != 0;
}

bool is_zero(const net::MacAddress& mac) {
    return mac == net::MacAddress{};
}

}  // namespace steelyard::l2
