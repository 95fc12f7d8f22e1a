#pragma once

#include "common/base/error.hpp"

#include <array>
#include <compare>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <string_view>

// An IPv4 or IPv6 address as a value. Text follows RFC 5952 on output; input accepts what inet_pton
// accepts (no leading zeros in IPv4, no zone). An IPv4-mapped IPv6 address is folded to IPv4, as
// Go's net.IP does, because MetalLB's election hash and everyone's objects print it that way.
namespace steelyard::net {

enum class Family : std::uint8_t { V4, V6 };
[[nodiscard]] std::string_view to_string(Family family
);  // "IPv4" / "IPv6", as in Service.spec.ipFamilies

class IpAddress {
public:
    IpAddress() = default;  // 0.0.0.0
    static IpAddress v4(std::uint32_t host_order);
    static IpAddress v6(const std::array<std::uint8_t, 16>& bytes);
    static Result<IpAddress> parse(std::string_view text);

    [[nodiscard]] Family family() const { return family_; }
    [[nodiscard]] bool is_v4() const { return family_ == Family::V4; }
    // 32 or 128.
    [[nodiscard]] unsigned bits() const { return is_v4() ? 32 : 128; }
    // Network byte order, 4 or 16 bytes; the view lives as long as this address.
    [[nodiscard]] std::span<const std::uint8_t> bytes() const {
        return std::span(bytes_).first(is_v4() ? 4 : 16);
    }
    [[nodiscard]] std::uint32_t v4_host_order() const;  // only for V4
    [[nodiscard]] bool is_loopback() const;
    [[nodiscard]] bool is_link_local() const;
    [[nodiscard]] bool is_multicast() const;
    [[nodiscard]] bool is_unspecified() const;
    // The address `offset` after this one; wraps within the family.
    [[nodiscard]] IpAddress plus(std::uint64_t offset) const;

    // V4 before V6, then numeric.
    friend auto operator<=>(const IpAddress&, const IpAddress&) = default;

private:
    Family family_ = Family::V4;
    std::array<std::uint8_t, 16> bytes_{};
};

[[nodiscard]] std::string to_string(const IpAddress& address);

// Transport protocols a Service port can have.
enum class Protocol : std::uint8_t { Tcp, Udp, Sctp };
[[nodiscard]] std::string_view to_string(Protocol protocol);  // "TCP", "UDP", "SCTP"
[[nodiscard]] Result<Protocol> parse_protocol(std::string_view text);
[[nodiscard]] std::uint8_t ip_protocol_number(Protocol protocol);  // IANA: 6, 17, 132

// An address and a port of a protocol: what a virtual server, a real server and an ipset entry are
// keyed by.
struct Endpoint {
    IpAddress address;
    std::uint16_t port = 0;
    friend auto operator<=>(const Endpoint&, const Endpoint&) = default;
};
[[nodiscard]] std::string to_string(const Endpoint& endpoint);  // 10.0.0.1:80, [fd00::1]:80

}  // namespace steelyard::net

template <>
struct std::hash<steelyard::net::IpAddress> {
    std::size_t operator()(const steelyard::net::IpAddress& address) const noexcept;
};
