#pragma once

#include "common/base/error.hpp"
#include "common/net/ip.hpp"
#include "common/wire/writer.hpp"
#include "speaker/gossip/wire/msgpack.hpp"

#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <variant>
#include <vector>

// The messages of memberlist's protocol (versions 1 to 5) as values. A message on the wire is its
// type byte followed by a MessagePack map whose keys are the field names of memberlist's structs;
// unknown keys are skipped, missing ones keep their default. Errors: Malformed (refusal.hpp), with
// the message and what is wrong with it.
namespace steelyard::gossip_wire {

enum class MessageType : std::uint8_t {
    Ping = 0,
    IndirectPing = 1,
    AckResp = 2,
    Suspect = 3,
    Alive = 4,
    Dead = 5,
    PushPull = 6,
    Compound = 7,
    User = 8,
    Compress = 9,
    Encrypt = 10,  // streams only; an encrypted packet starts with its encryption version
    NackResp = 11,
    HasCrc = 12,
    Err = 13,
    HasLabel = 244,
};

inline constexpr std::size_t kMaxMeta = 512;  // memberlist's MetaMaxSize
inline constexpr std::size_t kMaxName = 255;  // a Kubernetes node name has at most 253
inline constexpr std::size_t kMaxNodes = 65536;

// What protocol (p) and delegate (d) versions a node speaks.
struct Versions {
    std::uint8_t pmin = 1;
    std::uint8_t pmax = 5;
    std::uint8_t pcur = 2;
    std::uint8_t dmin = 0;
    std::uint8_t dmax = 0;
    std::uint8_t dcur = 0;
    friend bool operator==(const Versions&, const Versions&) = default;
};

struct Ping {
    std::uint32_t seq = 0;
    std::string node;  // whom it is meant for; empty matches anyone
    std::optional<net::Endpoint> source;
    std::string source_node;
    friend bool operator==(const Ping&, const Ping&) = default;
};

struct IndirectPing {
    std::uint32_t seq = 0;
    net::Endpoint target;
    std::string node;
    bool nack = false;
    std::optional<net::Endpoint> source;
    std::string source_node;
    friend bool operator==(const IndirectPing&, const IndirectPing&) = default;
};

struct AckResp {
    std::uint32_t seq = 0;
    wire::Bytes payload;
    friend bool operator==(const AckResp&, const AckResp&) = default;
};

struct NackResp {
    std::uint32_t seq = 0;
    friend bool operator==(const NackResp&, const NackResp&) = default;
};

struct Suspect {
    std::uint32_t incarnation = 0;
    std::string node;
    std::string from;
    friend bool operator==(const Suspect&, const Suspect&) = default;
};

struct Alive {
    std::uint32_t incarnation = 0;
    std::string node;
    net::Endpoint address;
    wire::Bytes meta;
    Versions versions;
    friend bool operator==(const Alive&, const Alive&) = default;
};

// From equal to node means that the node left on purpose.
struct Dead {
    std::uint32_t incarnation = 0;
    std::string node;
    std::string from;
    friend bool operator==(const Dead&, const Dead&) = default;
};

struct User {
    wire::Bytes data;
    friend bool operator==(const User&, const User&) = default;
};

struct Err {
    std::string error;
    friend bool operator==(const Err&, const Err&) = default;
};

enum class NodeState : std::uint8_t { Alive = 0, Suspect = 1, Dead = 2, Left = 3 };

struct PushNodeState {
    Alive node;
    NodeState state = NodeState::Alive;
    friend bool operator==(const PushNodeState&, const PushNodeState&) = default;
};

struct PushPullHeader {
    std::size_t nodes = 0;
    std::size_t user_state = 0;  // bytes that follow the nodes
    bool join = false;
};

struct PushPull {
    bool join = false;
    std::vector<PushNodeState> nodes;
    wire::Bytes user_state;
    friend bool operator==(const PushPull&, const PushPull&) = default;
};

// What a packet carries once every wrapper is off.
using PacketMessage =
    std::variant<Ping, IndirectPing, AckResp, NackResp, Suspect, Alive, Dead, User>;
// What a stream carries.
using StreamMessage = std::variant<PushPull, Ping, AckResp, User, Err>;

[[nodiscard]] wire::Bytes encode(const Ping& message);
[[nodiscard]] wire::Bytes encode(const IndirectPing& message);
[[nodiscard]] wire::Bytes encode(const AckResp& message);
[[nodiscard]] wire::Bytes encode(const NackResp& message);
[[nodiscard]] wire::Bytes encode(const Suspect& message);
[[nodiscard]] wire::Bytes encode(const Alive& message);
[[nodiscard]] wire::Bytes encode(const Dead& message);
[[nodiscard]] wire::Bytes encode(const User& message);
[[nodiscard]] wire::Bytes encode(const Err& message);
[[nodiscard]] wire::Bytes encode(const PushPull& message);

// One packet message with its type byte; wrappers (compound, compress, CRC) are packet.hpp's.
[[nodiscard]] Result<PacketMessage> decode_packet_message(std::span<const std::byte> bytes);

// Pieces of a stream, after its type byte. Each reads one MessagePack map; the caller looks at the
// reader to tell a short stream from a wrong one.
[[nodiscard]] PushPullHeader read_push_pull_header(MsgpackReader& in);
[[nodiscard]] PushNodeState read_push_node_state(MsgpackReader& in);
[[nodiscard]] Ping read_ping(MsgpackReader& in);
[[nodiscard]] AckResp read_ack(MsgpackReader& in);
[[nodiscard]] Err read_err(MsgpackReader& in);
[[nodiscard]] std::size_t read_user_size(MsgpackReader& in);

// compress{Algo, Buf}: the LZW bytes, or empty and failed.
[[nodiscard]] std::span<const std::byte> read_compress(MsgpackReader& in);
[[nodiscard]] wire::Bytes encode_compress(std::span<const std::byte> packed);

[[nodiscard]] std::string_view to_string(MessageType type);

}  // namespace steelyard::gossip_wire
