#pragma once

#include "e2e/apiserver/registry/kind.hpp"

// The documents by which clients learn which resources exist: /api, /apis, /apis/G, /apis/G/V and
// the aggregated form (apidiscovery.k8s.io/v2 and v2beta1), all made from the registry.
namespace steelyard::apiserver {

[[nodiscard]] Json api_versions(const std::string& server_address);
[[nodiscard]] Json api_group_list(const Registry& registry);
// Null when there is no such group.
[[nodiscard]] Json api_group(const Registry& registry, const std::string& group);
// Null when the group has no such version.
[[nodiscard]] Json api_resource_list(
    const Registry& registry, const std::string& group, const std::string& version
);
[[nodiscard]] Json aggregated_discovery(
    const Registry& registry, bool core_group, const std::string& format_version
);
[[nodiscard]] Json server_version();

// Served versions of a group, most preferred first.
[[nodiscard]] std::vector<std::string> group_versions(
    const Registry& registry, const std::string& group
);
[[nodiscard]] std::vector<std::string> groups(const Registry& registry);

}  // namespace steelyard::apiserver
