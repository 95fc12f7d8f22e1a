#pragma once

#include "e2e/apiserver/callout/hook.hpp"
#include "e2e/apiserver/storage/store.hpp"

// From a clientConfig (WebhookClientConfig: url or service, caBundle) to a place to connect to. A
// service is reached at one of its ready endpoints, as kube-apiserver does with endpoint routing,
// and has to prove to be <service>.<namespace>.svc.
namespace steelyard::apiserver {

// `choice` picks among several ready endpoints. What stands in the way is the call's problem.
[[nodiscard]] HookCall resolve_hook(
    const Json& client_config, std::chrono::seconds timeout, const Store& store, std::size_t choice
);

}  // namespace steelyard::apiserver
