#pragma once

#include "common/config/config.hpp"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

// Which pool an address is of, and which advertisements name the pool. Private to the room.
namespace steelyard::speaker_plan {

class PoolIndex {
public:
    explicit PoolIndex(const std::vector<config::Pool>& pools);

    // The pool's position in Config::pools; nothing when none has the address.
    [[nodiscard]] std::optional<std::size_t> pool_of(const net::IpAddress& address) const;

private:
    struct PoolRange {
        net::IpAddress first;
        net::IpAddress last;
        std::size_t pool = 0;
    };
    std::vector<PoolRange> ranges_;  // by first address; they never overlap
};

// Positions in a list of advertisements, ascending.
using Advertisements = std::vector<std::uint32_t>;

// By pool: the advertisements that name it.
template <class Advertisement>
[[nodiscard]] std::vector<Advertisements> advertisements_by_pool(
    const std::vector<config::Pool>& pools, const std::vector<Advertisement>& advertisements
) {
    std::vector<Advertisements> by_pool(pools.size());
    for (std::size_t pool = 0; pool < pools.size(); ++pool) {
        for (std::uint32_t i = 0; i < advertisements.size(); ++i) {
            const auto& names = advertisements[i].pools;
            if (std::find(names.begin(), names.end(), pools[pool].name) != names.end()) {
                by_pool[pool].push_back(i);
            }
        }
    }
    return by_pool;
}

}  // namespace steelyard::speaker_plan
