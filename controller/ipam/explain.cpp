#include "controller/ipam/explain.hpp"

#include <algorithm>

namespace steelyard::ipam::explain {
namespace {

std::string quoted(const std::string& text) {
    return "\"" + text + "\"";
}

std::string join(std::span<const net::Family> families) {
    std::string text;
    for (const net::Family family : families) {
        text += (text.empty() ? "" : " and ") + std::string(net::to_string(family));
    }
    return text;
}

std::vector<net::Family> families_of(std::span<const net::IpAddress> addresses) {
    std::vector<net::Family> families;
    for (const net::IpAddress& address : addresses) {
        families.push_back(address.family());
    }
    std::sort(families.begin(), families.end());
    return families;
}

// A dual-stack Service that only prefers dual stack may live with one address, unless it asked for
// addresses by value: those have to cover every cluster IP.
bool families_fit(const Request& request, std::vector<net::Family> have) {
    std::vector<net::Family> want = request.families;
    std::sort(want.begin(), want.end());
    if (have == want) {
        return true;
    }
    return request.policy == kube::IpFamilyPolicy::PreferDualStack && request.addresses.empty() &&
           have.size() == 1 && std::find(want.begin(), want.end(), have[0]) != want.end();
}

}  // namespace

Refusal no_pools() {
    return {Reason::NoPools, "there is no IPAddressPool: create one"};
}

Refusal unknown_pool(const std::string& pool) {
    return {
        Reason::UnknownPool,
        "unknown pool " + quoted(pool) + ": create that IPAddressPool or correct the annotation " +
            std::string(kAddressPoolAnnotation)};
}

Refusal pool_not_allowed(const std::string& pool, const std::string& ns) {
    return {
        Reason::PoolNotAllowed,
        "pool " + quoted(pool) +
            " does not admit this Service: its serviceAllocation "
            "selects other namespaces or labels than namespace " +
            quoted(ns) + " and this Service's labels"};
}

Refusal no_matching_pool() {
    return {
        Reason::NoMatchingPool,
        "no IPAddressPool hands out addresses to it: each has autoAssign false or a "
        "serviceAllocation that leaves it out; ask for a pool with the annotation " +
            std::string(kAddressPoolAnnotation) + " or add one"};
}

Refusal not_in_pool(const net::IpAddress& address) {
    return {
        Reason::AddressNotInPool,
        quoted(to_string(address)) +
            " is in no IPAddressPool: ask for an address of a pool or add it to one"};
}

Refusal avoided(const net::IpAddress& address, const std::string& pool) {
    return {
        Reason::AddressAvoided,
        quoted(to_string(address)) + " is not given out: pool " + quoted(pool) +
            " has avoidBuggyIPs, which leaves out .0 and .255"};
}

Refusal excluded(
    const net::IpAddress& address, const std::string& pool, const config::Config& config
) {
    std::string policy;
    for (const config::AllocationPolicy& candidate : config.policies) {
        const bool excludes = candidate.covers(pool) &&
                              std::ranges::any_of(candidate.exclude, [&](const net::Range& range) {
                                  return range.contains(address);
                              });
        policy = policy.empty() && excludes ? candidate.name : policy;
    }
    return {
        Reason::AddressExcluded,
        quoted(to_string(address)) + " of pool " + quoted(pool) +
            " is not given out: AllocationPolicy " + quoted(policy) + " excludes it"};
}

Refusal reserved(const net::IpAddress& address, const Claim& claim) {
    return {
        Reason::AddressReserved,
        quoted(to_string(address)) + " is kept for Service " + quoted(to_string(claim.service)) +
            " by AddressReservation " + quoted(to_string(claim.reservation)) +
            ": ask for another address or delete the reservation"};
}

Refusal over_quota(const std::string& ns, const std::string& policy, std::int64_t limit) {
    return {
        Reason::QuotaExceeded,
        "namespace " + quoted(ns) + " may hold " + std::to_string(limit) +
            (limit == 1 ? " address" : " addresses") + " under AllocationPolicy " + quoted(policy) +
            " and has no room for more: delete a Service of the namespace that holds one, share "
            "an address, or raise the quota"};
}

Refusal not_of_pool(const std::vector<net::IpAddress>& addresses, const std::string& pool) {
    std::string list;
    for (const net::IpAddress& address : addresses) {
        list += (list.empty() ? "" : " and ") + quoted(to_string(address));
    }
    return {
        Reason::AddressNotInPool,
        "the Service asks for " + list + ", which pool " + quoted(pool) + " does not hold"};
}

Refusal barred(Reason reason, const std::string& pool, const Request& request) {
    if (reason == Reason::PoolNotAllowed) {
        return pool_not_allowed(pool, request.service.ns);
    }
    if (reason == Reason::PoolNotAutomatic) {
        return {
            reason,
            "pool " + quoted(pool) + " has autoAssign false: ask for it with the annotation " +
                std::string(kAddressPoolAnnotation)};
    }
    return {
        reason,
        "the Service asks for pool " + quoted(request.pool) + " with the annotation " +
            std::string(kAddressPoolAnnotation)};
}

Refusal different_pools(
    const net::IpAddress& first,
    const std::string& first_pool,
    const net::IpAddress& second,
    const std::string& second_pool
) {
    return {
        Reason::AddressesInDifferentPools,
        quoted(to_string(first)) + " is in pool " + quoted(first_pool) + " and " +
            quoted(to_string(second)) + " in pool " + quoted(second_pool) +
            ": both addresses of a Service come from one pool"};
}

Refusal pool_mismatch(
    const net::IpAddress& address, const std::string& actual, const std::string& requested
) {
    return {
        Reason::PoolMismatch,
        quoted(to_string(address)) + " is in pool " + quoted(actual) + ", but pool " +
            quoted(requested) + " is asked for by the annotation " +
            std::string(kAddressPoolAnnotation)};
}

Refusal exhausted(const std::vector<std::string>& pools, std::span<const net::Family> families) {
    std::string names;
    for (const std::string& pool : pools) {
        names += (names.empty() ? "" : ", ") + quoted(pool);
    }
    const bool one = pools.size() == 1;
    return {
        Reason::PoolExhausted,
        std::string("no available ") + join(families) + (families.size() > 1 ? " IPs" : " IP") +
            " in pool" + (one ? " " : "s ") + names + ": add a range to " +
            (one ? "it" : "one of them") + " or delete a Service that holds one"};
}

std::optional<Refusal> unfit(const Request& request, std::span<const net::IpAddress> addresses) {
    const auto have = families_of(addresses);
    if (!families_fit(request, have)) {
        return Refusal{
            Reason::FamilyMismatch,
            "cluster IPs are " + join(request.families) + ", external addresses " + join(have) +
                ": ask for one address of each family the cluster IPs have"};
    }
    if (!request.addresses.empty() &&
        !std::is_permutation(
            addresses.begin(), addresses.end(), request.addresses.begin(), request.addresses.end()
        )) {
        return Refusal{
            Reason::AddressNotRequested, "the Service asks for other addresses than it has"};
    }
    return std::nullopt;
}

std::optional<Refusal> conflict(
    const Request& request,
    const net::IpAddress& address,
    const kube::ObjectKey& holder,
    const Sharing* held
) {
    const std::string subject =
        quoted(to_string(address)) + " is held by " + quoted(to_string(holder));
    const Sharing& wanted = request.sharing;
    if (wanted.key.empty() || held == nullptr || wanted.key != held->key) {
        return Refusal{
            Reason::AddressInUse,
            subject + ": ask for another address, or give both Services the same " +
                std::string(kSharingAnnotation) + " key"};
    }
    for (const Port& port : wanted.ports) {
        if (std::find(held->ports.begin(), held->ports.end(), port) != held->ports.end()) {
            return Refusal{
                Reason::SharingPortConflict,
                subject + ", which also uses port " + std::to_string(port.number) + "/" +
                    std::string(net::to_string(port.protocol)) +
                    ": Services that share an address need different ports"};
        }
    }
    if (wanted.backend != held->backend) {
        return Refusal{
            Reason::SharingBackendMismatch,
            subject +
                ": to share it, both need externalTrafficPolicy Cluster, or Local with the "
                "same selector"};
    }
    return std::nullopt;
}

}  // namespace steelyard::ipam::explain
