#pragma once

#include "common/base/error.hpp"
#include "e2e/apiserver/json/json.hpp"

#include <string>

// YAML bodies (application/yaml, apply patches) as JSON. Plain scalars become null, booleans and
// numbers as YAML 1.2's core schema has them; anchors are followed. Errors: Invalid.
namespace steelyard::apiserver {

[[nodiscard]] Result<Json> yaml_to_json(const std::string& text);

}  // namespace steelyard::apiserver
