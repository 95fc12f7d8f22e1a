#pragma once

#include "common/base/error.hpp"
#include "e2e/apiserver/json/json.hpp"

#include <functional>
#include <string>
#include <string_view>
#include <vector>

// The ways a client changes an object without sending all of it. All are pure: the old value and
// the patch in, the new value out. Errors: Invalid, naming what in the patch cannot be done.
namespace steelyard::apiserver {

// How a list behaves when two parties change it (x-kubernetes-list-type).
enum class ListType { Atomic, Set, Map };

struct ListRule {
    ListType type = ListType::Atomic;
    std::vector<std::string> keys;  // of Map: the fields that identify an element
};

// Answers for a list reached by these field names; elements of lists on the way leave no trace, so
// a container's ports are {"spec", "containers", "ports"}.
using FieldPath = std::vector<std::string>;
using ListRules = std::function<ListRule(const FieldPath& path)>;

// The rules of the built-in kinds.
[[nodiscard]] ListRule builtin_list_rule(const FieldPath& path);
// The rules an openAPIV3Schema states.
[[nodiscard]] ListRule schema_list_rule(const Json& schema, const FieldPath& path);

// RFC 7386.
[[nodiscard]] Json merge_patch(Json target, const Json& patch);
// RFC 6902.
[[nodiscard]] Result<Json> json_patch(const Json& target, const Json& patch);
// Kubernetes' strategic merge patch, with $patch, $retainKeys, $setElementOrder and
// $deleteFromPrimitiveList. Lists merge by the first key of their rule.
[[nodiscard]] Result<Json> strategic_merge_patch(
    const Json& target, const Json& patch, const ListRules& rules
);

}  // namespace steelyard::apiserver
