#include "speaker/ring/wire.hpp"

#include "common/wire/reader.hpp"

#include <algorithm>
#include <string>

namespace steelyard::ring {
namespace {

// Writes big-endian into a buffer on the stack; the sizes are ours and known.
class Put {
public:
    explicit Put(std::span<std::byte> out) : out_(out) {}
    void u8(std::uint8_t value) { number(value, 1); }
    void u32(std::uint32_t value) { number(value, 4); }
    void u64(std::uint64_t value) { number(value, 8); }
    void id(NodeId value) { u64(static_cast<std::uint64_t>(value)); }
    [[nodiscard]] std::size_t size() const { return size_; }

private:
    void number(std::uint64_t value, std::size_t bytes) {
        for (std::size_t i = bytes; i-- > 0;) {
            out_[size_++] = static_cast<std::byte>(value >> (8 * i));
        }
    }
    std::span<std::byte> out_;
    std::size_t size_ = 0;
};

// The order of Message's alternatives is the type on the wire.
struct PutMessage {
    Put& out;
    void operator()(const Heartbeat& heartbeat) const {
        out.u8(heartbeat.watchers.count);
        for (const NodeId id : heartbeat.watchers.all()) {
            out.id(id);
        }
    }
    void operator()(const Probe& probe) const { out.u32(probe.token); }
    void operator()(const Answer& answer) const {
        out.u32(answer.token);
        out.u8(answer.watched_by_you ? 1 : 0);
    }
    void operator()(const Opinion& opinion) const {
        out.id(opinion.subject);
        out.u8(opinion.silent ? 1 : 0);
    }
    void operator()(const Verdict& verdict) const {
        out.id(verdict.subject);
        out.u8(verdict.unreachable ? 1 : 0);
    }
    void operator()(const Released& /*nothing more*/) const {}
    void operator()(const Leaving& /*nothing more*/) const {}
};

NodeId read_id(wire::Reader& in) {
    return NodeId{in.u64()};
}

bool read_flag(wire::Reader& in) {
    const std::uint8_t value = in.u8();
    if (value > 1) {
        in.fail();
    }
    return value == 1;
}

WatcherSet read_watchers(wire::Reader& in) {
    WatcherSet out;
    const std::uint8_t count = in.u8();
    if (count > kMaxWatchers) {
        in.fail();
        return out;
    }
    out.count = count;
    for (std::size_t i = 0; i < count; ++i) {
        out.ids[i] = read_id(in);
    }
    return out;
}

Message read_message(std::uint8_t type, wire::Reader& in) {
    switch (type) {
        case 0:
            return Heartbeat{read_watchers(in)};
        case 1:
            return Probe{in.u32()};
        case 2: {
            Answer out;
            out.token = in.u32();
            out.watched_by_you = read_flag(in);
            return out;
        }
        case 3: {
            Opinion out;
            out.subject = read_id(in);
            out.silent = read_flag(in);
            return out;
        }
        case 4: {
            Verdict out;
            out.subject = read_id(in);
            out.unreachable = read_flag(in);
            return out;
        }
        case 5:
            return Released{};
        case 6:
            return Leaving{};
        default:
            in.fail();
            return Leaving{};
    }
}

}  // namespace

bool WatcherSet::contains(NodeId id) const {
    const auto here = all();
    return std::find(here.begin(), here.end(), id) != here.end();
}

std::size_t encode(const Header& header, std::span<std::byte, kHeader> out) {
    Put put(out);
    put.u8(kVersion);
    put.id(header.sender);
    put.u64(header.counter);
    return put.size();
}

std::size_t encode(const Body& body, std::span<std::byte, kMaxBody> out) {
    Put put(out);
    put.u8(static_cast<std::uint8_t>(body.message.index()));
    put.u8(static_cast<std::uint8_t>(body.view));
    std::visit(PutMessage{put}, body.message);
    return put.size();
}

Result<Header> decode_header(std::span<const std::byte> packet) {
    wire::Reader in(packet);
    const std::uint8_t version = in.u8();
    Header out;
    out.sender = read_id(in);
    out.counter = in.u64();
    if (!in.ok() || in.remaining() < kTag || packet.size() > kMaxPacket) {
        return make_error(
            Errc::Invalid,
            "ring packet: " + std::to_string(packet.size()) + " bytes, accepted are " +
                std::to_string(kHeader + kTag) + " to " + std::to_string(kMaxPacket)
        );
    }
    if (version != kVersion) {
        return make_error(
            Errc::Invalid,
            "ring packet: version " + std::to_string(version) + ", accepted is " +
                std::to_string(kVersion)
        );
    }
    return out;
}

Result<Body> decode_body(std::span<const std::byte> bytes) {
    wire::Reader in(bytes);
    const std::uint8_t type = in.u8();
    const std::uint8_t view = in.u8();
    Body out;
    out.view = static_cast<View>(view);
    out.message = read_message(type, in);
    if (!in.ok() || in.remaining() != 0 || view > static_cast<std::uint8_t>(View::Unreachable)) {
        return make_error(
            Errc::Invalid,
            "ring packet: " + std::to_string(bytes.size()) + " bytes of type " +
                std::to_string(type) + " and view " + std::to_string(view) + " make no message"
        );
    }
    return out;
}

}  // namespace steelyard::ring
