#pragma once

#include "common/config/config.hpp"
#include "controller/ipam/request.hpp"

#include <cstdint>
#include <limits>
#include <map>
#include <string>
#include <vector>

// How many distinct addresses each namespace holds of the pools of each AllocationPolicy that has
// quotas, and how many more it may take. Costs nothing where no policy has one.
namespace steelyard::ipam {

class Quotas {
public:
    static constexpr std::int64_t kUnlimited = std::numeric_limits<std::int64_t>::max();

    // Pools and policies are named by their place in the configuration, which must outlive this.
    void set(const config::Config& config);  // forgets what was counted

    [[nodiscard]] bool limits(std::uint32_t pool) const { return !by_pool_.at(pool).empty(); }

    // The tightest quota of the pool for this namespace.
    struct Room {
        std::int64_t addresses = kUnlimited;  // may still be taken; 0 also when too many are held
        std::int64_t limit = kUnlimited;
        std::uint32_t policy = 0;
    };
    [[nodiscard]] Room room(const Request& request, std::uint32_t pool) const;

    // The same of one policy.
    [[nodiscard]] Room room_under(const Request& request, std::uint32_t policy) const;

    [[nodiscard]] const std::vector<std::uint32_t>& policies_of(std::uint32_t pool) const {
        return by_pool_.at(pool);
    }
    void count(std::uint32_t pool, const std::string& ns, std::int64_t change);

private:
    const config::Config* config_ = nullptr;
    std::vector<std::vector<std::uint32_t>> by_pool_;         // policies with quotas
    std::vector<std::map<std::string, std::int64_t>> taken_;  // by policy: namespace -> addresses
};

}  // namespace steelyard::ipam
