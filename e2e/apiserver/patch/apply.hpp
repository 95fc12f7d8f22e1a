#pragma once

#include "e2e/apiserver/patch/patch.hpp"

#include <string>
#include <vector>

// Server-side apply: an object as its manager wants it is merged into the live one, fields that
// the same manager dropped go away, and fields that others own with another value are conflicts.
// Ownership is kept in metadata.managedFields as FieldsV1 sets.
namespace steelyard::apiserver {

struct ApplyRequest {
    std::string manager;
    std::string api_version;
    std::string subresource;  // "" or "status"
    std::string time;         // RFC 3339
    bool force = false;
};

struct ApplyConflict {
    std::string manager;
    std::string field;  // ".spec.type"
};

struct ApplyOutcome {
    Json object;                           // meaningless when there are conflicts
    std::vector<ApplyConflict> conflicts;  // empty when applied
};

[[nodiscard]] ApplyOutcome server_side_apply(
    const Json& live, const Json& wanted, const ApplyRequest& request, const ListRules& rules
);

// After a change by other means (create, update, patch): what it changed belongs to its manager
// from now on. Objects nobody has applied stay without bookkeeping.
void record_update(
    const Json& before, Json& after, const ApplyRequest& request, const ListRules& rules
);

// The FieldsV1 set of an object's fields, without those the server owns.
[[nodiscard]] Json field_set(const Json& object, const ListRules& rules);

}  // namespace steelyard::apiserver
