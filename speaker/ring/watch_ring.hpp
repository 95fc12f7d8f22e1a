#pragma once

#include "common/base/rng.hpp"
#include "common/wire/writer.hpp"
#include "speaker/ring/config.hpp"
#include "speaker/ring/lease.hpp"
#include "speaker/ring/peer.hpp"
#include "speaker/ring/ring_order.hpp"
#include "speaker/ring/seal.hpp"
#include "speaker/ring/verdicts.hpp"
#include "speaker/ring/watching.hpp"
#include "speaker/ring/wire.hpp"

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <variant>
#include <vector>

// Fast failure detection at constant cost per node, without I/O. Each node heartbeats to its
// watchers, the next few nodes on a ring of hashed names; watchers that miss it ask it, then accuse
// it to each other; most of them agreeing is a verdict, which goes to everybody. Packets and the
// time go in, packets and changes of reachability come out. Who is a member at all is gossip's
// business: set_peers says so. README.md tells the protocol.
namespace steelyard::ring {

struct SendPacket {
    net::Endpoint to;
    wire::Bytes bytes;
};
// A verdict came into force or ended; `name` may be our own. A peer that set_peers takes away, or
// that restarted, has no verdict any more: that is reachable = true too.
struct Changed {
    std::string name;
    bool reachable = true;
    friend bool operator==(const Changed&, const Changed&) = default;
};
struct Refused {
    net::Endpoint from;
    std::string why;
};
using Action = std::variant<SendPacket, Changed, Refused>;
using Actions = std::vector<Action>;

// All count up from the start.
struct Counters {
    std::uint64_t packets_sent = 0;
    std::uint64_t packets_received = 0;  // good ones
    std::uint64_t heartbeats_sent = 0;
    std::uint64_t heartbeats_received = 0;
    std::uint64_t probes_sent = 0;      // to nodes we watch that fell silent
    std::uint64_t accusations = 0;      // of ours
    std::uint64_t verdicts_issued = 0;  // by us, as one of the subject's watchers
    std::uint64_t verdicts_lifted = 0;
    std::uint64_t abstentions = 0;  // our timers ran late, or all we watch fell silent at once
    std::uint64_t stalls = 0;       // the lease ran out before we woke
    // Packets that changed nothing:
    std::uint64_t malformed = 0;
    std::uint64_t unknown_sender = 0;  // not a peer, or in another life
    std::uint64_t unopened = 0;        // another key, receiver or life of ours, or altered
    std::uint64_t replayed = 0;
};

class WatchRing {
public:
    // The config must pass validate().
    WatchRing(Config config, Rng rng, Instant now);
    WatchRing(const WatchRing&) = delete;
    WatchRing& operator=(const WatchRing&) = delete;

    // All capable members but ourselves; order and repeats do not matter.
    void set_peers(const std::vector<Peer>& peers, Instant now, Actions& out);
    void set_keys(const gossip_wire::KeyRing& keys);
    void on_packet(
        const net::Endpoint& from, std::span<const std::byte> bytes, Instant now, Actions& out
    );
    // Safe to call early or late; read what arrived before it, so that late is not silent.
    void on_deadline(Instant now, Actions& out);
    [[nodiscard]] Instant next_deadline() const;
    // Tells the watchers that we go on purpose, so that they stop watching; call it before falling
    // silent. From then on we only answer.
    void leave(Instant now, Actions& out);

    // Names with a verdict in force; may hold our own.
    [[nodiscard]] const std::set<std::string, std::less<>>& unreachable() const {
        return unreachable_;
    }
    // Until when this node may answer for its addresses; Instant::max() without peers.
    [[nodiscard]] Instant lease() const { return lease_.until(); }
    [[nodiscard]] const Counters& counters() const { return counters_; }
    [[nodiscard]] const Config& config() const { return config_; }
    // The peers that watch us and those we watch, for diagnosis and tests.
    [[nodiscard]] std::vector<std::string> watchers() const;
    [[nodiscard]] std::vector<std::string> watched() const;

private:
    // News of ours for everybody.
    struct Bulletin {
        NodeId subject;
        bool unreachable;
        int copies_left;
        Instant at;
    };
    // Who no longer watches us and may not know it yet.
    struct Goodbye {
        NodeId to;
        int copies_left;
        Instant at;
    };

