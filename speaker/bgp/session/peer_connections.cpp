#include "speaker/bgp/session/collision.hpp"
#include "speaker/bgp/session/connect_trouble.hpp"
#include "speaker/bgp/session/peer.hpp"
#include "speaker/bgp/session/timing.hpp"

#include <algorithm>
#include <array>
#include <string>
#include <utility>
#include <variant>

// What a Peer makes of its connections: which survives, what their end means.
namespace steelyard::bgp {

using bgp_wire::Cease;

void Peer::on_bytes(ConnectionId id, std::span<const std::byte> bytes, Instant now, Actions& out) {
    Connection* connection = find(id);
    if (connection == nullptr) {
        return;
    }
    counters_.in.bytes += bytes.size();
    connection->push(bytes);
    std::array<bool, 2> refreshed{};  // once per read is enough
    while ((connection = find(id)) != nullptr) {
        const ConnectionEvent event = connection->next(config_, now, counters_);
        if (std::holds_alternative<std::monostate>(event)) {
            break;
        }
        if (const auto* asked = std::get_if<RefreshAsked>(&event)) {
            // Before the session is up the whole table is still to come anyway.
            bool& done = refreshed[asked->family == net::Family::V4 ? 0 : 1];
            if (connection->state() == State::Established && !std::exchange(done, true)) {
                out.emplace_back(Refresh{
                    id, asked->family, connection->negotiated().enhanced_refresh});
            }
            continue;
        }
        on_event(id, event, now, out);
    }
    tell_state(out);
}

void Peer::on_event(ConnectionId id, const ConnectionEvent& event, Instant now, Actions& out) {
    if (std::holds_alternative<OpenReceived>(event)) {
        on_open(id, now, out);
    } else if (std::holds_alternative<Confirmed>(event)) {
        on_confirmed(id, now, out);
    } else if (std::holds_alternative<Unheard>(event)) {
        on_unheard(*find(id), out);
    } else if (const auto* fault = std::get_if<Fault>(&event)) {
        on_fault(id, *fault, now, out);
    } else if (const auto* notified = std::get_if<Notified>(&event)) {
        on_notified(id, notified->notification, now, out);
    } else if (const auto* complaint = std::get_if<Complaint>(&event)) {
        notice(complaint->text, out);
    }
}

// Event 19 in OpenSent, and RFC 4271 6.8.
void Peer::on_open(ConnectionId id, Instant now, Actions& out) {
    Connection& connection = *find(id);
    if (session_) {
        if (!may_replace_session(now)) {
            give_up(id, now, out);
            return;
        }
        // RFC 4724 5: the peer restarted before we noticed that its old connection was dead.
        Ending ending;
        ending.trouble = {Trouble::Kind::ConnectionLost, "the peer connected anew"};
        ending.aftermath = Aftermath::None;
        ending.routes_kept = kept_after_close(session_->negotiated());
        finish(session_->id(), ending, now, out);
    }
    const Connection* rival = rival_of(id);
    if (rival != nullptr && rival->state() == State::OpenConfirm) {
        if (collision_winner(connection.negotiated()) != connection.origin()) {
            give_up(id, now, out);
            return;
        }
        // Our KEEPALIVE is out on the rival. If the peer got it before our OPEN on this one, the
        // rival is its session and it closes this one; else it answers here. That decides.
        collision_until_ = now + kCollisionPatience;
    }
    connection.accept_open(now, sink(out));
}

// Event 26 in OpenConfirm. The peer may still be deciding for the rival connection, if it is the
// one that would win: our OPEN is out on it. Its OPEN or its end tells; README.md has the whole
// argument.
void Peer::on_confirmed(ConnectionId id, Instant now, Actions& out) {
    const Connection& connection = *find(id);
    const Connection* rival = rival_of(id);
    if (rival == nullptr) {
        establish(id, now, out);
    } else if (collision_winner(connection.negotiated()) == connection.origin()) {
        give_up(rival->id(), now, out);  // and so establishes this one
    } else {
        collision_until_ = std::min(collision_until_, now + kCollisionPatience);
    }
}

void Peer::end_collision(Instant now, Actions& out) {
    collision_until_ = Instant::max();
    if (!dialled_ || !accepted_) {
        return;
    }
    const Connection& known = dialled_->state() == State::OpenConfirm ? *dialled_ : *accepted_;
    const bool ours_wins = collision_winner(known.negotiated()) == Connection::Origin::Dialled;
    const Connection& winner = ours_wins ? *dialled_ : *accepted_;
    const Connection& loser = ours_wins ? *accepted_ : *dialled_;
    give_up(loser.confirmed() ? winner.id() : loser.id(), now, out);
}

void Peer::establish_if_confirmed(Instant now, Actions& out) {
    if (session_ || (dialled_ && accepted_)) {
        return;
    }
    const Slot& slot = dialled_ ? dialled_ : accepted_;
    if (slot && slot->confirmed()) {
        establish(slot->id(), now, out);
    }
}

void Peer::establish(ConnectionId id, Instant now, Actions& out) {
    Slot& slot = dialled_ && dialled_->id() == id ? dialled_ : accepted_;
    session_ = std::move(slot);
    slot.reset();
    stop_dialling(out);
    session_->establish(now);
    collision_until_ = retry_at_ = called_by_ = heard_by_ = Instant::max();
    idle_hold_ = waits_for_bfd_ = no_answer_ = false;
    retry_.reset();
    kept_.forwarding = true;
    ++counters_.established;
    out.emplace_back(Established{id, session_->negotiated(), session_->endpoints()});
    told_.clear();
    set_trouble(std::nullopt, out);
    tell_about(session_->negotiated(), out);
}

void Peer::tell_about(const Negotiated& negotiated, Actions& out) {
    if (config_.graceful_restart && !negotiated.graceful_restart) {
        notice("the peer does not support graceful restart: it drops our routes on a restart", out);
    }
    for (const net::Family family : {net::Family::V4, net::Family::V6}) {
        const bool offered = family == net::Family::V4 ? config_.v4 : config_.v6;
        if (offered && !negotiated.carries(family)) {
            notice("the peer does not carry " + std::string(to_string(family)) + " unicast", out);
        }
    }
}

void Peer::on_fault(ConnectionId id, const Fault& fault, Instant now, Actions& out) {
    const Connection& connection = *find(id);
    Ending ending;
    ending.trouble = fault.trouble;
    if (connection.unheard() && fault.trouble.kind == Trouble::Kind::HoldTimerExpired) {
        ending.trouble = no_open(config_, connection.endpoints().remote.address);
    }
    ending.notification = fault.notification;
    ending.routes_kept = kept_after(connection.negotiated(), fault.notification);
    finish(id, ending, now, out);
}

void Peer::on_unheard(const Connection& connection, Actions& out) {
    const auto heard = [](const Slot& slot) {
        return slot && slot->state() != State::OpenSent;
    };
    if (!session_ && !heard(dialled_) && !heard(accepted_)) {
        set_trouble(no_open(config_, connection.endpoints().remote.address), out);
    }
}

// Events 24 and 25.
void Peer::on_notified(
    ConnectionId id, const bgp_wire::Notification& notification, Instant now, Actions& out
) {
    std::string text = "the peer closed the session: " + bgp_wire::to_string(notification);
    if (bgp_wire::is(notification, bgp_wire::ErrorCode::Open)) {
        text = "the peer refuses our OPEN: " + bgp_wire::to_string(notification) +
               open_hint(notification);
    }
    Ending ending;
    ending.trouble = {Trouble::Kind::NotificationReceived, std::move(text)};
    ending.routes_kept = kept_after(find(id)->negotiated(), notification);
    if (bgp_wire::is(notification, Cease::ConnectionCollisionResolution)) {
        // The one it keeps may still be on its way to us: no reason to refuse calls.
        const bool other =
            dialling_ || rival_of(id) != nullptr || (session_ && session_->id() != id);
        ++counters_.collisions;
        ending.aftermath = other ? Aftermath::None : Aftermath::Retry;
        ending.trouble.text += " (it holds another one with this node)";
    }
    finish(id, ending, now, out);
}

// What of ours the peer may not like.
std::string Peer::open_hint(const bgp_wire::Notification& notification) const {
    switch (static_cast<bgp_wire::OpenError>(notification.subcode)) {
        case bgp_wire::OpenError::BadPeerAs:
            return " (we are in AS " + std::to_string(config_.local_asn) + ")";
        case bgp_wire::OpenError::BadBgpIdentifier:
            return " (ours is " + to_string(net::IpAddress::v4(config_.router_id)) + ")";
        case bgp_wire::OpenError::UnsupportedOptionalParameter:
        case bgp_wire::OpenError::UnsupportedCapability:
            return " (it does not accept our capabilities)";
        case bgp_wire::OpenError::UnacceptableHoldTime:
            return " (ours is " + seconds_text(config_.hold_time) + ")";
        case bgp_wire::OpenError::Unspecific:
        case bgp_wire::OpenError::UnsupportedVersion:
        case bgp_wire::OpenError::RoleMismatch:
            break;
    }
    return {};
}

// Event 18 once connected.
void Peer::on_closed(ConnectionId id, std::string_view why, Instant now, Actions& out) {
    if (dialling_ == id) {
        on_connect_failed(id, make_error(Errc::Unavailable, std::string(why)), now, out);
        return;
    }
    const Connection* connection = find(id);
    if (connection == nullptr) {
        return;
    }
    Ending ending;
    ending.aftermath = Aftermath::Retry;
    ending.open = false;
    ending.quiet = true;
    if (connection->state() == State::Established) {
        ending.trouble = {Trouble::Kind::ConnectionLost, "connection lost: " + std::string(why)};
        ending.routes_kept = kept_after_close(connection->negotiated());
    } else if (connection->unheard()) {
        ending.trouble = no_open(config_, connection->endpoints().remote.address);
    } else {
        ending.trouble = {
            Trouble::Kind::ClosedEarly,
            "the peer closed the connection before the session was up (" + std::string(why) +
                "): it may not have this node as a neighbour"};
    }
    finish(id, ending, now, out);
    tell_state(out);
}

void Peer::on_routes_sent(ConnectionId id, std::span<const std::byte> messages, Instant now) {
    if (Connection* connection = find(id)) {
        connection->on_routes_sent(messages, now, rng_, counters_);
    }
}

void Peer::on_written(ConnectionId id, std::size_t bytes, Instant now) {
    if (Connection* connection = find(id)) {
        connection->on_written(bytes, now);
    }
}

// Everything that follows from the end of a connection, whatever ended it.
void Peer::finish(ConnectionId id, const Ending& ending, Instant now, Actions& out) {
    Slot& slot = session_ && session_->id() == id   ? session_
                 : dialled_ && dialled_->id() == id ? dialled_
                                                    : accepted_;
    Connection connection = std::move(*slot);
    slot.reset();
    collision_until_ = Instant::max();
    if (connection.state() == State::Established) {
        ++counters_.dropped;
        if (now - connection.established_at() >= kStableAfter) {
            reset_damping();
        }
        out.emplace_back(Down{id, ending.trouble, ending.routes_kept});
    }
    if (ending.notification) {
        connection.send(*ending.notification, now, sink(out));
    }
    if (ending.open) {
        out.emplace_back(Close{id, ending.notification.has_value()});
    }
    if (ending.aftermath != Aftermath::None && !session_ && !(ending.quiet && under_way())) {
        set_trouble(ending.trouble, out);
    }
    if (started_) {
        establish_if_confirmed(now, out);
    }
    wait_after(ending.aftermath, now);
}

void Peer::give_up(ConnectionId id, Instant now, Actions& out) {
    ++counters_.collisions;
    Ending ending;
    ending.aftermath = Aftermath::None;
    ending.notification = bgp_wire::cease(Cease::ConnectionCollisionResolution);
    finish(id, ending, now, out);
}

bool Peer::may_replace_session(Instant now) const {
    return session_->negotiated().peer_restarts &&
           now - session_->established_at() >= kReplaceAfter;
}

}  // namespace steelyard::bgp
