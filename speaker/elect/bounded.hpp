#pragma once

#include "common/net/ip.hpp"

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

// Rendezvous hashing with bounded load as a stable matching: addresses ask for nodes in the order
// of their scores, a full node keeps the addresses with the highest scores. Both sides prefer by
// the same score, so there is exactly one stable matching (Gale and Shapley): the result depends
// on the sets only, never on the order they are given in. Private to the room.
namespace steelyard::elect {

struct Choice {
    std::uint64_t seed = 0;  // node_seed()
    std::uint32_t rank = 0;  // unique; breaks ties of scores
};

// For each address the position of its node in `choices`. `limit` * choices must hold them all.
[[nodiscard]] std::vector<std::uint32_t> place_bounded(
    std::span<const net::IpAddress> addresses, std::span<const Choice> choices, std::size_t limit
);

}  // namespace steelyard::elect
