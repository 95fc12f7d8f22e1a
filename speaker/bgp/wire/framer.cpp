#include "speaker/bgp/wire/framer.hpp"

#include "common/wire/reader.hpp"

#include <algorithm>
#include <utility>

namespace steelyard::bgp_wire {
namespace {

// What a header of this type may claim, RFC 4271 6.1, RFC 2918 3 and RFC 8654 4.
struct Bounds {
    std::size_t least = kHeaderSize;
    std::size_t most = kMaxMessage;
};

std::optional<Bounds> bounds_of(std::uint8_t type, std::size_t max_message) {
    switch (static_cast<MessageType>(type)) {
        case MessageType::Open:
            return Bounds{29, kMaxMessage};
        case MessageType::Update:
            return Bounds{23, max_message};
        case MessageType::Notification:
            return Bounds{21, max_message};
        case MessageType::Keepalive:
            return Bounds{kHeaderSize, kHeaderSize};
        case MessageType::RouteRefresh:
            return Bounds{23, max_message};
    }
    return std::nullopt;
}

Notification bad_length(std::uint16_t length) {
    wire::Writer data;
    data.u16(length);
    return make_notification(HeaderError::BadMessageLength, data.take());
}

}  // namespace

void Framer::push(std::span<const std::byte> bytes) {
    if (refused_) {
        return;
    }
    buffer_.erase(buffer_.begin(), buffer_.begin() + static_cast<std::ptrdiff_t>(taken_));
    taken_ = 0;
    buffer_.insert(buffer_.end(), bytes.begin(), bytes.end());
}

std::variant<NeedMore, Frame, Notification> Framer::next(std::size_t max_message) {
    if (refused_) {
        return *refused_;
    }
    const auto refuse = [this](Notification why) {
        buffer_ = {};
        taken_ = 0;
        refused_ = std::move(why);
        return *refused_;
    };
    const auto rest = std::span<const std::byte>(buffer_).subspan(taken_);
    const auto marker = rest.first(std::min<std::size_t>(rest.size(), 16));
    const auto is_one = [](std::byte byte) {
        return byte == std::byte{0xff};
    };
    // At once, not when the header is whole: what speaks another protocol need not be waited for.
    if (!std::all_of(marker.begin(), marker.end(), is_one)) {
        return refuse(make_notification(HeaderError::ConnectionNotSynchronized));
    }
    if (rest.size() < kHeaderSize) {
        return NeedMore{};
    }
    wire::Reader header(rest.subspan(16, 3));
    const std::uint16_t length = header.u16();
    const std::uint8_t type = header.u8();
    if (length < kHeaderSize || length > max_message) {
        return refuse(bad_length(length));
    }
    const auto bounds = bounds_of(type, max_message);
    if (!bounds) {
        return refuse(make_notification(HeaderError::BadMessageType, {rest[18]}));
    }
    if (length < bounds->least || length > bounds->most) {
        return refuse(bad_length(length));
    }
    if (rest.size() < length) {
        return NeedMore{};
    }
    taken_ += length;
    return Frame{static_cast<MessageType>(type), rest.subspan(kHeaderSize, length - kHeaderSize)};
}

}  // namespace steelyard::bgp_wire
