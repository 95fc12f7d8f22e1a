#pragma once

#include "common/wire/testing.hpp"
#include "speaker/bgp/session/peer.hpp"
#include "speaker/bgp/session/timing.hpp"
#include "speaker/bgp/wire/message.hpp"
#include "speaker/bgp/wire/notification.hpp"
#include "speaker/bgp/wire/open.hpp"

#include <boost/system/errc.hpp>

#include <string>
#include <vector>

// For tests: one Peer at a time, fed by hand, and what it does as one line of text.
namespace steelyard::bgp {

using wire::from_hex;

inline const Instant kStart = Instant() + std::chrono::hours(1);
inline constexpr std::uint32_t kOurAs = 64512;
inline constexpr std::uint32_t kTheirAs = 64513;
inline constexpr std::uint32_t kOurId = 0x0a000001;
inline constexpr std::uint32_t kTheirId = 0x0a000002;

inline PeerConfig test_config() {
    PeerConfig out;
    out.name = "router";
    out.local_asn = kOurAs;
    out.remote_as = {RemoteAs::Kind::Exactly, kTheirAs};
    out.address = net::IpAddress::v4(kTheirId);
    out.router_id = kOurId;
    out.v4 = true;
    return out;
}

inline bgp_wire::Open their_open() {
    bgp_wire::Open out;
    out.asn = kTheirAs;
    out.hold_seconds = 90;
    out.router_id = kTheirId;
    out.capabilities.multiprotocol = true;
    out.capabilities.v4_unicast = true;
    out.capabilities.route_refresh = true;
    out.capabilities.as4 = kTheirAs;
    return out;
}

inline bgp_wire::GracefulRestart helper(bool n_bit) {
    bgp_wire::GracefulRestart out;
    out.notification = n_bit;
    out.restart_seconds = 120;
    out.families = {{net::Family::V4, true}};
    return out;
}

inline wire::Bytes bytes_of(const bgp_wire::Open& open) {
    wire::Writer out;
    bgp_wire::encode_open(out, open);
    return out.take();
}
inline wire::Bytes bytes_of(const bgp_wire::Notification& notification) {
    wire::Writer out;
    bgp_wire::encode_notification(out, notification);
    return out.take();
}
inline wire::Bytes keepalive() {
    wire::Writer out;
    bgp_wire::encode_keepalive(out);
    return out.take();
}
inline wire::Bytes message(bgp_wire::MessageType type, const wire::Bytes& body) {
    wire::Writer out;
    const std::size_t start = bgp_wire::begin_message(out, type);
    out.bytes(body);
    bgp_wire::end_message(out, start);
    return out.take();
}
// So many UPDATEs of 23 octets.
inline wire::Bytes updates(std::size_t count) {
    wire::Bytes out;
    for (; count > 0; --count) {
        const wire::Bytes one = message(bgp_wire::MessageType::Update, wire::Bytes(4));
        out.insert(out.end(), one.begin(), one.end());
    }
    return out;
}
// "OPEN", "NOTIFICATION 2/2", of the messages in `bytes`.
inline std::string name_of(const wire::Bytes& bytes) {
    const auto type = std::to_integer<std::uint8_t>(bytes.at(18));
    std::string out(bgp_wire::to_string(static_cast<bgp_wire::MessageType>(type)));
    if (type == 3) {
        out += " " + std::to_string(std::to_integer<unsigned>(bytes.at(19))) + "/" +
               std::to_string(std::to_integer<unsigned>(bytes.at(20)));
    }
    return out;
}

inline std::string story(const Actions& actions) {
    std::string out;
    const auto add = [&](std::string_view what) {
        out += out.empty() ? "" : ", ";
        out += what;
    };
    for (const Action& action : actions) {
        if (std::holds_alternative<Dial>(action)) {
            add("dial");
        } else if (const auto* send = std::get_if<Send>(&action)) {
            add(name_of(send->bytes));
        } else if (const auto* close = std::get_if<Close>(&action)) {
            add(close->flush ? "flush" : "close");
        } else if (std::holds_alternative<Established>(action)) {
            add("up");
        } else if (const auto* down = std::get_if<Down>(&action)) {
            add(down->routes_kept ? "down keeping routes" : "down");
        } else if (const auto* refresh = std::get_if<Refresh>(&action)) {
            add(refresh->marks ? "marked refresh" : "refresh");
        }
    }
    return out;
}

template <class T>
std::vector<T> all(const Actions& actions) {
    std::vector<T> out;
    for (const Action& action : actions) {
        if (const T* one = std::get_if<T>(&action)) {
            out.push_back(*one);
        }
    }
    return out;
}

// A Peer and the time. Each call returns what it did.
class Rig {
public:
    explicit Rig(PeerConfig config = test_config(), bool restarting = false)
        : peer(std::move(config), Rng(7), restarting) {}

