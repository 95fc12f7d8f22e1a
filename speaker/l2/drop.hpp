#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>
#include <utility>

// Why a received frame led to nothing. The reasons are metric labels. Frames the socket filter
// keeps from us are not among them.
namespace steelyard::l2 {

enum class Drop : std::uint8_t {
    Truncated,
    EtherType,  // neither ARP nor IP
    Vlan,       // tagged for a VLAN, whose own device would answer
    Malformed,
    Checksum,
    HopLimit,      // NDP that came through a router
    Fragment,      // of an echo request
    Oversized,     // an echo request longer than a usual link carries
    Spoofed,       // a sender nobody can be
    Own,           // ours, seen on another port of the same segment
    NotForUs,      // another destination MAC, or a message that asks nothing
    NotAnnounced,  // an address we do not answer for on this port
    NoLease,       // we may be cut off: others may own the address now
    RateLimited
};
inline constexpr std::size_t kDropReasons = static_cast<std::size_t>(Drop::RateLimited) + 1;

[[nodiscard]] std::string_view to_string(Drop reason);  // "hop_limit"

class DropCounters {
public:
    void count(Drop reason) { ++counts_.at(static_cast<std::size_t>(reason)); }
    [[nodiscard]] std::uint64_t of(Drop reason) const {
        return counts_.at(static_cast<std::size_t>(reason));
    }
    [[nodiscard]] std::uint64_t total() const;
    friend bool operator==(const DropCounters&, const DropCounters&) = default;

private:
    std::array<std::uint64_t, kDropReasons> counts_{};
};

// A decoded packet, or why there is none.
template <class T>
class Decoded {
public:
    // NOLINTNEXTLINE(google-explicit-constructor): a decoder returns either, as with std::optional
    Decoded(T packet) : packet_(std::move(packet)) {}
    // NOLINTNEXTLINE(google-explicit-constructor): as above
    Decoded(Drop why) : why_(why) {}

    explicit operator bool() const { return packet_.has_value(); }
    const T& operator*() const { return *packet_; }
    const T* operator->() const { return &*packet_; }
    [[nodiscard]] Drop why() const { return why_; }  // only without a packet
    friend bool operator==(const Decoded& decoded, const T& packet) {
        return decoded.packet_ == packet;
    }

private:
    std::optional<T> packet_;
    Drop why_ = Drop::Malformed;
};

}  // namespace steelyard::l2
