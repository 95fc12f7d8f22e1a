#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

// An Ethernet frame to send. Up to kInline bytes it lives in place, so that answering allocates
// nothing: our longest Neighbor Advertisement has 86 bytes, the answer to a usual ping 118. Only
// the echo of a long ping needs the heap.
namespace steelyard::l2 {

inline constexpr std::uint16_t kEtherTypeArp = 0x0806;
inline constexpr std::uint16_t kEtherTypeIpv4 = 0x0800;
inline constexpr std::uint16_t kEtherTypeIpv6 = 0x86dd;
inline constexpr std::uint16_t kEtherTypeVlan = 0x8100;
inline constexpr std::uint16_t kEtherTypeServiceVlan = 0x88a8;

class Frame {
public:
    static constexpr std::size_t kInline = 118;

    [[nodiscard]] std::span<const std::byte> view() const {
        return heap_.empty() ? std::span(inline_).first(size_) : std::span(heap_);
    }
    [[nodiscard]] std::size_t size() const { return view().size(); }
    [[nodiscard]] std::uint16_t ether_type() const;

    void u8(std::uint8_t value);
    void u16(std::uint16_t value);
    void bytes(std::span<const std::uint8_t> value);
    void bytes(std::span<const std::byte> value);
    void patch_u16(std::size_t offset, std::uint16_t value);

private:
    void append(std::byte value);

    std::array<std::byte, kInline> inline_{};
    std::size_t size_ = 0;
    std::vector<std::byte> heap_;  // everything, once it does not fit in place
};

// The EtherType of a received frame, zero when it is too short to have one.
[[nodiscard]] std::uint16_t ether_type(std::span<const std::byte> frame);

}  // namespace steelyard::l2
