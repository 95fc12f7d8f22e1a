#pragma once

#include "common/base/error.hpp"
#include "speaker/gossip/wire/packet.hpp"

#include <optional>
#include <span>

// memberlist's streams (TCP): one message each way. From the outside in: label, encryption (type
// 10, 32-bit length, sealed bytes; type, length and label are authenticated), compress, message.
// Without encryption nothing says how long a message is: it ends where its last field does.
namespace steelyard::gossip_wire {

// `with_label` only on the side that opened the connection: replies carry none.
[[nodiscard]] wire::Bytes seal_stream(
    const Envelope& envelope,
    std::span<const std::byte> message,
    bool with_label,
    const RandomBytes& random
);

// Collects one message from pieces. Feed it until it yields the message or an error; at most
// envelope.max_stream bytes are kept. The envelope must outlive it.
class StreamReader {
public:
    // Only the first message of an accepted connection is labelled.
    StreamReader(const Envelope& envelope, bool with_label)
        : envelope_(envelope), label_pending_(with_label) {}

    Result<std::optional<StreamMessage>> feed(std::span<const std::byte> bytes);
    // Bytes held, for the owner's budget.
    [[nodiscard]] std::size_t held() const { return buffer_.size(); }
    // What the message was sealed with; empty until it was opened, and without encryption.
    [[nodiscard]] std::span<const std::byte> nonce() const { return nonce_; }

private:
    // Steps return true when they are done, false when they need more bytes.
    Result<bool> read_label();
    Result<bool> read_outer();
    Result<bool> unpack(std::span<const std::byte> bytes, bool whole);
    Result<std::optional<StreamMessage>> read_message();
    Result<std::optional<StreamMessage>> read_push_pull();
    [[nodiscard]] std::span<const std::byte> rest() const {
        return std::span(buffer_).subspan(position_);
    }

    const Envelope& envelope_;
    bool label_pending_;
    bool unwrapped_ = false;
    bool complete_ = false;  // no more bytes can follow: the message came out of a wrapper
    wire::Bytes nonce_;
    wire::Bytes buffer_;
    std::size_t position_ = 0;
    std::optional<PushPullHeader> header_;
    PushPull push_pull_;
};

}  // namespace steelyard::gossip_wire
