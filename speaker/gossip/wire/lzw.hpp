#pragma once

#include "common/base/error.hpp"
#include "common/wire/writer.hpp"

#include <cstddef>
#include <span>

// LZW with 8-bit literals, codes of 9 to 12 bits packed least significant bit first, a clear code
// (256) and an end code (257): the variant of GIF, and what memberlist compresses with.
namespace steelyard::gossip_wire {

[[nodiscard]] wire::Bytes lzw_compress(std::span<const std::byte> plain);

// Refused as Compression when the codes make no sense or end early, as Oversized when they expand
// beyond `longest` bytes.
[[nodiscard]] Result<wire::Bytes> lzw_decompress(
    std::span<const std::byte> packed, std::size_t longest
);

}  // namespace steelyard::gossip_wire
