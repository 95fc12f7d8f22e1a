#include "speaker/app/node_meta/node_meta.hpp"

#include "common/wire/reader.hpp"

#include <algorithm>

namespace steelyard::speaker {
namespace {

constexpr std::uint16_t kMagic = 0x5359;  // "SY"
constexpr std::uint8_t kVersion = 1;

// Flags of the node.
constexpr unsigned kReady = 1;
constexpr unsigned kDraining = 2;
constexpr unsigned kSettling = 4;
constexpr unsigned kUnservableOverflow = 8;
constexpr unsigned kFounder = 16;
// Flags of an interface.
constexpr unsigned kArp = 1;
constexpr unsigned kNdp = 2;
constexpr unsigned kUp = 4;

enum Field : std::uint8_t { kRing = 1, kInterfaces = 2, kUnservable = 3 };

constexpr std::size_t kFieldHead = 2;
constexpr std::size_t kMaxField = 255;
constexpr std::size_t kMaxName = 15;  // IFNAMSIZ - 1
constexpr std::size_t kFingerprint = 4;

void put_field(wire::Writer& writer, Field type, const wire::Bytes& value) {
    writer.u8(type);
    writer.u8(static_cast<std::uint8_t>(value.size()));
    writer.bytes(std::span<const std::byte>(value));
}

// Nothing when the list is too long for a field.
std::optional<wire::Bytes> encode(const std::vector<NodeMeta::Interface>& interfaces) {
    wire::Writer writer;
    for (const NodeMeta::Interface& interface : interfaces) {
        if (interface.name.size() > kMaxName) {
            return std::nullopt;
        }
        const unsigned flags =
            (interface.arp ? kArp : 0U) | (interface.ndp ? kNdp : 0U) | (interface.up ? kUp : 0U);
        writer.u8(static_cast<std::uint8_t>(flags));
        writer.u8(static_cast<std::uint8_t>(interface.name.size()));
        writer.text(interface.name);
        if (writer.size() > kMaxField) {
            return std::nullopt;
        }
    }
    return writer.take();
}

// As many fingerprints as the space allows; returns how many.
std::size_t put_unservable(wire::Writer& writer, const std::vector<std::uint32_t>& fingerprints) {
    std::size_t done = 0;
    while (done < fingerprints.size()) {
        const std::size_t space = NodeMeta::kMaxBytes - writer.size();
        if (space < kFieldHead + kFingerprint) {
            break;
        }
        const std::size_t count = std::min(
            {fingerprints.size() - done,
             kMaxField / kFingerprint,
             (space - kFieldHead) / kFingerprint}
        );
        wire::Writer value;
        for (std::size_t i = 0; i < count; ++i) {
            value.u32(fingerprints[done + i]);
        }
        put_field(writer, kUnservable, value.view());
        done += count;
    }
    return done;
}

bool read_interfaces(
    std::span<const std::byte> value, std::vector<NodeMeta::Interface>& interfaces
) {
    wire::Reader reader(value);
    while (reader.ok() && reader.remaining() > 0) {
        NodeMeta::Interface interface;
        const unsigned flags = reader.u8();
        const std::size_t length = reader.u8();
        interface.name = reader.text(length);
        interface.arp = (flags & kArp) != 0;
        interface.ndp = (flags & kNdp) != 0;
        interface.up = (flags & kUp) != 0;
        if (!reader.ok() || length > kMaxName) {
            return false;
        }
        interfaces.push_back(std::move(interface));
    }
    return true;
}

bool read_field(std::uint8_t type, std::span<const std::byte> value, NodeMeta& meta) {
    wire::Reader reader(value);
    switch (type) {
        case kRing:
            meta.ring.emplace();
            meta.ring->port = reader.u16();
            meta.ring->epoch = reader.u64();
            return reader.ok() && meta.ring->port != 0;
        case kInterfaces:
            meta.interfaces.emplace();
            return read_interfaces(value, *meta.interfaces);
        case kUnservable:
            while (reader.ok() && reader.remaining() > 0) {
                meta.unservable.push_back(reader.u32());
            }
            return reader.ok();
        default:
            return true;  // a later version's
    }
}

}  // namespace

wire::Bytes encode(const NodeMeta& meta) {
    constexpr std::size_t kFlagsAt = 3;
    wire::Writer writer;
    writer.u16(kMagic);
    writer.u8(kVersion);
    unsigned flags = (meta.ready ? kReady : 0U) | (meta.draining ? kDraining : 0U) |
                     (meta.settling ? kSettling : 0U) | (meta.founder ? kFounder : 0U);
    writer.u8(0);
    if (meta.ring) {
        wire::Writer ring;
        ring.u16(meta.ring->port);
        ring.u64(meta.ring->epoch);
        put_field(writer, kRing, ring.view());
    }
    if (meta.interfaces) {
        if (const auto interfaces = encode(*meta.interfaces)) {
            put_field(writer, kInterfaces, *interfaces);
        }
    }
    const std::size_t told = put_unservable(writer, meta.unservable);
    if (meta.unservable_overflow || told < meta.unservable.size()) {
        flags |= kUnservableOverflow;
    }
    wire::Bytes bytes = writer.take();
    bytes[kFlagsAt] = std::byte(flags);
    return bytes;
}

std::optional<NodeMeta> decode_node_meta(std::span<const std::byte> bytes) {
    wire::Reader reader(bytes);
    const std::uint16_t magic = reader.u16();
    const std::uint8_t version = reader.u8();
    const unsigned flags = reader.u8();
    if (!reader.ok() || magic != kMagic || version < kVersion ||
        bytes.size() > NodeMeta::kMaxBytes) {
        return std::nullopt;
    }
    NodeMeta meta;
    meta.ready = (flags & kReady) != 0;
    meta.draining = (flags & kDraining) != 0;
    meta.settling = (flags & kSettling) != 0;
    meta.founder = (flags & kFounder) != 0;
    meta.unservable_overflow = (flags & kUnservableOverflow) != 0;
    while (reader.remaining() > 0) {
        const std::uint8_t type = reader.u8();
        const std::size_t length = reader.u8();
        const auto value = reader.bytes(length);
        if (!reader.ok() || !read_field(type, value, meta)) {
            return std::nullopt;
        }
    }
    std::sort(meta.unservable.begin(), meta.unservable.end());
    return meta;
}

}  // namespace steelyard::speaker
