#pragma once

#include "common/wire/writer.hpp"
#include "speaker/bgp/wire/message.hpp"
#include "speaker/bgp/wire/notification.hpp"

#include <cstddef>
#include <optional>
#include <span>
#include <variant>

// Cuts the bytes of a connection into messages and judges their headers (RFC 4271 6.1). Push what
// arrived, then take frames until NeedMore: what stays is less than one message, so memory is
// bounded by the longest message plus one read. A refusal is final.
namespace steelyard::bgp_wire {

struct NeedMore {};

struct Frame {
    MessageType type = MessageType::Keepalive;
    std::span<const std::byte> body;  // valid until the next call of push or next
};

class Framer {
public:
    void push(std::span<const std::byte> bytes);
    // Any length up to max_message is accepted for types that may be long; the caller raises it
    // from kMaxMessage once extended messages are negotiated. A Notification is to be sent, then
    // close.
    [[nodiscard]] std::variant<NeedMore, Frame, Notification> next(std::size_t max_message);

    // Bytes held that are no whole message yet.
    [[nodiscard]] std::size_t held() const { return buffer_.size() - taken_; }

private:
    wire::Bytes buffer_;
    std::size_t taken_ = 0;  // octets at the front of buffer_ already handed out
    std::optional<Notification> refused_;
};

}  // namespace steelyard::bgp_wire
