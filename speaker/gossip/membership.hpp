#pragma once

#include "common/base/rng.hpp"
#include "speaker/gossip/awareness.hpp"
#include "speaker/gossip/broadcast_queue.hpp"
#include "speaker/gossip/config.hpp"
#include "speaker/gossip/counters.hpp"
#include "speaker/gossip/member.hpp"
#include "speaker/gossip/member_table.hpp"
#include "speaker/gossip/probe_schedule.hpp"
#include "speaker/gossip/reconnect.hpp"
#include "speaker/gossip/suspicion.hpp"
#include "speaker/gossip/wire/replay_filter.hpp"
#include "speaker/gossip/wire/stream.hpp"

#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

// SWIM with Lifeguard, speaking memberlist's protocol, without I/O: packets, stream bytes and the
// time go in; packets, stream orders and changes of membership come out, in the order in which they
// are to be carried out. Every input is allowed at any time; bytes that make no sense change
// nothing and come back as Refused. Das, Gupta, Motivala: "SWIM" (DSN 2002); Dadgar, Phillips,
// Currey: "Lifeguard" (2017).
namespace steelyard::gossip {

class Membership {
public:
    // The config must pass validate(); `random` makes nonces, `rng` decides whom to talk to.
    Membership(Config config, Rng rng, gossip_wire::RandomBytes random, Instant now);
    Membership(const Membership&) = delete;
    Membership& operator=(const Membership&) = delete;

    // Exchanges full state with each of these addresses; who answers becomes a member.
    void join(std::span<const net::Endpoint> peers, Instant now, Actions& out);
    // Where members are supposed to be: whoever of them is missing is looked for (reconnect.hpp).
    void set_peers(std::vector<net::Endpoint> peers, Instant now);
    // Starts out knowing these members, without telling anybody: for a simulator that wants a
    // large cluster to begin with. Only before any other input.
    void know(std::span<const Member> members, Instant now);
    // Tells everybody that we go; LeaveFinished follows. From then on we only answer.
    void leave(Instant now, Actions& out);
    // At most gossip_wire::kMaxMeta bytes, else Errc::Invalid.
    Result<> update_meta(wire::Bytes meta, Instant now);
    // From now on seals with the first key and opens with all. To replace a key without losing a
    // packet: everybody gets {old, new}, then everybody {new, old}, then everybody {new}.
    // Errc::Invalid when this would switch encryption on or off.
    Result<> set_keys(gossip_wire::KeyRing keys);

    void on_packet(
        const net::Endpoint& from, std::span<const std::byte> bytes, Instant now, Actions& out
    );
    // A peer connected; no value when there are too many such streams already.
    std::optional<StreamId> on_stream_accepted(const net::Endpoint& from);
    void on_stream_data(StreamId id, std::span<const std::byte> bytes, Instant now, Actions& out);
    void on_stream_closed(StreamId id);
    // Safe to call early or late.
    void on_deadline(Instant now, Actions& out);
    [[nodiscard]] std::optional<Instant> next_deadline() const;

    // Everyone we know, ourselves included, sorted by name.
    [[nodiscard]] std::vector<Member> members() const;
    [[nodiscard]] const Member& self() const;
    [[nodiscard]] const Member* find(const std::string& name) const { return table_.find(name); }
    [[nodiscard]] const MemberTable& table() const { return table_; }
    [[nodiscard]] const Counters& counters() const { return counters_; }
    [[nodiscard]] int health_score() const { return awareness_.score(); }
    [[nodiscard]] const Config& config() const { return config_; }

private:
    struct Probe {
        std::string target;
        std::uint32_t seq = 0;
        Instant timeout;   // then ask others and TCP
        Instant deadline;  // then suspect
        bool indirect = false;
        unsigned expected_nacks = 0;
        unsigned nacks = 0;
    };
    // An indirect ping we do for somebody, by our own sequence number.
    struct Relay {
        net::Endpoint requester;
        std::uint32_t seq = 0;
        bool nack = false;
        Instant deadline;
    };
    struct Stream {
        enum class Kind : std::uint8_t { Inbound, PushPull, Ping };
        Kind kind = Kind::Inbound;
        net::Endpoint peer;
        std::uint32_t seq = 0;
        std::size_t held = 0;  // bytes in the reader, for the budget of all inbound ones
        std::unique_ptr<gossip_wire::StreamReader> reader;
    };

