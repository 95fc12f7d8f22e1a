#include "speaker/app/node_meta.hpp"

#include "common/wire/reader.hpp"

namespace steelyard::speaker {
namespace {

constexpr std::uint16_t kMagic = 0x5359;  // "SY"
constexpr std::uint8_t kVersion = 1;
constexpr std::uint8_t kReadyFlag = 1;

}  // namespace

wire::Bytes encode(const NodeMeta& meta) {
    wire::Writer writer;
    writer.u16(kMagic);
    writer.u8(kVersion);
    writer.u8(meta.ready ? kReadyFlag : 0);
    return writer.take();
}

std::optional<NodeMeta> decode_node_meta(std::span<const std::byte> bytes) {
    wire::Reader reader(bytes);
    const std::uint16_t magic = reader.u16();
    const std::uint8_t version = reader.u8();
    const std::uint8_t flags = reader.u8();
    if (!reader.ok() || magic != kMagic || version < kVersion) {
        return std::nullopt;
    }
    return NodeMeta{(flags & kReadyFlag) != 0};
}

}  // namespace steelyard::speaker
