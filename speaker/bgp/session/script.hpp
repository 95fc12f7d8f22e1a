#pragma once

#include "common/base/check.hpp"
#include "common/wire/reader.hpp"
#include "speaker/bgp/session/testing.hpp"

#include <cstdint>
#include <set>
#include <span>
#include <vector>

// For tests and the fuzzer: bytes taken as a script of events for one Peer, while what it asks for
// is checked: it sends and closes only what is open, ends a session before it begins another, and
// never wants to be woken twice for one instant without end.
namespace steelyard::bgp {

class Script {
public:
    explicit Script(std::span<const std::byte> bytes) : in_(bytes) {}

    // How many sessions it brought up.
    std::size_t run() {
        configure(in_.u8());
        Peer peer(config_, Rng(in_.u8()), false);
        while (in_.ok() && in_.remaining() > 0) {
            const std::uint8_t operation = in_.u8();
            event(peer, operation);
            settle(peer);
        }
        return sessions_;
    }

private:
    void configure(std::uint8_t bits) {
        config_ = test_config();
        config_.passive = (bits & 1U) != 0;
        config_.graceful_restart = (bits & 2U) != 0;
        config_.bfd = (bits & 4U) != 0;
        config_.v6 = (bits & 8U) != 0;
        config_.hold_time = std::chrono::seconds((bits & 16U) != 0 ? 0 : 9);
        config_.remote_as.kind =
            (bits & 32U) != 0 ? RemoteAs::Kind::External : config_.remote_as.kind;
        if ((bits & 64U) != 0) {
            config_.address.reset();
            config_.interface = "eth1";
        }
    }

    // One of the newest three, mostly.
    ConnectionId some_id() {
        const std::uint8_t choice = in_.u8();
        return ConnectionId{choice < 192 ? newest_ - choice % 3U : choice};
    }

    void event(Peer& peer, std::uint8_t operation) {
        switch (operation % 16) {
            case 0:
                return peer.start(now_, out_);
            case 1:
                return peer.stop(
                    {static_cast<Stop::Kind>(in_.u8() % 5), in_.text(in_.u8() % 8)}, now_, out_
                );
            case 2:
                configure(in_.u8());
                return peer.update(config_, now_, out_);
            case 3:
                return peer.set_bfd(static_cast<BfdState>(in_.u8() % 5), now_, out_);
            case 4:
                return peer.set_address(net::IpAddress::v4(0x0a000000U + in_.u8() % 3), now_, out_);
            case 5:
                return connected(peer, some_id());
            case 6: {
                const ConnectionId id = some_id();
                dialling_.erase(id);
                return peer.on_connect_failed(id, make_error(Errc::Timeout, "x"), now_, out_);
            }
            case 7:
                return accepted(peer);
            case 8: {
                const ConnectionId id = some_id();
                open_.erase(id);
                dialling_.erase(id);
                return peer.on_closed(id, "gone", now_, out_);
            }
            case 9:
                return feed(peer, bytes_of(their_open()));
            case 10:
                return feed(peer, keepalive());
            case 11: {
                const auto type = static_cast<bgp_wire::MessageType>(in_.u8());
                const auto body = in_.bytes(std::min<std::size_t>(in_.u8(), in_.remaining()));
                return feed(peer, message(type, {body.begin(), body.end()}));
            }
            case 12: {
                const auto raw = in_.bytes(std::min<std::size_t>(in_.u8(), in_.remaining()));
                return feed(peer, {raw.begin(), raw.end()});
            }
            case 13:
                return sent(peer);
            case 14:
                now_ += std::chrono::milliseconds(in_.u16());
                return;
            default:
                if (peer.next_deadline() != Instant::max()) {
                    now_ = std::max(now_, peer.next_deadline());
                }
        }
    }

    void connected(Peer& peer, ConnectionId id) {
        if (dialling_.erase(id) > 0) {
            open_.insert(id);
        }
        peer.on_connected(id, Rig::ends(), now_, out_);
    }

    void accepted(Peer& peer) {
        if (const auto id = peer.on_accepted(Rig::ends(), now_, out_)) {
            SY_CHECK(open_.insert(*id).second, "an id is given once");
            newest_ = static_cast<std::uint32_t>(*id);
        }
    }

    void sent(Peer& peer) {
        const auto messages = in_.bytes(std::min<std::size_t>(in_.u8(), in_.remaining()));
        peer.on_routes_sent(some_id(), messages, now_);
        peer.on_written(some_id(), in_.u16(), now_);
    }

    void feed(Peer& peer, const wire::Bytes& bytes) { peer.on_bytes(some_id(), bytes, now_, out_); }

    void settle(Peer& peer) {
        check();
        for (int i = 0; peer.next_deadline() <= now_; ++i) {
            SY_CHECK(i < 10, "the timers come to rest");
            peer.on_deadline(now_, out_);
            check();
        }
        SY_CHECK(!session_ || peer.session() == session_, "Established and Down alternate");
        SY_CHECK((peer.state() == State::Established) == session_.has_value(), "so does the state");
        SY_CHECK(told_ == peer.state(), "every change of state is told");
        SY_CHECK(open_.size() <= 3, "two connections and a session");
    }

    void check() {
        for (const Action& action : out_) {
            if (const auto* dial = std::get_if<Dial>(&action)) {
                SY_CHECK(dialling_.empty() && dialling_.insert(dial->id).second, "one at a time");
                newest_ = static_cast<std::uint32_t>(dial->id);
            } else if (const auto* send = std::get_if<Send>(&action)) {
                SY_CHECK(open_.contains(send->id), "only what is open is sent on");
            } else if (const auto* close = std::get_if<Close>(&action)) {
                SY_CHECK(
                    open_.erase(close->id) + dialling_.erase(close->id) == 1,
                    "only what is open is closed"
                );
            } else if (const auto* up = std::get_if<Established>(&action)) {
                SY_CHECK(!session_ && open_.contains(up->id), "one session at a time");
                session_ = up->id;
                ++sessions_;
            } else if (const auto* down = std::get_if<Down>(&action)) {
                SY_CHECK(session_ == down->id, "only a session goes down");
                session_.reset();
            } else if (const auto* state = std::get_if<StateChanged>(&action)) {
                SY_CHECK(state->from == told_, "states follow each other");
                told_ = state->to;
            }
        }
        out_.clear();
    }

    wire::Reader in_;
    PeerConfig config_;
    Instant now_ = kStart;
    Actions out_;
    std::set<ConnectionId> dialling_;
    std::set<ConnectionId> open_;
    std::optional<ConnectionId> session_;
    std::uint32_t newest_ = 0;
    State told_ = State::Idle;
    std::size_t sessions_ = 0;
};

}  // namespace steelyard::bgp