    template <class Call>
    Actions act(const Call& call) {
        Actions out;
        call(out);
        for (const Action& action : out) {
            const auto* send = std::get_if<Send>(&action);
            if (send != nullptr && reads) {
                peer.on_written(send->id, send->bytes.size(), now);
            }
        }
        log.insert(log.end(), out.begin(), out.end());
        return out;
    }
    Actions start() {
        return act([&](Actions& out) { peer.start(now, out); });
    }
    Actions stop(Stop::Kind kind, std::string text = {}) {
        return act([&](Actions& out) { peer.stop({kind, std::move(text)}, now, out); });
    }
    Actions update(const PeerConfig& config) {
        return act([&](Actions& out) { peer.update(config, now, out); });
    }
    Actions bfd(BfdState state) {
        return act([&](Actions& out) { peer.set_bfd(state, now, out); });
    }
    // The connection last dialled.
    ConnectionId dialled() const { return all<Dial>(log).back().id; }
    Actions connect() {
        return act([&](Actions& out) { peer.on_connected(dialled(), ends(), now, out); });
    }
    Actions fail(boost::system::errc::errc_t code = boost::system::errc::connection_refused) {
        const auto error = make_error(boost::system::errc::make_error_code(code), "connect");
        return act([&](Actions& out) { peer.on_connect_failed(dialled(), error, now, out); });
    }
    Actions accept() {
        return act([&](Actions& out) { accepted = peer.on_accepted(ends(), now, out); });
    }
    Actions feed(ConnectionId id, const wire::Bytes& bytes) {
        return act([&](Actions& out) { peer.on_bytes(id, bytes, now, out); });
    }
    Actions close(ConnectionId id) {
        return act([&](Actions& out) { peer.on_closed(id, "connection reset by peer", now, out); });
    }
    // The next timer.
    Actions tick() {
        if (peer.next_deadline() != Instant::max()) {
            now = std::max(now, peer.next_deadline());
        }
        return act([&](Actions& out) { peer.on_deadline(now, out); });
    }
    Actions deadline() {
        return act([&](Actions& out) { peer.on_deadline(now, out); });
    }
    // Up to then, timer by timer.
    Actions run_for(Duration span) {
        Actions out;
        const Instant end = now + span;
        while (peer.next_deadline() <= end) {
            const Actions more = tick();
            out.insert(out.end(), more.begin(), more.end());
        }
        now = end;
        return out;
    }

    // Started, dialled, connected and so on, up to `state`; the connection in use.
    ConnectionId reach(State state, const bgp_wire::Open& open = their_open()) {
        if (state == State::Idle) {
            return ConnectionId{};
        }
        if (peer.state() == State::Idle) {
            start();
        }
        if (state == State::Active) {
            fail();
        } else if (state != State::Connect) {
            connect();
            if (state != State::OpenSent) {
                feed(dialled(), bytes_of(open));
            }
            if (state == State::Established) {
                feed(dialled(), keepalive());
            }
        }
        return dialled();
    }
    static Endpoints ends() {
        return {{net::IpAddress::v4(kOurId), 40000}, {net::IpAddress::v4(kTheirId), 179}};
    }
    std::string trouble() const { return peer.trouble() ? peer.trouble()->text : ""; }

    Peer peer;
    Instant now = kStart;
    bool reads = true;  // the socket takes at once what is sent
    Actions log;
    std::optional<ConnectionId> accepted;
};

}  // namespace steelyard::bgp
