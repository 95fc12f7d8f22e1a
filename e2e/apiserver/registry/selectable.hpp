#pragma once

#include "e2e/apiserver/registry/kind.hpp"

#include <string>

// Which fields a field selector may name: metadata.name and metadata.namespace of every kind, some
// more of a few built-in ones, and what a CustomResourceDefinition lists as selectableFields.
namespace steelyard::apiserver {

// "" when `label` may be selected by, else the sentence the API server refuses it with.
[[nodiscard]] std::string field_label_problem(
    const Kind& kind, const std::string& version, const std::string& label
);

}  // namespace steelyard::apiserver
