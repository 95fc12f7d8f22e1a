#include "speaker/gossip/wire/messages.hpp"

#include "speaker/gossip/wire/refusal.hpp"

#include <algorithm>
#include <limits>

namespace steelyard::gossip_wire {
namespace {

constexpr std::uint64_t kU32 = std::numeric_limits<std::uint32_t>::max();
constexpr std::uint64_t kU16 = std::numeric_limits<std::uint16_t>::max();
constexpr std::size_t kMaxError = 1024;

// Reads one map; on_field consumes the value of a key it knows and returns true.
template <class OnField>
void read_map(MsgpackReader& in, OnField on_field) {
    const std::size_t pairs = in.map();
    for (std::size_t i = 0; i < pairs && in.ok(); ++i) {
        const std::string_view key = as_text(in.raw());
        if (!in.ok()) {
            return;
        }
        if (!on_field(key)) {
            in.skip();
        }
    }
}

std::uint32_t read_u32(MsgpackReader& in) {
    return static_cast<std::uint32_t>(in.uint(kU32));
}

std::uint16_t read_port(MsgpackReader& in) {
    return static_cast<std::uint16_t>(in.uint(kU16));
}

// Names and errors end up in log lines and metrics, where control characters have no place.
bool is_control(char c) {
    return static_cast<unsigned char>(c) < 0x20 || c == 0x7f;
}

std::string read_name(MsgpackReader& in) {
    std::string name = in.text(kMaxName);
    if (std::any_of(name.begin(), name.end(), is_control)) {
        in.fail();
        name.clear();
    }
    return name;
}

// An IP address as Go's net.IP holds it: 4 or 16 bytes, or none.
std::optional<net::IpAddress> read_address(MsgpackReader& in) {
    const auto bytes = in.raw();
    if (bytes.size() == 4) {
        std::uint32_t value = 0;
        for (const std::byte byte : bytes) {
            value = value << 8U | std::to_integer<std::uint32_t>(byte);
        }
        return net::IpAddress::v4(value);
    }
    if (bytes.size() == 16) {
        std::array<std::uint8_t, 16> value{};
        std::transform(bytes.begin(), bytes.end(), value.begin(), [](std::byte byte) {
            return std::to_integer<std::uint8_t>(byte);
        });
        return net::IpAddress::v6(value);
    }
    if (!bytes.empty()) {
        in.fail();
    }
    return std::nullopt;
}

wire::Bytes read_bytes(MsgpackReader& in, std::size_t longest) {
    const auto bytes = in.raw();
    if (bytes.size() > longest) {
        in.fail();
        return {};
    }
    return {bytes.begin(), bytes.end()};
}

// A node too old to send versions is taken to speak what everyone does.
Versions read_versions(MsgpackReader& in) {
    const auto bytes = in.raw();
    Versions out;
    if (bytes.size() >= 6) {
        const auto at = [&](std::size_t i) {
            return std::to_integer<std::uint8_t>(bytes[i]);
        };
        out = Versions{at(0), at(1), at(2), at(3), at(4), at(5)};
    }
    return out;
}

std::optional<net::Endpoint> endpoint(
    const std::optional<net::IpAddress>& address, std::uint16_t port
) {
    if (!address || port == 0) {
        return std::nullopt;
    }
    return net::Endpoint{*address, port};
}

IndirectPing read_indirect_ping(MsgpackReader& in) {
    IndirectPing out;
    std::optional<net::IpAddress> target;
    std::optional<net::IpAddress> source;
    std::uint16_t source_port = 0;
    read_map(in, [&](std::string_view key) {
        if (key == "SeqNo") {
            out.seq = read_u32(in);
        } else if (key == "Target") {
            target = read_address(in);
        } else if (key == "Port") {
            out.target.port = read_port(in);
        } else if (key == "Node") {
            out.node = read_name(in);
        } else if (key == "Nack") {
            out.nack = in.boolean();
        } else if (key == "SourceAddr") {
            source = read_address(in);
        } else if (key == "SourcePort") {
            source_port = read_port(in);
        } else if (key == "SourceNode") {
            out.source_node = read_name(in);
        } else {
            return false;
        }
        return true;
    });
    if (in.ok() && (!target || out.target.port == 0)) {
        in.fail();
        return out;
    }
    out.target.address = target.value_or(net::IpAddress());
    out.source = endpoint(source, source_port);
    if (!out.source) {
        out.source_node.clear();
    }
    return out;
}

// Suspect and Dead have the same fields.
template <class Message>
Message read_accusation(MsgpackReader& in) {
    Message out;
    read_map(in, [&](std::string_view key) {
        if (key == "Incarnation") {
            out.incarnation = read_u32(in);
        } else if (key == "Node") {
            out.node = read_name(in);
        } else if (key == "From") {
            out.from = read_name(in);
        } else {
            return false;
        }
        return true;
    });
    if (in.ok() && out.node.empty()) {
        in.fail();
    }
    return out;
}

// Fields shared by alive and pushNodeState; the caller handles its own first.
bool read_node_field(
    MsgpackReader& in, std::string_view key, Alive& out, std::optional<net::IpAddress>& address
) {
    if (key == "Incarnation") {
        out.incarnation = read_u32(in);
    } else if (key == "Addr") {
        address = read_address(in);
    } else if (key == "Port") {
        out.address.port = read_port(in);
    } else if (key == "Meta") {
        out.meta = read_bytes(in, kMaxMeta);
    } else if (key == "Vsn") {
        out.versions = read_versions(in);
    } else {
        return false;
    }
    return true;
}

void finish_node(MsgpackReader& in, Alive& out, const std::optional<net::IpAddress>& address) {
    if (in.ok() && (out.node.empty() || !address || out.address.port == 0)) {
        in.fail();
    }
    out.address.address = address.value_or(net::IpAddress());
}

Alive read_alive(MsgpackReader& in) {
    Alive out;
    std::optional<net::IpAddress> address;
    read_map(in, [&](std::string_view key) {
        if (key == "Node") {
            out.node = read_name(in);
            return true;
        }
        return read_node_field(in, key, out, address);
    });
    finish_node(in, out, address);
    return out;
}

NackResp read_nack(MsgpackReader& in) {
    NackResp out;
    read_map(in, [&](std::string_view key) {
        if (key != "SeqNo") {
            return false;
        }
        out.seq = read_u32(in);
        return true;
    });
    return out;
}

// Collects one message: type byte, map header, then fields.
class Encoder {
public:
    Encoder(MessageType type, unsigned fields) : msgpack_(out_) {
        out_.u8(static_cast<std::uint8_t>(type));
        msgpack_.map(static_cast<std::uint8_t>(fields));
    }
    explicit Encoder(unsigned fields) : msgpack_(out_) {
        msgpack_.map(static_cast<std::uint8_t>(fields));
    }
    Encoder& field(std::string_view key, std::uint64_t value) {
        msgpack_.text(key);
        msgpack_.uint(value);
        return *this;
    }
    Encoder& flag(std::string_view key, bool value) {
        msgpack_.text(key);
        msgpack_.boolean(value);
        return *this;
    }
    Encoder& field(std::string_view key, std::string_view value) {
        msgpack_.text(key);
        msgpack_.text(value);
        return *this;
    }
    Encoder& bytes(std::string_view key, std::span<const std::byte> value) {
        msgpack_.text(key);
        msgpack_.raw(value);
        return *this;
    }
    Encoder& address(std::string_view key, const net::IpAddress& value) {
        return bytes(key, std::as_bytes(value.bytes()));
    }
    Encoder& versions(const Versions& v) {
        const std::array raw{v.pmin, v.pmax, v.pcur, v.dmin, v.dmax, v.dcur};
        return bytes("Vsn", std::as_bytes(std::span(raw)));
    }
    Encoder& source(const std::optional<net::Endpoint>& source, std::string_view node) {
        if (source) {
            address("SourceAddr", source->address);
            field("SourcePort", source->port);
            field("SourceNode", node);
        }
        return *this;
    }
    [[nodiscard]] wire::Bytes take() { return out_.take(); }

private:
    wire::Writer out_;
    MsgpackWriter msgpack_;
};

template <class Message>
wire::Bytes encode_accusation(MessageType type, const Message& message) {
    return Encoder(type, 3)
        .field("Incarnation", message.incarnation)
        .field("Node", message.node)
        .field("From", message.from)
        .take();
}

template <class Read>
Result<PacketMessage> decode_with(MessageType type, std::span<const std::byte> body, Read read) {
    MsgpackReader in(body);
    PacketMessage message = read(in);
    if (!in.ok()) {
        return make_error(
            Refusal::Malformed,
            std::string(to_string(type)) + " message: " +
                (in.malformed() ? "a field has the wrong type or an impossible value"
                                : "ends in the middle of a field")
        );
    }
    return message;
}

}  // namespace

Ping read_ping(MsgpackReader& in) {
    Ping out;
    std::optional<net::IpAddress> source;
    std::uint16_t port = 0;
    read_map(in, [&](std::string_view key) {
        if (key == "SeqNo") {
            out.seq = read_u32(in);
        } else if (key == "Node") {
            out.node = read_name(in);
        } else if (key == "SourceAddr") {
            source = read_address(in);
        } else if (key == "SourcePort") {
            port = read_port(in);
        } else if (key == "SourceNode") {
            out.source_node = read_name(in);
        } else {
            return false;
        }
        return true;
    });
    out.source = endpoint(source, port);
    if (!out.source) {
        out.source_node.clear();
    }
    return out;
}

AckResp read_ack(MsgpackReader& in) {
    AckResp out;
    read_map(in, [&](std::string_view key) {
        if (key == "SeqNo") {
            out.seq = read_u32(in);
        } else if (key == "Payload") {
            out.payload = read_bytes(in, kU16);
        } else {
            return false;
        }
        return true;
    });
    return out;
}

Err read_err(MsgpackReader& in) {
    Err out;
    read_map(in, [&](std::string_view key) {
        if (key != "Error") {
            return false;
        }
        out.error = in.text(kMaxError);
        return true;
    });
    std::replace_if(out.error.begin(), out.error.end(), is_control, '?');
    return out;
}

std::size_t read_user_size(MsgpackReader& in) {
    std::size_t size = 0;
    read_map(in, [&](std::string_view key) {
        if (key != "UserMsgLen") {
            return false;
        }
        size = in.uint(kU32);
        return true;
    });
    return size;
}

PushPullHeader read_push_pull_header(MsgpackReader& in) {
    PushPullHeader out;
    read_map(in, [&](std::string_view key) {
        if (key == "Nodes") {
            out.nodes = in.uint(kMaxNodes);
        } else if (key == "UserStateLen") {
            out.user_state = in.uint(kU32);
        } else if (key == "Join") {
            out.join = in.boolean();
        } else {
            return false;
        }
        return true;
    });
    return out;
}

PushNodeState read_push_node_state(MsgpackReader& in) {
    PushNodeState out;
    std::optional<net::IpAddress> address;
    read_map(in, [&](std::string_view key) {
        if (key == "Name") {
            out.node.node = read_name(in);
        } else if (key == "State") {
            out.state = static_cast<NodeState>(in.uint(3));
        } else {
            return read_node_field(in, key, out.node, address);
        }
        return true;
    });
    finish_node(in, out.node, address);
    return out;
}

std::span<const std::byte> read_compress(MsgpackReader& in) {
    std::span<const std::byte> packed;
    read_map(in, [&](std::string_view key) {
        if (key == "Algo") {
            (void)in.uint(0);  // LZW is the only one there is
        } else if (key == "Buf") {
            packed = in.raw();
        } else {
            return false;
        }
        return true;
    });
    return packed;
}

wire::Bytes encode_compress(std::span<const std::byte> packed) {
    return Encoder(MessageType::Compress, 2).field("Algo", 0).bytes("Buf", packed).take();
}

wire::Bytes encode(const Ping& message) {
    return Encoder(MessageType::Ping, message.source ? 5 : 2)
        .field("SeqNo", message.seq)
        .field("Node", message.node)
        .source(message.source, message.source_node)
        .take();
}

wire::Bytes encode(const IndirectPing& message) {
    return Encoder(MessageType::IndirectPing, message.source ? 8 : 5)
        .field("SeqNo", message.seq)
        .address("Target", message.target.address)
        .field("Port", message.target.port)
        .field("Node", message.node)
        .flag("Nack", message.nack)
        .source(message.source, message.source_node)
        .take();
}

wire::Bytes encode(const AckResp& message) {
    return Encoder(MessageType::AckResp, 2)
        .field("SeqNo", message.seq)
        .bytes("Payload", message.payload)
        .take();
}

wire::Bytes encode(const NackResp& message) {
    return Encoder(MessageType::NackResp, 1).field("SeqNo", message.seq).take();
}

wire::Bytes encode(const Suspect& message) {
    return encode_accusation(MessageType::Suspect, message);
}

wire::Bytes encode(const Dead& message) {
    return encode_accusation(MessageType::Dead, message);
}

wire::Bytes encode(const Alive& message) {
    return Encoder(MessageType::Alive, 6)
        .field("Incarnation", message.incarnation)
        .field("Node", message.node)
        .address("Addr", message.address.address)
        .field("Port", message.address.port)
        .bytes("Meta", message.meta)
        .versions(message.versions)
        .take();
}

wire::Bytes encode(const User& message) {
    wire::Writer out;
    out.u8(static_cast<std::uint8_t>(MessageType::User));
    out.bytes(message.data);
    return out.take();
}

wire::Bytes encode(const Err& message) {
    return Encoder(MessageType::Err, 1).field("Error", message.error).take();
}

wire::Bytes encode(const PushPull& message) {
    wire::Writer out;
    out.bytes(Encoder(MessageType::PushPull, 3)
                  .field("Nodes", message.nodes.size())
                  .field("UserStateLen", message.user_state.size())
                  .flag("Join", message.join)
                  .take());
    for (const PushNodeState& state : message.nodes) {
        out.bytes(Encoder(7)
                      .field("Name", state.node.node)
                      .address("Addr", state.node.address.address)
                      .field("Port", state.node.address.port)
                      .bytes("Meta", state.node.meta)
                      .field("Incarnation", state.node.incarnation)
                      .field("State", static_cast<std::uint64_t>(state.state))
                      .versions(state.node.versions)
                      .take());
    }
    out.bytes(message.user_state);
    return out.take();
}

Result<PacketMessage> decode_packet_message(std::span<const std::byte> bytes) {
    if (bytes.empty()) {
        return make_error(Refusal::Malformed, "gossip message: empty, want a type byte");
    }
    const auto type = static_cast<MessageType>(bytes[0]);
    const auto body = bytes.subspan(1);
    const auto with = [&](auto read) {
        return decode_with(type, body, [&](MsgpackReader& in) { return PacketMessage(read(in)); });
    };
    switch (type) {
        case MessageType::Ping:
            return with(read_ping);
        case MessageType::IndirectPing:
            return with(read_indirect_ping);
        case MessageType::AckResp:
            return with(read_ack);
        case MessageType::NackResp:
            return with(read_nack);
        case MessageType::Suspect:
            return with(read_accusation<Suspect>);
        case MessageType::Alive:
            return with(read_alive);
        case MessageType::Dead:
            return with(read_accusation<Dead>);
        case MessageType::User:
            return PacketMessage(User{wire::Bytes(body.begin(), body.end())});
        case MessageType::PushPull:
        case MessageType::Compound:
        case MessageType::Compress:
        case MessageType::Encrypt:
        case MessageType::HasCrc:
        case MessageType::Err:
        case MessageType::HasLabel:
            break;
    }
    return make_error(
        Refusal::Malformed,
        "gossip message type " + std::to_string(std::to_integer<unsigned>(bytes[0])) +
            ": not one a packet may carry"
    );
}

std::string_view to_string(MessageType type) {
    switch (type) {
        case MessageType::Ping:
            return "ping";
        case MessageType::IndirectPing:
            return "indirectPing";
        case MessageType::AckResp:
            return "ackResp";
        case MessageType::Suspect:
            return "suspect";
        case MessageType::Alive:
            return "alive";
        case MessageType::Dead:
            return "dead";
        case MessageType::PushPull:
            return "pushPull";
        case MessageType::Compound:
            return "compound";
        case MessageType::User:
            return "user";
        case MessageType::Compress:
            return "compress";
        case MessageType::Encrypt:
            return "encrypt";
        case MessageType::NackResp:
            return "nackResp";
        case MessageType::HasCrc:
            return "hasCrc";
        case MessageType::Err:
            return "err";
        case MessageType::HasLabel:
            return "hasLabel";
    }
    return "unknown";
}

}  // namespace steelyard::gossip_wire
