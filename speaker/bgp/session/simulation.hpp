#pragma once

#include "speaker/bgp/session/peer.hpp"

#include <boost/system/errc.hpp>

#include <algorithm>
#include <array>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

// For tests: two Peers against each other on a virtual clock, joined by lossless byte pipes whose
// chunks and delays come from a seed. Each pipe has a kernel's manners: a connection is complete
// for either end at its own time, a call can be accepted by the kernel and closed by the process,
// FIN comes after the bytes before it, RST overtakes them.
namespace steelyard::bgp {

class Simulation {
public:
    struct Options {
        std::uint64_t seed = 1;
        Duration longest_delay = std::chrono::milliseconds(20);
        std::size_t longest_chunk = 40;
    };
    struct Node {
        std::unique_ptr<Peer> peer;
        net::Endpoint address;
        bool listening = true;
        bool reading = true;  // whether it takes bytes from its sockets
        Instant asleep_until{};
        Actions log;  // everything it did
        std::map<ConnectionId, std::size_t> pipes;
    };

    explicit Simulation(Options options) : options_(options), rng_(options.seed) {
        nodes_[0].address = {net::IpAddress::v4(0x0a000001), 179};
        nodes_[1].address = {net::IpAddress::v4(0x0a000002), 179};
    }

    static PeerConfig config_of(std::size_t which, std::uint32_t local, std::uint32_t remote) {
        PeerConfig out;
        out.name = which == 0 ? "b" : "a";
        out.local_asn = local;
        out.remote_as = {RemoteAs::Kind::Exactly, remote};
        out.address = net::IpAddress::v4(which == 0 ? 0x0a000002 : 0x0a000001);
        out.router_id = which == 0 ? 1 : 2;
        out.v4 = true;
        return out;
    }

    Node& node(std::size_t which) { return nodes_[which]; }
    [[nodiscard]] const Node& node(std::size_t which) const { return nodes_[which]; }
    Peer& peer(std::size_t which) { return *nodes_[which].peer; }
    [[nodiscard]] Instant now() const { return now_; }
    Rng& rng() { return rng_; }

    void install(std::size_t which, PeerConfig config, bool restarting = false) {
        nodes_[which].peer =
            std::make_unique<Peer>(std::move(config), Rng(rng_.next()), restarting);
    }
    void at(Duration after, std::function<void()> work) {
        events_.emplace(now_ + after, std::move(work));
    }
    // Calls into a Peer and does what it asks for.
    void drive(std::size_t which, const std::function<void(Peer&, Actions&)>& call) {
        Actions out;
        call(*nodes_[which].peer, out);
        perform(which, out);
    }
    void start(std::size_t which) {
        drive(which, [&](Peer& peer, Actions& out) { peer.start(now_, out); });
    }
    // The link: while it is cut nothing passes, and what was on its way is lost with the pipe's
    // rest.
    void cut(bool cut) { cut_ = cut; }

    // The process dies. With the host alive, its kernel closes what was open.
    void kill(std::size_t which, bool host_too) {
        Node& node = nodes_[which];
        for (const auto& [id, pipe] : node.pipes) {
            Pipe& gone = pipes_[pipe];
            gone.ends[gone.end_of(which)].open = false;
            if (!host_too) {
                hang_up(pipe, which, true);
            } else {
                gone.dead = true;
            }
        }
        node.pipes.clear();
        node.peer.reset();
    }

    void run_for(Duration span) {
        const Instant end = now_ + span;
        while (step(end)) {
        }
        now_ = end;
    }
    bool run_until(const std::function<bool()>& condition, Duration limit) {
        const Instant end = now_ + limit;
        while (!condition()) {
            if (!step(end)) {
                now_ = end;
                return condition();
            }
        }
        return true;
    }

    [[nodiscard]] bool up(std::size_t which) const {
        return nodes_[which].peer && nodes_[which].peer->state() == State::Established;
    }
    // Both established, over one and the same pipe, and no other pipe is open at either end.
    [[nodiscard]] bool settled() const {
        if (!up(0) || !up(1)) {
            return false;
        }
        const auto& a = nodes_[0];
        const auto& b = nodes_[1];
        return a.pipes.size() == 1 && b.pipes.size() == 1 &&
               a.pipes.begin()->second == b.pipes.begin()->second &&
               a.pipes.begin()->first == a.peer->session();
    }
    [[nodiscard]] bool both_up() const { return up(0) && up(1); }

