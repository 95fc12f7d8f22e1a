#include "speaker/gossip/wire/packet.hpp"

#include "common/wire/reader.hpp"
#include "speaker/gossip/wire/lzw.hpp"
#include "speaker/gossip/wire/refusal.hpp"

#include <algorithm>
#include <array>
#include <limits>

namespace steelyard::gossip_wire {
namespace {

constexpr std::size_t kCompoundMost = 255;
constexpr std::size_t kCompressFrom = 256;  // shorter packets hardly ever get smaller
constexpr std::size_t kCompoundHeader = 2;
constexpr unsigned kMaxNesting = 4;
constexpr std::size_t kMaxMessages = 1024;

constexpr std::array<std::uint32_t, 256> make_crc_table() {
    std::array<std::uint32_t, 256> table{};
    for (std::uint32_t i = 0; i < 256; ++i) {
        std::uint32_t value = i;
        for (int bit = 0; bit < 8; ++bit) {
            value = (value & 1U) != 0 ? value >> 1U ^ 0xedb88320U : value >> 1U;
        }
        table[i] = value;
    }
    return table;
}
constexpr auto kCrcTable = make_crc_table();

wire::Bytes compound(std::span<const wire::Bytes> messages) {
    wire::Writer out;
    out.u8(static_cast<std::uint8_t>(MessageType::Compound));
    out.u8(static_cast<std::uint8_t>(messages.size()));
    for (const wire::Bytes& message : messages) {
        out.u16(static_cast<std::uint16_t>(message.size()));
    }
    for (const wire::Bytes& message : messages) {
        out.bytes(message);
    }
    return out.take();
}

wire::Bytes wrap(
    const Envelope& envelope, wire::Bytes body, bool with_crc, const RandomBytes& random
) {
    if (envelope.compress && body.size() >= kCompressFrom) {
        wire::Bytes packed = encode_compress(lzw_compress(body));
        if (packed.size() < body.size()) {
            body = std::move(packed);
        }
    }
    // GCM checks more than a checksum does.
    if (with_crc && !envelope.keys.enabled()) {
        wire::Writer out;
        out.u8(static_cast<std::uint8_t>(MessageType::HasCrc));
        out.u32(crc32(body));
        out.bytes(body);
        body = out.take();
    }
    if (envelope.keys.enabled()) {
        body = seal(
            envelope.keys.keys().front(),
            envelope.version,
            body,
            std::as_bytes(std::span(envelope.label)),
            random
        );
    }
    if (!envelope.label.empty()) {
        wire::Writer out;
        out.u8(static_cast<std::uint8_t>(MessageType::HasLabel));
        out.u8(static_cast<std::uint8_t>(envelope.label.size()));
        out.text(envelope.label);
        out.bytes(body);
        body = out.take();
    }
    return body;
}

// Takes messages out of their wrappers, with bounds on nesting, count and expansion that a whole
// packet shares.
class Unwrapper {
public:
    explicit Unwrapper(std::size_t expansion) : expansion_(expansion) {}

    Result<> unwrap(std::span<const std::byte> bytes, unsigned depth) {
        if (bytes.empty()) {
            return make_error(Refusal::Malformed, "gossip packet: empty message, want a type byte");
        }
        if (depth > kMaxNesting) {
            return make_error(Refusal::Oversized, "gossip packet: wrappers nest too deep");
        }
        switch (static_cast<MessageType>(bytes[0])) {
            case MessageType::Compound:
                return unwrap_compound(bytes.subspan(1), depth);
            case MessageType::Compress:
                return unwrap_compress(bytes.subspan(1), depth);
            case MessageType::Ping:
            case MessageType::IndirectPing:
            case MessageType::AckResp:
            case MessageType::Suspect:
            case MessageType::Alive:
            case MessageType::Dead:
            case MessageType::PushPull:
            case MessageType::User:
            case MessageType::Encrypt:
            case MessageType::NackResp:
            case MessageType::HasCrc:
            case MessageType::Err:
            case MessageType::HasLabel:
                break;
        }
        return unwrap_message(bytes);
    }

    OpenedPacket take() { return std::move(out_); }

private:
    Result<> unwrap_message(std::span<const std::byte> bytes) {
        if (++count_ > kMaxMessages) {
            return make_error(Refusal::Oversized, "gossip packet: more than 1024 messages");
        }
        auto message = decode_packet_message(bytes);
        if (message) {
            out_.messages.push_back(std::move(*message));
        } else {
            out_.refused.push_back(message.error());
        }
        return {};
    }

