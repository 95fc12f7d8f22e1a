#pragma once

#include "common/wire/writer.hpp"

#include <cstddef>
#include <optional>
#include <span>

// What a speaker says of itself in its gossip metadata, so that election on other nodes sees who
// can serve. Four bytes: 'S' 'Y', version 1, flags. MetalLB's speakers carry no metadata; theirs
// decodes to nothing. Later versions may append bytes; older ones ignore them.
namespace steelyard::speaker {

struct NodeMeta {
    bool ready = false;  // the kernel is programmed and we are not about to leave
    friend bool operator==(const NodeMeta&, const NodeMeta&) = default;
};

[[nodiscard]] wire::Bytes encode(const NodeMeta& meta);
// Nothing when these are not a Steelyard speaker's bytes.
[[nodiscard]] std::optional<NodeMeta> decode_node_meta(std::span<const std::byte> bytes);

}  // namespace steelyard::speaker
