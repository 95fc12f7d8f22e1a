#pragma once

#include "common/base/error.hpp"
#include "controller/admission/snapshot.hpp"

#include <nlohmann/json_fwd.hpp>

// The verdict on a change of one configuration object: an AdmissionReview (admission.k8s.io/v1) in,
// its answer out. Denied is what the change itself would break, here or in an object that needs
// this one; what was wrong before, and what only waits for an object that may follow in the same
// `kubectl apply`, becomes a warning. Pure and total: any JSON of read_body() (body.hpp) is fine.
namespace steelyard::admission {

// Kinds we do not know, subresources and other operations are allowed. Invalid, in one line, when
// this is no AdmissionReview. With a snapshot that is not known yet the object is judged alone, and
// a warning says so.
[[nodiscard]] Result<nlohmann::json> review(
    const nlohmann::json& admission_review, const Snapshot& snapshot
);

}  // namespace steelyard::admission
