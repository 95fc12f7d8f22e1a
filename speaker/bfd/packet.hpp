#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>
#include <variant>

// The BFD control packet (RFC 5880 4.1): 24 bytes, big-endian, intervals in microseconds on the
// wire and here. decode() makes those checks of 6.8.6 that need no session, in the order of the
// RFC; the rest is the Demultiplexer's and the Session's. A refusal is a Drop, never an error text.
namespace steelyard::bfd {

inline constexpr std::size_t kPacketSize = 24;
inline constexpr std::uint16_t kSingleHopPort = 3784;  // RFC 5881 4
inline constexpr std::uint16_t kEchoPort = 3785;       // RFC 5881 4
inline constexpr std::uint16_t kMultihopPort = 4784;   // RFC 5883 5

enum class State : std::uint8_t { AdminDown = 0, Down = 1, Init = 2, Up = 3 };
[[nodiscard]] std::string_view to_string(State state);  // "AdminDown", "Down", "Init", "Up"

// Why the session last left Up (RFC 5880 4.1).
enum class Diagnostic : std::uint8_t {
    None = 0,
    DetectionTimeExpired = 1,
    EchoFailed = 2,
    NeighborSignaledDown = 3,
    ForwardingPlaneReset = 4,
    PathDown = 5,
    ConcatenatedPathDown = 6,
    AdministrativelyDown = 7,
    ReverseConcatenatedPathDown = 8,
};
[[nodiscard]] std::string_view to_string(Diagnostic diagnostic);  // the RFC's words

// Why a received packet was not taken, in the order in which it is asked.
enum class Drop : std::uint8_t {
    TtlNot255,           // RFC 5881 5, single hop
    TooShort,            // fewer bytes than a packet has
    Version,             // not 1
    LengthTooSmall,      // length field below 24, or 26 with authentication
    LengthBeyondPacket,  // length field above what arrived
    MultiplierZero,
    Multipoint,
    MyDiscriminatorZero,
    UnknownDiscriminator,   // no session of ours has it
    YourDiscriminatorZero,  // in a state in which the peer must know ours
    UnknownPeer,            // nobody is configured with that address on that interface
    WrongPeer,              // our discriminator from another address, interface or port
    TtlTooLow,              // RFC 5883 multihop: below the profile's minimum
    Authentication,         // the A bit, and we use none
    EchoForeign,            // on the echo port, not one of ours that came back
};
inline constexpr std::size_t kDrops = 15;
[[nodiscard]] std::string_view to_string(Drop drop);  // "ttl_not_255": label of a metric

struct ControlPacket {
    Diagnostic diagnostic = Diagnostic::None;
    State state = State::Down;
    bool poll = false;
    bool final = false;
    bool control_plane_independent = false;
    bool authentication = false;
    bool demand = false;
    std::uint8_t multiplier = 3;
    std::uint32_t my_discriminator = 0;
    std::uint32_t your_discriminator = 0;
    std::uint32_t desired_min_tx = 0;
    std::uint32_t required_min_rx = 0;
    std::uint32_t required_min_echo_rx = 0;

    friend bool operator==(const ControlPacket&, const ControlPacket&) = default;
};

using PacketBytes = std::array<std::byte, kPacketSize>;

// Never with an authentication section: the A bit is written as the packet says.
[[nodiscard]] PacketBytes encode(const ControlPacket& packet);
[[nodiscard]] std::variant<ControlPacket, Drop> decode(std::span<const std::byte> payload);

}  // namespace steelyard::bfd
