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

std::vector<net::Range> excluded_of(const config::Config& config, const std::string& pool) {
    std::vector<net::Range> excluded;
    for (const config::AllocationPolicy& policy : config.policies) {
        if (policy.covers(pool)) {
            excluded.insert(excluded.end(), policy.exclude.begin(), policy.exclude.end());
        }
    }
    return excluded;
}

FamilyCount count_of(std::uint64_t total, std::uint64_t assigned, std::uint64_t reserved) {
    return {total, assigned, reserved};
}

}  // namespace

std::uint64_t FamilyCount::available() const {
    // A saturated total stays one: the true number is still beyond what a status field can hold.
    return total == kMaxCount ? total : total - std::min(total, assigned + reserved);
}

bool Allocator::PoolState::hands_out(const net::IpAddress& address) const {
    return !(pool->avoid_buggy_ips && is_buggy(address)) &&
           !space(address.family()).free.excludes(address);
}

void Allocator::set_pools(std::shared_ptr<const config::Config> config) {
    config_ = std::move(config);
    pools_.clear();
    pinned_.clear();
    general_.clear();
    spread_ = {};
    openings_.clear();
    quotas_.set(*config_);
    for (const config::Pool& pool : config_->pools) {
        const auto excluded = excluded_of(*config_, pool.name);
        const auto index = static_cast<std::uint32_t>(pools_.size());
        const auto space_of = [&](net::Family family) {
            return Space{FreeSpace(pool.ranges, family, pool.avoid_buggy_ips, excluded), {}, 0, 0};
        };
        pools_.push_back({&pool, index, {space_of(net::Family::V4), space_of(net::Family::V6)}});
        for (std::size_t i = 0; i < pool.ranges.size(); ++i) {
            const net::Range& range = pool.ranges[i];
            spread_.at(static_cast<std::size_t>(range.family()))
                .push_back({{to_number(range.first()), to_number(range.last()), i}, index});
        }
    }
    for (auto& list : spread_) {
        std::sort(list.begin(), list.end(), [](const Spread& a, const Spread& b) {
            return a.span.first < b.span.first;
        });
    }
    for (const PoolState& state : pools_) {
        if (state.pool->auto_assign) {
            (state.pool->service_allocation ? pinned_ : general_).push_back(&state);
        }
    }
    std::sort(pinned_.begin(), pinned_.end(), [](const PoolState* a, const PoolState* b) {
        return preference(*a->pool) < preference(*b->pool);
    });
    holdings_.for_each([this](Holding& holding) {
        const auto place = locate(holding.addresses.list().front());
        holding.pool = place ? place->pool : Holding::kNoPool;
        for (const net::IpAddress& address : holding.addresses.list()) {
            if (holdings_.first_holder(address) == &holding) {
                account_held(address);
            }
        }
    });
    for (const net::IpAddress& address : claims_.addresses()) {
        account_kept(address);
    }
}

void Allocator::account_held(const net::IpAddress& address) {
    const auto place = locate(address);
    if (!place) {
        return;
    }
    Space& space = pools_[place->pool].space(address.family());
    space.free.take(place->position);
    ++space.assigned;
    const std::string* counted = nullptr;
    for (const Holding* holder = holdings_.first_holder(address); holder != nullptr;
         holder = holdings_.next_holder(*holder, address)) {
        if (holder->sharing) {
            space.shared[holder->sharing->key].insert(place->position);
        }
        // Holders come by name, so those of one namespace stand together.
        if (counted == nullptr || *counted != holder->service.ns) {
            quotas_.count(place->pool, holder->service.ns, 1);
        }
        counted = &holder->service.ns;
    }
}

void Allocator::account_kept(const net::IpAddress& address) {
    const auto place = locate(address);
    if (place && holdings_.first_holder(address) == nullptr) {
        PoolState& pool = pools_[place->pool];
        Space& space = pool.space(address.family());
        space.free.take(place->position);
        space.reserved += pool.hands_out(address) ? 1U : 0U;
    }
}

void Allocator::reserve(Claim claim) {
    if (const Claim* before = claims_.find(claim.reservation)) {
        if (*before == claim) {
            return;
        }
        unreserve(claim.reservation);
    }
    for (const net::IpAddress& address : claim.addresses) {
        if (!claims_.claimed(address)) {
            account_kept(address);
        }
        open_address(address, locate(address), {});
    }
    claims_.add(std::move(claim));
}

