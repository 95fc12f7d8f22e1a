#include "controller/ipam/allocator.hpp"
#include "controller/ipam/explain.hpp"

#include <algorithm>
#include <utility>

// The Allocator's decisions: which pool, which address, or why none. Nothing here changes anything,
// so that what explains is what decides.
namespace steelyard::ipam {
namespace {

// Dual stack is tried on every pool before PreferDualStack settles for one family.
template <class Attempt>
auto in_turn(const Request& request, Attempt&& attempt) {
    const std::span<const net::Family> families(request.families);
    auto found = attempt(families);
    if (families.size() < 2 || request.policy != kube::IpFamilyPolicy::PreferDualStack) {
        return found;
    }
    if (!found) {
        found = attempt(families.first(1));
    }
    if (!found) {
        found = attempt(families.last(1));
    }
    return found;
}

// How many addresses it takes at the least.
std::int64_t least(const Request& request, std::span<const net::Family> families) {
    return request.policy == kube::IpFamilyPolicy::PreferDualStack
               ? 1
               : static_cast<std::int64_t>(families.size());
}

}  // namespace

Verdict<Allocator::Choice> Allocator::choose(const Request& request) const {
    if (pools_.empty()) {
        return explain::no_pools();
    }
    if (!request.addresses.empty()) {
        if (auto refusal = explain::unfit(request, request.addresses)) {
            return *std::move(refusal);
        }
        return judge(request, request.addresses, Grip::Fresh);
    }
    if (!claims_.empty()) {
        if (auto kept = choose_kept(request)) {
            return *std::move(kept);
        }
    }
    return request.pool.empty() ? choose_automatic(request) : choose_named(request);
}

// What reservations keep for the Service and it could have now.
std::vector<net::IpAddress> Allocator::kept_for(const Request& request) const {
    std::vector<net::IpAddress> kept = claims_.kept_for(request.service);
    std::erase_if(kept, [&](const net::IpAddress& address) {
        const auto place = locate(address);
        return !place || !pools_[place->pool].hands_out(address) ||
               why_not(request, address, Grip::Fresh).has_value();
    });
    return kept;
}

// A reservation is a wish like an address asked for by value: autoAssign does not matter. What it
// keeps of a family the Service wants is taken; the other family comes from the same pool.
std::optional<Allocator::Choice> Allocator::choose_kept(const Request& request) const {
    const std::vector<net::IpAddress> kept = kept_for(request);
    for (const net::IpAddress& address : kept) {
        const PoolState& pool = pools_[locate(address)->pool];
        const auto bar = barred(request, pool);
        if (bar && *bar != Reason::PoolNotAutomatic) {
            continue;
        }
        const auto offered = in_turn(request, [&](Families families) {
            auto some = offer(request, pool, families, kept);
            const bool any_kept = some && std::ranges::any_of(some->list(), [&](const auto& one) {
                                      return std::ranges::find(kept, one) != kept.end();
                                  });
            return any_kept ? some : std::nullopt;
        });
        if (offered) {
            return Choice{pool.index, *offered};
        }
    }
    return std::nullopt;
}

Verdict<Allocator::Choice> Allocator::choose_named(const Request& request) const {
    const PoolState* pool = find_pool(request.pool);
    if (pool == nullptr) {
        return explain::unknown_pool(request.pool);
    }
    if (barred(request, *pool)) {
        return explain::pool_not_allowed(request.pool, request.service.ns);
    }
    if (auto chosen = choose_among(request, std::span(&pool, 1))) {
        return *std::move(chosen);
    }
    return nothing_in(request, std::span(&pool, 1), request.families);
}

Verdict<Allocator::Choice> Allocator::choose_automatic(const Request& request) const {
    std::vector<const PoolState*> pinned;
    std::ranges::copy_if(pinned_, std::back_inserter(pinned), [&](const PoolState* pool) {
        return !barred(request, *pool);
    });
    // A pinned Service spills into the general pools when its own are full.
    for (const Pools pools : {Pools(pinned), Pools(general_)}) {
        if (auto chosen = choose_among(request, pools)) {
            return *std::move(chosen);
        }
    }
    pinned.insert(pinned.end(), general_.begin(), general_.end());
    return pinned.empty() ? explain::no_matching_pool()
                          : nothing_in(request, pinned, request.families);
}

std::optional<Allocator::Choice> Allocator::choose_among(const Request& request, Pools pools)
    const {
    return in_turn(request, [&](Families families) -> std::optional<Choice> {
        for (const PoolState* pool : pools) {
            if (const auto addresses = offer(request, *pool, families)) {
                return Choice{pool->index, *addresses};
            }
        }
        return std::nullopt;
    });
}

// One address of each family: of the kept ones, else the lowest.
std::optional<Addresses> Allocator::offer(
    const Request& request,
    const PoolState& pool,
    Families families,
    std::span<const net::IpAddress> kept
) const {
    const bool limited = quotas_.limits(pool.index);
    std::int64_t room = limited ? quotas_.room(request, pool.index).addresses : Quotas::kUnlimited;
    Addresses chosen;
    for (const net::Family family : families) {
        const auto mine = std::ranges::find_if(kept, [&](const net::IpAddress& address) {
            return address.family() == family && locate(address)->pool == pool.index &&
                   (room > 0 || held_in(request.service.ns, address));
        });
        const auto address =
            mine != kept.end() ? std::optional(*mine) : lowest_for(request, pool, family, room > 0);
        if (!address) {
            return std::nullopt;
        }
        if (limited && room != Quotas::kUnlimited && !held_in(request.service.ns, *address)) {
            --room;
        }
        chosen.push_back(*address);
    }
    chosen.sort();  // a fresh dual assignment reads IPv4, IPv6
    return chosen;
}

// Beyond its quota a namespace may still join an address it holds.
std::optional<net::IpAddress> Allocator::lowest_for(
    const Request& request, const PoolState& pool, net::Family family, bool within_quota
) const {
    const Space& space = pool.space(family);
    const auto free = within_quota ? space.free.lowest() : std::nullopt;
    if (!request.sharing.key.empty()) {
        const auto shared = space.shared.find(request.sharing.key);
        if (shared != space.shared.end()) {
            for (const Position& position : shared->second) {
                if (free && *free < position) {
                    break;
                }
                const net::IpAddress address = space.free.address_at(position);
                if (pool.hands_out(address) &&
                    (within_quota || held_in(request.service.ns, address)) &&
                    !why_not(request, address, Grip::Fresh)) {
                    return address;
                }
            }
        }
    }
    return free ? std::optional(space.free.address_at(*free)) : std::nullopt;
}

std::optional<Reason> Allocator::barred(const Request& request, const PoolState& pool) const {
    if (!request.pool.empty() && request.pool != pool.pool->name) {
        return Reason::OtherPoolPreferred;
    }
    if (!config::admits(
            *pool.pool, request.service.ns, *request.namespace_labels, *request.service_labels
        )) {
        return Reason::PoolNotAllowed;
    }
    if (request.pool.empty() && !pool.pool->auto_assign) {
        return Reason::PoolNotAutomatic;
    }
    return std::nullopt;
}

Refusal Allocator::nothing_in(const Request& request, Pools pools, Families families) const {
    std::vector<std::string> names;
    for (const PoolState* pool : pools) {
        const Quotas::Room room = quotas_.room(request, pool->index);
        if (room.addresses < least(request, families)) {
            return explain::over_quota(
                request.service.ns, config_->policies[room.policy].name, room.limit
            );
        }
        names.push_back(pool->pool->name);
    }
    return explain::exhausted(names, families);
}

Verdict<Allocator::Choice> Allocator::judge(
    const Request& request, std::span<const net::IpAddress> addresses, Grip grip
) const {
    const PoolState* pool = nullptr;
    for (const net::IpAddress& address : addresses) {
        const auto place = locate(address);
        if (!place) {
            return explain::not_in_pool(address);
        }
        const PoolState* holder = &pools_[place->pool];
        if (holder->pool->avoid_buggy_ips && is_buggy(address)) {
            return explain::avoided(address, holder->pool->name);
        }
        if (!holder->hands_out(address)) {
            return explain::excluded(address, holder->pool->name, *config_);
        }
        if (pool != nullptr && pool != holder) {
            return explain::different_pools(
                addresses[0], pool->pool->name, address, holder->pool->name
            );
        }
        pool = holder;
    }
    const auto bar = barred(request, *pool);
    if (bar == Reason::OtherPoolPreferred) {
        return explain::pool_mismatch(addresses[0], pool->pool->name, request.pool);
    }
    if (bar == Reason::PoolNotAllowed) {
        return explain::pool_not_allowed(pool->pool->name, request.service.ns);
    }
    for (const net::IpAddress& address : addresses) {
        if (auto refusal = why_not(request, address, grip)) {
            return *std::move(refusal);
        }
    }
    if (grip == Grip::Fresh) {
        if (auto refusal = over_quota(request, *pool, addresses)) {
            return *std::move(refusal);
        }
    }
    return Choice{pool->index, Addresses(addresses)};
}

std::optional<Refusal> Allocator::why_not(
    const Request& request, const net::IpAddress& address, Grip grip
) const {
    for (const Holding* holder = holdings_.first_holder(address); holder != nullptr;
         holder = holdings_.next_holder(*holder, address)) {
        if (holder->service == request.service) {
            continue;
        }
        const Sharing* sharing = holder->sharing.get();
        if (auto refusal = explain::conflict(request, address, holder->service, sharing)) {
            return refusal;
        }
    }
    if (grip == Grip::Held) {
        return std::nullopt;
    }
    // Who shares an address with the Service it is kept for takes nothing away. But while that one
    // is gone nobody may join: it could not come back.
    const Claim* other = nullptr;
    for (const Claim* claim : claims_.on(address)) {
        if (claim->service == request.service) {
            return std::nullopt;
        }
        const Holding* holding = holdings_.find(claim->service);
        const bool vacant = holding == nullptr || !holding->addresses.contains(address);
        other = other == nullptr && vacant ? claim : other;
    }
    return other == nullptr ? std::nullopt : std::optional(explain::reserved(address, *other));
}

std::optional<Refusal> Allocator::over_quota(
    const Request& request, const PoolState& pool, std::span<const net::IpAddress> addresses
) const {
    if (!quotas_.limits(pool.index)) {
        return std::nullopt;
    }
    const Quotas::Room room = quotas_.room(request, pool.index);
    const auto fresh = std::ranges::count_if(addresses, [&](const net::IpAddress& address) {
        return !held_in(request.service.ns, address);
    });
    if (fresh <= room.addresses) {
        return std::nullopt;
    }
    return explain::over_quota(request.service.ns, config_->policies[room.policy].name, room.limit);
}

bool Allocator::held_in(const std::string& ns, const net::IpAddress& address) const {
    for (const Holding* holder = holdings_.first_holder(address); holder != nullptr;
         holder = holdings_.next_holder(*holder, address)) {
        if (holder->service.ns == ns) {
            return true;
        }
    }
    return false;
}

std::vector<const Allocator::PoolState*> Allocator::candidates(const Request& request) const {
    std::vector<const PoolState*> list = pinned_;
    list.insert(list.end(), general_.begin(), general_.end());
    for (const PoolState& pool : pools_) {
        if (!pool.pool->auto_assign) {
            list.push_back(&pool);
        }
    }
    std::ranges::stable_partition(list, [&](const PoolState* pool) {
        return !barred(request, *pool);
    });
    return list;
}

std::vector<PoolAnswer> Allocator::ask_every_pool(const Request& request) const {
    const auto kept = request.addresses.empty() ? choose_kept(request) : std::nullopt;
    std::vector<PoolAnswer> answers;
    if (kept) {
        Assignment given = assignment_of(*kept);
        answers.push_back({std::move(given.pool), std::move(given.addresses), std::nullopt});
    }
    for (const PoolState* pool : candidates(request)) {
        if (!kept || pool->index != kept->pool) {
            answers.push_back(ask(request, *pool));
        }
    }
    return answers;
}

PoolAnswer Allocator::ask(const Request& request, const PoolState& pool) const {
    PoolAnswer answer;
    answer.pool = pool.pool->name;
    if (!request.addresses.empty()) {
        const bool here = std::ranges::any_of(request.addresses, [&](const auto& address) {
            const auto place = locate(address);
            return place && place->pool == pool.index;
        });
        if (!here) {
            answer.refusal = explain::not_of_pool(request.addresses, answer.pool);
        } else if (auto refusal = explain::unfit(request, request.addresses)) {
            answer.refusal = std::move(refusal);
        } else if (const auto judged = judge(request, request.addresses, Grip::Fresh)) {
            answer.addresses = request.addresses;
        } else {
            answer.refusal = judged.error();
        }
        return answer;
    }
    if (const auto bar = barred(request, pool)) {
        answer.refusal = explain::barred(*bar, answer.pool, request);
        return answer;
    }
    const PoolState* only = &pool;
    if (const auto chosen = choose_among(request, std::span(&only, 1))) {
        answer.addresses = assignment_of(*chosen).addresses;
    } else {
        answer.refusal = nothing_in(request, std::span(&only, 1), request.families);
    }
    return answer;
}

std::vector<Want> Allocator::wants(const Request& request, const Refusal& refusal) const {
    std::vector<Want> wants;
    std::vector<net::IpAddress> addresses = request.addresses;
    if (const Holding* held = holdings_.find(request.service)) {
        const net::Family missing =
            held->addresses.list()[0].is_v4() ? net::Family::V6 : net::Family::V4;
        want_room(request, pools_[held->pool], std::span(&missing, 1), wants);
        for (const net::IpAddress& address : claims_.kept_for(request.service)) {
            if (address.family() == missing) {
                wants.push_back({Want::Kind::Address, 0, address, {}});
            }
        }
        return wants;
    }
    if (addresses.empty()) {
        const bool waits =
            refusal.reason == Reason::PoolExhausted || refusal.reason == Reason::QuotaExceeded;
        for (const PoolState* pool : candidates(request)) {
            if (waits && !barred(request, *pool)) {
                want_room(request, *pool, request.families, wants);
            }
        }
        addresses = claims_.kept_for(request.service);
        want_room_beside(request, addresses, wants);
    }
    for (const net::IpAddress& address : addresses) {
        wants.push_back({Want::Kind::Address, 0, address, {}});
        const auto place = locate(address);
        if (refusal.reason == Reason::QuotaExceeded && place) {
            for (const std::uint32_t policy : quotas_.policies_of(place->pool)) {
                wants.push_back({Want::Kind::Quota, policy, {}, request.service.ns});
            }
        }
    }
    return wants;
}

// Of a dual-stack Service one address may be kept where it would get none otherwise: the other one
// has to come from there.
void Allocator::want_room_beside(
    const Request& request, std::span<const net::IpAddress> kept, std::vector<Want>& wants
) const {
    for (const net::IpAddress& address : kept) {
        const auto place = locate(address);
        if (place && barred(request, pools_[place->pool]) == Reason::PoolNotAutomatic) {
            want_room(request, pools_[place->pool], request.families, wants);
        }
    }
}

void Allocator::want_room(
    const Request& request, const PoolState& pool, Families families, std::vector<Want>& wants
) const {
    const bool shares = !request.sharing.key.empty();
    const bool any_kept = !claims_.kept_for(request.service).empty();
    if (shares) {
        wants.push_back({Want::Kind::Shared, pool.index, {}, request.sharing.key});
    }
    const Quotas::Room room = quotas_.room(request, pool.index);
    if (room.addresses < least(request, families)) {
        wants.push_back({Want::Kind::Quota, room.policy, {}, request.service.ns});
        return;
    }
    const bool needs_both = least(request, families) == 2;
    if (needs_both && !shares && !any_kept) {
        wants.push_back({Want::Kind::RoomBoth, pool.index, {}, {}});
        return;
    }
    // A sharer may join one family's address and find the other one free; so may one for whom the
    // address of one family is kept.
    for (const net::Family family : families) {
        const auto kind = family == net::Family::V4 ? Want::Kind::Room4 : Want::Kind::Room6;
        wants.push_back({kind, pool.index, {}, {}});
    }
}

bool Allocator::is_open(const Want& want) const {
    const auto has_room = [&](net::Family family) {
        return pools_[want.index].space(family).free.lowest().has_value();
    };
    switch (want.kind) {
        case Want::Kind::Room4:
            return has_room(net::Family::V4);
        case Want::Kind::Room6:
            return has_room(net::Family::V6);
        case Want::Kind::RoomBoth:
            return has_room(net::Family::V4) && has_room(net::Family::V6);
        case Want::Kind::Address:
        case Want::Kind::Shared:
        case Want::Kind::Quota:
            return true;
    }
    return false;
}

bool Allocator::quota_is_spent(const Request& request, const Want& want) const {
    return quotas_.room_under(request, want.index).addresses == 0;
}

}  // namespace steelyard::ipam
