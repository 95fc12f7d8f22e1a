#pragma once

#include "common/net/ip.hpp"

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

// Classic BPF programs for the packet sockets, so that the kernel drops foreign neighbour traffic
// before it wakes us. Data only: the driver attaches them, a test interprets them. The layout is
// that of struct sock_filter.
namespace steelyard::l2 {

struct BpfInstruction {
    std::uint16_t code = 0;
    std::uint8_t jump_true = 0;
    std::uint8_t jump_false = 0;
    std::uint32_t operand = 0;
    friend bool operator==(const BpfInstruction&, const BpfInstruction&) = default;
};

using BpfProgram = std::vector<BpfInstruction>;

// More runs of neighbouring addresses than this are not spelled out: the filter then passes all
// ARP requests (or all solicitations).
inline constexpr std::size_t kMaxBpfRanges = 256;

// Passes IPv4-over-Ethernet ARP whose target is one of `addresses` (requests, and announcements by
// somebody else of an address of ours). IPv6 addresses in the list are ignored.
[[nodiscard]] BpfProgram arp_filter(std::span<const net::IpAddress> addresses);

// Passes neighbour solicitations and advertisements whose target ends in the same 32 bits as one of
// `addresses`. IPv4 addresses in the list are ignored.
[[nodiscard]] BpfProgram ndp_filter(std::span<const net::IpAddress> addresses);

}  // namespace steelyard::l2
