#pragma once

#include "e2e/apiserver/admission/validating.hpp"

#include <string>
#include <vector>

// Private to admission: the question to one webhook (AdmissionReview) and what its answer means.
namespace steelyard::apiserver {

// The request of an AdmissionReview without its uid. `object` and `old_object` are in `version`.
[[nodiscard]] Json admission_request(
    const AdmissionAttributes& attributes,
    const std::string& version,
    const Json& object,
    const Json& old_object
);
// "v1" or "v1beta1", the first the webhook names; "" when it knows neither.
[[nodiscard]] std::string review_version(const Json& webhook);

struct Verdict {
    bool allowed = false;
    std::vector<std::string> warnings;
    Failure denial;       // when not allowed
    std::string problem;  // what makes the answer none, "" when it is one
};
[[nodiscard]] Verdict read_verdict(
    const std::string& body,
    const std::string& webhook,
    const std::string& version,
    const std::string& uid
);

// admission webhook "x" denied the request: ...
[[nodiscard]] Failure denied(const std::string& webhook, const Json& status);
// failed calling webhook "x": failed to call webhook: ...
[[nodiscard]] Failure call_failed(const std::string& webhook, const std::string& why);

}  // namespace steelyard::apiserver