    Result<> unwrap_compound(std::span<const std::byte> body, unsigned depth) {
        wire::Reader in(body);
        const std::size_t parts = in.u8();
        wire::Reader lengths(in.bytes(parts * 2));
        if (!in.ok()) {
            return make_error(Refusal::Malformed, "gossip compound: claims more parts than it has");
        }
        for (std::size_t i = 0; i < parts; ++i) {
            const auto part = in.bytes(lengths.u16());
            if (!in.ok()) {
                return make_error(
                    Refusal::Malformed, "gossip compound: a part is longer than the rest"
                );
            }
            if (auto unwrapped = unwrap(part, depth + 1); !unwrapped) {
                return unwrapped;
            }
        }
        return {};
    }

    Result<> unwrap_compress(std::span<const std::byte> body, unsigned depth) {
        MsgpackReader in(body);
        const auto packed = read_compress(in);
        if (!in.ok()) {
            return make_error(Refusal::Compression, "gossip compress: not a map of Algo 0 and Buf");
        }
        auto plain = lzw_decompress(packed, expansion_);
        if (!plain) {
            return plain.error();
        }
        expansion_ -= plain->size();
        return unwrap(*plain, depth + 1);
    }

    std::size_t expansion_;
    std::size_t count_ = 0;
    OpenedPacket out_;
};

}  // namespace

std::uint32_t crc32(std::span<const std::byte> bytes) {
    std::uint32_t crc = 0xffffffffU;
    for (const std::byte byte : bytes) {
        crc = kCrcTable[(crc ^ std::to_integer<std::uint32_t>(byte)) & 0xffU] ^ crc >> 8U;
    }
    return crc ^ 0xffffffffU;
}

std::size_t message_space(const Envelope& envelope) {
    std::size_t used = kCompoundHeader;
    if (!envelope.label.empty()) {
        used += 2 + envelope.label.size();
    }
    if (envelope.keys.enabled()) {
        used += kSealOverhead + 16;  // version 0 pads by up to a block
    }
    return envelope.packet_size - std::min(envelope.packet_size, used);
}

std::vector<wire::Bytes> seal_packets(
    const Envelope& envelope,
    std::span<const wire::Bytes> messages,
    bool with_crc,
    const RandomBytes& random
) {
    std::vector<wire::Bytes> packets;
    while (!messages.empty()) {
        const auto part = messages.first(std::min(messages.size(), kCompoundMost));
        messages = messages.subspan(part.size());
        wire::Bytes body = part.size() == 1 ? part.front() : compound(part);
        packets.push_back(wrap(envelope, std::move(body), with_crc, random));
    }
    return packets;
}

Result<OpenedPacket> open_packet(const Envelope& envelope, std::span<const std::byte> packet) {
    wire::Reader in(packet);
    std::string label;
    if (!packet.empty() && static_cast<MessageType>(packet[0]) == MessageType::HasLabel) {
        in.skip(1);
        label = in.text(in.u8());
        if (!in.ok() || label.empty()) {
            return make_error(Refusal::Label, "gossip packet: label is cut off or empty");
        }
    }
    if (label != envelope.label) {
        return make_error(Refusal::Label, "gossip packet: carries another cluster's label");
    }
    std::span<const std::byte> body = in.rest();
    wire::Bytes plain;
    wire::Bytes nonce;
    if (envelope.keys.enabled()) {
        auto opened = open(envelope.keys, body, std::as_bytes(std::span(envelope.label)));
        if (!opened) {
            return opened.error();
        }
        const auto used = nonce_of(body);
        nonce.assign(used.begin(), used.end());
        plain = std::move(*opened);
        body = plain;
    }
    if (body.size() >= 5 && static_cast<MessageType>(body[0]) == MessageType::HasCrc) {
        wire::Reader header(body.subspan(1, 4));
        body = body.subspan(5);
        if (header.u32() != crc32(body)) {
            return make_error(Refusal::Checksum, "gossip packet: CRC does not match");
        }
    }
    Unwrapper unwrapper(envelope.max_packet_plain);
    if (auto unwrapped = unwrapper.unwrap(body, 0); !unwrapped) {
        return unwrapped.error();
    }
    OpenedPacket out = unwrapper.take();
    out.nonce = std::move(nonce);
    return out;
}

}  // namespace steelyard::gossip_wire