    // membership.cpp: time and sending
    void refuse(
        const net::Endpoint& from, gossip_wire::Refusal reason, std::string why, Actions& out
    );
    void handle(
        const net::Endpoint& from,
        const gossip_wire::PacketMessage& message,
        Instant now,
        Actions& out
    );
    void forgive_stall(Instant now);
    void send(const net::Endpoint& to, wire::Bytes message, Actions& out);
    void send_all(
        const net::Endpoint& to, std::span<const wire::Bytes> messages, bool crc, Actions& out
    );
    void broadcast(const std::string& about, wire::Bytes message, Instant now);
    void gossip(Instant now, Actions& out);
    void check_leave(Actions& out);
    std::vector<wire::Bytes> take_broadcasts(std::size_t space);

    // membership_rules.cpp: what news changes
    void apply(const gossip_wire::Alive& alive, Instant now, Actions& out);
    void apply(const gossip_wire::Suspect& suspect, Instant now, Actions& out);
    void apply(const gossip_wire::Dead& dead, Instant now, Actions& out);
    void merge(const gossip_wire::PushPull& remote, Instant now, Actions& out);
    void question(std::vector<gossip_wire::Suspect> accused, Actions& out);
    void welcome(const gossip_wire::Alive& alive, Instant now, Actions& out);
    bool may_move(Member& member, const gossip_wire::Alive& alive, Instant now, Actions& out);
    void refute(std::uint32_t accused, Instant now);
    void announce_self(Instant now);
    [[nodiscard]] gossip_wire::Alive alive_self() const;
    [[nodiscard]] bool speaks_our_protocol(const gossip_wire::Versions& theirs) const;
    void expire_suspicions(Instant now, Actions& out);
    void wake_for(const Suspicion& suspicion);
    void find_next_suspicion();
    void forget_dead(Instant now);
    Member& me();

    // membership_probe.cpp: failure detection
    void start_probe(Instant now, Actions& out);
    void probe_indirectly(Actions& out);
    void finish_probe(Instant now, Actions& out);
    void probe_succeeded() { awareness_.apply(-1), probe_.reset(); }
    const Member* next_target(Instant now);
    void expire_relays(Instant now, Actions& out);
    void handle(const net::Endpoint& from, const gossip_wire::Ping& ping, Actions& out);
    void handle(
        const net::Endpoint& from, const gossip_wire::IndirectPing& ping, Instant now, Actions& out
    );
    void handle(const gossip_wire::AckResp& ack, Instant now, Actions& out);
    void handle(const gossip_wire::NackResp& nack);

    // membership_stream.cpp: full state exchange and pings over TCP
    void reconnect(Instant now, Actions& out);
    void open_push_pull(const net::Endpoint& to, bool join, Instant now, Actions& out);
    void open_ping(const Member& target, Actions& out);
    void push_pull(Instant now, Actions& out);
    [[nodiscard]] gossip_wire::PushPull local_state(bool join) const;
    void handle_stream(StreamId id, gossip_wire::StreamMessage message, Instant now, Actions& out);
    void forget_stream(std::map<StreamId, Stream>::iterator stream);
    void close_stream(StreamId id, Actions& out);
    Duration push_pull_interval() const;

    Config config_;
    Rng rng_;
    gossip_wire::RandomBytes random_;

    MemberTable table_;
    ProbeSchedule schedule_;
    BroadcastQueue queue_;
    Awareness awareness_;
    std::map<std::string, Suspicion, std::less<>> suspicions_;
    // When the first suspicion may run out; too early when one was dropped since.
    std::optional<Instant> next_suspicion_;
    Reconnect reconnect_;
    gossip_wire::ReplayFilter replays_;
    Counters counters_;

    std::uint32_t next_seq_ = 0;
    std::optional<Probe> probe_;
    std::map<std::uint32_t, Relay> relays_;
    std::map<StreamId, Stream> streams_;
    StreamId next_stream_ = 0;
    std::size_t inbound_streams_ = 0;
    std::size_t inbound_bytes_ = 0;

    Instant next_probe_;
    Instant next_push_pull_;
    std::optional<Instant> next_gossip_;  // only while there is something to tell
    Instant last_gossip_{};
    bool leaving_ = false;
    bool leave_finished_ = false;
};

}  // namespace steelyard::gossip
