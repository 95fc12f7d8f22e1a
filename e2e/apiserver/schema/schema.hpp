#pragma once

#include "e2e/apiserver/json/failure.hpp"
#include "e2e/apiserver/json/json.hpp"

#include <string>
#include <vector>

// A custom kind's openAPIV3Schema at work: what it does not know is dropped, what it defaults is
// filled in, what it forbids is reported with the words kube-apiserver uses. The schema is the JSON
// of the CRD itself. x-kubernetes-validations (CEL) are not evaluated.
namespace steelyard::apiserver {

// Removes fields that the schema does not name and lists their paths.
void prune(const Json& schema, Json& object, std::vector<std::string>& unknown);
void apply_defaults(const Json& schema, Json& object);
[[nodiscard]] FieldErrors validate(const Json& schema, const Json& object);

}  // namespace steelyard::apiserver
