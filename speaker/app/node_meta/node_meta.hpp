#pragma once

#include "common/wire/writer.hpp"

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

// What a speaker says of itself in its gossip metadata, so that election on other nodes sees who
// can serve what. 'S' 'Y', version 1, flags, then fields: type (1 byte), length (1 byte), bytes.
// Unknown types are skipped, so later versions may add some. At most 512 bytes, the limit of
// memberlist; what does not fit is left out and said to be. MetalLB's speakers carry no metadata;
// theirs decodes to nothing. Big endian. Pure.
namespace steelyard::speaker {

// Where this process takes part in the watch ring, and which of the node's boots it is.
struct NodeRing {
    std::uint16_t port = 0;
    std::uint64_t epoch = 0;
    friend bool operator==(const NodeRing&, const NodeRing&) = default;
};

// An interface that is no virtual one, whether it is up or not.
struct NodeInterface {
    std::string name;  // at most 15 bytes, the kernel's limit
    bool arp = false;
    bool ndp = false;
    bool up = false;
    friend bool operator==(const NodeInterface&, const NodeInterface&) = default;
};

struct NodeMeta {
    inline static constexpr std::size_t kMaxBytes = 512;
    using Ring = NodeRing;
    using Interface = NodeInterface;

    bool ready = false;     // the kernel is programmed
    bool draining = false;  // about to leave: others take over whatever they can
    bool settling = false;  // came back a moment ago: others keep what they have
    // Came back a moment ago too, but there was nobody to keep anything.
    bool founder = false;
    std::optional<Ring> ring;
    std::optional<std::vector<Interface>> interfaces;  // absent: they did not fit, or were not told
    // Fingerprints of addresses this kernel does not forward, sorted. With the overflow flag there
    // are more of them than these.
    std::vector<std::uint32_t> unservable;
    bool unservable_overflow = false;
    friend bool operator==(const NodeMeta&, const NodeMeta&) = default;
};

// Never more than kMaxBytes. Interfaces are told all or none.
[[nodiscard]] wire::Bytes encode(const NodeMeta& meta);
// Nothing when these are not a Steelyard speaker's bytes, or not whole.
[[nodiscard]] std::optional<NodeMeta> decode_node_meta(std::span<const std::byte> bytes);

}  // namespace steelyard::speaker
