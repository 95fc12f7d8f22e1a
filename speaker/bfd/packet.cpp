#include "speaker/bfd/packet.hpp"

#include "common/wire/reader.hpp"

namespace steelyard::bfd {
namespace {

constexpr std::uint8_t kVersion = 1;
constexpr std::uint8_t kSmallestAuthenticated = 26;

constexpr std::uint8_t kPoll = 0x20;
constexpr std::uint8_t kFinal = 0x10;
constexpr std::uint8_t kControlPlaneIndependent = 0x08;
constexpr std::uint8_t kAuthentication = 0x04;
constexpr std::uint8_t kDemand = 0x02;
constexpr std::uint8_t kMultipoint = 0x01;

std::uint8_t flags_of(const ControlPacket& packet) {
    unsigned flags = static_cast<unsigned>(packet.state) << 6U;
    flags |= packet.poll ? kPoll : 0U;
    flags |= packet.final ? kFinal : 0U;
    flags |= packet.control_plane_independent ? kControlPlaneIndependent : 0U;
    flags |= packet.authentication ? kAuthentication : 0U;
    flags |= packet.demand ? kDemand : 0U;
    return static_cast<std::uint8_t>(flags);
}

void put_u32(PacketBytes& out, std::size_t at, std::uint32_t value) {
    for (std::size_t i = 0; i < 4; ++i) {
        out[at + i] = static_cast<std::byte>(value >> (8 * (3 - i)));
    }
}

}  // namespace

std::string_view to_string(State state) {
    switch (state) {
        case State::AdminDown:
            return "AdminDown";
        case State::Down:
            return "Down";
        case State::Init:
            return "Init";
        case State::Up:
            return "Up";
    }
    return "unknown";
}

std::string_view to_string(Diagnostic diagnostic) {
    switch (diagnostic) {
        case Diagnostic::None:
            return "no diagnostic";
        case Diagnostic::DetectionTimeExpired:
            return "control detection time expired";
        case Diagnostic::EchoFailed:
            return "echo function failed";
        case Diagnostic::NeighborSignaledDown:
            return "neighbor signaled session down";
        case Diagnostic::ForwardingPlaneReset:
            return "forwarding plane reset";
        case Diagnostic::PathDown:
            return "path down";
        case Diagnostic::ConcatenatedPathDown:
            return "concatenated path down";
        case Diagnostic::AdministrativelyDown:
            return "administratively down";
        case Diagnostic::ReverseConcatenatedPathDown:
            return "reverse concatenated path down";
    }
    return "reserved diagnostic";  // 9 to 31: what a peer sends, nothing depends on it
}

std::string_view to_string(Drop drop) {
    switch (drop) {
        case Drop::TtlNot255:
            return "ttl_not_255";
        case Drop::TooShort:
            return "too_short";
        case Drop::Version:
            return "version";
        case Drop::LengthTooSmall:
            return "length_too_small";
        case Drop::LengthBeyondPacket:
            return "length_beyond_packet";
        case Drop::MultiplierZero:
            return "multiplier_zero";
        case Drop::Multipoint:
            return "multipoint";
        case Drop::MyDiscriminatorZero:
            return "my_discriminator_zero";
        case Drop::UnknownDiscriminator:
            return "unknown_discriminator";
        case Drop::YourDiscriminatorZero:
            return "your_discriminator_zero";
        case Drop::UnknownPeer:
            return "unknown_peer";
        case Drop::WrongPeer:
            return "wrong_peer";
        case Drop::TtlTooLow:
            return "ttl_too_low";
        case Drop::Authentication:
            return "authentication";
        case Drop::EchoForeign:
            return "echo_foreign";
    }
    return "unknown";
}

PacketBytes encode(const ControlPacket& packet) {
    PacketBytes out{};
    out[0] = static_cast<std::byte>(kVersion << 5U | static_cast<unsigned>(packet.diagnostic));
    out[1] = std::byte{flags_of(packet)};
    out[2] = std::byte{packet.multiplier};
    out[3] = static_cast<std::byte>(kPacketSize);
    put_u32(out, 4, packet.my_discriminator);
    put_u32(out, 8, packet.your_discriminator);
    put_u32(out, 12, packet.desired_min_tx);
    put_u32(out, 16, packet.required_min_rx);
    put_u32(out, 20, packet.required_min_echo_rx);
    return out;
}

std::variant<ControlPacket, Drop> decode(std::span<const std::byte> payload) {
    if (payload.size() < kPacketSize) {
        return Drop::TooShort;
    }
    wire::Reader in(payload);
    const std::uint8_t first = in.u8();
    const std::uint8_t flags = in.u8();
    ControlPacket out;
    out.diagnostic = static_cast<Diagnostic>(first & 0x1fU);
    out.state = static_cast<State>(flags >> 6U);
    out.poll = (flags & kPoll) != 0;
    out.final = (flags & kFinal) != 0;
    out.control_plane_independent = (flags & kControlPlaneIndependent) != 0;
    out.authentication = (flags & kAuthentication) != 0;
    out.demand = (flags & kDemand) != 0;
    out.multiplier = in.u8();
    const std::uint8_t length = in.u8();
    out.my_discriminator = in.u32();
    out.your_discriminator = in.u32();
    out.desired_min_tx = in.u32();
    out.required_min_rx = in.u32();
    out.required_min_echo_rx = in.u32();
    // RFC 5880 6.8.6, in its order.
    if (first >> 5U != kVersion) {
        return Drop::Version;
    }
    if (length < (out.authentication ? kSmallestAuthenticated : kPacketSize)) {
        return Drop::LengthTooSmall;
    }
    if (length > payload.size()) {
        return Drop::LengthBeyondPacket;
    }
    if (out.multiplier == 0) {
        return Drop::MultiplierZero;
    }
    if ((flags & kMultipoint) != 0) {
        return Drop::Multipoint;
    }
    if (out.my_discriminator == 0) {
        return Drop::MyDiscriminatorZero;
    }
    return out;
}

}  // namespace steelyard::bfd
