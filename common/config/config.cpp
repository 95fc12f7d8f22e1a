#include "common/config/config.hpp"

#include <algorithm>

namespace steelyard::config {
namespace {

template <class T>
const T* find_by_name(const std::vector<T>& sorted, const std::string& name) {
    const auto found = std::lower_bound(
        sorted.begin(),
        sorted.end(),
        name,
        [](const T& item, const std::string& wanted) { return item.name < wanted; }
    );
    return found != sorted.end() && found->name == name ? &*found : nullptr;
}

// The user's text may hold anything.
std::string on_one_line(std::string text) {
    constexpr char kFirstPrintable = ' ';
    constexpr char kDelete = 127;
    for (char& c : text) {
        if ((c >= 0 && c < kFirstPrintable) || c == kDelete) {
            c = '?';
        }
    }
    return text;
}

}  // namespace

bool Pool::contains(const net::IpAddress& address) const {
    return std::any_of(ranges.begin(), ranges.end(), [&](const net::Range& range) {
        return range.contains(address);
    });
}

bool admits(
    const Pool& pool,
    const std::string& service_namespace,
    const kube::Labels& namespace_labels,
    const kube::Labels& service_labels
) {
    if (!pool.service_allocation) {
        return true;
    }
    const kube::ServiceAllocation& rule = *pool.service_allocation;
    const auto& listed = rule.namespaces;
    const bool any_namespace = listed.empty() && rule.namespace_selectors.empty();
    const bool in_namespace =
        any_namespace ||
        std::find(listed.begin(), listed.end(), service_namespace) != listed.end() ||
        (!rule.namespace_selectors.empty() &&
         kube::matches_any(rule.namespace_selectors, namespace_labels));
    return in_namespace && kube::matches_any(rule.service_selectors, service_labels);
}

bool applies(
    const Quota& quota, const std::string& service_namespace, const kube::Labels& namespace_labels
) {
    const auto& listed = quota.namespaces;
    return (listed.empty() && quota.namespace_selectors.empty()) ||
           std::find(listed.begin(), listed.end(), service_namespace) != listed.end() ||
           (!quota.namespace_selectors.empty() &&
            kube::matches_any(quota.namespace_selectors, namespace_labels));
}

bool AllocationPolicy::covers(const std::string& pool) const {
    return std::binary_search(pools.begin(), pools.end(), pool);
}

const Pool* Config::find_pool(const std::string& name) const {
    return find_by_name(pools, name);
}

const BgpPeer* Config::find_bgp_peer(const std::string& name) const {
    return find_by_name(bgp_peers, name);
}

const BfdProfile* Config::find_bfd_profile(const std::string& name) const {
    return find_by_name(bfd_profiles, name);
}

const Pool* Config::pool_of(const net::IpAddress& address) const {
    for (const Pool& pool : pools) {
        if (pool.contains(address)) {
            return &pool;
        }
    }
    return nullptr;
}

std::optional<std::chrono::seconds> Config::keep_after_delete(const std::string& pool) const {
    for (const AllocationPolicy& policy : policies) {
        if (policy.keep_after_delete && policy.covers(pool)) {
            return policy.keep_after_delete;
        }
    }
    return std::nullopt;
}

const kube::ResourceType& resource_type(Kind kind) {
    switch (kind) {
        case Kind::IpAddressPool:
            break;
        case Kind::L2Advertisement:
            return kube::Resource<kube::L2Advertisement>::kType;
        case Kind::BgpPeer:
            return kube::Resource<kube::BgpPeer>::kType;
        case Kind::BgpAdvertisement:
            return kube::Resource<kube::BgpAdvertisement>::kType;
        case Kind::Community:
            return kube::Resource<kube::Community>::kType;
        case Kind::BfdProfile:
            return kube::Resource<kube::BfdProfile>::kType;
        case Kind::AllocationPolicy:
            return kube::Resource<kube::AllocationPolicy>::kType;
        case Kind::AddressReservation:
            return kube::Resource<kube::AddressReservation>::kType;
    }
    return kube::Resource<kube::IpAddressPool>::kType;
}

std::string_view to_string(Kind kind) {
    return resource_type(kind).kind;
}

std::string to_string(const Problem& problem) {
    return std::string(to_string(problem.kind)) + " " + to_string(problem.key) + ": " +
           problem.field + ": \"" + on_one_line(problem.value) +
           "\": " + on_one_line(problem.accepted);
}

}  // namespace steelyard::config
