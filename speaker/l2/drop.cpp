#include "speaker/l2/drop.hpp"

#include <numeric>

namespace steelyard::l2 {

std::string_view to_string(Drop reason) {
    switch (reason) {
        case Drop::Truncated:
            return "truncated";
        case Drop::EtherType:
            return "ethertype";
        case Drop::Vlan:
            return "vlan";
        case Drop::Malformed:
            return "malformed";
        case Drop::Checksum:
            return "checksum";
        case Drop::HopLimit:
            return "hop_limit";
        case Drop::Fragment:
            return "fragment";
        case Drop::Oversized:
            return "oversized";
        case Drop::Spoofed:
            return "spoofed";
        case Drop::Own:
            return "own";
        case Drop::NotForUs:
            return "not_for_us";
        case Drop::NotAnnounced:
            return "not_announced";
        case Drop::NoLease:
            return "no_lease";
        case Drop::RateLimited:
            return "rate_limited";
    }
    return "unknown";
}

std::uint64_t DropCounters::total() const {
    return std::accumulate(counts_.begin(), counts_.end(), std::uint64_t{0});
}

}  // namespace steelyard::l2
