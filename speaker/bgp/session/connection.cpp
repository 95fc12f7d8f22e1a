#include "speaker/bgp/session/connection.hpp"

#include "common/wire/reader.hpp"
#include "speaker/bgp/session/open_check.hpp"
#include "speaker/bgp/session/timing.hpp"
#include "speaker/bgp/wire/message.hpp"
#include "speaker/bgp/wire/route_refresh.hpp"
#include "speaker/bgp/wire/update.hpp"

#include <algorithm>
#include <string>
#include <utility>

namespace steelyard::bgp {
namespace {

using bgp_wire::MessageType;

Fault protocol_error(bgp_wire::Notification notification, std::string_view where) {
    std::string text = "the peer's ";
    text += where;
    text += " was refused: " + bgp_wire::to_string(notification);
    return {std::move(notification), {Trouble::Kind::ProtocolError, std::move(text)}};
}

void count(Counters::Messages& messages, MessageType type) {
    switch (type) {
        case MessageType::Open:
            ++messages.opens;
            break;
        case MessageType::Update:
            ++messages.updates;
            break;
        case MessageType::Notification:
            ++messages.notifications;
            break;
        case MessageType::Keepalive:
            ++messages.keepalives;
            break;
        case MessageType::RouteRefresh:
            ++messages.route_refreshes;
            break;
    }
}

}  // namespace

Connection::Connection(ConnectionId id, Origin origin, Endpoints endpoints)
    : id_(id), origin_(origin), endpoints_(endpoints) {}

void Connection::emit(MessageType type, wire::Writer message, Instant now, Sink sink) {
    count(sink.counters.out, type);
    sink.counters.out.bytes += message.size();
    enqueued(message.size(), now);
    sink.out.emplace_back(Send{id_, message.take()});
}

void Connection::send_open(bgp_wire::Open open, Instant now, Sink sink) {
    sent_ = std::move(open);
    wire::Writer message;
    bgp_wire::encode_open(message, sent_);
    emit(MessageType::Open, std::move(message), now, sink);
    hold_at_ = now + kOpenHoldTime;
    unheard_at_ = now + kOpenPatience;
}

void Connection::send(const bgp_wire::Notification& notification, Instant now, Sink sink) {
    wire::Writer message;
    bgp_wire::encode_notification(message, notification);
    emit(MessageType::Notification, std::move(message), now, sink);
}

ConnectionEvent Connection::next(const PeerConfig& config, Instant now, Counters& counters) {
    for (;;) {
        const auto item = framer_.next(
            state_ == State::OpenSent ? bgp_wire::kMaxMessage : bgp_wire::kMaxExtendedMessage
        );
        if (std::holds_alternative<bgp_wire::NeedMore>(item)) {
            return {};
        }
        if (const auto* refused = std::get_if<bgp_wire::Notification>(&item)) {
            return protocol_error(*refused, "message");
        }
        const auto& frame = std::get<bgp_wire::Frame>(item);
        count(counters.in, frame.type);
        ConnectionEvent event = on_message(frame, config, now, counters);
        if (!std::holds_alternative<std::monostate>(event)) {
            return event;
        }
    }
}

// A peer that got our KEEPALIVE is established and sends routes, even while ours still waits for
// the other connection; so what counts is whether its own KEEPALIVE came.
ConnectionEvent Connection::on_message(
    const bgp_wire::Frame& frame, const PeerConfig& config, Instant now, Counters& counters
) {
    switch (frame.type) {
        case MessageType::Open:
            return state_ == State::OpenSent ? on_open(frame.body, config) : unexpected(frame.type);
        case MessageType::Notification:
            return Notified{bgp_wire::decode_notification(frame.body)};
        case MessageType::Keepalive:
            if (state_ == State::OpenSent) {
                return unexpected(frame.type);
            }
            heard(now);
            return std::exchange(confirmed_, true) ? ConnectionEvent() : Confirmed{};
        case MessageType::Update:
            if (!confirmed_) {
                return unexpected(frame.type);
            }
            heard(now);
            return on_update(frame.body, counters);
        case MessageType::RouteRefresh:
            if (!confirmed_) {
                return unexpected(frame.type);
            }
            heard(now);
            return on_refresh(frame.body);
    }
    return {};
}

ConnectionEvent Connection::on_open(std::span<const std::byte> body, const PeerConfig& config) {
    auto decoded = bgp_wire::decode_open(body);
    if (auto* refused = std::get_if<bgp_wire::Notification>(&decoded)) {
        Fault fault = protocol_error(std::move(*refused), "OPEN");
        fault.trouble.kind = Trouble::Kind::OpenRejected;
        return fault;
    }
    auto checked = check_open(config, sent_, std::get<bgp_wire::Open>(decoded));
    if (auto* fault = std::get_if<Fault>(&checked)) {
        return std::move(*fault);
    }
    negotiated_ = std::get<Negotiated>(checked);
    return OpenReceived{};
}

ConnectionEvent Connection::on_update(std::span<const std::byte> body, Counters& counters) {
    bgp_wire::UpdateContext context;
    context.as4 = negotiated_.as4;
    context.ibgp = negotiated_.ibgp;
    context.v4 = negotiated_.v4;
    context.v6 = negotiated_.v6;
    context.v4_over_v6 = negotiated_.v4_over_v6;
    const bgp_wire::UpdateSummary summary = bgp_wire::decode_update(body, context);
    take_routes(net::Family::V4, summary.v4, counters.v4, counters);
    take_routes(net::Family::V6, summary.v6, counters.v6, counters);
    switch (summary.verdict) {
        case bgp_wire::Verdict::Accept:
            return {};
        case bgp_wire::Verdict::Discard:
            ++counters.attribute_discards;
            break;
        case bgp_wire::Verdict::TreatAsWithdraw:
            ++counters.treated_as_withdraw;
            break;
        case bgp_wire::Verdict::DisableFamily:
            break;  // counted by take_routes
        case bgp_wire::Verdict::Reset: {
            ++counters.update_resets;
            Fault fault = protocol_error(
                summary.reset.value_or(
                    bgp_wire::make_notification(bgp_wire::UpdateError::MalformedAttributeList)
                ),
                "UPDATE"
            );
            fault.trouble.text += " (" + summary.why + ")";
            return fault;
        }
    }
    if (std::exchange(complained_, true)) {
        return {};
    }
    return Complaint{
        "malformed UPDATE, " + std::string(bgp_wire::to_string(summary.verdict)) + " (" +
        summary.why + "); further ones of this session are only counted"};
}

void Connection::take_routes(
    net::Family family,
    const bgp_wire::UpdateSummary::Routes& routes,
    Counters::Inbound& inbound,
    Counters& counters
) {
    if (disabled_.contains(family)) {
        return;
    }
    inbound.announced += routes.announced;
    inbound.withdrawn += routes.withdrawn;
    if (routes.disabled) {
        disabled_.insert(family);
        ++counters.families_disabled;
    }
}

ConnectionEvent Connection::on_refresh(std::span<const std::byte> body) {
    auto decoded = bgp_wire::decode_route_refresh(body);
    if (auto* refused = std::get_if<bgp_wire::Notification>(&decoded)) {
        return protocol_error(std::move(*refused), "ROUTE-REFRESH");
    }
    const auto& refresh = std::get<std::optional<bgp_wire::RouteRefresh>>(decoded);
    if (!refresh || refresh->kind != bgp_wire::RouteRefresh::Kind::Request ||
        !negotiated_.carries(refresh->family)) {
        return {};
    }
    return RefreshAsked{refresh->family};
}

// RFC 6608: the data is the type of the message.
Fault Connection::unexpected(MessageType type) const {
    auto error = bgp_wire::FsmError::UnexpectedInEstablished;
    if (state_ == State::OpenSent) {
        error = bgp_wire::FsmError::UnexpectedInOpenSent;
    } else if (state_ == State::OpenConfirm) {
        error = bgp_wire::FsmError::UnexpectedInOpenConfirm;
    }
    const wire::Bytes data{static_cast<std::byte>(type)};
    return protocol_error(bgp_wire::make_notification(error, data), bgp_wire::to_string(type));
}

void Connection::accept_open(Instant now, Sink sink) {
    state_ = State::OpenConfirm;
    unheard_ = false;
    unheard_at_ = Instant::max();
    send_keepalive(now, sink);
    heard(now);
    if (hold_at_ == Instant::max()) {
        hold_at_ = now + kOpenHoldTime;  // even without a hold time its KEEPALIVE must come
    }
}

void Connection::establish(Instant now) {
    state_ = State::Established;
    established_at_ = now;
    heard(now);
}

void Connection::set_keepalive(const PeerConfig& config, Instant now, Rng& rng) {
    const Duration interval = keepalive_interval(config, negotiated_.hold_time);
    if (state_ == State::OpenSent || interval == negotiated_.keepalive) {
        return;
    }
    negotiated_.keepalive = interval;
    arm_keepalive(now, rng);
}

void Connection::send_keepalive(Instant now, Sink sink) {
    wire::Writer message;
    bgp_wire::encode_keepalive(message);
    emit(MessageType::Keepalive, std::move(message), now, sink);
    arm_keepalive(now, sink.rng);
}

void Connection::heard(Instant now) {
    const Duration limit = negotiated_.hold_time;
    hold_at_ = limit > Duration::zero() ? now + limit : Instant::max();
    hold_excused_ = false;
}

void Connection::arm_keepalive(Instant now, Rng& rng) {
    keepalive_at_ = negotiated_.keepalive > Duration::zero()
                        ? now + jittered(negotiated_.keepalive, rng)
                        : Instant::max();
}

// Among the UPDATEs may be the marks of a refresh (RFC 7313), which keep no session alive.
void Connection::on_routes_sent(
    std::span<const std::byte> messages, Instant now, Rng& rng, Counters& counters
) {
    const std::uint64_t updates = counters.out.updates;
    while (messages.size() >= bgp_wire::kHeaderSize) {
        wire::Reader header(messages.subspan(16));
        const std::size_t length = std::max<std::size_t>(header.u16(), bgp_wire::kHeaderSize);
        count(counters.out, static_cast<MessageType>(header.u8()));
        counters.out.bytes += length;
        enqueued(length, now);
        messages = messages.subspan(std::min(length, messages.size()));
    }
    if (counters.out.updates > updates) {
        arm_keepalive(now, rng);
    }
}

// The send hold timer runs while anything waits, from the last time that a whole message's worth
// left (RFC 9687): a peer that reads single octets is stuck too.
void Connection::enqueued(std::size_t bytes, Instant now) {
    waiting_ += bytes;
    if (send_hold_at_ == Instant::max() && state_ == State::Established &&
        negotiated_.hold_time > Duration::zero()) {
        send_hold_at_ = now + std::max<Duration>(kSendHoldTime, 2 * negotiated_.hold_time);
        progress_ = 0;
    }
}

void Connection::on_written(std::size_t bytes, Instant now) {
    waiting_ -= std::min(bytes, waiting_);
    progress_ += bytes;
    if (waiting_ == 0 || progress_ >= bgp_wire::kMaxMessage) {
        send_hold_at_ = Instant::max();
        if (waiting_ > 0) {
            enqueued(0, now);
        }
    }
}

ConnectionEvent Connection::on_deadline(Instant now, Sink sink) {
    if (now >= hold_at_) {
        if (now - hold_at_ >= kAsleep && !std::exchange(hold_excused_, true)) {
            hold_at_ = now + kStallGrace;
        } else {
            return silent();
        }
    }
    if (now >= send_hold_at_) {
        const Duration limit = std::max<Duration>(kSendHoldTime, 2 * negotiated_.hold_time);
        return Fault{
            bgp_wire::send_hold_timer_expired(),
            {Trouble::Kind::SendHoldTimerExpired,
             "the peer has read nothing for " + seconds_text(limit)}};
    }
    if (now >= keepalive_at_) {
        send_keepalive(now, sink);
    }
    if (now >= unheard_at_) {
        unheard_at_ = Instant::max();
        unheard_ = true;
        return Unheard{};
    }
    return {};
}

Fault Connection::silent() const {
    std::string text;
    if (state_ == State::OpenSent) {
        text =
            "the peer accepted the connection but sent no OPEN for " + seconds_text(kOpenHoldTime);
    } else {
        const bool limited = negotiated_.hold_time > Duration::zero();
        text = "nothing heard from the peer for " +
               seconds_text(limited ? negotiated_.hold_time : kOpenHoldTime);
    }
    return {bgp_wire::hold_timer_expired(), {Trouble::Kind::HoldTimerExpired, std::move(text)}};
}

Instant Connection::next_deadline() const {
    return std::min({hold_at_, unheard_at_, keepalive_at_, send_hold_at_});
}

}  // namespace steelyard::bgp
