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

// For each address the position of its node in `node_seeds`. Positions tell nodes with equal scores
// apart, so the caller orders the nodes by name. `limit` * nodes must hold all addresses.
[[nodiscard]] std::vector<std::uint32_t> place_bounded(
    std::span<const net::IpAddress> addresses,
    std::span<const std::uint64_t> node_seeds,
    std::size_t limit
);

}  // namespace steelyard::elect
