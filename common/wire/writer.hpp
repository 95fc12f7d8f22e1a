#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>
#include <utility>
#include <vector>

namespace steelyard::wire {

using Bytes = std::vector<std::byte>;

// Appends big-endian fields to a growing buffer it owns.
class Writer {
public:
    void u8(std::uint8_t value);
    void u16(std::uint16_t value);
    void u32(std::uint32_t value);
    void u64(std::uint64_t value);
    void bytes(std::span<const std::byte> value);
    void bytes(std::span<const std::uint8_t> value);
    void text(std::string_view value);
    // Overwrites two bytes at `offset`, for a length known only afterwards.
    void patch_u16(std::size_t offset, std::uint16_t value);

    [[nodiscard]] std::size_t size() const { return out_.size(); }
    [[nodiscard]] const Bytes& view() const { return out_; }
    [[nodiscard]] Bytes take() { return std::move(out_); }

private:
    void big_endian(std::uint64_t value, std::size_t count);
    Bytes out_;
};

}  // namespace steelyard::wire