void Allocator::unreserve(const kube::ObjectKey& reservation) {
    const Claim* claim = claims_.find(reservation);
    if (claim == nullptr) {
        return;
    }
    const std::vector<net::IpAddress> addresses = claim->addresses;
    claims_.erase(reservation);
    for (const net::IpAddress& address : addresses) {
        const auto place = locate(address);
        const Holding* holder = holdings_.first_holder(address);
        const bool shared = holder != nullptr && holder->sharing;
        open_address(address, place, shared ? holder->sharing->key : std::string());
        if (place && holder == nullptr && !claims_.claimed(address)) {
            PoolState& pool = pools_[place->pool];
            Space& space = pool.space(address.family());
            space.free.give_back(place->position);
            space.reserved -= pool.hands_out(address) ? 1U : 0U;
            open_room(address, *place);
        }
    }
}

Verdict<Assignment> Allocator::allocate(const Request& request) {
    SY_CHECK(holdings_.find(request.service) == nullptr, "release before allocating again");
    const auto choice = choose(request);
    if (!choice) {
        return choice.error();
    }
    hold(request, *choice);
    return assignment_of(*choice);
}

Verdict<Assignment> Allocator::adopt(
    const Request& request, std::span<const net::IpAddress> addresses
) {
    if (auto refusal = explain::unfit(request, addresses)) {
        return *std::move(refusal);
    }
    const auto choice = judge(request, addresses, Grip::Held);
    if (!choice) {
        return choice.error();
    }
    hold(request, *choice);
    return assignment_of(*choice);
}

Verdict<Assignment> Allocator::extend(const Request& request) {
    const Holding* held = holdings_.find(request.service);
    SY_CHECK(held != nullptr && held->addresses.size() == 1, "one address must be held");
    SY_CHECK(held->pool != Holding::kNoPool, "adopted, so it lies in a pool");
    const PoolState* pool = &pools_[held->pool];
    const net::Family missing =
        held->addresses.list()[0].is_v4() ? net::Family::V6 : net::Family::V4;
    const auto added = offer(request, *pool, std::span(&missing, 1), kept_for(request));
    if (!added) {
        return nothing_in(request, std::span(&pool, 1), std::span(&missing, 1));
    }
    Choice grown{held->pool, held->addresses};
    grown.addresses.push_back(added->list().front());
    hold(request, grown);
    return assignment_of(grown);
}

bool Allocator::release(const kube::ObjectKey& service) {
    const Holding* held = holdings_.find(service);
    if (held == nullptr) {
        return false;
    }
    vacate(*held);
    return true;
}

std::optional<Assignment> Allocator::find(const kube::ObjectKey& service) const {
    const Holding* held = holdings_.find(service);
    return held == nullptr ? std::nullopt
                           : std::optional(assignment_of({held->pool, held->addresses}));
}

Assignment Allocator::assignment_of(const Choice& choice) const {
    const auto list = choice.addresses.list();
    return {
        choice.pool == Holding::kNoPool ? std::string() : pools_[choice.pool].pool->name,
        {list.begin(), list.end()}};
}

std::vector<kube::ObjectKey> Allocator::holders(const net::IpAddress& address) const {
    std::vector<kube::ObjectKey> list;
    for (const Holding* at = holdings_.first_holder(address); at != nullptr;
         at = holdings_.next_holder(*at, address)) {
        list.push_back(at->service);
    }
    return list;
}

std::vector<PoolCount> Allocator::counts() const {
    std::vector<PoolCount> counts;
    for (const PoolState& state : pools_) {
        const auto& [v4, v6] = state.spaces;
        counts.push_back(
            {state.pool->name,
             count_of(v4.free.total(), v4.assigned, v4.reserved),
             count_of(v6.free.total(), v6.assigned, v6.reserved)}
        );
    }
    return counts;
}

const Allocator::PoolState* Allocator::find_pool(const std::string& name) const {
    const auto found = std::lower_bound(
        pools_.begin(),
        pools_.end(),
        name,
        [](const PoolState& state, const std::string& wanted) { return state.pool->name < wanted; }
    );
    return found != pools_.end() && found->pool->name == name ? &*found : nullptr;
}

std::optional<Allocator::Place> Allocator::locate(const net::IpAddress& address) const {
    const auto& list = spread_.at(static_cast<std::size_t>(address.family()));
    const Number number = to_number(address);
    const auto after =
        std::upper_bound(list.begin(), list.end(), number, [](Number wanted, const Spread& spread) {
            return wanted < spread.span.first;
        });
    if (after == list.begin() || std::prev(after)->span.last < number) {
        return std::nullopt;
    }
    const Spread& spread = *std::prev(after);
    return Place{spread.pool, {spread.span.range, number}};
}

