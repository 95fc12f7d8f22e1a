#include "speaker/gossip/wire/stream.hpp"

#include "common/wire/reader.hpp"
#include "speaker/gossip/wire/lzw.hpp"

#include <algorithm>
#include <array>
#include <string>

namespace steelyard::gossip_wire {
namespace {

constexpr std::size_t kEncryptHeader = 5;

wire::Bytes label_header(const std::string& label) {
    wire::Writer out;
    out.u8(static_cast<std::uint8_t>(MessageType::HasLabel));
    out.u8(static_cast<std::uint8_t>(label.size()));
    out.text(label);
    return out.take();
}

wire::Bytes associated_data(std::span<const std::byte> header, const std::string& label) {
    wire::Bytes out(header.begin(), header.end());
    const auto text = std::as_bytes(std::span(label));
    out.insert(out.end(), text.begin(), text.end());
    return out;
}

Error stream_error(const std::string& why, Refusal refusal = Refusal::Malformed) {
    return make_error(refusal, "gossip stream: " + why);
}

}  // namespace

wire::Bytes seal_stream(
    const Envelope& envelope,
    std::span<const std::byte> message,
    bool with_label,
    const RandomBytes& random
) {
    wire::Bytes body(message.begin(), message.end());
    if (envelope.compress) {
        body = encode_compress(lzw_compress(body));
    }
    wire::Writer out;
    if (with_label && !envelope.label.empty()) {
        out.bytes(label_header(envelope.label));
    }
    if (envelope.keys.enabled()) {
        wire::Writer header;
        header.u8(static_cast<std::uint8_t>(MessageType::Encrypt));
        header.u32(static_cast<std::uint32_t>(sealed_size(envelope.version, body.size())));
        const wire::Bytes sealed = seal(
            envelope.keys.keys().front(),
            envelope.version,
            body,
            associated_data(header.view(), envelope.label),
            random
        );
        out.bytes(header.view());
        out.bytes(sealed);
    } else {
        out.bytes(body);
    }
    return out.take();
}

Result<std::optional<StreamMessage>> StreamReader::feed(std::span<const std::byte> bytes) {
    if (bytes.size() > envelope_.max_stream - std::min(envelope_.max_stream, buffer_.size())) {
        return stream_error(
            "longer than the limit of " + std::to_string(envelope_.max_stream) + " bytes",
            Refusal::Oversized
        );
    }
    if (complete_) {
        return stream_error("bytes follow the message");
    }
    buffer_.insert(buffer_.end(), bytes.begin(), bytes.end());
    if (label_pending_) {
        auto done = read_label();
        if (!done) {
            return done.error();
        }
        if (!*done) {
            return std::optional<StreamMessage>();
        }
    }
    if (!unwrapped_) {
        auto done = read_outer();
        if (!done) {
            return done.error();
        }
        if (!*done) {
            return std::optional<StreamMessage>();
        }
    }
    auto message = read_message();
    if (message && !*message && complete_) {
        return stream_error("message ends in the middle of a field");
    }
    return message;
}

Result<bool> StreamReader::read_label() {
    const auto bytes = rest();
    if (bytes.empty()) {
        return false;
    }
    std::string label;
    if (static_cast<MessageType>(bytes[0]) == MessageType::HasLabel) {
        if (bytes.size() < 2) {
            return false;
        }
        wire::Reader in(bytes.subspan(1));
        const std::size_t size = in.u8();
        if (size == 0) {
            return stream_error("label is empty", Refusal::Label);
        }
        if (in.remaining() < size) {
            return false;
        }
        label = in.text(size);
        position_ += 2 + size;
    }
    if (label != envelope_.label) {
        return stream_error("carries another cluster's label", Refusal::Label);
    }
    label_pending_ = false;
    return true;
}

Result<bool> StreamReader::read_outer() {
    const auto bytes = rest();
    if (bytes.empty()) {
        return false;
    }
    const bool encrypted = static_cast<MessageType>(bytes[0]) == MessageType::Encrypt;
    if (encrypted != envelope_.keys.enabled()) {
        return stream_error(
            encrypted ? "is encrypted, but we have no key" : "is not encrypted", Refusal::WrongKey
        );
    }
    if (!encrypted) {
        return unpack(bytes, false);
    }
    if (bytes.size() < kEncryptHeader) {
        return false;
    }
    wire::Reader in(bytes.subspan(1));
    const std::size_t size = in.u32();
    if (size > envelope_.max_stream) {
        return stream_error(
            "claims " + std::to_string(size) + " sealed bytes, limit is " +
                std::to_string(envelope_.max_stream),
            Refusal::Oversized
        );
    }
    if (in.remaining() < size) {
        return false;
    }
    const auto sealed = in.bytes(size);
    auto plain =
        open(envelope_.keys, sealed, associated_data(bytes.first(kEncryptHeader), envelope_.label));
    if (!plain) {
        return plain.error();
    }
    const auto used = nonce_of(sealed);
    nonce_.assign(used.begin(), used.end());
    complete_ = true;
    return unpack(*plain, true);
}

// Takes off compression, if any, and leaves the bare message in the buffer.
Result<bool> StreamReader::unpack(std::span<const std::byte> bytes, bool whole) {
    if (bytes.empty()) {
        return stream_error("sealed message is empty");
    }
    wire::Bytes plain;
    if (static_cast<MessageType>(bytes[0]) == MessageType::Compress) {
        MsgpackReader in(bytes.subspan(1));
        const auto packed = read_compress(in);
        if (in.truncated() && !whole) {
            return false;
        }
        if (!in.ok()) {
            return stream_error("compress is not a map of Algo 0 and Buf", Refusal::Compression);
        }
        auto expanded = lzw_decompress(packed, envelope_.max_stream_plain);
        if (!expanded) {
            return expanded.error();
        }
        plain = std::move(*expanded);
        complete_ = true;
    } else if (whole) {
        plain.assign(bytes.begin(), bytes.end());
    }
    if (complete_) {
        buffer_ = std::move(plain);
        position_ = 0;
    }
    unwrapped_ = true;
    return true;
}

Result<std::optional<StreamMessage>> StreamReader::read_message() {
    if (header_) {
        return read_push_pull();
    }
    const auto bytes = rest();
    if (bytes.empty()) {
        return std::optional<StreamMessage>();
    }
    MsgpackReader in(bytes.subspan(1));
    StreamMessage message;
    switch (static_cast<MessageType>(bytes[0])) {
        case MessageType::PushPull: {
            const PushPullHeader header = read_push_pull_header(in);
            if (in.ok()) {
                position_ += bytes.size() - in.remaining();
                header_ = header;
                push_pull_.join = header.join;
                return read_push_pull();
            }
            break;
        }
        case MessageType::Ping:
            message = read_ping(in);
            break;
        case MessageType::AckResp:
            message = read_ack(in);
            break;
        case MessageType::Err:
            message = read_err(in);
            break;
        case MessageType::User: {
            // Nothing here listens to user messages; it is enough to see one end.
            const std::size_t size = read_user_size(in);
            if (in.ok() && in.remaining() < size) {
                return std::optional<StreamMessage>();
            }
            message = User{};
            break;
        }
        case MessageType::IndirectPing:
        case MessageType::Suspect:
        case MessageType::Alive:
        case MessageType::Dead:
        case MessageType::Compound:
        case MessageType::Compress:
        case MessageType::Encrypt:
        case MessageType::NackResp:
        case MessageType::HasCrc:
        case MessageType::HasLabel:
        default:
            return stream_error(
                "message type " + std::to_string(std::to_integer<unsigned>(bytes[0])) +
                " does not belong on a stream"
            );
    }
    if (in.truncated()) {
        return std::optional<StreamMessage>();
    }
    if (in.malformed()) {
        return stream_error("a field has the wrong type or an impossible value");
    }
    return std::optional(std::move(message));
}

Result<std::optional<StreamMessage>> StreamReader::read_push_pull() {
    while (push_pull_.nodes.size() < header_->nodes) {
        const auto bytes = rest();
        MsgpackReader in(bytes);
        PushNodeState state = read_push_node_state(in);
        if (in.truncated()) {
            return std::optional<StreamMessage>();
        }
        if (in.malformed()) {
            return stream_error("a node's state has the wrong type or an impossible value");
        }
        position_ += bytes.size() - in.remaining();
        push_pull_.nodes.push_back(std::move(state));
    }
    if (header_->user_state > envelope_.max_stream) {
        return stream_error("user state is longer than the limit", Refusal::Oversized);
    }
    if (rest().size() < header_->user_state) {
        return std::optional<StreamMessage>();
    }
    const auto user = rest().first(header_->user_state);
    push_pull_.user_state.assign(user.begin(), user.end());
    return std::optional<StreamMessage>(std::move(push_pull_));
}

}  // namespace steelyard::gossip_wire
