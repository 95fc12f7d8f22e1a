#pragma once

#include "common/base/time.hpp"
#include "e2e/apiserver/registry/kind.hpp"

// The columns Kubernetes prints for each built-in kind, and their cells.
namespace steelyard::apiserver {

[[nodiscard]] const std::vector<PrinterColumn>& builtin_columns(const std::string& resource);
[[nodiscard]] Json builtin_cells(const std::string& resource, const Json& object, WallTime now);
// "<unknown>" for what is not a time.
[[nodiscard]] std::string age_of(const Json& timestamp, WallTime now);

}  // namespace steelyard::apiserver
