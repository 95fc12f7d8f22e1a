#include "common/daemon/api_access.hpp"

namespace steelyard::daemon {

Result<kube::ClientConfig> client_config(const std::string& kubeconfig, Environment environment) {
    if (!kubeconfig.empty()) {
        return kube::load_kubeconfig(kubeconfig);
    }
    const auto variable = [&](const char* name) {
        const char* value = environment(name);
        return value == nullptr ? std::string() : std::string(value);
    };
    kube::InCluster where;
    where.service_host = variable("KUBERNETES_SERVICE_HOST");
    where.service_port = variable("KUBERNETES_SERVICE_PORT");
    return kube::in_cluster_config(where);
}

std::string namespace_of(
    const std::string& wanted, const std::string& kubeconfig, const kube::ClientConfig& client
) {
    if (!wanted.empty()) {
        return wanted;
    }
    return kubeconfig.empty() ? client.ns : "metallb-system";
}

}  // namespace steelyard::daemon
