#pragma once

#include "common/base/error.hpp"
#include "common/base/rng.hpp"
#include "speaker/bgp/session/action.hpp"
#include "speaker/bgp/session/connection.hpp"
#include "speaker/bgp/session/counters.hpp"
#include "speaker/bgp/session/damping.hpp"
#include "speaker/bgp/session/graceful_restart.hpp"
#include "speaker/bgp/session/peer_config.hpp"

#include <cstddef>
#include <cstdint>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <vector>

// The session with one configured neighbour, without I/O: RFC 4271's state machine over at most two
// connections at a time (one dialled, one accepted) and the established one. Events and the time go
// in, Actions come out. The driver owns sockets; an id it got with Dial or from on_accepted names a
// connection until Close, on_connect_failed or on_closed. Any order of events is allowed; events of
// ids that are gone are ignored. README.md tells the rules.
namespace steelyard::bgp {

struct Stop {
    enum class Kind : std::uint8_t {
        GracefulRestart,  // TCP closes without a word and the peer keeps our routes; where that was
                          // not negotiated, as Shutdown
        Shutdown,         // Cease/Administrative Shutdown with text (RFC 9003); routes go
        PeerDeconfigured,  // routes go
        AdminReset,        // routes stay where RFC 8538 was negotiated
        ConfigChange,      // likewise
    };
    Kind kind = Kind::Shutdown;
    std::string text;  // for Shutdown and AdminReset
};

class Peer {
public:
    // `restarting`: the process restarted on a node that went on forwarding. Our OPENs say so (R
    // bit until restart_done(), F bit). Without it the F bit is set once a session was established.
    Peer(PeerConfig config, Rng rng, bool restarting);
    Peer(const Peer&) = delete;
    Peer& operator=(const Peer&) = delete;

    void start(Instant now, Actions& out);
    // Ends connections and attempts; nothing happens until start().
    void stop(const Stop& stop, Instant now, Actions& out);
    // Applies what can be applied to a running session; resets it if needs_reset says so.
    void update(PeerConfig config, Instant now, Actions& out);
    // Of an unnumbered peer: its link-local address, when known.
    void set_address(std::optional<net::IpAddress> address, Instant now, Actions& out);
    void set_bfd(BfdState state, Instant now, Actions& out);
    void restart_done() { kept_.restarting = false; }

    void on_connected(ConnectionId id, const Endpoints& ends, Instant now, Actions& out);
    void on_connect_failed(ConnectionId id, const Error& error, Instant now, Actions& out);
    // The neighbour called. Nothing: close it at once. Otherwise the connection's id, which may
    // already stand in `out`.
    [[nodiscard]] std::optional<ConnectionId> on_accepted(
        const Endpoints& ends, Instant now, Actions& out
    );
    void on_bytes(ConnectionId id, std::span<const std::byte> bytes, Instant now, Actions& out);
    // By the other side or the kernel; `why` is for people: "connection reset by peer".
    void on_closed(ConnectionId id, std::string_view why, Instant now, Actions& out);
    // Whole messages of the RIB went into the connection's queue.
    void on_routes_sent(ConnectionId id, std::span<const std::byte> messages, Instant now);
    // The socket took bytes, of Send or of the RIB.
    void on_written(ConnectionId id, std::size_t bytes, Instant now);
    // Safe to call early or late; read what arrived before it.
    void on_deadline(Instant now, Actions& out);
    [[nodiscard]] Instant next_deadline() const;  // Instant::max(): none

    [[nodiscard]] State state() const;
    [[nodiscard]] const PeerConfig& config() const { return config_; }
    [[nodiscard]] const std::optional<Trouble>& trouble() const { return trouble_; }
    [[nodiscard]] const Counters& counters() const { return counters_; }
    [[nodiscard]] BfdState bfd() const { return bfd_; }
    // While established:
    [[nodiscard]] const Negotiated* negotiated() const;
    [[nodiscard]] std::optional<ConnectionId> session() const;
    [[nodiscard]] const Endpoints* endpoints() const;
    // Where it dials: configured or discovered.
    [[nodiscard]] std::optional<net::Endpoint> remote() const;
    // Whether stop(GracefulRestart) would leave our routes with the peer.
    [[nodiscard]] bool restarts_gracefully() const;

private:
    using Slot = std::optional<Connection>;
    // What the end of a connection means for the next attempt.
    enum class Aftermath : std::uint8_t {
        None,      // nothing: another connection took over, or we are stopping
        NoAnswer,  // there never was a TCP connection
        Retry,     // wait in Active, the peer may call
        Hold,      // IdleHold: it ended in an error
    };
    struct Ending {
        Trouble trouble;
        Aftermath aftermath = Aftermath::Hold;
        std::optional<bgp_wire::Notification> notification;  // to send first
        bool routes_kept = false;
        bool open = true;    // the socket still is, and must be closed
        bool quiet = false;  // no trouble while another connection is under way
    };

