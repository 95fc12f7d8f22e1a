#include "speaker/bgp/session/connect_trouble.hpp"
#include "speaker/bgp/session/open_check.hpp"
#include "speaker/bgp/session/peer.hpp"
#include "speaker/bgp/session/timing.hpp"

#include <algorithm>
#include <chrono>
#include <utility>

// When a Peer dials, waits and listens, and what its timers do.
namespace steelyard::bgp {

// RFC 4271 8.2.2: to Connect, or to Active when the peer is the one to call. A connection that got
// its OPEN needs no rival.
void Peer::dial_or_wait(Instant now, Actions& out) {
    const bool busy = session_ || dialling_ || dialled_ ||
                      (accepted_ && accepted_->state() == State::OpenConfirm);
    retry_at_ = Instant::max();
    idle_hold_ = waits_for_bfd_ = no_answer_ = false;
    called_by_ = heard_by_ = Instant::max();
    if (busy) {
        return;
    }
    if (config_.passive) {
        called_by_ = now + kOpenPatience;
        return;
    }
    const auto to = remote();
    if (!to) {
        heard_by_ = now + kHearPatience;
        return;
    }
    dialling_ = new_id();
    dialled_at_ = now;
    ++counters_.connects;
    out.emplace_back(Dial{*dialling_, *to});
}

void Peer::stop_dialling(Actions& out) {
    if (dialling_) {
        out.emplace_back(Close{*std::exchange(dialling_, std::nullopt), false});
    }
}

void Peer::on_connected(ConnectionId id, const Endpoints& ends, Instant now, Actions& out) {
    if (dialling_ != id) {
        return;
    }
    // Events 16 and 17. When the peer's own call already got its OPEN, that one is the session;
    // without an OPEN of ours on this one, neither end has anything to decide.
    if (accepted_ && accepted_->state() == State::OpenConfirm) {
        ++counters_.collisions;
        stop_dialling(out);
        return;
    }
    dialling_.reset();
    retry_.reset();
    dialled_.emplace(id, Connection::Origin::Dialled, ends);
    dialled_->send_open(make_open(config_, ends, kept_), now, sink(out));
    tell_state(out);
}

// Event 18.
void Peer::on_connect_failed(ConnectionId id, const Error& error, Instant now, Actions& out) {
    if (dialling_ != id) {
        return;
    }
    dialling_.reset();
    set_trouble_of_dial(connect_failed(config_, *remote(), error), out);
    wait_after(Aftermath::NoAnswer, now);
    tell_state(out);
}

std::optional<ConnectionId> Peer::on_accepted(const Endpoints& ends, Instant now, Actions& out) {
    if (!started_ || (idle_hold_ && now < deaf_until_)) {
        return std::nullopt;
    }
    if (session_ && !may_replace_session(now)) {
        ++counters_.collisions;
        return std::nullopt;
    }
    ++counters_.accepts;
    if (accepted_) {
        // A peer dials once at a time, so it has left the older one.
        out.emplace_back(Close{accepted_->id(), false});
        collision_until_ = Instant::max();
    }
    const ConnectionId id = new_id();
    accepted_.emplace(id, Connection::Origin::Accepted, ends);
    accepted_->send_open(make_open(config_, ends, kept_), now, sink(out));
    establish_if_confirmed(now, out);
    tell_state(out);
    return id;
}

void Peer::on_deadline(Instant now, Actions& out) {
    for (const ConnectionId id : connections()) {
        if (Connection* connection = find(id)) {
            on_event(id, connection->on_deadline(now, sink(out)), now, out);
        }
    }
    if (now >= collision_until_) {
        end_collision(now, out);
    }
    if (dialling_ && now >= dialled_at_ + kDialTimeout) {  // event 9
        stop_dialling(out);
        set_trouble_of_dial(no_answer(config_, *remote()), out);
        wait_after(Aftermath::NoAnswer, now);
    }
    if (now >= called_by_) {
        called_by_ = Instant::max();
        if (!under_way() && !trouble_) {
            set_trouble(no_call(), out);
        }
    }
    if (now >= heard_by_) {
        heard_by_ = Instant::max();
        set_trouble_of_dial(no_address(config_), out);
    }
    if (started_ && now >= retry_at_) {  // events 9 and 13
        dial_or_wait(now, out);
    }
    tell_state(out);
}

Instant Peer::next_deadline() const {
    Instant due = std::min({retry_at_, collision_until_, called_by_, heard_by_});
    if (dialling_) {
        due = std::min(due, dialled_at_ + kDialTimeout);
    }
    for (const Slot* slot : {&session_, &dialled_, &accepted_}) {
        if (*slot) {
            due = std::min(due, (*slot)->next_deadline());
        }
    }
    return due;
}

// The waits after an answer grow whatever the configuration says: a peer that accepts and then
// refuses must not be called in a tight loop.
void Peer::wait_after(Aftermath aftermath, Instant now) {
    if (aftermath == Aftermath::None || !started_ || session_) {
        return;
    }
    idle_hold_ = aftermath == Aftermath::Hold;
    waits_for_bfd_ = false;
    no_answer_ = aftermath == Aftermath::NoAnswer;
    if (!no_answer_) {
        damped_until_ = now + idle_.next(rng_);
        retry_at_ = damped_until_;
        deaf_until_ = idle_hold_ ? std::min(now + kDeafToCalls, retry_at_) : now;
        return;
    }
    if (config_.connect_time) {
        // Between attempts, not after them; a little pause in any case.
        const Duration pause = std::min<Duration>(*config_.connect_time, std::chrono::seconds(1));
        retry_at_ = std::max(
            dialled_at_ + jittered(*config_.connect_time, rng_), now + jittered(pause, rng_)
        );
    } else {
        retry_at_ = now + retry_.next(rng_);
    }
    retry_at_ = std::max(retry_at_, damped_until_);
}

void Peer::reset_damping() {
    retry_.reset();
    idle_.reset();
    damped_until_ = deaf_until_ = Instant();
}

}  // namespace steelyard::bgp
