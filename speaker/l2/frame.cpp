#include "speaker/l2/frame.hpp"

#include "common/base/check.hpp"

namespace steelyard::l2 {

void Frame::u8(std::uint8_t value) {
    SY_CHECK(size_ < kCapacity, "frame too long");
    storage_[size_++] = std::byte{value};
}

void Frame::u16(std::uint16_t value) {
    u8(static_cast<std::uint8_t>(value >> 8U));
    u8(static_cast<std::uint8_t>(value & 0xffU));
}

void Frame::bytes(std::span<const std::uint8_t> value) {
    for (const std::uint8_t byte : value) {
        u8(byte);
    }
}

void Frame::patch_u16(std::size_t offset, std::uint16_t value) {
    SY_CHECK(offset + 2 <= size_, "patch outside the frame");
    storage_[offset] = std::byte{static_cast<std::uint8_t>(value >> 8U)};
    storage_[offset + 1] = std::byte{static_cast<std::uint8_t>(value & 0xffU)};
}

}  // namespace steelyard::l2
