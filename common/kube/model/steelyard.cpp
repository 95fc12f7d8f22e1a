#include "common/kube/model/steelyard.hpp"

#include "common/kube/model/field.hpp"
#include "common/kube/model/resource.hpp"

#include <limits>

// steelyard.io/v1alpha1. What the values mean is the business of common/config.
namespace steelyard::kube {
namespace {

AllocationPolicy::Quota decode_quota(const Field& field) {
    constexpr std::int64_t kMin = std::numeric_limits<std::int64_t>::min();
    constexpr std::int64_t kMax = std::numeric_limits<std::int64_t>::max();
    AllocationPolicy::Quota quota;
    quota.namespaces = field["namespaces"].texts();
    quota.namespace_selectors = field["namespaceSelectors"].selectors();
    const Field addresses = field["addresses"];
    if (!addresses.present()) {
        // No number is not "none at all".
        addresses.reject("a number of addresses");
    }
    quota.addresses = addresses.integer(kMin, kMax).value_or(0);
    return quota;
}

}  // namespace

Result<AllocationPolicy> decode_allocation_policy(const nlohmann::json& object) {
    Problem problem;
    const Field root(object, problem);
    AllocationPolicy policy;
    policy.meta = decode_meta(root);
    const Field spec = root["spec"];
    policy.ip_address_pools = spec["ipAddressPools"].texts();
    policy.ip_address_pool_selectors = spec["ipAddressPoolSelectors"].selectors();
    policy.exclude = spec["exclude"].texts();
    for (const Field& item : spec["quotas"].items()) {
        policy.quotas.push_back(decode_quota(item));
    }
    policy.keep_after_delete = spec["keepAfterDelete"].text();
    if (problem.any()) {
        return decode_error("AllocationPolicy", object, problem);
    }
    return policy;
}

Result<AddressReservation> decode_address_reservation(const nlohmann::json& object) {
    Problem problem;
    const Field root(object, problem);
    AddressReservation reservation;
    reservation.meta = decode_meta(root);
    const Field spec = root["spec"];
    reservation.service_namespace = spec["serviceNamespace"].text();
    reservation.service_name = spec["serviceName"].text();
    reservation.addresses = spec["addresses"].texts();
    reservation.keep_for = spec["keepFor"].text();
    const Field status = root["status"];
    reservation.pool = status["pool"].text();
    reservation.released_at = status["releasedAt"].time();
    reservation.expires_at = status["expiresAt"].time();
    reservation.in_use = status["inUse"].boolean(false);
    if (problem.any()) {
        return decode_error("AddressReservation", object, problem);
    }
    return reservation;
}

}  // namespace steelyard::kube
