#pragma once

#include "common/base/time.hpp"
#include "common/kube/model/meta.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

// The kinds of our own group, steelyard.io/v1alpha1, which the controller reads: what MetalLB's
// pools cannot say. As written by the user: ranges and durations ("10m") are judged by
// common/config. Both kinds count only in the controller's own namespace. (BgpSessionState, which
// speakers write, is in status.hpp.)
namespace steelyard::kube {

// Rules for handing out the addresses of some pools.
struct AllocationPolicy {
    // How many distinct addresses of these pools each of these namespaces may hold.
    struct Quota {
        std::vector<std::string> namespaces;
        std::vector<LabelSelector> namespace_selectors;  // both lists empty: every namespace
        std::int64_t addresses = 0;
        friend bool operator==(const Quota&, const Quota&) = default;
    };
    ObjectMeta meta;
    std::vector<std::string> ip_address_pools;
    std::vector<LabelSelector> ip_address_pool_selectors;  // both lists empty: every pool
    std::vector<std::string> exclude;  // CIDRs, ranges, single addresses: never handed out
    std::vector<Quota> quotas;
    std::string keep_after_delete;  // duration; "": an address is free once its Service is gone
    friend bool operator==(const AllocationPolicy&, const AllocationPolicy&) = default;
};

// Addresses kept for one Service, whether it exists or not. Written by users (before the Service
// is there, say) and, where a policy says keepAfterDelete, by the controller.
struct AddressReservation {
    ObjectMeta meta;
    std::string service_namespace;
    std::string service_name;
    std::vector<std::string> addresses;  // 1, or 2 of different families
    std::string keep_for;                // duration after its Service is gone; "": for ever
    // status
    std::string pool;
    std::optional<WallTime> released_at;  // its Service was seen gone; absent while it holds them
    std::optional<WallTime> expires_at;   // released_at + keep_for
    bool in_use = false;
    friend bool operator==(const AddressReservation&, const AddressReservation&) = default;
};

// On what the controller made itself, and deletes when it expires.
inline constexpr std::string_view kManagedByLabel = "steelyard.io/managed-by";
inline constexpr std::string_view kManagedByController = "controller";

}  // namespace steelyard::kube