    void notice_time(Instant now, Actions& out);
    void beat(Instant now, Actions& out);
    void mind_watched(Instant now, Actions& out);
    void send_heartbeats(Instant now, Actions& out);
    void abstain(Instant now);
    void forget_opinions(Instant now, Actions& out);
    void probe(Watching& watching, Instant now, Actions& out);
    bool may_accuse(Watching& suspect, Instant now, Actions& out);
    void tell_opinions(Instant now, Actions& out);
    void tell_verdicts(Instant now, Actions& out);
    void say_goodbyes(Instant now, Actions& out);
    void mind_lease(Instant now, Actions& out);
    void judge(const Watching& watching, Instant now, Actions& out);
    void set_bulletin(NodeId subject, bool unreachable, Instant now, Actions& out);

    void add_peer(NodeId id, const Peer& peer);
    void reorder(Instant now, Actions& out);
    void remove_peer(NodeId id, Actions& out);
    void stop_watching(NodeId id, Instant now, Actions& out);

    void receive(
        PeerState& from, const Body& body, std::uint64_t counter, Instant now, Actions& out
    );
    void
    on(PeerState& from, const Heartbeat& heartbeat, std::uint64_t counter, Instant now, Actions& out
    );
    void on(PeerState& from, const Probe& probe, std::uint64_t counter, Instant now, Actions& out);
    void on(
        PeerState& from, const Answer& answer, std::uint64_t counter, Instant now, Actions& out
    );
    void on(
        PeerState& from, const Opinion& opinion, std::uint64_t counter, Instant now, Actions& out
    );
    void on(
        PeerState& from, const Verdict& verdict, std::uint64_t counter, Instant now, Actions& out
    );
    void on(
        PeerState& from, const Released& released, std::uint64_t counter, Instant now, Actions& out
    );
    void on(
        PeerState& from, const Leaving& leaving, std::uint64_t counter, Instant now, Actions& out
    );
    void on_view(PeerState& from, View view, std::uint64_t counter, Instant now, Actions& out);
    bool open(
        PeerState& from,
        std::uint64_t counter,
        std::span<const std::byte> packet,
        std::span<std::byte, kMaxBody> body
    );

    void send(NodeId to, const Message& message, Actions& out);
    void send(PeerState& to, const Message& message, Actions& out);
    [[nodiscard]] View view_of(NodeId id) const;
    [[nodiscard]] bool issued(NodeId subject) const;
    void changed(NodeId subject, bool reachable, Actions& out);
    void refuse(const net::Endpoint& from, std::string_view why, Actions& out);
    [[nodiscard]] PeerState* find(NodeId id);
    [[nodiscard]] const PeerState* find(NodeId id) const;
    [[nodiscard]] Watching* find_watching(NodeId id);

    Config config_;
    Timing timing_;
    Rng rng_;
    NodeId self_;
    Place place_;
    std::vector<Secret> masters_;
    Cipher cipher_;

    std::unordered_map<NodeId, PeerState> peers_;
    std::map<NodeId, Session> retired_;  // of peers that went away
    std::uint64_t counter_floor_ = 0;
    WatcherSet watchers_;            // of ours
    std::vector<Watching> watched_;  // those who named us
    std::vector<Bulletin> bulletins_;
    std::vector<Goodbye> goodbyes_;
    Verdicts verdicts_;
    std::set<std::string, std::less<>> unreachable_;
    Lease lease_;
    Instant heartbeat_at_;
    Instant last_input_;
    Instant catching_up_until_;  // after a stall: what arrives may be old
    bool leaving_ = false;
    Counters counters_;
};

}  // namespace steelyard::ring