    template <class T>
    [[nodiscard]] std::vector<T> all(std::size_t which) const {
        std::vector<T> out;
        for (const Action& action : nodes_[which].log) {
            if (const T* one = std::get_if<T>(&action)) {
                out.push_back(*one);
            }
        }
        return out;
    }

private:
    struct End {
        std::size_t node = 0;
        std::optional<ConnectionId> id;  // once its process knows the connection
        bool open = true;                // its process has not closed it
        bool attached = false;
        wire::Bytes inbox;  // arrived, not yet read
        bool fin = false;
        Instant last_arrival{};
    };
    struct Pipe {
        std::array<End, 2> ends;  // [0] dialled
        bool dead = false;        // nothing passes, and nobody says so
        [[nodiscard]] std::size_t end_of(std::size_t node) const {
            return ends[0].node == node ? 0 : 1;
        }
    };

    Duration delay() {
        const auto longest = static_cast<std::uint64_t>(options_.longest_delay.count());
        return Duration(static_cast<Duration::rep>(rng_.below(longest + 1)));
    }

    bool step(Instant end) {
        Instant due = events_.empty() ? Instant::max() : events_.begin()->first;
        std::size_t who = 2;
        for (std::size_t i = 0; i < 2; ++i) {
            if (nodes_[i].peer) {
                const Instant wanted =
                    std::max(nodes_[i].peer->next_deadline(), nodes_[i].asleep_until);
                if (wanted < due) {
                    due = wanted;
                    who = i;
                }
            }
        }
        if (due > end) {
            return false;
        }
        now_ = std::max(now_, due);
        if (who < 2) {
            drive(who, [&](Peer& peer, Actions& out) { peer.on_deadline(now_, out); });
            return true;
        }
        const auto work = std::move(events_.begin()->second);
        events_.erase(events_.begin());
        work();
        return true;
    }

    void perform(std::size_t which, Actions& actions) {
        for (Action& action : actions) {
            if (const auto* dial = std::get_if<Dial>(&action)) {
                on_dial(which, *dial);
            } else if (const auto* send = std::get_if<Send>(&action)) {
                on_send(which, *send);
            } else if (const auto* close = std::get_if<Close>(&action)) {
                on_close(which, *close);
            }
            nodes_[which].log.push_back(std::move(action));
        }
    }

    void on_dial(std::size_t which, const Dial& dial) {
        const std::size_t index = pipes_.size();
        pipes_.emplace_back();
        pipes_[index].ends[0].node = which;
        pipes_[index].ends[0].id = dial.id;
        pipes_[index].ends[1].node = 1 - which;
        nodes_[which].pipes[dial.id] = index;
        at(delay(), [this, index, which] { on_syn(index, which); });
    }

    void on_syn(std::size_t index, std::size_t dialler) {
        const std::size_t callee = 1 - dialler;
        if (cut_) {
            pipes_[index].dead = true;
            return;
        }
        if (!nodes_[callee].listening || !nodes_[callee].peer) {
            at(delay(), [this, index, dialler] {
                const ConnectionId id = *pipes_[index].ends[0].id;
                nodes_[dialler].pipes.erase(id);
                if (nodes_[dialler].peer) {
                    drive(dialler, [&](Peer& peer, Actions& out) {
                        const auto refused = boost::system::errc::make_error_code(
                            boost::system::errc::connection_refused
                        );
                        peer.on_connect_failed(id, make_error(refused, "connect"), now_, out);
                    });
                }
            });
            return;
        }
        at(delay(), [this, index] { on_handshake_done(index); });
        at(delay(), [this, index] { on_accept(index); });
    }

    void on_handshake_done(std::size_t index) {
        End& end = pipes_[index].ends[0];
        Node& node = nodes_[end.node];
        if (!node.peer || !end.open || !node.pipes.contains(*end.id)) {
            return;
        }
        end.attached = true;
        const ConnectionId id = *end.id;
        const Endpoints ends{node.address, nodes_[1 - end.node].address};
        drive(end.node, [&](Peer& peer, Actions& out) { peer.on_connected(id, ends, now_, out); });
        deliver(index, 0);
    }

