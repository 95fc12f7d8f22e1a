#include "common/config/config.hpp"
#include "common/config/rules.hpp"

#include <algorithm>
#include <set>

namespace steelyard::config {
namespace {

constexpr std::size_t kMaxInterfaceName = 15;  // IFNAMSIZ less the terminating zero

// Where a range was written, for the message that names both sides of an overlap.
struct Place {
    net::Range range;
    kube::ObjectKey key;
    std::string field;
    std::string text;
};

template <class T>
std::vector<const T*> by_name(const std::vector<T>& objects) {
    std::vector<const T*> sorted;
    sorted.reserve(objects.size());
    for (const T& object : objects) {
        sorted.push_back(&object);
    }
    std::stable_sort(sorted.begin(), sorted.end(), [](const T* a, const T* b) {
        return a->meta.key.name < b->meta.key.name;
    });
    return sorted;
}

template <class T>
void check_one_of_a_name(
    Kind kind, const std::vector<const T*>& sorted, std::vector<Problem>& problems
) {
    for (std::size_t i = 1; i < sorted.size(); ++i) {
        const kube::ObjectKey& key = sorted[i]->meta.key;
        if (sorted[i - 1]->meta.key.name == key.name) {
            ObjectCheck(kind, key, problems)
                .add("metadata.name", key.name, "names are unique within the namespace");
        }
    }
}

void parse_addresses(
    const kube::IpAddressPool& object, ObjectCheck& check, Pool& pool, std::vector<Place>& places
) {
    if (object.addresses.empty()) {
        check.add("spec.addresses", "", "list at least one CIDR or range");
    }
    for (std::size_t i = 0; i < object.addresses.size(); ++i) {
        const std::string field = at("spec.addresses", i);
        const std::string& text = object.addresses[i];
        if (const auto range = net::Range::parse(text)) {
            pool.ranges.push_back(*range);
            places.push_back({*range, object.meta.key, field, text});
        } else {
            check.add(
                field,
                text,
                "give a CIDR such as 192.0.2.0/24 or a range of one family such as "
                "192.0.2.10-192.0.2.20 (a single address is 192.0.2.10/32)"
            );
        }
    }
}

Pool parse_pool(
    const kube::IpAddressPool& object, std::vector<Place>& places, std::vector<Problem>& problems
) {
    ObjectCheck check(Kind::IpAddressPool, object.meta.key, problems);
    Pool pool;
    pool.name = object.meta.key.name;
    pool.labels = object.meta.labels;
    pool.auto_assign = object.auto_assign;
    pool.avoid_buggy_ips = object.avoid_buggy_ips;
    pool.service_allocation = object.service_allocation;
    parse_addresses(object, check, pool, places);
    if (object.service_allocation) {
        const kube::ServiceAllocation& rule = *object.service_allocation;
        const std::string field = "spec.serviceAllocation.";
        check.unique_names(field + "namespaces", rule.namespaces);
        check.selectors(field + "namespaceSelectors", rule.namespace_selectors);
        check.selectors(field + "serviceSelectors", rule.service_selectors);
    }
    return pool;
}

// One sweep over all ranges in address order: a range overlaps an earlier one exactly when it
// starts no later than the greatest end seen so far.
void check_overlaps(std::vector<Place> places, std::vector<Problem>& problems) {
    std::stable_sort(places.begin(), places.end(), [](const Place& a, const Place& b) {
        return a.range.first() < b.range.first();
    });
    std::size_t widest = 0;
    for (std::size_t i = 1; i < places.size(); ++i) {
        const Place& earlier = places[widest];
        const Place& place = places[i];
        if (earlier.range.overlaps(place.range)) {
            ObjectCheck(Kind::IpAddressPool, place.key, problems)
                .add(
                    place.field,
                    place.text,
                    "ranges must not overlap, and this one does with \"" + earlier.text +
                        "\" of IPAddressPool " + to_string(earlier.key) + " " + earlier.field
                );
        }
        if (earlier.range.last() < place.range.last()) {
            widest = i;
        }
    }
}

// Names and selectors add up; neither means every pool. Unknown names are no error: the pool may be
// created later (metallb.io semantics).
std::vector<std::string> resolve_pools(
    const kube::L2Advertisement& object, const std::vector<Pool>& pools
) {
    const bool all = object.ip_address_pools.empty() && object.ip_address_pool_selectors.empty();
    const std::set<std::string> named(
        object.ip_address_pools.begin(), object.ip_address_pools.end()
    );
    std::vector<std::string> result;
    for (const Pool& pool : pools) {
        const bool selected = !object.ip_address_pool_selectors.empty() &&
                              kube::matches_any(object.ip_address_pool_selectors, pool.labels);
        if (all || selected || named.count(pool.name) != 0) {
            result.push_back(pool.name);
        }
    }
    return result;
}

bool is_interface_name(const std::string& name) {
    return name.size() <= kMaxInterfaceName && name != "." && name != ".." &&
           name.find_first_of("/: \t\r\n") == std::string::npos;
}

L2Advertisement parse_l2(
    const kube::L2Advertisement& object,
    const std::vector<Pool>& pools,
    std::vector<Problem>& problems
) {
    ObjectCheck check(Kind::L2Advertisement, object.meta.key, problems);
    check.unique_names("spec.ipAddressPools", object.ip_address_pools);
    check.selectors("spec.ipAddressPoolSelectors", object.ip_address_pool_selectors);
    check.selectors("spec.nodeSelectors", object.node_selectors);
    check.selectors("spec.serviceSelectors", object.service_selectors);
    check.unique_names("spec.interfaces", object.interfaces);
    for (std::size_t i = 0; i < object.interfaces.size(); ++i) {
        if (!is_interface_name(object.interfaces[i])) {
            check.add(
                at("spec.interfaces", i),
                object.interfaces[i],
                "give an exact interface name of at most 15 characters, such as eth0"
            );
        }
    }
    for (std::size_t i = 0; i < object.preferred_node_selectors.size(); ++i) {
        const auto& preferred = object.preferred_node_selectors[i];
        const std::string path = at("spec.preferredNodeSelectors", i);
        if (preferred.weight < 1 || preferred.weight > 100) {
            check.add(path + ".weight", std::to_string(preferred.weight), "give 1 to 100");
        }
        check.selector(path + ".preference", preferred.preference);
    }
    return {
        object.meta.key.name,
        resolve_pools(object, pools),
        object.node_selectors,
        object.interfaces,
        object.service_selectors,
        object.preferred_node_selectors,
    };
}

}  // namespace

ParseResult parse(const Objects& objects) {
    ParseResult result;
    Config config;
    std::vector<Place> places;
    const auto pools = by_name(objects.pools);
    check_one_of_a_name(Kind::IpAddressPool, pools, result.problems);
    for (const kube::IpAddressPool* pool : pools) {
        config.pools.push_back(parse_pool(*pool, places, result.problems));
    }
    check_overlaps(std::move(places), result.problems);

    const auto l2 = by_name(objects.l2_advertisements);
    check_one_of_a_name(Kind::L2Advertisement, l2, result.problems);
    for (const kube::L2Advertisement* advertisement : l2) {
        config.l2_advertisements.push_back(parse_l2(*advertisement, config.pools, result.problems));
    }
    if (result.problems.empty()) {
        result.config = std::make_shared<const Config>(std::move(config));
    }
    return result;
}

}  // namespace steelyard::config
