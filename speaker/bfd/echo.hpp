#pragma once

#include "common/net/ip.hpp"
#include "common/wire/writer.hpp"

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>

// Echo packets (RFC 5880 5 and 6.4, RFC 5881 4): we send them to the peer's link-layer address with
// our own IP address as destination, and its forwarding plane sends them back. What is inside is
// ours alone: which session, a number, and a secret, so that nobody else can keep a dead session
// alive. Whole IP datagrams, since no ordinary socket sends to its own address over the wire.
namespace steelyard::bfd {

struct Echo {
    std::uint32_t discriminator = 0;
    std::uint32_t sequence = 0;
    std::uint64_t secret = 0;

    friend bool operator==(const Echo&, const Echo&) = default;
};

inline constexpr std::size_t kEchoSize = 16;
using EchoBytes = std::array<std::byte, kEchoSize>;

[[nodiscard]] EchoBytes encode(const Echo& echo);
[[nodiscard]] std::optional<Echo> decode_echo(std::span<const std::byte> payload);

// The IP datagram with TTL 255 from `local` to `local`.
[[nodiscard]] wire::Bytes echo_datagram(const net::IpAddress& local, const EchoBytes& echo);

struct EchoArrival {
    net::IpAddress address;  // source and destination alike
    Echo echo;
};
// An IP datagram as a packet socket gives it; nothing unless it is one of ours after one hop.
[[nodiscard]] std::optional<EchoArrival> parse_echo_datagram(std::span<const std::byte> datagram);

}  // namespace steelyard::bfd
