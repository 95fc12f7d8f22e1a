#include "speaker/bgp/session/peer.hpp"

#include "speaker/bgp/session/timing.hpp"

#include <algorithm>
#include <utility>

namespace steelyard::bgp {

using bgp_wire::Cease;

namespace {
// Texts told, which may hold words of the peer: bounds what is kept of them.
constexpr std::size_t kRemembered = 64;
}  // namespace

Peer::Peer(PeerConfig config, Rng rng, bool restarting)
    : config_(std::move(config)),
      rng_(rng),
      kept_{restarting, restarting},
      retry_(kFirstRetry, kLongestRetry),
      idle_(kFirstIdleHold, kLongestIdleHold) {}

// RFC 4271 8.2.2, Idle, events 1 to 5.
void Peer::start(Instant now, Actions& out) {
    if (std::exchange(started_, true)) {
        return;
    }
    reset_damping();
    dial_or_wait(now, out);
    tell_state(out);
}

// Event 2 in any state.
void Peer::stop(const Stop& stop, Instant now, Actions& out) {
    if (!std::exchange(started_, false)) {
        return;
    }
    end_all(stop, now, out);
    tell_state(out);
}

void Peer::end_all(const Stop& stop, Instant now, Actions& out) {
    stop_dialling(out);
    for (const ConnectionId id : connections()) {
        finish(id, ending_of(*find(id), stop), now, out);
    }
    retry_at_ = Instant::max();
    called_by_ = heard_by_ = Instant::max();
    idle_hold_ = waits_for_bfd_ = no_answer_ = false;
}

Peer::Ending Peer::ending_of(const Connection& connection, const Stop& stop) const {
    const Negotiated& negotiated = connection.negotiated();
    Ending out;
    out.aftermath = Aftermath::None;
    out.trouble = {Trouble::Kind::Stopped, "stopped by us"};
    switch (stop.kind) {
        case Stop::Kind::GracefulRestart:
            if (connection.state() != State::Established || kept_after_close(negotiated)) {
                out.routes_kept = kept_after_close(negotiated);
                out.trouble.text = "closed for a graceful restart";
                return out;
            }
            [[fallthrough]];
        case Stop::Kind::Shutdown:
            out.notification = dropping_routes(
                negotiated, bgp_wire::cease(Cease::AdministrativeShutdown, stop.text)
            );
            out.trouble.text = "shut down by us";
            break;
        case Stop::Kind::PeerDeconfigured:
            out.notification =
                dropping_routes(negotiated, bgp_wire::cease(Cease::PeerDeconfigured));
            out.trouble.text = "no longer configured";
            break;
        case Stop::Kind::AdminReset:
            out.notification = bgp_wire::cease(Cease::AdministrativeReset, stop.text);
            out.trouble.text = "reset by us";
            break;
        case Stop::Kind::ConfigChange:
            out.notification = bgp_wire::cease(Cease::OtherConfigurationChange);
            out.trouble.text = "reset by us, since its configuration changed";
            break;
    }
    out.routes_kept = kept_after(negotiated, *out.notification);
    return out;
}

void Peer::update(PeerConfig config, Instant now, Actions& out) {
    const bool reset = needs_reset(config_, config);
    const bool stays = same_neighbour(config_, config);
    const bool new_rhythm = config.connect_time != config_.connect_time;
    if (reset && started_) {
        // Under graceful restart a neighbour we leave for another would wait for us in vain.
        end_all({stays ? Stop::Kind::ConfigChange : Stop::Kind::PeerDeconfigured, {}}, now, out);
    }
    if (!stays) {
        bfd_ = BfdState::None;
    }
    if (config.interface != config_.interface || config.address) {
        discovered_.reset();
    }
    config_ = std::move(config);
    if (!started_) {
        return;
    }
    if (reset) {
        reset_damping();
        told_.clear();
        noticed_.clear();
        set_trouble(std::nullopt, out);
        dial_or_wait(now, out);
    } else {
        apply_live(new_rhythm, now, out);
    }
    tell_state(out);
}

void Peer::apply_live(bool new_rhythm, Instant now, Actions& out) {
    for (const ConnectionId id : connections()) {
        find(id)->set_keepalive(config_, now, rng_);
    }
    if (waits_for_bfd_ && !config_.bfd) {
        retry_at_ = std::max(now, damped_until_);
    }
    if (new_rhythm && no_answer_ && retry_at_ != Instant::max()) {
        wait_after(Aftermath::NoAnswer, now);
    }
    if (config_.passive) {
        stop_dialling(out);
    } else if (retry_at_ == Instant::max()) {
        dial_or_wait(now, out);
    }
}

void Peer::set_address(std::optional<net::IpAddress> address, Instant now, Actions& out) {
    if (config_.address || address == discovered_) {
        return;
    }
    discovered_ = address;
    stop_dialling(out);
    if (started_ && !idle_hold_ && now >= damped_until_) {
        dial_or_wait(now, out);
    }
    tell_state(out);
}

void Peer::set_bfd(BfdState state, Instant now, Actions& out) {
    const BfdState old = std::exchange(bfd_, state);
    if (!config_.bfd || !started_) {
        return;
    }
    if (old == BfdState::Up && state == BfdState::Down) {
        on_bfd_down(now, out);
    } else if (state == BfdState::Up && old != BfdState::Up) {
        if (retry_at_ != Instant::max() && (waits_for_bfd_ || no_answer_)) {
            retry_at_ = std::max(now, damped_until_);
        }
    } else if (waits_for_bfd_ && (state == BfdState::None || state == BfdState::AdminDown)) {
        retry_at_ = std::max(now, damped_until_);
    }
    tell_state(out);
}

// RFC 9384. Nothing is tried over a path known to be dead, until BFD comes up again or has had time
// enough: a peer may speak BGP without BFD. But a peer whose session had ended before has only
// restarted, and some start BFD no earlier than BGP.
void Peer::on_bfd_down(Instant now, Actions& out) {
    if (connections().empty()) {
        return;
    }
    const bool was_up = session_.has_value();
    const Trouble trouble{Trouble::Kind::BfdDown, "BFD lost the peer"};
    stop_dialling(out);
    for (const ConnectionId id : connections()) {
        Ending ending;
        ending.trouble = trouble;
        ending.aftermath = Aftermath::None;
        ending.notification = bgp_wire::cease(Cease::BfdDown);
        ending.routes_kept = kept_after(find(id)->negotiated(), *ending.notification);
        finish(id, ending, now, out);
    }
    set_trouble(trouble, out);
    wait_after(Aftermath::Hold, now);
    if (was_up) {
        waits_for_bfd_ = true;
        retry_at_ = std::max(damped_until_, now + kBfdPatience);
        deaf_until_ = retry_at_;
    }
}

State Peer::state() const {
    if (session_) {
        return State::Established;
    }
    const auto in = [&](State state) {
        return (dialled_ && dialled_->state() == state) ||
               (accepted_ && accepted_->state() == state);
    };
    if (in(State::OpenConfirm)) {
        return State::OpenConfirm;
    }
    if (in(State::OpenSent)) {
        return State::OpenSent;
    }
    if (dialling_) {
        return State::Connect;
    }
    return !started_ || idle_hold_ ? State::Idle : State::Active;
}

const Negotiated* Peer::negotiated() const {
    return session_ ? &session_->negotiated() : nullptr;
}

std::optional<ConnectionId> Peer::session() const {
    return session_ ? std::optional(session_->id()) : std::nullopt;
}

const Endpoints* Peer::endpoints() const {
    return session_ ? &session_->endpoints() : nullptr;
}

std::optional<net::Endpoint> Peer::remote() const {
    const auto& address = config_.address ? config_.address : discovered_;
    return address ? std::optional(net::Endpoint{*address, config_.port}) : std::nullopt;
}

bool Peer::restarts_gracefully() const {
    return session_ && kept_after_close(session_->negotiated());
}

std::vector<ConnectionId> Peer::connections() const {
    std::vector<ConnectionId> out;
    for (const Slot* slot : {&session_, &dialled_, &accepted_}) {
        if (*slot) {
            out.insert((*slot)->confirmed() ? out.begin() : out.end(), (*slot)->id());
        }
    }
    return out;
}

Connection* Peer::find(ConnectionId id) {
    for (Slot* slot : {&session_, &dialled_, &accepted_}) {
        if (*slot && (*slot)->id() == id) {
            return &**slot;
        }
    }
    return nullptr;
}

Connection* Peer::rival_of(ConnectionId id) {
    for (Slot* slot : {&dialled_, &accepted_}) {
        if (*slot && (*slot)->id() != id) {
            return &**slot;
        }
    }
    return nullptr;
}

bool Peer::under_way() const {
    return session_ || dialled_ || accepted_ || dialling_;
}

void Peer::set_trouble(std::optional<Trouble> trouble, Actions& out) {
    if (trouble == trouble_) {
        return;
    }
    trouble_ = std::move(trouble);
    if (told_.size() >= kRemembered) {
        told_.clear();
    }
    const bool news = trouble_ && told_.insert(trouble_->text).second;
    out.emplace_back(TroubleChanged{trouble_, news});
}

// A connection without an OPEN is no sign of life: the kernel alone may have answered.
void Peer::set_trouble_of_dial(Trouble trouble, Actions& out) {
    const auto says_more = [](const Slot& slot) {
        return slot && (slot->state() != State::OpenSent || slot->unheard());
    };
    if (!session_ && !says_more(dialled_) && !says_more(accepted_)) {
        set_trouble(std::move(trouble), out);
    }
}

void Peer::notice(std::string text, Actions& out) {
    if (noticed_.size() < kRemembered && noticed_.insert(text).second) {
        out.emplace_back(Notice{std::move(text)});
    }
}

void Peer::tell_state(Actions& out) {
    const State now = state();
    if (now != told_state_) {
        out.emplace_back(StateChanged{std::exchange(told_state_, now), now});
    }
}

}  // namespace steelyard::bgp
