#include "common/kube/model/metallb.hpp"

#include "common/kube/model/field.hpp"
#include "common/kube/model/resource.hpp"

#include <limits>

// metallb.io/v1beta1. What the values of IPAddressPool and L2Advertisement mean, and whether they
// fit together, is the business of the room common/config.
namespace steelyard::kube {
namespace {

constexpr std::int64_t kMinInt32 = std::numeric_limits<std::int32_t>::min();
constexpr std::int64_t kMaxInt32 = std::numeric_limits<std::int32_t>::max();

ServiceAllocation decode_allocation(const Field& field) {
    ServiceAllocation allocation;
    allocation.priority = field["priority"].integer(kMinInt32, kMaxInt32).value_or(0);
    allocation.namespaces = field["namespaces"].texts();
    allocation.namespace_selectors = field["namespaceSelectors"].selectors();
    allocation.service_selectors = field["serviceSelectors"].selectors();
    return allocation;
}

}  // namespace

Result<IpAddressPool> decode_ip_address_pool(const nlohmann::json& object) {
    Problem problem;
    const Field root(object, problem);
    IpAddressPool pool;
    pool.meta = decode_meta(root);
    const Field spec = root["spec"];
    pool.addresses = spec["addresses"].texts();
    pool.auto_assign = spec["autoAssign"].boolean(true);
    pool.avoid_buggy_ips = spec["avoidBuggyIPs"].boolean(false);
    const Field allocation = spec["serviceAllocation"];
    if (allocation.present()) {
        pool.service_allocation = decode_allocation(allocation);
    }
    if (problem.any()) {
        return decode_error("IPAddressPool", object, problem);
    }
    return pool;
}

Result<L2Advertisement> decode_l2_advertisement(const nlohmann::json& object) {
    Problem problem;
    const Field root(object, problem);
    L2Advertisement advertisement;
    advertisement.meta = decode_meta(root);
    const Field spec = root["spec"];
    advertisement.ip_address_pools = spec["ipAddressPools"].texts();
    advertisement.ip_address_pool_selectors = spec["ipAddressPoolSelectors"].selectors();
    advertisement.node_selectors = spec["nodeSelectors"].selectors();
    advertisement.interfaces = spec["interfaces"].texts();
    advertisement.service_selectors = spec["serviceSelectors"].selectors();
    for (const Field& item : spec["preferredNodeSelectors"].items()) {
        L2Advertisement::PreferredNodes preferred;
        preferred.weight = item["weight"].integer(kMinInt32, kMaxInt32).value_or(1);
        preferred.preference = item["preference"].selector();
        advertisement.preferred_node_selectors.push_back(std::move(preferred));
    }
    if (problem.any()) {
        return decode_error("L2Advertisement", object, problem);
    }
    return advertisement;
}

}  // namespace steelyard::kube
