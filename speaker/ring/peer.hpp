#pragma once

#include "speaker/ring/config.hpp"
#include "speaker/ring/ring_order.hpp"
#include "speaker/ring/seal.hpp"

#include <cstdint>
#include <optional>
#include <vector>

namespace steelyard::ring {

// The counters of one pair of boots. They outlive a peer's absence, since neither may begin again
// while both processes live.
struct Session {
    std::uint64_t sent = 0;
    ReplayWindow received;
};

// What a node keeps about a peer. Packets may overtake each other, so of each kind of news the
// packet counter of the newest is kept and older ones are ignored.
struct PeerState {
    Peer peer;
    Place place;
    Session session;
    std::optional<Secret> seal_key;  // made when first needed
    std::vector<Secret> open_keys;
    std::uint64_t newest_heartbeat = 0;  // or release
    std::uint64_t newest_view = 0;
    std::uint64_t newest_lift = 0;  // of a verdict
    bool leaving = false;
};

}  // namespace steelyard::ring
