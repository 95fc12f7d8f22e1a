#pragma once

#include "common/net/ip.hpp"

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

// Classic BPF programs for the packet sockets, so that the kernel drops foreign neighbour traffic
// before it wakes us. Data only: the driver attaches them, a test interprets them. The layout is
// that of struct sock_filter.
//
// A program looks an address up in a search tree spelled out as jumps, and is exact for IPv4; IPv6
// addresses are looked up by a 32-bit hash that keeps neighbours neighbours. (A hash map would be
// eBPF, which needs CAP_BPF; a bitmap in so few instructions lets a fifth of foreign addresses
// through.) One socket's filter has room for some thousand addresses, so that more are shared out:
// several sockets, each with the filter of its share, receive no frame twice.
namespace steelyard::l2 {

struct BpfInstruction {
    std::uint16_t code = 0;
    std::uint8_t jump_true = 0;
    std::uint8_t jump_false = 0;
    std::uint32_t operand = 0;
    friend bool operator==(const BpfInstruction&, const BpfInstruction&) = default;
};

using BpfProgram = std::vector<BpfInstruction>;

// What a socket receives.
enum class Channel : std::uint8_t {
    Arp,    // whose target or sender is one of ours: requests, and claims by somebody else
    Ndp,    // solicitations and advertisements whose target is one of ours
    Echo4,  // whole ICMP echo requests to one of ours
    Echo6
};
inline constexpr std::size_t kChannels = 4;
[[nodiscard]] std::uint16_t ether_type(Channel channel);
[[nodiscard]] net::Family family(Channel channel);

// What a program costs the kernel, in its own instructions, of 8 bytes each. They are charged to
// the socket, which may hold net.core.optmem_max bytes (20 KiB on Linux before 6.7, then 128 KiB),
// and twice while one filter replaces another.
[[nodiscard]] std::size_t cost(const BpfProgram& program);
inline constexpr std::size_t kLargestBudget = 7500;  // half of 128 KiB
inline constexpr std::size_t kSmallestBudget = 300;

// At least one program; none costs more than `budget` or has more than the 4096 instructions the
// kernel takes. Together they pass what the channel should receive for `addresses`, of which those
// of the other family are ignored; frames to another MAC or of a foreign VLAN are dropped.
[[nodiscard]] std::vector<BpfProgram> make_filters(
    Channel channel, std::span<const net::IpAddress> addresses, std::size_t budget
);

[[nodiscard]] BpfProgram pass_everything();

}  // namespace steelyard::l2
