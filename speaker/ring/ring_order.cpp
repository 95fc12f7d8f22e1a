#include "speaker/ring/ring_order.hpp"

#include <algorithm>

namespace steelyard::ring {
namespace {

// FNV-1a (Fowler, Noll, Vo) spread by the finaliser of SplitMix64: the ring needs an even spread
// that every build of ours agrees on, no protection; names are authenticated elsewhere.
std::uint64_t fnv(std::string_view text) {
    std::uint64_t hash = 0xcbf29ce484222325ULL;
    for (const char character : text) {
        hash ^= static_cast<unsigned char>(character);
        hash *= 0x100000001b3ULL;
    }
    return hash;
}

std::uint64_t mix(std::uint64_t value) {
    value = (value ^ (value >> 30U)) * 0xbf58476d1ce4e5b9ULL;
    value = (value ^ (value >> 27U)) * 0x94d049bb133111ebULL;
    return value ^ (value >> 31U);
}

}  // namespace

NodeId node_id(std::string_view name, std::uint64_t epoch) {
    return NodeId{mix(mix(fnv(name)) + epoch)};
}

Place place(std::string_view name, std::uint64_t epoch) {
    return {mix(fnv(name)), std::string(name), node_id(name, epoch)};
}

std::vector<NodeId> successors(std::span<const Place> ring, const Place& self, std::size_t count) {
    std::vector<NodeId> out;
    const auto after = std::upper_bound(ring.begin(), ring.end(), self);
    const auto start = static_cast<std::size_t>(after - ring.begin());
    for (std::size_t step = 0; step < ring.size() && out.size() < count; ++step) {
        const Place& next = ring[(start + step) % ring.size()];
        if (next.name != self.name) {
            out.push_back(next.id);
        }
    }
    return out;
}

}  // namespace steelyard::ring
