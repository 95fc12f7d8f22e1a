#pragma once

#include "e2e/apiserver/json/json.hpp"

#include <string_view>
#include <vector>

// The part of JSONPath that printer columns use: ".spec.addresses", ".spec.ports[*].port",
// ".status.conditions[?(@.type=='Ready')].status", ".metadata.labels.app\.kubernetes\.io/name".
namespace steelyard::apiserver {

// Every value the path leads to; empty when nothing does or the path makes no sense.
[[nodiscard]] std::vector<const Json*> json_path(const Json& value, std::string_view path);

}  // namespace steelyard::apiserver
