#pragma once

#include "e2e/apiserver/callout/exchange.hpp"
#include "e2e/apiserver/json/failure.hpp"
#include "e2e/apiserver/registry/kind.hpp"
#include "e2e/apiserver/storage/store.hpp"

#include <string>
#include <vector>

// Validating admission webhooks (admissionregistration.k8s.io/v1): which of the stored
// ValidatingWebhookConfigurations want to hear of a change, what they are asked and what their
// answers mean. matchConditions (CEL) are not evaluated: such a webhook is always asked.
namespace steelyard::apiserver {

// One change somebody wants to make, in the version of the request.
struct AdmissionAttributes {
    std::string operation;  // "CREATE", "UPDATE", "DELETE"
    const Kind* kind = nullptr;
    std::string version;
    std::string subresource;
    std::string ns;
    std::string name;
    Json object;      // null for DELETE
    Json old_object;  // null for CREATE
    Json options;     // CreateOptions and the like
    Json user;        // authentication/v1 UserInfo
    bool dry_run = false;
};

// Nothing when every webhook lets it pass. Their warnings are added either way; pending while the
// exchange lacks an answer.
[[nodiscard]] Outcome<> validate_by_webhooks(
    const AdmissionAttributes& attributes,
    const Store& store,
    Exchange& exchange,
    std::vector<std::string>& warnings
);

}  // namespace steelyard::apiserver
