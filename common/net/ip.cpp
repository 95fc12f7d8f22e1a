#include "common/net/ip.hpp"

#include "common/base/check.hpp"

#include <arpa/inet.h>
#include <netinet/in.h>

#include <algorithm>
#include <cstring>

namespace steelyard::net {
namespace {

constexpr std::array<std::uint8_t, 12> kMappedPrefix{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};

}  // namespace

std::string_view to_string(Family family) {
    return family == Family::V4 ? "IPv4" : "IPv6";
}

IpAddress IpAddress::v4(std::uint32_t host_order) {
    IpAddress address;
    for (std::size_t i = 0; i < 4; ++i) {
        address.bytes_.at(i) = static_cast<std::uint8_t>(host_order >> (24U - 8U * i));
    }
    return address;
}

IpAddress IpAddress::v6(const std::array<std::uint8_t, 16>& bytes) {
    IpAddress address;
    if (std::equal(kMappedPrefix.begin(), kMappedPrefix.end(), bytes.begin())) {
        std::copy(bytes.begin() + 12, bytes.end(), address.bytes_.begin());
        return address;
    }
    address.family_ = Family::V6;
    address.bytes_ = bytes;
    return address;
}

Result<IpAddress> IpAddress::parse(std::string_view text) {
    const std::string terminated(text);
    in_addr four{};
    if (inet_pton(AF_INET, terminated.c_str(), &four) == 1) {
        return v4(ntohl(four.s_addr));
    }
    in6_addr six{};
    if (inet_pton(AF_INET6, terminated.c_str(), &six) == 1) {
        std::array<std::uint8_t, 16> bytes{};
        std::memcpy(bytes.data(), &six, bytes.size());
        return v6(bytes);
    }
    return make_error(Errc::Invalid, "\"" + terminated + "\" is not an IP address");
}

std::uint32_t IpAddress::v4_host_order() const {
    SY_CHECK(is_v4(), "not an IPv4 address");
    std::uint32_t value = 0;
    for (std::size_t i = 0; i < 4; ++i) {
        value = value << 8U | bytes_.at(i);
    }
    return value;
}

bool IpAddress::is_loopback() const {
    if (is_v4()) {
        return bytes_[0] == 127;
    }
    return std::all_of(bytes_.begin(), bytes_.end() - 1, [](std::uint8_t b) { return b == 0; }) &&
           bytes_.back() == 1;
}

bool IpAddress::is_link_local() const {
    if (is_v4()) {
        return bytes_[0] == 169 && bytes_[1] == 254;
    }
    return bytes_[0] == 0xfe && (bytes_[1] & 0xc0U) == 0x80;
}

bool IpAddress::is_multicast() const {
    return is_v4() ? (bytes_[0] & 0xf0U) == 0xe0 : bytes_[0] == 0xff;
}

bool IpAddress::is_unspecified() const {
    return std::all_of(bytes_.begin(), bytes_.end(), [](std::uint8_t b) { return b == 0; });
}

IpAddress IpAddress::plus(std::uint64_t offset) const {
    IpAddress sum = *this;
    std::uint64_t carry = offset;
    for (std::size_t i = is_v4() ? 4 : 16; i-- > 0 && carry != 0;) {
        // The low byte of carry is added here; what overflows joins the rest, one byte up.
        const std::uint64_t total = sum.bytes_.at(i) + (carry & 0xffU);
        sum.bytes_.at(i) = static_cast<std::uint8_t>(total);
        carry = (carry >> 8U) + (total >> 8U);
    }
    return sum;
}

std::string to_string(const IpAddress& address) {
    std::array<char, INET6_ADDRSTRLEN> text{};
    const int family = address.is_v4() ? AF_INET : AF_INET6;
    inet_ntop(family, address.bytes().data(), text.data(), static_cast<socklen_t>(text.size()));
    return text.data();
}

std::string_view to_string(Protocol protocol) {
    switch (protocol) {
        case Protocol::Tcp:
            return "TCP";
        case Protocol::Udp:
            return "UDP";
        case Protocol::Sctp:
            return "SCTP";
    }
    return "?";
}

Result<Protocol> parse_protocol(std::string_view text) {
    for (const Protocol protocol : {Protocol::Tcp, Protocol::Udp, Protocol::Sctp}) {
        if (text == to_string(protocol)) {
            return protocol;
        }
    }
    return make_error(
        Errc::Invalid, "protocol \"" + std::string(text) + "\" is not one of TCP, UDP, SCTP"
    );
}

std::uint8_t ip_protocol_number(Protocol protocol) {
    switch (protocol) {
        case Protocol::Tcp:
            return IPPROTO_TCP;
        case Protocol::Udp:
            return IPPROTO_UDP;
        case Protocol::Sctp:
            return IPPROTO_SCTP;
    }
    return 0;
}

std::string to_string(const Endpoint& endpoint) {
    const std::string address = to_string(endpoint.address);
    const std::string port = std::to_string(endpoint.port);
    return endpoint.address.is_v4() ? address + ":" + port : "[" + address + "]:" + port;
}

}  // namespace steelyard::net

std::size_t std::hash<steelyard::net::IpAddress>::operator()(
    const steelyard::net::IpAddress& address
) const noexcept {
    const auto bytes = address.bytes();
    // FNV-1a; addresses of one pool differ in their last bytes only.
    std::uint64_t value = 0xcbf29ce484222325ULL;
    for (const std::uint8_t byte : bytes) {
        value = (value ^ byte) * 0x100000001b3ULL;
    }
    return value;
}
