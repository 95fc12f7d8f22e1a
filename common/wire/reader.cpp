#include "common/wire/reader.hpp"

namespace steelyard::wire {

std::span<const std::byte> Reader::bytes(std::size_t count) {
    if (!ok_ || count > data_.size()) {
        ok_ = false;
        data_ = {};  // so a loop over remaining() ends even if it never asks ok()
        return {};
    }
    const auto taken = data_.first(count);
    data_ = data_.subspan(count);
    return taken;
}

std::uint64_t Reader::big_endian(std::size_t count) {
    std::uint64_t value = 0;
    for (const std::byte byte : bytes(count)) {
        value = value << 8U | std::to_integer<std::uint64_t>(byte);
    }
    return value;
}

std::uint8_t Reader::u8() {
    return static_cast<std::uint8_t>(big_endian(1));
}
std::uint16_t Reader::u16() {
    return static_cast<std::uint16_t>(big_endian(2));
}
std::uint32_t Reader::u32() {
    return static_cast<std::uint32_t>(big_endian(4));
}
std::uint64_t Reader::u64() {
    return big_endian(8);
}

std::string Reader::text(std::size_t count) {
    std::string out;
    for (const std::byte byte : bytes(count)) {
        out.push_back(std::to_integer<char>(byte));
    }
    return out;
}

std::span<const std::byte> Reader::rest() {
    return bytes(data_.size());
}

}  // namespace steelyard::wire
