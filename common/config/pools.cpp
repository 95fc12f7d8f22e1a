#include "common/config/parse.hpp"
#include "common/config/rules.hpp"

#include <algorithm>

namespace steelyard::config {
namespace {

// Where a range was written, for the message that names both sides of an overlap.
struct Place {
    net::Range range;
    kube::ObjectKey key;
    std::string field;
    std::string text;
};

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

}  // namespace

std::vector<Pool> parse_pools(
    const std::vector<kube::IpAddressPool>& objects, std::vector<Problem>& problems
) {
    std::vector<Pool> pools;
    std::vector<Place> places;
    for (const kube::IpAddressPool* object : by_name(Kind::IpAddressPool, objects, problems)) {
        pools.push_back(parse_pool(*object, places, problems));
    }
    check_overlaps(std::move(places), problems);
    return pools;
}

}  // namespace steelyard::config
