#include "controller/ipam/quotas.hpp"

#include <algorithm>

namespace steelyard::ipam {

void Quotas::set(const config::Config& config) {
    config_ = &config;
    by_pool_.assign(config.pools.size(), {});
    taken_.assign(config.policies.size(), {});
    for (std::uint32_t policy = 0; policy < config.policies.size(); ++policy) {
        if (config.policies[policy].quotas.empty()) {
            continue;
        }
        for (std::uint32_t pool = 0; pool < config.pools.size(); ++pool) {
            if (config.policies[policy].covers(config.pools[pool].name)) {
                by_pool_[pool].push_back(policy);
            }
        }
    }
}

Quotas::Room Quotas::room(const Request& request, std::uint32_t pool) const {
    Room tightest;
    for (const std::uint32_t policy : by_pool_.at(pool)) {
        const Room room = room_under(request, policy);
        if (room.addresses < tightest.addresses) {
            tightest = room;
        }
    }
    return tightest;
}

Quotas::Room Quotas::room_under(const Request& request, std::uint32_t policy) const {
    Room tightest;
    const auto& taken = taken_[policy];
    const auto found = taken.find(request.service.ns);
    const std::int64_t held = found == taken.end() ? 0 : found->second;
    for (const config::Quota& quota : config_->policies[policy].quotas) {
        const std::int64_t left = std::max<std::int64_t>(quota.addresses - held, 0);
        if (left < tightest.addresses &&
            config::applies(quota, request.service.ns, *request.namespace_labels)) {
            tightest = {left, quota.addresses, policy};
        }
    }
    return tightest;
}

void Quotas::count(std::uint32_t pool, const std::string& ns, std::int64_t change) {
    for (const std::uint32_t policy : by_pool_.at(pool)) {
        auto& taken = taken_[policy];
        const auto entry = taken.try_emplace(ns, 0).first;
        entry->second += change;
        if (entry->second == 0) {
            taken.erase(entry);
        }
    }
}

}  // namespace steelyard::ipam
