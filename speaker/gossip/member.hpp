#pragma once

#include "common/base/time.hpp"
#include "common/net/ip.hpp"
#include "common/wire/writer.hpp"
#include "speaker/gossip/wire/messages.hpp"
#include "speaker/gossip/wire/refusal.hpp"

#include <cstdint>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

// What the membership core knows about a member, and what it tells its owner.
namespace steelyard::gossip {

using MemberState = gossip_wire::NodeState;  // Alive, Suspect, Dead, Left
[[nodiscard]] std::string_view to_string(MemberState state);

struct Member {
    std::string name;
    net::Endpoint address;
    wire::Bytes meta;
    std::uint32_t incarnation = 0;
    MemberState state = MemberState::Alive;
    Instant since{};  // when it entered this state
    gossip_wire::Versions versions;

    // A suspect still counts: it may refute.
    [[nodiscard]] bool is_live() const {
        return state == MemberState::Alive || state == MemberState::Suspect;
    }
};

// Names one TCP exchange; never used twice.
using StreamId = std::uint64_t;

struct SendPacket {
    net::Endpoint to;
    wire::Bytes bytes;
};

// Connect, write `request`, feed what comes back to on_stream_data(); report the end, whatever it
// was, by on_stream_closed(). Give up at `deadline`.
struct OpenStream {
    StreamId id = 0;
    net::Endpoint to;
    wire::Bytes request;
    Instant deadline;
};
struct SendStream {
    StreamId id = 0;
    wire::Bytes bytes;
};
// Close once everything is written.
struct CloseStream {
    StreamId id = 0;
};

struct Changed {
    enum class Kind : std::uint8_t {
        Joined,     // seen alive for the first time, or again after dead or left
        Updated,    // meta or address differ
        Suspected,  // early warning: missed a probe, not confirmed yet
        Recovered,  // a suspect refuted
        Failed,     // declared dead
        Left,       // said good-bye
    };
    Kind kind = Kind::Joined;
    Member member;
};
[[nodiscard]] std::string_view to_string(Changed::Kind kind);

// Another node uses a member's name from another address; it was not let in.
struct Conflict {
    Member member;
    net::Endpoint other;
};

// Input that made no sense changed nothing; one line says why.
struct Refused {
    net::Endpoint from;
    gossip_wire::Refusal reason = gossip_wire::Refusal::Malformed;
    std::string why;
};

// Our good-bye was sent as often as it is going to be.
struct LeaveFinished {};

using Action = std::variant<
    SendPacket,
    OpenStream,
    SendStream,
    CloseStream,
    Changed,
    Conflict,
    Refused,
    LeaveFinished>;
using Actions = std::vector<Action>;

}  // namespace steelyard::gossip
