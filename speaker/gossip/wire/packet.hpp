#pragma once

#include "common/base/error.hpp"
#include "speaker/gossip/wire/crypto.hpp"
#include "speaker/gossip/wire/messages.hpp"
#include "speaker/gossip/wire/refusal.hpp"

#include <cstddef>
#include <span>
#include <string>
#include <vector>

// What a cluster agrees on around every packet and stream, and the packet's wrappers. From the
// outside in: label (244, length, text), encryption, CRC-32 (12, checksum), then messages, several
// of them in a compound (7) and any of them inside compress (9).
namespace steelyard::gossip_wire {

struct Envelope {
    std::string label;  // at most 255 bytes; part of what encryption authenticates
    KeyRing keys;
    bool compress = true;
    EncryptionVersion version = EncryptionVersion::Plain;
    std::size_t packet_size = 1400;           // memberlist's UDPBufferSize, before encryption
    std::size_t max_packet_plain = 1 << 18;   // one packet decompressed
    std::size_t max_stream = 8 << 20;         // one stream message as received
    std::size_t max_stream_plain = 16 << 20;  // the same decompressed
};

// Wraps messages for one peer; with_crc only when the peer speaks protocol version 5. Splits into
// several compounds only where their limit of 255 messages asks for it, so the caller keeps to
// message_space().
[[nodiscard]] std::vector<wire::Bytes> seal_packets(
    const Envelope& envelope,
    std::span<const wire::Bytes> messages,
    bool with_crc,
    const RandomBytes& random
);

// Bytes left for messages in a packet, each of which costs kCompoundOverhead more.
inline constexpr std::size_t kCompoundOverhead = 2;
[[nodiscard]] std::size_t message_space(const Envelope& envelope);

struct OpenedPacket {
    std::vector<PacketMessage> messages;
    std::vector<Error> refused;  // messages inside that made no sense, one line each
    wire::Bytes nonce;           // what it was sealed with, if it was
};

// Unwraps a packet completely. An error says which wrapper is wrong (refusal.hpp): label, key,
// checksum, compression or nesting. A bad message inside a good compound costs only itself.
[[nodiscard]] Result<OpenedPacket> open_packet(
    const Envelope& envelope, std::span<const std::byte> packet
);

// CRC-32 as in IEEE 802.3.
[[nodiscard]] std::uint32_t crc32(std::span<const std::byte> bytes);

}  // namespace steelyard::gossip_wire
