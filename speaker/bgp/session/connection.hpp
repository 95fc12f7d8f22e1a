#pragma once

#include "common/base/rng.hpp"
#include "speaker/bgp/session/action.hpp"
#include "speaker/bgp/session/counters.hpp"
#include "speaker/bgp/session/damping.hpp"
#include "speaker/bgp/session/peer_config.hpp"
#include "speaker/bgp/wire/framer.hpp"
#include "speaker/bgp/wire/notification.hpp"
#include "speaker/bgp/wire/open.hpp"
#include "speaker/bgp/wire/update.hpp"

#include <cstddef>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <variant>

// One TCP connection of a session: messages, timers and the states OpenSent, OpenConfirm and
// Established (RFC 4271 8.2.2). It judges what arrives; what follows from that for the other
// connection and for the next attempt is the Peer's business, which gets it as an Event.
namespace steelyard::bgp {

// The peer's OPEN is good; the connection waits for accept_open() or its end.
struct OpenReceived {};
// KEEPALIVE in OpenConfirm: it waits for establish() or its end.
struct Confirmed {};
// Connected, and no OPEN yet: worth saying, once.
struct Unheard {};
struct RefreshAsked {
    net::Family family;
};
// To be ended: with this NOTIFICATION, for that reason.
struct Fault {
    bgp_wire::Notification notification;
    Trouble trouble;
};
struct Notified {
    bgp_wire::Notification notification;
};
// Something bad that does not end the session (RFC 7606); the first of each connection.
struct Complaint {
    std::string text;
};
using ConnectionEvent = std::variant<
    std::monostate,
    OpenReceived,
    Confirmed,
    Unheard,
    RefreshAsked,
    Fault,
    Notified,
    Complaint>;

// What every connection of a Peer writes to.
struct Sink {
    Rng& rng;
    Counters& counters;
    Actions& out;
};

class Connection {
public:
    enum class Origin : std::uint8_t { Dialled, Accepted };

    // Connected now; send_open comes next.
    Connection(ConnectionId id, Origin origin, Endpoints endpoints);

    [[nodiscard]] ConnectionId id() const { return id_; }
    [[nodiscard]] Origin origin() const { return origin_; }
    [[nodiscard]] const Endpoints& endpoints() const { return endpoints_; }
    [[nodiscard]] State state() const { return state_; }  // OpenSent, OpenConfirm, Established
    [[nodiscard]] const Negotiated& negotiated() const { return negotiated_; }  // from OpenConfirm
    [[nodiscard]] bool confirmed() const { return confirmed_; }
    [[nodiscard]] bool unheard() const { return unheard_; }
    [[nodiscard]] Instant established_at() const { return established_at_; }

    void send_open(bgp_wire::Open open, Instant now, Sink sink);
    void send(const bgp_wire::Notification& notification, Instant now, Sink sink);
    void push(std::span<const std::byte> bytes) { framer_.push(bytes); }
    // Takes messages until one concerns the Peer; monostate when the bytes are used up.
    [[nodiscard]] ConnectionEvent next(const PeerConfig& config, Instant now, Counters& counters);
    // After OpenReceived: answers with KEEPALIVE and enters OpenConfirm.
    void accept_open(Instant now, Sink sink);
    // After Confirmed.
    void establish(Instant now);
    // The keepalive interval of a running session, from a new configuration.
    void set_keepalive(const PeerConfig& config, Instant now, Rng& rng);

    // Routes went into the socket's queue; bytes left it.
    void on_routes_sent(
        std::span<const std::byte> messages, Instant now, Rng& rng, Counters& counters
    );
    void on_written(std::size_t bytes, Instant now);

    // What its timers demand.
    [[nodiscard]] ConnectionEvent on_deadline(Instant now, Sink sink);
    [[nodiscard]] Instant next_deadline() const;

private:
    [[nodiscard]] ConnectionEvent on_message(
        const bgp_wire::Frame& frame, const PeerConfig& config, Instant now, Counters& counters
    );
    [[nodiscard]] ConnectionEvent on_open(
        std::span<const std::byte> body, const PeerConfig& config
    );
    [[nodiscard]] ConnectionEvent on_update(std::span<const std::byte> body, Counters& counters);
    [[nodiscard]] ConnectionEvent on_refresh(std::span<const std::byte> body);
    void take_routes(
        net::Family family,
        const bgp_wire::UpdateSummary::Routes& routes,
        Counters::Inbound& inbound,
        Counters& counters
    );
    [[nodiscard]] Fault unexpected(bgp_wire::MessageType type) const;
    [[nodiscard]] Fault silent() const;
    void emit(bgp_wire::MessageType type, wire::Writer message, Instant now, Sink sink);
    void send_keepalive(Instant now, Sink sink);
    void heard(Instant now);
    void enqueued(std::size_t bytes, Instant now);
    void arm_keepalive(Instant now, Rng& rng);

    ConnectionId id_;
    Origin origin_;
    Endpoints endpoints_;
    State state_ = State::OpenSent;
    bgp_wire::Framer framer_;
    bgp_wire::Open sent_;
    Negotiated negotiated_;
    bool confirmed_ = false;
    bool unheard_ = false;  // and said so
    bool complained_ = false;
    Instant established_at_{};
    std::set<net::Family> disabled_;  // by an error in an UPDATE: no further routes are taken

    Instant hold_at_ = Instant::max();
    bool hold_excused_ = false;  // once per silence, when we were the one asleep
    Instant unheard_at_ = Instant::max();
    Instant keepalive_at_ = Instant::max();
    Instant send_hold_at_ = Instant::max();
    std::size_t waiting_ = 0;   // bytes handed to the driver that the socket has not taken
    std::size_t progress_ = 0;  // bytes it took since the send hold timer was armed
};

}  // namespace steelyard::bgp
