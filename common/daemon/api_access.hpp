#pragma once

#include "common/kube/client/config.hpp"

#include <string>

// How a daemon reaches the API server and where its objects live: by a kubeconfig file when one is
// given, else by what Kubernetes gives its pod. An error is one line for the person who started it.
namespace steelyard::daemon {

// Looks up an environment variable; nullptr when unset.
using Environment = const char* (*)(const char* name);

[[nodiscard]] Result<kube::ClientConfig> client_config(
    const std::string& kubeconfig, Environment environment
);

// The namespace of the metallb.io objects: `wanted` if not "", else the pod's own. A kubeconfig's
// namespace is the user's habit, not where the product lives: with one it is metallb-system.
[[nodiscard]] std::string namespace_of(
    const std::string& wanted, const std::string& kubeconfig, const kube::ClientConfig& client
);

}  // namespace steelyard::daemon
