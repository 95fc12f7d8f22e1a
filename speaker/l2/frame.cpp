#include "speaker/l2/frame.hpp"

#include "common/base/check.hpp"

namespace steelyard::l2 {

void Frame::append(std::byte value) {
    if (heap_.empty() && size_ < kInline) {
        inline_[size_++] = value;
        return;
    }
    if (heap_.empty()) {
        heap_.assign(inline_.begin(), inline_.end());
    }
    heap_.push_back(value);
}

void Frame::u8(std::uint8_t value) {
    append(std::byte{value});
}

void Frame::u16(std::uint16_t value) {
    u8(static_cast<std::uint8_t>(value >> 8U));
    u8(static_cast<std::uint8_t>(value & 0xffU));
}

void Frame::bytes(std::span<const std::uint8_t> value) {
    bytes(std::as_bytes(value));
}

void Frame::bytes(std::span<const std::byte> value) {
    for (const std::byte byte : value) {
        append(byte);
    }
}

void Frame::patch_u16(std::size_t offset, std::uint16_t value) {
    SY_CHECK(offset + 2 <= size(), "patch outside the frame");
    std::byte* const storage = heap_.empty() ? inline_.data() : heap_.data();
    storage[offset] = std::byte{static_cast<std::uint8_t>(value >> 8U)};
    storage[offset + 1] = std::byte{static_cast<std::uint8_t>(value & 0xffU)};
}

std::uint16_t Frame::ether_type() const {
    return l2::ether_type(view());
}

std::uint16_t ether_type(std::span<const std::byte> frame) {
    if (frame.size() < 14) {
        return 0;
    }
    return static_cast<std::uint16_t>(
        std::to_integer<unsigned>(frame[12]) << 8U | std::to_integer<unsigned>(frame[13])
    );
}

}  // namespace steelyard::l2
