#pragma once

#include "common/base/time.hpp"
#include "speaker/bfd/packet.hpp"

#include <array>
#include <cstdint>

// What a session tells about itself, for people and metrics.
namespace steelyard::bfd {

struct Counters {
    std::uint64_t sent = 0;
    std::uint64_t received = 0;
    std::uint64_t echoes_sent = 0;
    std::uint64_t echoes_received = 0;
    std::uint64_t ups = 0;
    std::uint64_t downs = 0;  // failures only: AdminDown on either side is none

    friend bool operator==(const Counters&, const Counters&) = default;
};

struct SessionStatus {
    // As clients see it: AdminDown when either side is, since that is no failure (RFC 5882 3.2).
    State state = State::Down;
    State remote_state = State::Down;
    Diagnostic diagnostic = Diagnostic::None;         // why it last left Up
    Diagnostic remote_diagnostic = Diagnostic::None;  // what the peer says of its side
    Instant since;                                    // of `state`
    Duration transmit_interval{};                     // agreed, before jitter
    Duration receive_interval{};                      // agreed: what we may expect of the peer
    Duration detection_time{};                        // zero before the peer spoke
    std::uint8_t remote_multiplier = 0;
    std::uint32_t discriminator = 0;
    std::uint32_t remote_discriminator = 0;
    bool remote_demand = false;
    bool echo = false;  // our echoes come back, so control packets are slow
    Counters counters;
};

// Packets refused, by Drop.
using DropCounters = std::array<std::uint64_t, kDrops>;

}  // namespace steelyard::bfd
