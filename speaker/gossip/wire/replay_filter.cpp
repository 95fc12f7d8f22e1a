#include "speaker/gossip/wire/replay_filter.hpp"

#include "common/wire/reader.hpp"

#include <algorithm>

namespace steelyard::gossip_wire {

bool ReplayFilter::admit(std::span<const std::byte> nonce) {
    sets_.resize(kSets);
    const std::uint64_t key = wire::Reader(nonce).u64();
    Set& set = sets_[key % kSets];
    if (std::find(set.begin(), set.end(), key) != set.end()) {
        return false;
    }
    std::move_backward(set.begin(), set.end() - 1, set.end());
    set.front() = key;
    return true;
}

}  // namespace steelyard::gossip_wire
