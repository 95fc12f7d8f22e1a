#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>

namespace steelyard::wire {

// Bounds-checked big-endian cursor over bytes from outside. A short read sets a sticky failure and
// yields zeros, and nothing remains after it, so a decoder reads straight through and tests ok()
// once. It views; the bytes must outlive it.
class Reader {
public:
    explicit Reader(std::span<const std::byte> data) : data_(data) {}

    std::uint8_t u8();
    std::uint16_t u16();
    std::uint32_t u32();
    std::uint64_t u64();
    // The next `count` bytes; empty, and failed, when fewer remain.
    std::span<const std::byte> bytes(std::size_t count);
    std::string text(std::size_t count);
    std::span<const std::byte> rest();
    void skip(std::size_t count) { (void)bytes(count); }
    void fail() { ok_ = false; }

    [[nodiscard]] bool ok() const { return ok_; }
    [[nodiscard]] std::size_t remaining() const { return data_.size(); }

private:
    std::uint64_t big_endian(std::size_t count);

    std::span<const std::byte> data_;
    bool ok_ = true;
};

}  // namespace steelyard::wire
