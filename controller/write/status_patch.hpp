#pragma once

#include "common/base/time.hpp"
#include "controller/ipam/allocator.hpp"
#include "controller/plan/planner.hpp"

#include <nlohmann/json.hpp>

#include <optional>
#include <string>

// The JSON the controller writes, as merge patches (RFC 7386). A merge patch replaces whole lists,
// so the lists are built from the object as the server has it now: entries of other writers
// (hostnames, other conditions) and other fields of our entries (ports, and ipMode unless the
// standing wants another) stay as they are.
// Pure.
namespace steelyard::controller {

// For the status subresource of the Service `object`, conditional on its resourceVersion; absent
// when it shows the standing already.
[[nodiscard]] std::optional<nlohmann::json> status_patch(
    const nlohmann::json& object, const controller_plan::Standing& standing, WallTime now
);

// The same from the decoded object.
[[nodiscard]] std::optional<nlohmann::json> status_patch(
    const kube::Service& service, const controller_plan::Standing& standing, WallTime now
);

// metadata.uid and metadata.resourceVersion; "" when there is none.
[[nodiscard]] std::string uid_of(const nlohmann::json& object);
[[nodiscard]] std::string version_of(const nlohmann::json& object);

// For the status subresource of an IPAddressPool.
[[nodiscard]] nlohmann::json pool_status_patch(const ipam::PoolCount& count);

}  // namespace steelyard::controller
