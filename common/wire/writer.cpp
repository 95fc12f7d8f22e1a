#include "common/wire/writer.hpp"

namespace steelyard::wire {

void Writer::big_endian(std::uint64_t value, std::size_t count) {
    for (std::size_t i = count; i-- > 0;) {
        out_.push_back(static_cast<std::byte>(value >> (8U * i)));
    }
}

void Writer::u8(std::uint8_t value) {
    big_endian(value, 1);
}
void Writer::u16(std::uint16_t value) {
    big_endian(value, 2);
}
void Writer::u32(std::uint32_t value) {
    big_endian(value, 4);
}
void Writer::u64(std::uint64_t value) {
    big_endian(value, 8);
}

void Writer::bytes(std::span<const std::byte> value) {
    out_.insert(out_.end(), value.begin(), value.end());
}

void Writer::bytes(std::span<const std::uint8_t> value) {
    bytes(std::as_bytes(value));
}

void Writer::text(std::string_view value) {
    bytes(std::as_bytes(std::span(value)));
}

void Writer::patch_u16(std::size_t offset, std::uint16_t value) {
    out_.at(offset) = static_cast<std::byte>(value >> 8U);
    out_.at(offset + 1) = static_cast<std::byte>(value);
}

}  // namespace steelyard::wire