    // peer.cpp
    void apply_live(bool new_rhythm, Instant now, Actions& out);
    [[nodiscard]] Ending ending_of(const Connection& connection, const Stop& stop) const;
    void end_all(const Stop& stop, Instant now, Actions& out);
    void on_bfd_down(Instant now, Actions& out);
    [[nodiscard]] std::vector<ConnectionId> connections() const;  // the confirmed ones first
    [[nodiscard]] Connection* find(ConnectionId id);
    [[nodiscard]] Connection* rival_of(ConnectionId id);  // of dialled_ and accepted_
    [[nodiscard]] bool under_way() const;                 // any connection, or an attempt at one
    [[nodiscard]] ConnectionId new_id() { return ConnectionId{++last_id_}; }
    [[nodiscard]] Sink sink(Actions& out) { return {rng_, counters_, out}; }
    void set_trouble(std::optional<Trouble> trouble, Actions& out);
    void set_trouble_of_dial(Trouble trouble, Actions& out);  // unless another connection says more
    void on_unheard(const Connection& connection, Actions& out);
    void notice(std::string text, Actions& out);
    void tell_state(Actions& out);

    // peer_connections.cpp
    void on_event(ConnectionId id, const ConnectionEvent& event, Instant now, Actions& out);
    void on_fault(ConnectionId id, const Fault& fault, Instant now, Actions& out);
    void on_open(ConnectionId id, Instant now, Actions& out);
    void on_confirmed(ConnectionId id, Instant now, Actions& out);
    void on_notified(
        ConnectionId id, const bgp_wire::Notification& notification, Instant now, Actions& out
    );
    void establish(ConnectionId id, Instant now, Actions& out);
    void establish_if_confirmed(Instant now, Actions& out);
    void end_collision(Instant now, Actions& out);
    void tell_about(const Negotiated& negotiated, Actions& out);
    void finish(ConnectionId id, const Ending& ending, Instant now, Actions& out);
    void give_up(ConnectionId id, Instant now, Actions& out);  // lost a collision
    [[nodiscard]] bool may_replace_session(Instant now) const;
    [[nodiscard]] std::string open_hint(const bgp_wire::Notification& notification) const;

    // peer_attempts.cpp
    void dial_or_wait(Instant now, Actions& out);
    void stop_dialling(Actions& out);
    void wait_after(Aftermath aftermath, Instant now);
    void reset_damping();

    PeerConfig config_;
    Rng rng_;
    Kept kept_;  // what our next OPEN says
    bool started_ = false;
    std::optional<net::IpAddress> discovered_;
    BfdState bfd_ = BfdState::None;

    std::optional<ConnectionId> dialling_;
    Instant dialled_at_{};
    Slot dialled_;                              // ours that connected, not yet established
    Slot accepted_;                             // theirs, likewise
    Slot session_;                              // established
    Instant collision_until_ = Instant::max();  // for the peer to choose one of two
    std::uint32_t last_id_ = 0;

    Instant retry_at_ = Instant::max();
    bool idle_hold_ = false;              // until retry_at_
    bool waits_for_bfd_ = false;          // likewise
    bool no_answer_ = false;              // what retry_at_ waits after
    Instant called_by_ = Instant::max();  // a passive peer says that nobody did
    Instant heard_by_ = Instant::max();   // an unnumbered one, that it has no address
    Instant deaf_until_{};                // calls of the peer are refused
    Instant damped_until_{};              // no attempt of ours before, whatever happens
    Backoff retry_;
    Backoff idle_;

    State told_state_ = State::Idle;
    std::optional<Trouble> trouble_;
    std::set<std::string> told_;  // troubles since the last session
    std::set<std::string> noticed_;
    Counters counters_;
};

}  // namespace steelyard::bgp
