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

// How far round the ring one must go; two names on one position go by their text.
bool Successors::nearer(const Place& a, const Place& b) const {
    const std::uint64_t to_a = a.position - self_.position;
    const std::uint64_t to_b = b.position - self_.position;
    return to_a != to_b ? to_a < to_b : a.name < b.name;
}

void Successors::consider(const Place& place) {
    if (place.name == self_.name) {
        return;
    }
    const auto at = std::upper_bound(
        nearest_.begin(),
        nearest_.end(),
        &place,
        [&](const Place* a, const Place* b) { return nearer(*a, *b); }
    );
    if (at == nearest_.end() && nearest_.size() >= count_) {
        return;
    }
    nearest_.insert(at, &place);
    if (nearest_.size() > count_) {
        nearest_.pop_back();
    }
}

std::vector<NodeId> Successors::ids() const {
    std::vector<NodeId> out;
    for (const Place* place : nearest_) {
        out.push_back(place->id);
    }
    return out;
}

}  // namespace steelyard::ring
