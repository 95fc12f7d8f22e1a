#include "speaker/bgp/wire/notification.hpp"

#include "common/wire/reader.hpp"
#include "speaker/bgp/wire/text.hpp"

#include <algorithm>
#include <utility>

namespace steelyard::bgp_wire {
namespace {

constexpr std::size_t kMaxCommunication = 255;  // RFC 9003 2

Notification make(ErrorCode code, std::uint8_t subcode, wire::Bytes data) {
    return Notification{static_cast<std::uint8_t>(code), subcode, std::move(data)};
}

bool may_communicate(Cease reason) {
    return reason == Cease::AdministrativeShutdown || reason == Cease::AdministrativeReset;
}

}  // namespace

Notification make_notification(HeaderError error, wire::Bytes data) {
    return make(ErrorCode::MessageHeader, static_cast<std::uint8_t>(error), std::move(data));
}

Notification make_notification(OpenError error, wire::Bytes data) {
    return make(ErrorCode::Open, static_cast<std::uint8_t>(error), std::move(data));
}

Notification make_notification(UpdateError error, wire::Bytes data) {
    return make(ErrorCode::Update, static_cast<std::uint8_t>(error), std::move(data));
}

Notification make_notification(FsmError error, wire::Bytes data) {
    return make(ErrorCode::FiniteStateMachine, static_cast<std::uint8_t>(error), std::move(data));
}

Notification make_notification(RouteRefreshError error, wire::Bytes data) {
    return make(ErrorCode::RouteRefresh, static_cast<std::uint8_t>(error), std::move(data));
}

Notification hold_timer_expired() {
    return make(ErrorCode::HoldTimerExpired, 0, {});
}

Notification send_hold_timer_expired() {
    return make(ErrorCode::SendHoldTimerExpired, 0, {});
}

Notification cease(Cease reason, std::string_view text) {
    wire::Writer data;
    if (may_communicate(reason) && !text.empty()) {
        const std::string_view cut = cut_utf8(text, kMaxCommunication);
        data.u8(static_cast<std::uint8_t>(cut.size()));
        data.text(cut);
    }
    return make(ErrorCode::Cease, static_cast<std::uint8_t>(reason), data.take());
}

Notification hard_reset(const Notification& inner) {
    wire::Writer data;
    data.u8(inner.code);
    data.u8(inner.subcode);
    data.bytes(std::span<const std::byte>(inner.data));
    return make(ErrorCode::Cease, static_cast<std::uint8_t>(Cease::HardReset), data.take());
}

bool is(const Notification& notification, ErrorCode code) {
    return notification.code == static_cast<std::uint8_t>(code);
}

bool is(const Notification& notification, Cease reason) {
    return is(notification, ErrorCode::Cease) &&
           notification.subcode == static_cast<std::uint8_t>(reason);
}

std::optional<Notification> encapsulated(const Notification& notification) {
    if (!is(notification, Cease::HardReset) || notification.data.size() < 2) {
        return std::nullopt;
    }
    return decode_notification(notification.data);
}

std::string communication(const Notification& notification) {
    const bool may = is(notification, Cease::AdministrativeShutdown) ||
                     is(notification, Cease::AdministrativeReset);
    if (!may || notification.data.empty()) {
        return {};
    }
    wire::Reader in(notification.data);
    const std::size_t length = in.u8();
    const std::size_t held = std::min(length, in.remaining());
    return printable(in.bytes(held), kMaxCommunication);
}

Notification decode_notification(std::span<const std::byte> body) {
    wire::Reader in(body);
    Notification out;
    out.code = in.u8();
    out.subcode = in.u8();
    const auto data = in.rest();
    out.data.assign(data.begin(), data.end());
    return out;
}

void encode_notification(
    wire::Writer& out, const Notification& notification, std::size_t max_message
) {
    const std::size_t start = begin_message(out, MessageType::Notification);
    out.u8(notification.code);
    out.u8(notification.subcode);
    const std::span<const std::byte> data(notification.data);
    out.bytes(data.first(std::min(data.size(), max_message - kHeaderSize - 2)));
    end_message(out, start);
}

}  // namespace steelyard::bgp_wire
