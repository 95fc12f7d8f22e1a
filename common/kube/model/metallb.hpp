#pragma once

#include "common/kube/model/meta.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

// The metallb.io kinds Steelyard reads, as written by the user: strings are not yet checked here.
// The room common/config turns all of them together into one validated Config. Last, the status
// kind it writes.
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

// metallb.io/v1beta1 ServiceL2Status: what the speaker of `node` says about one Service.
struct ServiceL2Status {
    struct Conflict {
        std::string ip;
        std::string mac;
        friend bool operator==(const Conflict&, const Conflict&) = default;
    };
    // The speaker's pod: Kubernetes deletes the object with it.
    struct Owner {
        std::string name;
        std::string uid;
        friend bool operator==(const Owner&, const Owner&) = default;
    };
    ObjectMeta meta;
    std::optional<Owner> owner;
    std::string node;
    ObjectKey service;
    std::vector<std::string> interfaces;  // empty: every suitable one
    std::vector<Conflict> conflicts;      // other machines that answer for it; Steelyard only
    friend bool operator==(const ServiceL2Status&, const ServiceL2Status&) = default;
};

}  // namespace steelyard::kube
