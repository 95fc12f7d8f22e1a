#include "common/config/parse.hpp"
#include "common/config/reservation.hpp"
#include "common/config/rules.hpp"

#include <limits>

// steelyard.io: AllocationPolicy and AddressReservation.
namespace steelyard::config {
namespace {

using std::chrono::seconds;

constexpr std::int64_t kMaxQuota = std::numeric_limits<std::int32_t>::max();

// A time to keep something for.
std::optional<seconds> parse_keep(
    const std::string& field, const std::string& text, ObjectCheck& check
) {
    constexpr std::string_view kAccepted = "give a time from 1s to 720h, such as 10m";
    const auto value = check.seconds(field, text, kAccepted);
    if (value && *value < seconds(1)) {
        check.add(field, text, std::string(kAccepted));
        return std::nullopt;
    }
    return value;
}

std::optional<net::Range> parse_excluded(const std::string& text) {
    if (const auto single = net::IpAddress::parse(text)) {
        return net::Range(*single);
    }
    const auto range = net::Range::parse(text);
    return range ? std::optional(*range) : std::nullopt;
}

AllocationPolicy parse_policy(
    const kube::AllocationPolicy& object,
    const std::vector<Pool>& pools,
    std::vector<Problem>& problems
) {
    ObjectCheck check(Kind::AllocationPolicy, object.meta.key, problems);
    AllocationPolicy policy;
    policy.name = object.meta.key.name;
    policy.pools =
        select_pools(object.ip_address_pools, object.ip_address_pool_selectors, pools, check);
    for (std::size_t i = 0; i < object.exclude.size(); ++i) {
        if (const auto range = parse_excluded(object.exclude[i])) {
            policy.exclude.push_back(*range);
        } else {
            check.add(
                at("spec.exclude", i),
                object.exclude[i],
                "give an address such as 192.0.2.1, a CIDR such as 192.0.2.0/28 or a range of one "
                "family such as 192.0.2.10-192.0.2.20"
            );
        }
    }
    for (std::size_t i = 0; i < object.quotas.size(); ++i) {
        Quota quota = object.quotas[i];
        const std::string field = at("spec.quotas", i);
        check.unique_names(field + ".namespaces", quota.namespaces);
        check.selectors(field + ".namespaceSelectors", quota.namespace_selectors);
        quota.addresses = check.number(field + ".addresses", quota.addresses, 0, kMaxQuota, 0);
        policy.quotas.push_back(std::move(quota));
    }
    policy.keep_after_delete = parse_keep("spec.keepAfterDelete", object.keep_after_delete, check);
    return policy;
}

// Two answers to "how long" for one pool are none.
void check_conflicts(
    const std::vector<const kube::AllocationPolicy*>& objects,
    const std::vector<AllocationPolicy>& policies,
    std::vector<Problem>& problems
) {
    std::map<std::string, std::size_t> first;  // by pool: who said it first
    for (std::size_t i = 0; i < policies.size(); ++i) {
        if (!policies[i].keep_after_delete) {
            continue;
        }
        for (const std::string& pool : policies[i].pools) {
            const auto [other, is_new] = first.emplace(pool, i);
            const AllocationPolicy& earlier = policies[other->second];
            if (is_new || earlier.keep_after_delete == policies[i].keep_after_delete) {
                continue;
            }
            const kube::AllocationPolicy& said = *objects[other->second];
            ObjectCheck(Kind::AllocationPolicy, objects[i]->meta.key, problems)
                .add(
                    "spec.keepAfterDelete",
                    objects[i]->keep_after_delete,
                    "AllocationPolicy " + to_string(said.meta.key) + " has " +
                        said.keep_after_delete + " for IPAddressPool " + pool + ": let them agree"
                );
            break;
        }
    }
}

}  // namespace

std::vector<AllocationPolicy> parse_allocation_policies(
    const std::vector<kube::AllocationPolicy>& objects,
    const std::vector<Pool>& pools,
    std::vector<Problem>& problems
) {
    const auto sorted = by_name(Kind::AllocationPolicy, objects, problems);
    std::vector<AllocationPolicy> policies;
    policies.reserve(sorted.size());
    for (const kube::AllocationPolicy* object : sorted) {
        policies.push_back(parse_policy(*object, pools, problems));
    }
    check_conflicts(sorted, policies, problems);
    return policies;
}

std::optional<Reservation> parse_reservation(
    const kube::AddressReservation& object, std::vector<Problem>& problems
) {
    const std::size_t found_before = problems.size();
    ObjectCheck check(Kind::AddressReservation, object.meta.key, problems);
    Reservation reservation;
    reservation.name = object.meta.key.name;
    reservation.service = {object.service_namespace, object.service_name};
    if (object.service_namespace.empty()) {
        check.add("spec.serviceNamespace", "", "give the namespace of a Service");
    }
    if (object.service_name.empty()) {
        check.add("spec.serviceName", "", "give the name of a Service");
    }
    constexpr std::size_t kMaxAddresses = 2;
    if (object.addresses.empty() || object.addresses.size() > kMaxAddresses) {
        check.add(
            "spec.addresses",
            std::to_string(object.addresses.size()) + " addresses",
            "list one address, or one IPv4 and one IPv6 address"
        );
    }
    for (std::size_t i = 0; i < object.addresses.size(); ++i) {
        const std::string field = at("spec.addresses", i);
        if (const auto address = check.address(field, object.addresses[i])) {
            reservation.addresses.push_back(*address);
        } else if (object.addresses[i].empty()) {
            check.add(field, "", "give an IPv4 or IPv6 address");
        }
    }
    if (reservation.addresses.size() == kMaxAddresses &&
        reservation.addresses[0].family() == reservation.addresses[1].family()) {
        check.add(
            "spec.addresses[1]",
            object.addresses.back(),
            "a Service has one address of a family: give one IPv4 and one IPv6 address"
        );
    }
    reservation.keep_for = parse_keep("spec.keepFor", object.keep_for, check);
    if (problems.size() > found_before) {
        return std::nullopt;
    }
    return reservation;
}

}  // namespace steelyard::config
