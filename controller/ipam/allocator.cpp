#include "controller/ipam/allocator.hpp"

#include "common/base/check.hpp"
#include "controller/ipam/explain.hpp"

#include <algorithm>
#include <limits>
#include <utility>

namespace steelyard::ipam {
namespace {

constexpr std::uint64_t kMaxCount = std::numeric_limits<std::int64_t>::max();

// serviceAllocation.priority: lower first, 0 (unset) last; the name decides a tie.
std::pair<std::int64_t, std::string_view> preference(const config::Pool& pool) {
    const std::int64_t priority = pool.service_allocation->priority;
    return {priority == 0 ? std::numeric_limits<std::int64_t>::max() : priority, pool.name};
}

bool admitted(const config::Pool& pool, const Request& request) {
    return config::admits(
        pool, request.service.ns, request.namespace_labels, request.service_labels
    );
}

bool wants_both(const Request& request) {
    return request.families.size() == 2;
}

}  // namespace

std::uint64_t FamilyCount::available() const {
    // A saturated total stays one: the true number is still beyond what a status field can hold.
    return total == kMaxCount ? total : total - std::min(total, assigned);
}

std::size_t Allocator::KeyHash::operator()(const kube::ObjectKey& key) const {
    const std::size_t ns = std::hash<std::string>()(key.ns);
    return std::hash<std::string>()(key.name) ^ (ns * 0x9e3779b97f4a7c15U);
}

void Allocator::set_pools(std::shared_ptr<const config::Config> config) {
    config_ = std::move(config);
    pools_.clear();
    pinned_.clear();
    general_.clear();
    for (const config::Pool& pool : config_->pools) {
        const auto space_of = [&](net::Family family) {
            return Space{FreeSpace(pool.ranges, family, pool.avoid_buggy_ips), {}, 0};
        };
        pools_.push_back({&pool, {space_of(net::Family::V4), space_of(net::Family::V6)}});
    }
    for (PoolState& state : pools_) {
        if (state.pool->auto_assign) {
            (state.pool->service_allocation ? pinned_ : general_).push_back(&state);
        }
    }
    std::sort(pinned_.begin(), pinned_.end(), [](const PoolState* a, const PoolState* b) {
        return preference(*a->pool) < preference(*b->pool);
    });
    holders_.clear();
    for (auto& [key, held] : held_) {
        const PoolState* pool = pool_of(held.assignment.addresses.front());
        held.assignment.pool = pool != nullptr ? pool->pool->name : std::string();
        occupy(held);
    }
}

Verdict<Assignment> Allocator::allocate(const Request& request) {
    SY_CHECK(find(request.service) == nullptr, "release before allocating again");
    auto chosen = choose(request);
    if (chosen) {
        hold(request, *chosen);
    }
    return chosen;
}

Verdict<Assignment> Allocator::adopt(
    const Request& request, std::span<const net::IpAddress> addresses
) {
    if (auto refusal = explain::unfit(request, addresses)) {
        return *std::move(refusal);
    }
    auto checked = check(request, addresses);
    if (checked) {
        hold(request, *checked);
    }
    return checked;
}

Verdict<Assignment> Allocator::extend(const Request& request) {
    const Assignment* current = find(request.service);
    SY_CHECK(current != nullptr && current->addresses.size() == 1, "one address must be held");
    const net::IpAddress held = current->addresses.front();
    const net::Family missing = held.is_v4() ? net::Family::V6 : net::Family::V4;
    PoolState* pool = find_pool(current->pool);
    const auto added =
        pool == nullptr ? std::nullopt : choose_in(request, *pool, std::span(&missing, 1));
    if (!added) {
        return explain::exhausted({current->pool}, std::span(&missing, 1));
    }
    Assignment grown = *current;
    grown.addresses.push_back(added->front());
    hold(request, grown);
    return grown;
}

bool Allocator::release(const kube::ObjectKey& service) {
    const auto found = held_.find(service);
    if (found == held_.end()) {
        return false;
    }
    vacate(found->second);
    held_.erase(found);
    return true;
}

const Assignment* Allocator::find(const kube::ObjectKey& service) const {
    const auto found = held_.find(service);
    return found == held_.end() ? nullptr : &found->second.assignment;
}

const Sharing* Allocator::sharing_of(const kube::ObjectKey& service) const {
    const auto found = held_.find(service);
    return found == held_.end() ? nullptr : &found->second.sharing;
}

std::vector<PoolCount> Allocator::counts() const {
    std::vector<PoolCount> counts;
    for (const PoolState& state : pools_) {
        const auto& [v4, v6] = state.spaces;
        counts.push_back(
            {state.pool->name, {v4.free.total(), v4.assigned}, {v6.free.total(), v6.assigned}}
        );
    }
    return counts;
}

Allocator::PoolState* Allocator::find_pool(const std::string& name) {
    const auto found = std::lower_bound(
        pools_.begin(),
        pools_.end(),
        name,
        [](const PoolState& state, const std::string& wanted) { return state.pool->name < wanted; }
    );
    return found != pools_.end() && found->pool->name == name ? &*found : nullptr;
}

Allocator::PoolState* Allocator::pool_of(const net::IpAddress& address) {
    for (PoolState& state : pools_) {
        if (space(state, address.family()).free.position_of(address)) {
            return &state;
        }
    }
    return nullptr;
}

Verdict<Assignment> Allocator::choose(const Request& request) {
    if (pools_.empty()) {
        return explain::no_pools();
    }
    if (!request.addresses.empty()) {
        if (auto refusal = explain::unfit(request, request.addresses)) {
            return *std::move(refusal);
        }
        return check(request, request.addresses);
    }
    return request.pool.empty() ? choose_automatic(request) : choose_named(request);
}

Verdict<Assignment> Allocator::choose_named(const Request& request) {
    PoolState* pool = find_pool(request.pool);
    if (pool == nullptr) {
        return explain::unknown_pool(request.pool);
    }
    if (!admitted(*pool->pool, request)) {
        return explain::pool_not_allowed(request);
    }
    if (auto chosen = choose_among(request, std::span(&pool, 1))) {
        return *std::move(chosen);
    }
    return explain::exhausted({request.pool}, request.families);
}

Verdict<Assignment> Allocator::choose_automatic(const Request& request) {
    std::vector<PoolState*> pinned;
    std::copy_if(
        pinned_.begin(),
        pinned_.end(),
        std::back_inserter(pinned),
        [&](const PoolState* state) { return admitted(*state->pool, request); }
    );
    // A pinned Service spills into the general pools when its own are full.
    if (auto chosen = choose_among(request, pinned)) {
        return *std::move(chosen);
    }
    if (auto chosen = choose_among(request, general_)) {
        return *std::move(chosen);
    }
    std::vector<std::string> tried;
    for (const auto* list : {&pinned, &general_}) {
        for (const PoolState* state : *list) {
            tried.push_back(state->pool->name);
        }
    }
    if (tried.empty()) {
        return explain::no_matching_pool();
    }
    return explain::exhausted(tried, request.families);
}

// Dual stack is tried on every pool before PreferDualStack settles for one family.
std::optional<Assignment> Allocator::choose_among(
    const Request& request, std::span<PoolState* const> pools
) {
    std::vector<std::span<const net::Family>> attempts{std::span(request.families)};
    if (wants_both(request) && request.policy == kube::IpFamilyPolicy::PreferDualStack) {
        attempts.push_back(std::span(request.families).first(1));
        attempts.push_back(std::span(request.families).last(1));
    }
    for (const auto families : attempts) {
        for (PoolState* pool : pools) {
            if (auto addresses = choose_in(request, *pool, families)) {
                return Assignment{pool->pool->name, *std::move(addresses)};
            }
        }
    }
    return std::nullopt;
}

std::optional<Allocator::Addresses> Allocator::choose_in(
    const Request& request, PoolState& pool, std::span<const net::Family> families
) {
    Addresses addresses;
    for (const net::Family family : families) {
        const auto address = lowest_for(request, pool, family);
        if (!address) {
            return std::nullopt;
        }
        addresses.push_back(*address);
    }
    std::sort(addresses.begin(), addresses.end());  // a fresh dual assignment reads IPv4, IPv6
    return addresses;
}

std::optional<net::IpAddress> Allocator::lowest_for(
    const Request& request, PoolState& pool, net::Family family
) {
    Space& where = space(pool, family);
    const auto free = where.free.lowest();
    if (!request.sharing.key.empty()) {
        const auto shared = where.shared.find(request.sharing.key);
        if (shared != where.shared.end()) {
            for (const Position& position : shared->second) {
                if (free && *free < position) {
                    break;
                }
                const net::IpAddress address = where.free.address_at(position);
                const bool avoided = pool.pool->avoid_buggy_ips && is_buggy(address);
                if (!avoided && !why_not(request, address)) {
                    return address;
                }
            }
        }
    }
    return free ? std::optional(where.free.address_at(*free)) : std::nullopt;
}

Verdict<Assignment> Allocator::check(
    const Request& request, std::span<const net::IpAddress> addresses
) {
    const PoolState* pool = nullptr;
    for (const net::IpAddress& address : addresses) {
        const PoolState* holder = pool_of(address);
        if (holder == nullptr) {
            return explain::not_in_pool(address);
        }
        if (holder->pool->avoid_buggy_ips && is_buggy(address)) {
            return explain::avoided(address, holder->pool->name);
        }
        if (pool != nullptr && pool != holder) {
            return explain::different_pools(
                addresses[0], pool->pool->name, address, holder->pool->name
            );
        }
        pool = holder;
    }
    if (!request.pool.empty() && pool->pool->name != request.pool) {
        return explain::pool_mismatch(addresses[0], pool->pool->name, request.pool);
    }
    if (!admitted(*pool->pool, request)) {
        Request named = request;
        named.pool = pool->pool->name;
        return explain::pool_not_allowed(named);
    }
    for (const net::IpAddress& address : addresses) {
        if (auto refusal = why_not(request, address)) {
            return *std::move(refusal);
        }
    }
    return Assignment{pool->pool->name, Addresses(addresses.begin(), addresses.end())};
}

std::optional<Refusal> Allocator::why_not(const Request& request, const net::IpAddress& address)
    const {
    const auto found = holders_.find(address);
    if (found == holders_.end()) {
        return std::nullopt;
    }
    for (const Held* holder : found->second) {
        if (holder->service == request.service) {
            continue;
        }
        if (auto refusal = explain::conflict(request, address, holder->service, holder->sharing)) {
            return refusal;
        }
    }
    return std::nullopt;
}

void Allocator::hold(const Request& request, Assignment assignment) {
    const auto [entry, inserted] = held_.try_emplace(request.service);
    Held& held = entry->second;
    if (!inserted) {
        vacate(held);
    }
    held.service = request.service;
    held.assignment = std::move(assignment);
    held.sharing = request.sharing;
    occupy(held);
}

void Allocator::occupy(const Held& held) {
    for (const net::IpAddress& address : held.assignment.addresses) {
        auto& holders = holders_[address];
        holders.push_back(&held);
        PoolState* pool = pool_of(address);
        if (pool == nullptr) {
            continue;
        }
        Space& where = space(*pool, address.family());
        const Position position = *where.free.position_of(address);
        if (holders.size() == 1) {
            where.free.take(position);
            ++where.assigned;
        }
        if (!held.sharing.key.empty()) {
            where.shared[held.sharing.key].insert(position);
        }
    }
}

void Allocator::vacate(const Held& held) {
    for (const net::IpAddress& address : held.assignment.addresses) {
        const auto found = holders_.find(address);
        std::erase(found->second, &held);
        // Every holder of an address has the same key, so the last one takes it along.
        if (!found->second.empty()) {
            continue;
        }
        holders_.erase(found);
        PoolState* pool = pool_of(address);
        if (pool == nullptr) {
            continue;
        }
        Space& where = space(*pool, address.family());
        const Position position = *where.free.position_of(address);
        where.free.give_back(position);
        --where.assigned;
        if (const auto key = where.shared.find(held.sharing.key); key != where.shared.end()) {
            key->second.erase(position);
            if (key->second.empty()) {
                where.shared.erase(key);
            }
        }
    }
}

}  // namespace steelyard::ipam
