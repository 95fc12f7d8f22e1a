#pragma once

#include "speaker/l2/bpf.hpp"

#include <cstddef>
#include <cstdint>
#include <span>
#include <utility>

// Writes classic BPF. Private to the room.
namespace steelyard::l2 {

using WordRange = std::pair<std::uint32_t, std::uint32_t>;  // both ends included

class BpfAssembler {
public:
    void load_byte(std::uint32_t offset);
    void load_half(std::uint32_t offset);
    void load_word(std::uint32_t offset);  // also what the kernel knows beside the packet
    void bit_and(std::uint32_t mask);
    void subtract(std::uint32_t value);
    void multiply(std::uint32_t value);
    void copy_to_index();
    void add_index();
    // Drops the packet unless the accumulator has that value, or lies in that range.
    void require(std::uint32_t value);
    void require_range(std::uint32_t low, std::uint32_t high);
    // Drops the packet if the accumulator has that value.
    void refuse(std::uint32_t value);
    // Accepts the packet if the accumulator lies in one of the sorted ranges, else goes on behind.
    void accept_ranges(std::span<const WordRange> ranges);
    void accept();
    void drop();
    [[nodiscard]] BpfProgram take() { return std::move(program_); }

private:
    void emit(
        std::uint16_t code,
        std::uint32_t operand,
        std::uint8_t jump_true = 0,
        std::uint8_t jump_false = 0
    );
    static BpfProgram tree(std::span<const WordRange> ranges);
    static BpfProgram leaf(std::span<const WordRange> ranges);

    BpfProgram program_;
};

}  // namespace steelyard::l2
