#include "speaker/bfd/echo.hpp"

#include "common/wire/reader.hpp"
#include "speaker/bfd/packet.hpp"

#include <algorithm>

namespace steelyard::bfd {
namespace {

constexpr std::uint8_t kUdp = 17;
constexpr std::uint8_t kSentTtl = 255;
constexpr std::uint8_t kReturnedTtl = 254;  // the peer forwarded it, nobody else did
constexpr std::uint8_t kInternetControl = 0xc0;
constexpr std::uint16_t kDontFragment = 0x4000;
constexpr std::uint16_t kFragmentBits = 0x3fff;  // more fragments, or an offset
constexpr std::size_t kUdpHeader = 8;

// The Internet checksum (RFC 1071) of data of even length.
std::uint16_t checksum(std::span<const std::byte> data, std::uint32_t sum = 0) {
    wire::Reader in(data);
    while (in.remaining() >= 2) {
        sum += in.u16();
    }
    while (sum >> 16U != 0) {
        sum = (sum & 0xffffU) + (sum >> 16U);
    }
    return static_cast<std::uint16_t>(~sum);
}

void put_ipv4_header(wire::Writer& out, const net::IpAddress& local, std::uint16_t length) {
    out.u8(0x45);
    out.u8(kInternetControl);
    out.u16(length);
    out.u16(0);
    out.u16(kDontFragment);
    out.u8(kSentTtl);
    out.u8(kUdp);
    out.u16(0);
    out.bytes(local.bytes());
    out.bytes(local.bytes());
    out.patch_u16(10, checksum(out.view()));
}

void put_ipv6_header(wire::Writer& out, const net::IpAddress& local, std::uint16_t payload) {
    out.u32(0x60000000U | static_cast<std::uint32_t>(kInternetControl) << 20U);
    out.u16(payload);
    out.u8(kUdp);
    out.u8(kSentTtl);
    out.bytes(local.bytes());
    out.bytes(local.bytes());
}

// Both addresses of the pseudo header are the same one.
std::uint16_t udp_checksum(const net::IpAddress& local, std::span<const std::byte> datagram) {
    std::uint32_t sum = kUdp + static_cast<std::uint32_t>(datagram.size());
    const auto address = local.bytes();
    for (std::size_t i = 0; i < address.size(); i += 2) {
        sum += 2 * (static_cast<std::uint32_t>(address[i]) << 8U | address[i + 1]);
    }
    const std::uint16_t value = checksum(datagram, sum);
    return value == 0 ? std::uint16_t{0xffff} : value;  // zero means "none" (RFC 768)
}

net::IpAddress read_v4(wire::Reader& in) {
    return net::IpAddress::v4(in.u32());
}

net::IpAddress read_v6(wire::Reader& in) {
    std::array<std::uint8_t, 16> bytes{};
    std::generate(bytes.begin(), bytes.end(), [&] { return in.u8(); });
    return net::IpAddress::v6(bytes);
}

struct Header {
    net::IpAddress address;
    bool acceptable = false;
};

Header read_ipv4(wire::Reader& in) {
    Header out;
    const std::size_t length = (in.u8() & 0x0fU) * 4U;
    in.skip(5);
    const bool fragment = (in.u16() & kFragmentBits) != 0;
    const std::uint8_t ttl = in.u8();
    const std::uint8_t protocol = in.u8();
    in.skip(2);
    out.address = read_v4(in);
    const net::IpAddress destination = read_v4(in);
    if (length < 20) {
        in.fail();
    } else {
        in.skip(length - 20);
    }
    out.acceptable = in.ok() && !fragment && ttl == kReturnedTtl && protocol == kUdp &&
                     out.address == destination;
    return out;
}

Header read_ipv6(wire::Reader& in) {
    Header out;
    in.skip(6);
    const std::uint8_t protocol = in.u8();
    const std::uint8_t ttl = in.u8();
    out.address = read_v6(in);
    const net::IpAddress destination = read_v6(in);
    out.acceptable =
        in.ok() && ttl == kReturnedTtl && protocol == kUdp && out.address == destination;
    return out;
}

}  // namespace

EchoBytes encode(const Echo& echo) {
    wire::Writer out;
    out.u32(echo.discriminator);
    out.u32(echo.sequence);
    out.u64(echo.secret);
    EchoBytes bytes{};
    std::copy(out.view().begin(), out.view().end(), bytes.begin());
    return bytes;
}

std::optional<Echo> decode_echo(std::span<const std::byte> payload) {
    if (payload.size() < kEchoSize) {
        return std::nullopt;
    }
    wire::Reader in(payload);
    Echo out;
    out.discriminator = in.u32();
    out.sequence = in.u32();
    out.secret = in.u64();
    return out;
}

wire::Bytes echo_datagram(const net::IpAddress& local, const EchoBytes& echo) {
    wire::Writer udp;
    udp.u16(kEchoPort);
    udp.u16(kEchoPort);
    udp.u16(static_cast<std::uint16_t>(kUdpHeader + echo.size()));
    udp.u16(0);
    udp.bytes(echo);
    udp.patch_u16(6, udp_checksum(local, udp.view()));
    wire::Writer out;
    const auto size = static_cast<std::uint16_t>(udp.size());
    if (local.is_v4()) {
        put_ipv4_header(out, local, static_cast<std::uint16_t>(20 + size));
    } else {
        put_ipv6_header(out, local, size);
    }
    out.bytes(udp.view());
    return out.take();
}

std::optional<EchoArrival> parse_echo_datagram(std::span<const std::byte> datagram) {
    if (datagram.empty()) {
        return std::nullopt;
    }
    wire::Reader in(datagram);
    const unsigned version = static_cast<unsigned>(datagram.front()) >> 4U;
    Header header;
    if (version == 4) {
        header = read_ipv4(in);
    } else if (version == 6) {
        header = read_ipv6(in);
    }
    in.skip(2);
    const bool to_echo = in.u16() == kEchoPort;
    in.skip(4);  // the checksum protected it on its way; the secret tells ours from others'
    const auto echo = decode_echo(in.rest());
    if (!header.acceptable || !to_echo || !echo) {
        return std::nullopt;
    }
    return EchoArrival{header.address, *echo};
}

}  // namespace steelyard::bfd