void Allocator::hold(const Request& request, const Choice& choice) {
    if (Holding* held = holdings_.find(request.service)) {
        if (held->addresses == choice.addresses) {
            held->pool = choice.pool;
            share_anew(*held, request.sharing);
            return;
        }
        vacate(*held);
    }
    Holding& held = holdings_.insert(request.service, choice.addresses);
    held.pool = choice.pool;
    if (!request.sharing.key.empty()) {
        held.sharing = std::make_unique<Sharing>(request.sharing);
    }
    occupy(held);
}

// The same addresses, under another key, with other ports or another backend.
void Allocator::share_anew(Holding& holding, const Sharing& sharing) {
    if (holding.sharing ? *holding.sharing == sharing : sharing.key.empty()) {
        return;
    }
    const std::string before = holding.sharing ? holding.sharing->key : std::string();
    holding.sharing = sharing.key.empty() ? nullptr : std::make_unique<Sharing>(sharing);
    for (const net::IpAddress& address : holding.addresses.list()) {
        const auto place = locate(address);
        // Another key means that it is the only holder: else it would have been refused.
        if (place && before != sharing.key) {
            auto& shared = pools_[place->pool].space(address.family()).shared;
            if (const auto old = shared.find(before); old != shared.end()) {
                old->second.erase(place->position);
                if (old->second.empty()) {
                    shared.erase(old);
                }
            }
            if (!sharing.key.empty()) {
                shared[sharing.key].insert(place->position);
            }
        }
        open_address(address, place, sharing.key);
    }
}

void Allocator::occupy(const Holding& holding) {
    const std::string key = holding.sharing ? holding.sharing->key : std::string();
    for (const net::IpAddress& address : holding.addresses.list()) {
        const auto place = locate(address);
        if (!place) {
            continue;
        }
        PoolState& pool = pools_[place->pool];
        Space& space = pool.space(address.family());
        const Holding* first = holdings_.first_holder(address);
        if (first == &holding && holdings_.next_holder(holding, address) == nullptr) {
            ++space.assigned;
            if (!claims_.empty() && claims_.claimed(address)) {
                space.reserved -= pool.hands_out(address) ? 1U : 0U;
            } else {
                space.free.take(place->position);
            }
        }
        if (!key.empty()) {
            space.shared[key].insert(place->position);
        }
        open_address(address, place, key);
        if (quotas_.limits(place->pool)) {
            std::size_t of_namespace = 0;
            for (; first != nullptr; first = holdings_.next_holder(*first, address)) {
                of_namespace += first->service.ns == holding.service.ns ? 1U : 0U;
            }
            if (of_namespace == 1) {
                quotas_.count(place->pool, holding.service.ns, 1);
            }
        }
    }
}

void Allocator::vacate(const Holding& holding) {
    const kube::ObjectKey service = holding.service;
    const Addresses addresses = holding.addresses;
    const std::string key = holding.sharing ? holding.sharing->key : std::string();
    holdings_.erase(service);
    for (const net::IpAddress& address : addresses.list()) {
        const auto place = locate(address);
        if (place && quotas_.limits(place->pool) && !held_in(service.ns, address)) {
            quotas_.count(place->pool, service.ns, -1);
            for (const std::uint32_t policy : quotas_.policies_of(place->pool)) {
                openings_.push_back({Want::Kind::Quota, policy, {}, service.ns});
            }
        }
        open_address(address, place, key);
        if (place && holdings_.first_holder(address) == nullptr) {
            PoolState& pool = pools_[place->pool];
            Space& space = pool.space(address.family());
            --space.assigned;
            if (claims_.claimed(address)) {
                space.reserved += pool.hands_out(address) ? 1U : 0U;
            } else {
                space.free.give_back(place->position);
                open_room(address, *place);
            }
            // Every holder of an address has the same key, so the last one takes it along.
            if (const auto shared = space.shared.find(key); shared != space.shared.end()) {
                shared->second.erase(place->position);
                if (shared->second.empty()) {
                    space.shared.erase(shared);
                }
            }
        }
    }
}

void Allocator::open_room(const net::IpAddress& address, const Place& place) {
    const auto kind = address.is_v4() ? Want::Kind::Room4 : Want::Kind::Room6;
    openings_.push_back({kind, place.pool, {}, {}});
    openings_.push_back({Want::Kind::RoomBoth, place.pool, {}, {}});
}

void Allocator::open_address(
    const net::IpAddress& address, const std::optional<Place>& place, const std::string& key
) {
    openings_.push_back({Want::Kind::Address, 0, address, {}});
    if (place && !key.empty()) {
        openings_.push_back({Want::Kind::Shared, place->pool, {}, key});
    }
}

}  // namespace steelyard::ipam
