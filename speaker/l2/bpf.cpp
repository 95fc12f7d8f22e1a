#include "speaker/l2/bpf.hpp"

#include "speaker/l2/bpf_assembler.hpp"
#include "speaker/l2/frame.hpp"

#include <algorithm>
#include <array>

namespace steelyard::l2 {
namespace {

constexpr std::size_t kMostInstructions = 4096;  // BPF_MAXINSNS

// Offsets in an Ethernet frame.
constexpr std::uint32_t kEtherType = 12;
constexpr std::uint32_t kArpHardwareAndProtocol = 14;
constexpr std::uint32_t kArpLengths = 18;
constexpr std::uint32_t kArpSenderIp = 28;
constexpr std::uint32_t kArpTargetIp = 38;
constexpr std::uint32_t kIpv4VersionAndLength = 14;
constexpr std::uint32_t kIpv4Fragment = 20;
constexpr std::uint32_t kIpv4Protocol = 23;
constexpr std::uint32_t kIpv4Destination = 30;
constexpr std::uint32_t kIcmpType = 34;
constexpr std::uint32_t kIpv6NextHeader = 20;
constexpr std::uint32_t kIpv6HopLimit = 21;
constexpr std::uint32_t kIpv6Destination = 38;
constexpr std::uint32_t kIcmpv6Type = 54;
constexpr std::uint32_t kNdpTarget = 62;
// Ancillary data, <linux/filter.h>, and what it may be, <linux/if_packet.h>.
constexpr std::uint32_t kPacketType = 0xfffff000U + 4;
constexpr std::uint32_t kOtherHost = 3;

// hash(address + 1) == hash(address) + 1 within a /96: pools stay runs. Odd, so that no bit of a
// word is lost; else of no meaning.
constexpr std::array<std::uint32_t, 3> kMultipliers{0x9e3779b1U, 0x85ebca77U, 0xc2b2ae3dU};

std::uint32_t word(std::span<const std::uint8_t> bytes) {
    std::uint32_t out = 0;
    for (const std::uint8_t byte : bytes.first(4)) {
        out = out << 8U | byte;
    }
    return out;
}

std::uint32_t key(const net::IpAddress& address) {
    const auto bytes = address.bytes();
    std::uint32_t hash = word(bytes);
    for (std::size_t i = 1; i < bytes.size() / 4; ++i) {
        hash = hash * kMultipliers.at(i - 1) + word(bytes.subspan(4 * i));
    }
    return hash;
}

// The same, in BPF.
void load_key(BpfAssembler& out, net::Family family, std::uint32_t offset) {
    out.load_word(offset);
    if (family == net::Family::V4) {
        return;
    }
    for (const std::uint32_t multiplier : kMultipliers) {
        out.multiply(multiplier);
        out.copy_to_index();
        offset += 4;
        out.load_word(offset);
        out.add_index();
    }
}

// Runs of consecutive keys; pools are mostly consecutive addresses.
std::vector<WordRange> ranges_of(std::span<const net::IpAddress> addresses, net::Family family) {
    std::vector<std::uint32_t> keys;
    for (const net::IpAddress& address : addresses) {
        if (address.family() == family) {
            keys.push_back(key(address));
        }
    }
    std::sort(keys.begin(), keys.end());
    std::vector<WordRange> ranges;
    for (const std::uint32_t value : keys) {
        if (!ranges.empty() && value - ranges.back().second <= 1) {
            ranges.back().second = value;
        } else {
            ranges.emplace_back(value, value);
        }
    }
    return ranges;
}

// Sent to another MAC (in promiscuous mode), or in a VLAN this interface has no device for: the
// kernel calls it so and takes the tag off, and an answer would leave without one.
void drop_what_is_for_others(BpfAssembler& out) {
    out.load_word(kPacketType);
    out.refuse(kOtherHost);
}

// Everything but the address.
void require_format(BpfAssembler& out, Channel channel) {
    out.load_half(kEtherType);
    out.require(ether_type(channel));
    switch (channel) {
        case Channel::Arp:
            out.load_word(kArpHardwareAndProtocol);
            out.require(0x00010800);
            out.load_half(kArpLengths);
            out.require(0x0604);
            break;
        case Channel::Ndp:
            out.load_byte(kIpv6NextHeader);
            out.require(58);
            out.load_byte(kIcmpv6Type);
            out.require_range(135, 136);
            out.load_byte(kIpv6HopLimit);
            out.require(255);
            break;
        case Channel::Echo4:
            out.load_byte(kIpv4Protocol);
            out.require(1);
            out.load_byte(kIpv4VersionAndLength);
            out.require(0x45);
            out.load_byte(kIcmpType);
            out.require(8);
            out.load_half(kIpv4Fragment);
            out.bit_and(0x3fff);
            out.require(0);
            break;
        case Channel::Echo6:
            out.load_byte(kIpv6NextHeader);
            out.require(58);
            out.load_byte(kIcmpv6Type);
            out.require(128);
            break;
    }
    drop_what_is_for_others(out);
}

std::vector<std::uint32_t> address_offsets(Channel channel) {
    switch (channel) {
        case Channel::Arp:
            return {kArpTargetIp, kArpSenderIp};
        case Channel::Ndp:
            return {kNdpTarget};
        case Channel::Echo4:
            return {kIpv4Destination};
        case Channel::Echo6:
            return {kIpv6Destination};
    }
    return {};
}

BpfProgram make_filter(Channel channel, std::span<const WordRange> ranges) {
    BpfAssembler out;
    if (!ranges.empty()) {
        // Counted from the lowest, since the kernel spends two instructions on operands beyond 31
        // bits.
        const std::uint32_t base = ranges.front().first;
        std::vector<WordRange> relative;
        for (const auto& [low, high] : ranges) {
            relative.emplace_back(low - base, high - base);
        }
        require_format(out, channel);
        for (const std::uint32_t offset : address_offsets(channel)) {
            load_key(out, family(channel), offset);
            out.subtract(base);
            out.accept_ranges(relative);
        }
    }
    out.drop();
    return out.take();
}

std::vector<BpfProgram> make_shares(
    Channel channel, std::span<const WordRange> ranges, std::size_t shares
) {
    std::vector<BpfProgram> programs;
    for (std::size_t i = 0; i < shares; ++i) {
        const std::size_t first = ranges.size() * i / shares;
        const std::size_t last = ranges.size() * (i + 1) / shares;
        programs.push_back(make_filter(channel, ranges.subspan(first, last - first)));
    }
    return programs;
}

}  // namespace

std::uint16_t ether_type(Channel channel) {
    if (channel == Channel::Arp) {
        return kEtherTypeArp;
    }
    return channel == Channel::Echo4 ? kEtherTypeIpv4 : kEtherTypeIpv6;
}

net::Family family(Channel channel) {
    return channel == Channel::Arp || channel == Channel::Echo4 ? net::Family::V4 : net::Family::V6;
}

std::size_t cost(const BpfProgram& program) {
    constexpr std::size_t kPrologue = 16;
    constexpr std::size_t kLoad = 16;  // with the path for a packet that is in pieces
    constexpr std::size_t kVerdict = 2;
    std::size_t sum = kPrologue;
    for (const BpfInstruction& step : program) {
        switch (step.code & 0x07U) {
            case 0x00:
                sum += kLoad;
                break;
            case 0x06:
                sum += kVerdict;
                break;
            default:
                sum += step.operand > 0x7fffffffU ? 2U : 1U;
                break;
        }
    }
    return sum;
}

std::vector<BpfProgram> make_filters(
    Channel channel, std::span<const net::IpAddress> addresses, std::size_t budget
) {
    const std::vector<WordRange> ranges = ranges_of(addresses, family(channel));
    const auto fits = [budget](const BpfProgram& program) {
        return program.size() <= kMostInstructions && cost(program) <= budget;
    };
    std::size_t shares = 1;
    for (;;) {
        std::vector<BpfProgram> programs = make_shares(channel, ranges, shares);
        if (shares >= ranges.size() || std::all_of(programs.begin(), programs.end(), fits)) {
            return programs;
        }
        const BpfProgram& largest = programs.front();
        const std::size_t too_large =
            std::max(cost(largest) / budget, largest.size() / kMostInstructions);
        shares = shares == 1 ? std::max<std::size_t>(2, too_large) : shares + 1;
    }
}

BpfProgram pass_everything() {
    BpfAssembler out;
    out.accept();
    return out.take();
}

}  // namespace steelyard::l2
