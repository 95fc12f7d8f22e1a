#pragma once

#include "common/base/rng.hpp"
#include "speaker/bfd/action.hpp"
#include "speaker/bfd/config.hpp"
#include "speaker/bfd/status.hpp"

#include <cstdint>

// One BFD session (RFC 5880 6) without I/O: packets that were found to be its own, the time and
// orders in; packets to send out. It asks for no clock: it stores when something is due. Deadlines
// may be served late; before on_deadline() the caller gives it every packet that already arrived,
// so that a slow thread does not take its own lateness for the silence of the peer.
// Changes of state are read off visible_state(), which the SessionTable turns into events.
namespace steelyard::bfd {

// While not Up, and for control packets while echoes watch the path (RFC 5880 6.8.3).
inline constexpr Duration kSlowInterval = 1s;

class Session {
public:
    // `can_echo`: the peer is one hop away at an address that is forwarded.
    Session(SessionId id, const Profile& profile, bool can_echo, std::uint64_t seed, Instant now);

    void on_packet(const ControlPacket& packet, Instant now, Actions& out);
    // An echo with our discriminator; false when it is none that we sent.
    bool on_echo(const Echo& echo, Instant now, Actions& out);
    void on_deadline(Instant now, Actions& out);
    // Instant::max() when nothing is.
    [[nodiscard]] Instant next_deadline() const;

    void set_profile(const Profile& profile, Instant now, Actions& out);
    void set_admin_down(bool down, Instant now, Actions& out);
    // Whether our forwarding plane sends a peer's echoes back: only then are they asked for.
    void set_looping(bool loops) { loops_ = loops; }

    // As clients see it, see SessionStatus::state.
    [[nodiscard]] State visible_state() const;
    [[nodiscard]] Diagnostic diagnostic() const { return diagnostic_; }
    [[nodiscard]] SessionStatus status() const;

private:
    enum class EchoPhase : std::uint8_t {
        Off,     // not wanted, or not possible
        Trying,  // sent, to learn whether the peer loops them
        Active,  // they come back: now they watch the path
    };

    void step(State received);
    void enter(State state, Diagnostic diagnostic);
    // What follows from what an input changed: intervals, echo, timers, an early packet.
    void settle(Instant now, Actions& out);
    void adjust_intervals();
    void end_poll();
    void adjust_echo(Instant now);
    void adjust_transmission();
    void show(Instant now);
    void transmit(bool final, Actions& out);
    void serve_echo(Instant now, Actions& out);
    void lose_peer();

    [[nodiscard]] bool may_transmit() const;
    [[nodiscard]] Duration wanted_tx() const;
    [[nodiscard]] Duration wanted_rx() const;
    [[nodiscard]] Duration transmit_interval() const;
    [[nodiscard]] Duration receive_interval() const;
    [[nodiscard]] Duration detection_time() const;
    [[nodiscard]] Duration echo_interval() const;
    [[nodiscard]] Instant after(Instant last, Duration interval);

    // The bfd.* variables of RFC 5880 6.8.1.
    SessionId id_;
    Profile profile_;
    bool can_echo_;
    bool loops_ = true;
    State state_ = State::Down;
    Diagnostic diagnostic_ = Diagnostic::None;
    State remote_state_ = State::Down;
    Diagnostic remote_diagnostic_ = Diagnostic::None;
    std::uint32_t remote_discriminator_ = 0;
    std::uint8_t remote_multiplier_ = 0;
    bool remote_demand_ = false;
    Duration remote_min_rx_;
    Duration remote_desired_tx_{};
    Duration remote_echo_rx_{};

    // What our packets say, and what is in force: while Up a slower pace waits for the Final bit.
    Duration said_tx_;
    Duration said_rx_;
    Duration used_tx_;
    Duration used_rx_;
    bool poll_ = false;
    bool poll_rest_ = false;  // it ended; a late second Final must not end the next one

    Instant sent_at_;  // the last periodic packet
    Instant transmit_at_ = Instant::max();
    Duration transmit_pace_{};  // the interval transmit_at_ was drawn from
    Instant heard_at_;
    bool heard_ = false;

    EchoPhase echo_ = EchoPhase::Off;
    std::uint64_t echo_secret_;
    std::uint32_t echo_sequence_ = 0;  // of the last one sent
    std::uint32_t echo_returned_ = 0;  // of the last one that came back
    unsigned echo_trials_ = 0;
    Instant echo_at_ = Instant::max();

    State told_state_ = State::Down;   // what the peer was last told
    State shown_state_ = State::Down;  // what clients were
    Instant since_;                    // of shown_state_
    bool speak_now_ = false;           // a packet before its time: something new to say
    Rng rng_;
    Counters counters_;
};

}  // namespace steelyard::bfd
