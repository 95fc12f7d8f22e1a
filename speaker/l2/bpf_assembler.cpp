#include "speaker/l2/bpf_assembler.hpp"

namespace steelyard::l2 {
namespace {

// Opcodes, <linux/bpf_common.h>.
constexpr std::uint16_t kLoadWord = 0x20;
constexpr std::uint16_t kLoadHalf = 0x28;
constexpr std::uint16_t kLoadByte = 0x30;
constexpr std::uint16_t kAddIndex = 0x0c;
constexpr std::uint16_t kSubtract = 0x14;
constexpr std::uint16_t kMultiply = 0x24;
constexpr std::uint16_t kAnd = 0x54;
constexpr std::uint16_t kCopyToIndex = 0x07;
constexpr std::uint16_t kJump = 0x05;
constexpr std::uint16_t kJumpEqual = 0x15;
constexpr std::uint16_t kJumpGreater = 0x25;
constexpr std::uint16_t kJumpGreaterOrEqual = 0x35;
constexpr std::uint16_t kReturn = 0x06;

constexpr std::uint32_t kAccept = 0xffffffff;
constexpr std::uint32_t kDrop = 0;

constexpr std::size_t kFarthest = 255;  // a conditional jump
// Ranges a leaf tests one after the other: fewer make the tree larger, more make it slower.
constexpr std::size_t kLeaf = 32;

// A jump that leaves the tree, to be set once the tree's length is known. No real one is so long.
constexpr std::uint32_t kOut = 0xffffffff;

}  // namespace

void BpfAssembler::emit(
    std::uint16_t code, std::uint32_t operand, std::uint8_t jump_true, std::uint8_t jump_false
) {
    program_.push_back({code, jump_true, jump_false, operand});
}

void BpfAssembler::load_byte(std::uint32_t offset) {
    emit(kLoadByte, offset);
}

void BpfAssembler::load_half(std::uint32_t offset) {
    emit(kLoadHalf, offset);
}

void BpfAssembler::load_word(std::uint32_t offset) {
    emit(kLoadWord, offset);
}

void BpfAssembler::bit_and(std::uint32_t mask) {
    emit(kAnd, mask);
}

void BpfAssembler::subtract(std::uint32_t value) {
    emit(kSubtract, value);
}

void BpfAssembler::multiply(std::uint32_t value) {
    emit(kMultiply, value);
}

void BpfAssembler::copy_to_index() {
    emit(kCopyToIndex, 0);
}

void BpfAssembler::add_index() {
    emit(kAddIndex, 0);
}

void BpfAssembler::require(std::uint32_t value) {
    emit(kJumpEqual, value, 1, 0);
    drop();
}

void BpfAssembler::require_range(std::uint32_t low, std::uint32_t high) {
    emit(kJumpGreaterOrEqual, low, 1, 0);
    drop();
    emit(kJumpGreater, high, 0, 1);
    drop();
}

void BpfAssembler::refuse(std::uint32_t value) {
    emit(kJumpEqual, value, 0, 1);
    drop();
}

void BpfAssembler::accept() {
    emit(kReturn, kAccept);
}

void BpfAssembler::drop() {
    emit(kReturn, kDrop);
}

void BpfAssembler::accept_ranges(std::span<const WordRange> ranges) {
    BpfProgram code = tree(ranges);
    for (std::size_t i = 0; i < code.size(); ++i) {
        if (code[i].code == kJump && code[i].operand == kOut) {
            code[i].operand = static_cast<std::uint32_t>(code.size() - i - 1);
        }
    }
    program_.insert(program_.end(), code.begin(), code.end());
}

BpfProgram BpfAssembler::tree(std::span<const WordRange> ranges) {
    if (ranges.size() <= kLeaf) {
        return leaf(ranges);
    }
    const std::size_t middle = ranges.size() / 2;
    const BpfProgram left = tree(ranges.first(middle));
    const BpfProgram right = tree(ranges.subspan(middle));
    const std::uint32_t pivot = ranges[middle].first;
    BpfAssembler out;
    if (left.size() <= kFarthest) {
        out.emit(kJumpGreaterOrEqual, pivot, static_cast<std::uint8_t>(left.size()), 0);
    } else {
        out.emit(kJumpGreaterOrEqual, pivot, 0, 1);
        out.emit(kJump, static_cast<std::uint32_t>(left.size()));
    }
    out.program_.insert(out.program_.end(), left.begin(), left.end());
    out.program_.insert(out.program_.end(), right.begin(), right.end());
    return out.take();
}

BpfProgram BpfAssembler::leaf(std::span<const WordRange> ranges) {
    BpfAssembler out;
    std::size_t length = 0;
    for (const auto& [low, high] : ranges) {
        length += low == high ? 1U : 2U;
    }
    // Behind the tests stand the jump out of the tree and the verdict.
    const auto to_verdict = [&] {
        return static_cast<std::uint8_t>(length - out.program_.size());
    };
    for (const auto& [low, high] : ranges) {
        if (low == high) {
            const std::uint8_t distance = to_verdict();
            out.emit(kJumpEqual, low, distance, 0);
        } else {
            out.emit(kJumpGreaterOrEqual, low, 0, 1);
            const std::uint8_t distance = to_verdict();
            out.emit(kJumpGreater, high, 0, distance);
        }
    }
    out.emit(kJump, kOut);
    out.emit(kReturn, kAccept);
    return out.take();
}

}  // namespace steelyard::l2
