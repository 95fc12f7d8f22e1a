#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

// An Ethernet frame to send, small enough (our longest, a Neighbor Advertisement with one option,
// has 86 bytes) to live in place: answering allocates nothing.
namespace steelyard::l2 {

inline constexpr std::uint16_t kEtherTypeArp = 0x0806;
inline constexpr std::uint16_t kEtherTypeIpv6 = 0x86dd;

class Frame {
public:
    static constexpr std::size_t kCapacity = 96;

    [[nodiscard]] std::span<const std::byte> view() const {
        return std::span(storage_).first(size_);
    }
    [[nodiscard]] std::size_t size() const { return size_; }

    void u8(std::uint8_t value);
    void u16(std::uint16_t value);
    void bytes(std::span<const std::uint8_t> value);
    void patch_u16(std::size_t offset, std::uint16_t value);

private:
    std::array<std::byte, kCapacity> storage_{};
    std::size_t size_ = 0;
};

}  // namespace steelyard::l2