    void on_accept(std::size_t index) {
        const std::size_t callee = pipes_[index].ends[1].node;
        Node& node = nodes_[callee];
        if (!node.peer) {
            hang_up(index, callee, true);
            return;
        }
        Actions out;
        const Endpoints ends{node.address, nodes_[1 - callee].address};
        const auto id = node.peer->on_accepted(ends, now_, out);
        if (!id) {
            pipes_[index].ends[1].open = false;
            hang_up(index, callee, false);
        } else {
            pipes_[index].ends[1].id = id;
            pipes_[index].ends[1].attached = true;
            node.pipes[*id] = index;
        }
        perform(callee, out);
        deliver(index, 1);
    }

    void on_send(std::size_t which, const Send& send) {
        const auto found = nodes_[which].pipes.find(send.id);
        if (found == nodes_[which].pipes.end()) {
            return;
        }
        const std::size_t index = found->second;
        const std::size_t other = 1 - pipes_[index].end_of(which);
        if (nodes_[1 - which].reading) {
            nodes_[which].peer->on_written(send.id, send.bytes.size(), now_);
        }
        std::size_t taken = 0;
        while (taken < send.bytes.size()) {
            const std::size_t length = std::min<std::size_t>(
                1 + rng_.below(options_.longest_chunk), send.bytes.size() - taken
            );
            const auto first = send.bytes.begin() + static_cast<std::ptrdiff_t>(taken);
            const wire::Bytes chunk(first, first + static_cast<std::ptrdiff_t>(length));
            in_order(index, other, [this, index, other, chunk] {
                End& end = pipes_[index].ends[other];
                end.inbox.insert(end.inbox.end(), chunk.begin(), chunk.end());
                deliver(index, other);
            });
            taken += length;
        }
    }

    void on_close(std::size_t which, const Close& close) {
        const auto found = nodes_[which].pipes.find(close.id);
        if (found == nodes_[which].pipes.end()) {
            return;
        }
        const std::size_t index = found->second;
        nodes_[which].pipes.erase(found);
        pipes_[index].ends[pipes_[index].end_of(which)].open = false;
        hang_up(index, which, !close.flush);
    }

    // The other end learns that this one is gone.
    void hang_up(std::size_t index, std::size_t by, bool reset) {
        const std::size_t other = 1 - pipes_[index].end_of(by);
        const auto arrive = [this, index, other, reset] {
            End& end = pipes_[index].ends[other];
            if (reset) {
                end.inbox.clear();
            }
            end.fin = true;
            deliver(index, other);
        };
        if (reset) {
            at(delay(), arrive);
        } else {
            in_order(index, other, arrive);
        }
    }

    void in_order(std::size_t index, std::size_t end, std::function<void()> work) {
        Instant& last = pipes_[index].ends[end].last_arrival;
        last = std::max(last, now_ + delay());
        events_.emplace(last, std::move(work));
    }

    void deliver(std::size_t index, std::size_t which) {
        Pipe& pipe = pipes_[index];
        End& end = pipe.ends[which];
        Node& node = nodes_[end.node];
        if (pipe.dead || cut_ || !end.open || !end.attached || !node.peer || !node.reading) {
            return;
        }
        if (now_ < node.asleep_until) {
            at(node.asleep_until - now_, [this, index, which] { deliver(index, which); });
            return;
        }
        const ConnectionId id = *end.id;
        if (!end.inbox.empty()) {
            const wire::Bytes bytes = std::exchange(end.inbox, {});
            drive(end.node, [&](Peer& peer, Actions& out) { peer.on_bytes(id, bytes, now_, out); });
        }
        if (pipes_[index].ends[which].fin && pipes_[index].ends[which].open) {
            pipes_[index].ends[which].open = false;
            nodes_[pipes_[index].ends[which].node].pipes.erase(id);
            drive(pipes_[index].ends[which].node, [&](Peer& peer, Actions& out) {
                peer.on_closed(id, "closed by the peer", now_, out);
            });
        }
    }

    Options options_;
    Rng rng_;
    Instant now_ = Instant() + std::chrono::hours(1);
    std::multimap<Instant, std::function<void()>> events_;
    std::deque<Pipe> pipes_;
    std::array<Node, 2> nodes_;
    bool cut_ = false;
};

}  // namespace steelyard::bgp
