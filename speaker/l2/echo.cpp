#include "speaker/l2/echo.hpp"

#include "common/wire/reader.hpp"
#include "speaker/l2/arp.hpp"
#include "speaker/l2/frame.hpp"
#include "speaker/l2/read.hpp"

namespace steelyard::l2 {
namespace {

constexpr std::size_t kLongestFrame = 1514;
constexpr std::size_t kEthernetHeader = 14;
constexpr std::size_t kIpv4Header = 20;
constexpr std::size_t kIpv6Header = 40;
constexpr std::size_t kIcmpFixedPart = 8;
constexpr std::uint8_t kIcmp = 1;
constexpr std::uint8_t kEchoRequest = 8;
constexpr std::uint8_t kEchoReply = 0;
constexpr std::uint8_t kEchoRequest6 = 128;
constexpr std::uint8_t kEchoReply6 = 129;
constexpr std::uint8_t kTtl = 64;

// Whom nobody may be answered as: a group, everybody, nobody, this host (RFC 1122 3.2.2.6).
bool is_unicast(const net::IpAddress& address) {
    if (address.is_multicast() || address.is_unspecified() || address.is_loopback()) {
        return false;
    }
    if (!address.is_v4()) {
        return true;
    }
    const std::uint8_t first = address.bytes()[0];
    return first != 0 && first < 240;
}

Decoded<EchoRequest> decode_message(EchoRequest request, std::span<const std::byte> message) {
    const bool v4 = request.source.is_v4();
    wire::Reader in(message);
    const std::uint8_t type = in.u8();
    const std::uint8_t code = in.u8();
    if (type != (v4 ? kEchoRequest : kEchoRequest6)) {
        return Drop::NotForUs;
    }
    in.skip(2);
    request.rest = in.rest();
    if (code != 0) {
        return Drop::Malformed;
    }
    return is_unicast(request.source) && request.source != request.destination
               ? Decoded<EchoRequest>(request)
               : Decoded<EchoRequest>(Drop::Spoofed);
}

Decoded<EchoRequest> decode_v4(EchoRequest request, std::span<const std::byte> packet) {
    wire::Reader in(packet);
    const std::uint8_t version_and_length = in.u8();
    in.skip(1);
    const std::size_t total_length = in.u16();
    in.skip(2);
    const std::uint16_t fragment = in.u16();
    in.skip(1);
    const std::uint8_t protocol = in.u8();
    in.skip(2);
    request.source = net::IpAddress::v4(in.u32());
    request.destination = net::IpAddress::v4(in.u32());
    if (!in.ok() || total_length > packet.size()) {
        return Drop::Truncated;
    }
    if (protocol != kIcmp) {
        return Drop::NotForUs;
    }
    if (version_and_length != 0x45 || total_length < kIpv4Header + kIcmpFixedPart) {
        return Drop::Malformed;  // options, or no IPv4 at all
    }
    if ((fragment & 0x3fffU) != 0) {
        return Drop::Fragment;  // more fragments, or an offset
    }
    const auto message = packet.subspan(kIpv4Header, total_length - kIpv4Header);
    if (checksum_of(add_words(0, packet.first(kIpv4Header))) != 0 ||
        checksum_of(add_words(0, message)) != 0) {
        return Drop::Checksum;
    }
    return decode_message(request, message);
}

Decoded<EchoRequest> decode_v6(EchoRequest request, std::span<const std::byte> packet) {
    wire::Reader in(packet);
    const bool ipv6 = (in.u32() >> 28U) == 6;
    const std::size_t payload_length = in.u16();
    const std::uint8_t next_header = in.u8();
    in.skip(1);
    request.source = read_ipv6(in);
    request.destination = read_ipv6(in);
    const auto message = in.bytes(payload_length);
    if (!in.ok()) {
        return Drop::Truncated;
    }
    if (next_header != kIcmpv6) {
        return Drop::NotForUs;  // extension headers too
    }
    // IpAddress folds IPv4-mapped addresses; they have no business on a link (RFC 4038 4.2).
    if (!ipv6 || message.size() < kIcmpFixedPart || request.source.is_v4() ||
        request.destination.is_v4()) {
        return Drop::Malformed;
    }
    if (icmpv6_checksum(packet.subspan(8, 32), message) != 0) {
        return Drop::Checksum;
    }
    return decode_message(request, message);
}

void append_ipv4_header(Frame& out, const EchoRequest& request) {
    const std::size_t start = out.size();
    out.u16(0x4500);
    out.u16(static_cast<std::uint16_t>(kIpv4Header + 4 + request.rest.size()));
    out.u16(0);
    out.u16(0x4000);  // don't fragment: then the identification may be zero (RFC 6864 4.1)
    out.u8(kTtl);
    out.u8(kIcmp);
    out.u16(0);
    out.bytes(request.destination.bytes());
    out.bytes(request.source.bytes());
    const auto header = out.view().subspan(start, kIpv4Header);
    out.patch_u16(start + 10, checksum_of(add_words(0, header)));
}

void append_ipv6_header(Frame& out, const EchoRequest& request) {
    out.u16(0x6000);
    out.u16(0);
    out.u16(static_cast<std::uint16_t>(4 + request.rest.size()));
    out.u8(kIcmpv6);
    out.u8(kTtl);
    out.bytes(request.destination.bytes());
    out.bytes(request.source.bytes());
}

}  // namespace

Decoded<EchoRequest> decode_echo_request(std::span<const std::byte> frame) {
    if (frame.size() > kLongestFrame) {
        return Drop::Oversized;
    }
    wire::Reader in(frame);
    EchoRequest request;
    request.frame_destination = read_mac(in);
    request.frame_source = read_mac(in);
    const bool v4 = ether_type(frame) == kEtherTypeIpv4;
    if (const auto refused = refuse_ether_type(in, v4 ? kEtherTypeIpv4 : kEtherTypeIpv6)) {
        return *refused;
    }
    return v4 ? decode_v4(request, in.rest()) : decode_v6(request, in.rest());
}

Frame encode_echo_reply(const net::MacAddress& mac, const EchoRequest& request) {
    const bool v4 = request.source.is_v4();
    Frame out;
    out.bytes(request.frame_source.bytes);
    out.bytes(mac.bytes);
    out.u16(v4 ? kEtherTypeIpv4 : kEtherTypeIpv6);
    if (v4) {
        append_ipv4_header(out, request);
    } else {
        append_ipv6_header(out, request);
    }
    const std::size_t start = out.size();
    out.u8(v4 ? kEchoReply : kEchoReply6);
    out.u8(0);
    out.u16(0);
    out.bytes(request.rest);
    const auto message = out.view().subspan(start);
    std::uint16_t checksum = 0;
    if (v4) {
        checksum = checksum_of(add_words(0, message));
    } else {
        checksum = icmpv6_checksum(out.view().subspan(kEthernetHeader + 8, 32), message);
    }
    out.patch_u16(start + 2, checksum);
    return out;
}

bool is_icmpv6_echo_request(std::span<const std::byte> frame) {
    constexpr std::size_t kNextHeader = kEthernetHeader + 6;
    constexpr std::size_t kType = kEthernetHeader + kIpv6Header;
    return frame.size() > kType && frame[kNextHeader] == std::byte{kIcmpv6} &&
           frame[kType] == std::byte{kEchoRequest6};
}

Decoded<net::IpAddress> EchoResponder::on_frame(
    const Port& port, std::span<const std::byte> frame, Instant now, Actions& out
) {
    const auto request = decode_echo_request(frame);
    if (!request) {
        return request.why();
    }
    const Announcement* const announcement = ownership_->find(request->destination, port);
    if (announcement == nullptr || !announcement->echo) {
        return Drop::NotAnnounced;
    }
    if (request->frame_destination != port.mac) {
        return Drop::NotForUs;
    }
    if (is_group(request->frame_source) || is_zero(request->frame_source)) {
        return Drop::Spoofed;
    }
    const auto bucket =
        buckets_.try_emplace(request->destination, kRepliesPerSecond, kRepliesPerSecond).first;
    if (!bucket->second.take(now) || !all_.take(now)) {
        return Drop::RateLimited;
    }
    out.emplace_back(Send{port.index, encode_echo_reply(port.mac, *request)});
    return request->destination;
}

void EchoResponder::forget_released() {
    std::erase_if(buckets_, [this](const auto& entry) {
        return !ownership_->announcements().contains(entry.first);
    });
}

}  // namespace steelyard::l2
