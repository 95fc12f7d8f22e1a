#pragma once

#include "common/base/error.hpp"
#include "speaker/ring/config.hpp"
#include "speaker/ring/ring_order.hpp"

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <variant>

// The packets of the watch ring, big-endian. Clear and authenticated: version (1) | sender (8) |
// counter (8). Sealed: type (1) | view (1) | what the type says. Then a tag of 16 bytes (seal.hpp).
// A packet has exactly the bytes its type needs; anything else is Errc::Invalid.
namespace steelyard::ring {

inline constexpr std::uint8_t kVersion = 1;
inline constexpr std::size_t kHeader = 17;
inline constexpr std::size_t kTag = 16;
inline constexpr std::size_t kMaxBody = 3 + 8 * kMaxWatchers;
inline constexpr std::size_t kMaxPacket = kHeader + kMaxBody + kTag;

struct Header {
    NodeId sender{};
    std::uint64_t counter = 0;
    friend bool operator==(const Header&, const Header&) = default;
};

// How the sender sees the receiver, told in every packet.
enum class View : std::uint8_t {
    None = 0,         // does not watch it
    Heard = 1,        // watches and hears it
    Silent = 2,       // watches and accuses it
    Unreachable = 3,  // and its fellow watchers agree
};

// The watchers a node has, ourselves perhaps among them.
struct WatcherSet {
    std::uint8_t count = 0;
    std::array<NodeId, kMaxWatchers> ids{};

    [[nodiscard]] std::span<const NodeId> all() const { return std::span(ids).first(count); }
    [[nodiscard]] bool contains(NodeId id) const;
    // How many must accuse: most of them.
    [[nodiscard]] unsigned quorum() const { return count / 2U + 1U; }
    friend bool operator==(const WatcherSet&, const WatcherSet&) = default;
};

// "I am alive, and these watch me."
struct Heartbeat {
    WatcherSet watchers;
    friend bool operator==(const Heartbeat&, const Heartbeat&) = default;
};
// "Are you there, and how do you see me?"
struct Probe {
    std::uint32_t token = 0;
    friend bool operator==(const Probe&, const Probe&) = default;
};
struct Answer {
    std::uint32_t token = 0;
    bool watched_by_you = false;  // false: stop watching me
    friend bool operator==(const Answer&, const Answer&) = default;
};
// Among the watchers of `subject`: whether the sender hears it.
struct Opinion {
    NodeId subject{};
    bool silent = false;
    friend bool operator==(const Opinion&, const Opinion&) = default;
};
// To everybody: whether the sender, by quorum, holds `subject` unreachable.
struct Verdict {
    NodeId subject{};
    bool unreachable = false;
    friend bool operator==(const Verdict&, const Verdict&) = default;
};
// "You are not my watcher any more."
struct Released {
    friend bool operator==(const Released&, const Released&) = default;
};
// "I go, on purpose: do not watch me, do not count on me."
struct Leaving {
    friend bool operator==(const Leaving&, const Leaving&) = default;
};

using Message = std::variant<Heartbeat, Probe, Answer, Opinion, Verdict, Released, Leaving>;

struct Body {
    View view = View::None;
    Message message;
    friend bool operator==(const Body&, const Body&) = default;
};

// Both return the number of bytes written.
std::size_t encode(const Header& header, std::span<std::byte, kHeader> out);
std::size_t encode(const Body& body, std::span<std::byte, kMaxBody> out);
[[nodiscard]] Result<Header> decode_header(std::span<const std::byte> packet);
[[nodiscard]] Result<Body> decode_body(std::span<const std::byte> bytes);

}  // namespace steelyard::ring
