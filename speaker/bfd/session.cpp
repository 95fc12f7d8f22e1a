#include "speaker/bfd/session.hpp"

#include "speaker/bfd/pace.hpp"

#include <algorithm>
#include <chrono>

namespace steelyard::bfd {
namespace {

using std::chrono::microseconds;

// Echoes in a row that must come back before they are trusted to tell whether the path works: a
// peer may promise to loop them and yet have a filter in the way.
constexpr unsigned kEchoTrials = 2;
constexpr Duration kShortest = 1ms;

std::uint32_t to_wire(Duration interval) {
    const auto count = std::chrono::duration_cast<microseconds>(interval).count();
    return static_cast<std::uint32_t>(std::clamp<microseconds::rep>(count, 0, 0xffffffff));
}

Duration from_wire(std::uint32_t interval) {
    return microseconds(interval);
}

// Whatever a profile says, the protocol has a multiplier and a pace.
Profile sane(Profile profile) {
    profile.receive = std::max(profile.receive, kShortest);
    profile.transmit = std::max(profile.transmit, kShortest);
    profile.echo_interval = std::max(profile.echo_interval, kShortest);
    profile.multiplier = std::max<std::uint8_t>(profile.multiplier, 1);
    return profile;
}

}  // namespace

Session::Session(
    SessionId id, const Profile& profile, bool can_echo, std::uint64_t seed, Instant now
)
    : id_(id),
      profile_(sane(profile)),
      can_echo_(can_echo),
      remote_min_rx_(microseconds(1)),
      said_tx_(wanted_tx()),
      said_rx_(wanted_rx()),
      used_tx_(said_tx_),
      used_rx_(said_rx_),
      sent_at_(now - said_tx_),  // so the first packet is due
      heard_at_(now),
      since_(now),
      rng_(seed) {
    echo_secret_ = rng_.next();
    adjust_transmission();
}

void Session::on_packet(const ControlPacket& packet, Instant now, Actions& out) {
    ++counters_.received;
    remote_discriminator_ = packet.my_discriminator;
    remote_state_ = packet.state;
    remote_diagnostic_ = packet.diagnostic;
    remote_demand_ = packet.demand;
    remote_multiplier_ = packet.multiplier;
    remote_min_rx_ = from_wire(packet.required_min_rx);
    remote_desired_tx_ = from_wire(packet.desired_min_tx);
    remote_echo_rx_ = from_wire(packet.required_min_echo_rx);
    if (poll_ && packet.final) {
        end_poll();
    }
    heard_at_ = now;
    heard_ = true;
    if (state_ != State::AdminDown) {
        step(packet.state);
        adjust_intervals();
        if (packet.poll) {
            transmit(true, out);  // whatever the timer says
        }
    }
    settle(now, out);
}

// RFC 5880 6.8.6, the state machine of 6.2.
void Session::step(State received) {
    if (received == State::AdminDown) {
        if (state_ != State::Down) {
            enter(State::Down, Diagnostic::NeighborSignaledDown);
        }
        return;
    }
    switch (state_) {
        case State::AdminDown:
            break;
        case State::Down:
            if (received == State::Down) {
                enter(State::Init, diagnostic_);
            } else if (received == State::Init) {
                enter(State::Up, Diagnostic::None);
            }
            break;
        case State::Init:
            if (received == State::Init || received == State::Up) {
                enter(State::Up, Diagnostic::None);
            }
            break;
        case State::Up:
            if (received == State::Down) {
                enter(State::Down, Diagnostic::NeighborSignaledDown);
            }
            break;
    }
}

void Session::enter(State state, Diagnostic diagnostic) {
    state_ = state;
    diagnostic_ = diagnostic;
}

void Session::settle(Instant now, Actions& out) {
    adjust_echo(now);
    adjust_intervals();
    adjust_transmission();
    show(now);
    if ((speak_now_ || told_state_ != state_) && may_transmit()) {
        transmit(false, out);
    }
    speak_now_ = false;
}

// Clients see a failure only where Up ends without anybody's intent.
void Session::show(Instant now) {
    const State visible = visible_state();
    if (visible == shown_state_) {
        return;
    }
    counters_.ups += visible == State::Up ? 1U : 0U;
    counters_.downs += shown_state_ == State::Up && visible == State::Down ? 1U : 0U;
    shown_state_ = visible;
    since_ = now;
}

// RFC 5880 6.8.3. What is new is said at once. It is used at once as well, unless the peer could
// take a slower pace for silence, or we could: then when the Final bit shows that it knows.
void Session::adjust_intervals() {
    const bool up = state_ == State::Up;
    if (!up) {
        poll_ = false;
    }
    if (!up || remote_min_rx_ == Duration::zero()) {
        poll_rest_ = false;  // no packet will come to end it
    }
    if (poll_ || poll_rest_) {
        return;
    }
    if (said_tx_ != wanted_tx() || said_rx_ != wanted_rx()) {
        said_tx_ = wanted_tx();
        said_rx_ = wanted_rx();
        poll_ = up;
        speak_now_ = speak_now_ || up;
    }
    used_tx_ = poll_ ? std::min(used_tx_, said_tx_) : said_tx_;
    used_rx_ = poll_ ? std::max(used_rx_, said_rx_) : said_rx_;
}

void Session::end_poll() {
    poll_ = false;
    poll_rest_ = true;
    used_tx_ = said_tx_;
    used_rx_ = said_rx_;
}

// RFC 5880 6.8.9: echoes only while Up and only as long as the peer takes them.
void Session::adjust_echo(Instant now) {
    const bool possible =
        profile_.echo && can_echo_ && state_ == State::Up && remote_echo_rx_ != Duration::zero();
    if (!possible) {
        echo_ = EchoPhase::Off;
        echo_at_ = Instant::max();
    } else if (echo_ == EchoPhase::Off) {
        echo_ = EchoPhase::Trying;
        echo_returned_ = echo_sequence_;
        echo_trials_ = 0;
        echo_at_ = now;
    }
}

// A changed interval counts from the last packet, so that a faster one is honoured at once.
void Session::adjust_transmission() {
    const bool silent = !may_transmit() || remote_min_rx_ == Duration::zero() ||
                        (remote_demand_ && state_ == State::Up && remote_state_ == State::Up &&
                         !poll_ && !poll_rest_);  // RFC 5880 6.6: the peer does not need it
    const Duration pace = silent ? Duration::zero() : transmit_interval();
    if (pace == transmit_pace_) {
        return;
    }
    transmit_pace_ = pace;
    transmit_at_ = silent ? Instant::max() : after(sent_at_, pace);
}

void Session::on_deadline(Instant now, Actions& out) {
    if (heard_ && now >= heard_at_ + detection_time()) {
        if (state_ == State::Init || state_ == State::Up) {
            enter(State::Down, Diagnostic::DetectionTimeExpired);
            settle(now, out);  // the peer, should it hear us, learns it by its discriminator
        }
        lose_peer();
        adjust_transmission();
    }
    if (now >= transmit_at_) {
        sent_at_ = now;
        transmit(false, out);
        transmit_at_ = after(now, transmit_pace_);
        poll_rest_ = false;
    }
    if (now >= echo_at_) {
        serve_echo(now, out);
    }
    settle(now, out);
}

Instant Session::next_deadline() const {
    const Instant detect = heard_ ? heard_at_ + detection_time() : Instant::max();
    return std::min({detect, transmit_at_, echo_at_});
}

// RFC 5880 6.8.1: nothing that a peer of before said binds the next one. That it went
// administratively down remains known: silence after that is no failure.
void Session::lose_peer() {
    heard_ = false;
    remote_discriminator_ = 0;
    remote_min_rx_ = microseconds(1);
    remote_echo_rx_ = Duration::zero();
    remote_demand_ = false;
    if (remote_state_ != State::AdminDown) {
        remote_state_ = State::Down;
    }
}

void Session::transmit(bool final, Actions& out) {
    ControlPacket packet;
    packet.diagnostic = diagnostic_;
    packet.state = state_;
    packet.poll = poll_ && !final;  // never both (RFC 5880 6.5)
    packet.final = final;
    packet.multiplier = profile_.multiplier;
    packet.my_discriminator = static_cast<std::uint32_t>(id_);
    packet.your_discriminator = remote_discriminator_;
    packet.desired_min_tx = to_wire(said_tx_);
    packet.required_min_rx = to_wire(said_rx_);
    const bool loops = profile_.echo && can_echo_ && loops_;
    packet.required_min_echo_rx = loops ? to_wire(profile_.echo_interval) : 0;
    told_state_ = state_;
    ++counters_.sent;
    out.push_back(SendControl{id_, encode(packet)});
}

// A failure is as many echoes in a row unanswered as the multiplier says. Counted in echoes rather
// than time: had we been stopped, none were sent and none are missing.
void Session::serve_echo(Instant now, Actions& out) {
    const std::uint32_t unanswered = echo_sequence_ - echo_returned_;
    if (echo_ == EchoPhase::Active && unanswered >= profile_.multiplier) {
        enter(State::Down, Diagnostic::EchoFailed);
        return;
    }
    if (unanswered > 0) {
        echo_trials_ = 0;
    }
    ++echo_sequence_;
    ++counters_.echoes_sent;
    const Echo echo{static_cast<std::uint32_t>(id_), echo_sequence_, echo_secret_};
    out.push_back(SendEcho{id_, encode(echo)});
    const bool active = echo_ == EchoPhase::Active;
    echo_at_ = after(now, active ? echo_interval() : std::max(echo_interval(), kSlowInterval));
}

bool Session::on_echo(const Echo& echo, Instant now, Actions& out) {
    const std::uint32_t age = echo_sequence_ - echo.sequence;
    if (echo.secret != echo_secret_ || age >= echo_sequence_ - echo_returned_) {
        return false;  // foreign, or one that came back already
    }
    ++counters_.echoes_received;
    echo_returned_ = echo.sequence;
    if (echo_ == EchoPhase::Trying && ++echo_trials_ >= kEchoTrials) {
        echo_ = EchoPhase::Active;
        echo_at_ = after(now, echo_interval());
        settle(now, out);
    }
    return true;
}

void Session::set_profile(const Profile& profile, Instant now, Actions& out) {
    const Profile next = sane(profile);
    if (next == profile_) {
        return;
    }
    profile_ = next;
    speak_now_ = true;  // a multiplier or an echo interval needs no Poll, but saying
    settle(now, out);
}

// RFC 5880 6.8.16.
void Session::set_admin_down(bool down, Instant now, Actions& out) {
    if (down == (state_ == State::AdminDown)) {
        return;
    }
    if (down) {
        enter(State::AdminDown, Diagnostic::AdministrativelyDown);
    } else {
        enter(State::Down, Diagnostic::None);
    }
    settle(now, out);
}

State Session::visible_state() const {
    const bool peer_ended_it = state_ == State::Down && remote_state_ == State::AdminDown;
    return peer_ended_it ? State::AdminDown : state_;
}

SessionStatus Session::status() const {
    SessionStatus out;
    out.state = visible_state();
    out.remote_state = remote_state_;
    out.diagnostic = diagnostic_;
    out.remote_diagnostic = remote_diagnostic_;
    out.since = since_;
    out.transmit_interval = transmit_interval();
    out.receive_interval = heard_ ? receive_interval() : Duration::zero();
    out.detection_time = heard_ ? detection_time() : Duration::zero();
    out.remote_multiplier = remote_multiplier_;
    out.discriminator = static_cast<std::uint32_t>(id_);
    out.remote_discriminator = remote_discriminator_;
    out.remote_demand = remote_demand_;
    out.echo = echo_ == EchoPhase::Active;
    out.counters = counters_;
    return out;
}

// RFC 5880 6.8.7: who is passive waits to be spoken to.
bool Session::may_transmit() const {
    return !profile_.passive || remote_discriminator_ != 0;
}

Duration Session::wanted_tx() const {
    return state_ == State::Up ? profile_.transmit : std::max(profile_.transmit, kSlowInterval);
}

Duration Session::wanted_rx() const {
    return echo_ == EchoPhase::Active ? std::max(profile_.receive, kSlowInterval)
                                      : profile_.receive;
}

// RFC 5880 6.8.2.
Duration Session::transmit_interval() const {
    return std::max(used_tx_, remote_min_rx_);
}

Duration Session::receive_interval() const {
    return std::max(used_rx_, remote_desired_tx_);
}

// RFC 5880 6.8.4: the multiplier is the one of who sends.
Duration Session::detection_time() const {
    return remote_multiplier_ * receive_interval();
}

Duration Session::echo_interval() const {
    return std::max(profile_.echo_interval, remote_echo_rx_);
}

Instant Session::after(Instant last, Duration interval) {
    return next_transmission(last, interval, profile_.multiplier, rng_);
}

}  // namespace steelyard::bfd
