#include "speaker/l2/bpf.hpp"

#include "speaker/l2/frame.hpp"

#include <algorithm>
#include <utility>

namespace steelyard::l2 {
namespace {

// Opcodes, <linux/bpf_common.h>.
constexpr std::uint16_t kLoadWord = 0x20;
constexpr std::uint16_t kLoadHalf = 0x28;
constexpr std::uint16_t kLoadByte = 0x30;
constexpr std::uint16_t kJumpEqual = 0x15;
constexpr std::uint16_t kJumpGreater = 0x25;
constexpr std::uint16_t kJumpGreaterOrEqual = 0x35;
constexpr std::uint16_t kReturn = 0x06;

constexpr std::uint32_t kAccept = 0xffffffff;
constexpr std::uint32_t kDrop = 0;

// Offsets in an Ethernet frame.
constexpr std::uint32_t kEtherType = 12;
constexpr std::uint32_t kArpHardwareAndProtocol = 14;
constexpr std::uint32_t kArpLengths = 18;
constexpr std::uint32_t kArpOperation = 20;
constexpr std::uint32_t kArpTargetIp = 38;
constexpr std::uint32_t kIpv6NextHeaderAndHopLimit = 20;
constexpr std::uint32_t kIcmpv6Type = 54;
constexpr std::uint32_t kNdpTargetLastWord = 74;

using WordRange = std::pair<std::uint32_t, std::uint32_t>;

// Runs of consecutive values; pools are mostly consecutive addresses.
std::vector<WordRange> merge(std::vector<std::uint32_t> words) {
    std::sort(words.begin(), words.end());
    std::vector<WordRange> ranges;
    for (const std::uint32_t word : words) {
        if (!ranges.empty() && word - ranges.back().second <= 1) {
            ranges.back().second = word;
        } else {
            ranges.emplace_back(word, word);
        }
    }
    return ranges;
}

class Assembler {
public:
    void load(std::uint16_t width, std::uint32_t offset) { emit(width, 0, 0, offset); }
    // Drops the packet unless the accumulator equals `value`.
    void require(std::uint32_t value) {
        emit(kJumpEqual, 1, 0, value);
        finish(kDrop);
    }
    void require_range(std::uint32_t low, std::uint32_t high) {
        emit(kJumpGreaterOrEqual, 1, 0, low);
        finish(kDrop);
        emit(kJumpGreater, 0, 1, high);
        finish(kDrop);
    }
    // Ends the program: accepts iff the accumulator lies in one of the sorted ranges. Verdicts
    // stand beside each test because a jump reaches 255 instructions only.
    void accept_ranges(const std::vector<WordRange>& ranges) {
        for (const auto& [low, high] : ranges) {
            emit(kJumpGreaterOrEqual, 1, 0, low);
            finish(kDrop);  // below this range, so above the last one
            emit(kJumpGreater, 1, 0, high);
            finish(kAccept);
        }
        finish(kDrop);
    }
    void finish(std::uint32_t verdict) { emit(kReturn, 0, 0, verdict); }
    [[nodiscard]] BpfProgram take() { return std::move(program_); }

private:
    void emit(
        std::uint16_t code, std::uint8_t jump_true, std::uint8_t jump_false, std::uint32_t operand
    ) {
        program_.push_back({code, jump_true, jump_false, operand});
    }
    BpfProgram program_;
};

std::uint32_t last_word(const net::IpAddress& address) {
    std::uint32_t word = 0;
    const auto bytes = address.bytes();
    for (const std::uint8_t byte : bytes.last(4)) {
        word = word << 8U | byte;
    }
    return word;
}

std::vector<WordRange> ranges_of(std::span<const net::IpAddress> addresses, net::Family family) {
    std::vector<std::uint32_t> words;
    for (const net::IpAddress& address : addresses) {
        if (address.family() == family) {
            words.push_back(last_word(address));
        }
    }
    return merge(std::move(words));
}

}  // namespace

BpfProgram arp_filter(std::span<const net::IpAddress> addresses) {
    const auto ranges = ranges_of(addresses, net::Family::V4);
    Assembler out;
    out.load(kLoadHalf, kEtherType);
    out.require(kEtherTypeArp);
    out.load(kLoadWord, kArpHardwareAndProtocol);
    out.require(0x00010800);
    out.load(kLoadHalf, kArpLengths);
    out.require(0x0604);
    if (ranges.size() <= kMaxBpfRanges) {
        out.load(kLoadWord, kArpTargetIp);
        out.accept_ranges(ranges);
    } else {
        out.load(kLoadHalf, kArpOperation);
        out.require(1);
        out.finish(kAccept);
    }
    return out.take();
}

BpfProgram ndp_filter(std::span<const net::IpAddress> addresses) {
    const auto ranges = ranges_of(addresses, net::Family::V6);
    Assembler out;
    out.load(kLoadHalf, kEtherType);
    out.require(kEtherTypeIpv6);
    out.load(kLoadHalf, kIpv6NextHeaderAndHopLimit);
    out.require(58U << 8U | 255U);
    out.load(kLoadByte, kIcmpv6Type);
    if (ranges.size() <= kMaxBpfRanges) {
        out.require_range(135, 136);
        out.load(kLoadWord, kNdpTargetLastWord);
        out.accept_ranges(ranges);
    } else {
        out.require(135);
        out.finish(kAccept);
    }
    return out.take();
}

}  // namespace steelyard::l2
