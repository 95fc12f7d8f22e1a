#pragma once

#include "controller/plan/planner.hpp"

// The texts of Events and conditions; private to this room.
namespace steelyard::controller_plan::sentences {

[[nodiscard]] Event allocated(const std::vector<net::IpAddress>& addresses);
[[nodiscard]] Event cleared(
    const std::vector<net::IpAddress>& addresses, const ipam::Refusal& refusal
);
// AllocationFailed, or what MetalLB calls it when the request or the cluster IPs are wrong.
[[nodiscard]] Event failed(const kube::ObjectKey& service, const ipam::Refusal& refusal);
[[nodiscard]] Event second_failed(const kube::ObjectKey& service, const ipam::Refusal& refusal);
[[nodiscard]] Event deprecated(const std::string& annotation);

[[nodiscard]] kube::ServiceCondition assigned(const Standing& standing);
[[nodiscard]] kube::ServiceCondition assigned_but(const ipam::Refusal& refusal);
[[nodiscard]] kube::ServiceCondition not_assigned(const ipam::Refusal& refusal);

}  // namespace steelyard::controller_plan::sentences
