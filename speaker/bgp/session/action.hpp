#pragma once

#include "common/net/ip.hpp"
#include "common/wire/writer.hpp"
#include "speaker/bgp/session/negotiated.hpp"
#include "speaker/bgp/session/state.hpp"
#include "speaker/bgp/session/trouble.hpp"

#include <optional>
#include <string>
#include <variant>
#include <vector>

// What a Peer asks its driver to do or tells it. Their order is part of the meaning.
namespace steelyard::bgp {

// The two ends of a TCP connection.
struct Endpoints {
    net::Endpoint local;
    net::Endpoint remote;
    friend bool operator==(const Endpoints&, const Endpoints&) = default;
};

// Connect; answer with on_connected or on_connect_failed, unless a Close comes first. How (source,
// VRF, MD5, TTL) is in the config.
struct Dial {
    ConnectionId id{};
    net::Endpoint remote;
};
// Append to what this connection sends.
struct Send {
    ConnectionId id{};
    wire::Bytes bytes;
};
// Close, or stop dialling. With `flush`, first let what was sent get out, for a second or so, and
// half-close rather than reset, or the peer never reads our NOTIFICATION. No event is expected for
// this id any more. What the RIB still had to send on it is void.
struct Close {
    ConnectionId id{};
    bool flush = false;
};
// Routes may be sent on this connection from now on.
struct Established {
    ConnectionId id{};
    Negotiated negotiated;
    Endpoints endpoints;
};
// The session is over; its Close comes after this, if the connection is still open.
struct Down {
    ConnectionId id{};
    Trouble reason;
    bool routes_kept = false;  // by the peer, under graceful restart
};
// The peer asks for all routes of a family again; with `marks`, between the begin and end marks of
// RFC 7313.
struct Refresh {
    ConnectionId id{};
    net::Family family = net::Family::V4;
    bool marks = false;
};
struct StateChanged {
    State from = State::Idle;
    State to = State::Idle;
};
// Peer::trouble() changed. `news` when this one was not told since the last established session or
// reset of the configuration: worth a log line and an Event.
struct TroubleChanged {
    std::optional<Trouble> trouble;
    bool news = false;
};
// Worth a log line at level info, and told once.
struct Notice {
    std::string text;
};

using Action = std::
    variant<Dial, Send, Close, Established, Down, Refresh, StateChanged, TroubleChanged, Notice>;
using Actions = std::vector<Action>;

}  // namespace steelyard::bgp
