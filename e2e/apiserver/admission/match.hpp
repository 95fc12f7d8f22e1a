#pragma once

#include "e2e/apiserver/admission/validating.hpp"

#include <optional>
#include <string>

// Private to admission: does one webhook want to hear of a change?
namespace steelyard::apiserver {

// The version in which it wants to see the object; nothing when it does not care. With matchPolicy
// Equivalent a rule for another served version of the same kind counts too.
[[nodiscard]] std::optional<std::string> matched_version(
    const Json& webhook, const AdmissionAttributes& attributes, const Store& store
);

}  // namespace steelyard::apiserver
