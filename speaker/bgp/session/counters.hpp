#pragma once

#include <cstdint>

namespace steelyard::bgp {

// All count up from the Peer's construction, over all its connections.
struct Counters {
    struct Messages {
        std::uint64_t opens = 0;
        std::uint64_t updates = 0;
        std::uint64_t notifications = 0;
        std::uint64_t keepalives = 0;
        std::uint64_t route_refreshes = 0;
        std::uint64_t bytes = 0;
        [[nodiscard]] std::uint64_t total() const {
            return opens + updates + notifications + keepalives + route_refreshes;
        }
    };
    struct Inbound {  // routes the peer sent, counted and dropped
        std::uint64_t announced = 0;
        std::uint64_t withdrawn = 0;
    };
    Messages in;
    Messages out;
    Inbound v4;
    Inbound v6;
    // UPDATEs with an error, by what RFC 7606 makes of it:
    std::uint64_t attribute_discards = 0;
    std::uint64_t treated_as_withdraw = 0;
    std::uint64_t families_disabled = 0;
    std::uint64_t update_resets = 0;

    std::uint64_t connects = 0;     // attempts of ours
    std::uint64_t accepts = 0;      // calls of the peer we answered
    std::uint64_t established = 0;  // sessions so far
    std::uint64_t dropped = 0;      // sessions that ended
    std::uint64_t collisions = 0;   // connections given up in favour of another
};

}  // namespace steelyard::bgp
