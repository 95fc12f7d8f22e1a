#pragma once

#include "common/kube/model/meta.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

// The metallb.io kinds about pools and layer 2, as written by the user (bgp.hpp has the others):
// strings are not yet checked here. The room common/config turns all of them together into one
// validated Config.
namespace steelyard::kube {

struct ServiceAllocation {
    std::int64_t priority = 0;  // lower wins; 0 is last
    std::vector<std::string> namespaces;
    std::vector<LabelSelector> namespace_selectors;
    std::vector<LabelSelector> service_selectors;
    friend bool operator==(const ServiceAllocation&, const ServiceAllocation&) = default;
};

// metallb.io/v1beta1 IPAddressPool
struct IpAddressPool {
    ObjectMeta meta;
    std::vector<std::string> addresses;  // CIDRs and ranges as written
    bool auto_assign = true;
    bool avoid_buggy_ips = false;
    std::optional<ServiceAllocation> service_allocation;
    friend bool operator==(const IpAddressPool&, const IpAddressPool&) = default;
};

// metallb.io/v1beta1 L2Advertisement
struct L2Advertisement {
    struct PreferredNodes {
        std::int64_t weight = 1;  // 1..100
        LabelSelector preference;
        friend bool operator==(const PreferredNodes&, const PreferredNodes&) = default;
    };
    ObjectMeta meta;
    std::vector<std::string> ip_address_pools;
    std::vector<LabelSelector> ip_address_pool_selectors;
    std::vector<LabelSelector> node_selectors;
    std::vector<std::string> interfaces;
    std::vector<LabelSelector> service_selectors;
    std::vector<PreferredNodes> preferred_node_selectors;
    friend bool operator==(const L2Advertisement&, const L2Advertisement&) = default;
};

}  // namespace steelyard::kube
