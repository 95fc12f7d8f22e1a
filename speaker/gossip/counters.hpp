#pragma once

#include "speaker/gossip/wire/refusal.hpp"

#include <array>
#include <cstdint>

// What a member did and dropped since it started; values for metrics, each only ever growing.
namespace steelyard::gossip {

struct Counters {
    std::uint64_t packets_in = 0;
    std::uint64_t packets_out = 0;
    std::uint64_t bytes_in = 0;  // of packets
    std::uint64_t bytes_out = 0;
    std::uint64_t streams_in = 0;  // accepted, and opened
    std::uint64_t streams_out = 0;
    std::uint64_t user_messages = 0;  // other people's, which we ignore
    std::uint64_t reconnect_pings = 0;
    std::uint64_t reconnect_streams = 0;
    std::array<std::uint64_t, gossip_wire::kRefusals.size()> refused{};  // by Refusal

    [[nodiscard]] std::uint64_t refused_for(gossip_wire::Refusal reason) const {
        return refused[static_cast<std::size_t>(reason)];
    }
};

}  // namespace steelyard::gossip
