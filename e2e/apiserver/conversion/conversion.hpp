#pragma once

#include "e2e/apiserver/callout/exchange.hpp"
#include "e2e/apiserver/json/failure.hpp"
#include "e2e/apiserver/registry/kind.hpp"
#include "e2e/apiserver/storage/store.hpp"

#include <string>
#include <vector>

// Objects of one kind from the version they are in to another (apiextensions.k8s.io/v1
// spec.conversion). Strategy None changes the apiVersion alone; Webhook asks with a
// ConversionReview and takes nothing but what a converter may change. Failures carry the words of
// kube-apiserver.
namespace steelyard::apiserver {

// In the order they came; pending while the exchange lacks the webhook's answer.
[[nodiscard]] Outcome<std::vector<Json>> convert(
    const Kind& kind,
    const std::string& version,
    const std::vector<Object>& objects,
    const Store& store,
    Exchange& exchange
);
[[nodiscard]] Outcome<Json> convert_one(
    const Kind& kind,
    const std::string& version,
    const Json& object,
    const Store& store,
    Exchange& exchange
);

}  // namespace steelyard::apiserver
