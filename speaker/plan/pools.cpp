#include "speaker/plan/pools.hpp"

namespace steelyard::speaker_plan {

PoolIndex::PoolIndex(const std::vector<config::Pool>& pools) {
    for (std::size_t pool = 0; pool < pools.size(); ++pool) {
        for (const net::Range& range : pools[pool].ranges) {
            ranges_.push_back({range.first(), range.last(), pool});
        }
    }
    std::sort(ranges_.begin(), ranges_.end(), [](const PoolRange& a, const PoolRange& b) {
        return a.first < b.first;
    });
}

std::optional<std::size_t> PoolIndex::pool_of(const net::IpAddress& address) const {
    const auto after = std::upper_bound(
        ranges_.begin(),
        ranges_.end(),
        address,
        [](const net::IpAddress& wanted, const PoolRange& range) { return wanted < range.first; }
    );
    if (after == ranges_.begin() || std::prev(after)->last < address) {
        return std::nullopt;
    }
    return std::prev(after)->pool;
}

}  // namespace steelyard::speaker_plan
