#pragma once

#include "common/net/ip.hpp"
#include "common/net/mac.hpp"
#include "speaker/l2/drop.hpp"
#include "speaker/l2/frame.hpp"

#include <cstddef>
#include <cstdint>
#include <span>

// ARP for IPv4 over Ethernet (RFC 826), and the announcement and probe forms of RFC 5227.
namespace steelyard::l2 {

enum class ArpOperation : std::uint16_t { Request = 1, Reply = 2 };

struct ArpPacket {
    net::MacAddress frame_destination;
    net::MacAddress frame_source;
    ArpOperation operation = ArpOperation::Request;
    net::MacAddress sender_mac;
    net::IpAddress sender_ip;
    net::MacAddress target_mac;
    net::IpAddress target_ip;
    friend bool operator==(const ArpPacket&, const ArpPacket&) = default;
};

// An Ethernet frame; refused when it is not a well-formed request or reply for IPv4 over Ethernet.
// Padding after the packet is ignored.
[[nodiscard]] Decoded<ArpPacket> decode_arp(std::span<const std::byte> frame);
[[nodiscard]] Frame encode_arp(const ArpPacket& packet);

// "ip is at mac", to whoever sent the request.
[[nodiscard]] ArpPacket arp_reply(
    const net::MacAddress& mac, const net::IpAddress& ip, const ArpPacket& request
);
// The two gratuitous forms: some systems learn from one only. Target MAC is the broadcast address,
// as MetalLB sends it.
[[nodiscard]] ArpPacket gratuitous_arp(
    ArpOperation form, const net::MacAddress& mac, const net::IpAddress& ip
);
// RFC 5227 2.1.1: asks whether somebody uses `ip` without claiming it.
[[nodiscard]] ArpPacket arp_probe(const net::MacAddress& mac, const net::IpAddress& ip);

// Group bit: broadcast and multicast.
[[nodiscard]] bool is_group(const net::MacAddress& mac);
[[nodiscard]] bool is_zero(const net::MacAddress& mac);

}  // namespace steelyard::l2
