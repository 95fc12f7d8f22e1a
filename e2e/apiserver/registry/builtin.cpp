#include "e2e/apiserver/registry/kind.hpp"

namespace steelyard::apiserver {

namespace {

struct Row {
    const char* group;
    const char* versions;  // most preferred first, separated by commas
    const char* kind;
    const char* plural;
    const char* singular;
    const char* short_names;
    const char* categories;
    bool namespaced;
    bool has_status;
};

// What `kubectl api-resources` shows for the same kinds in Kubernetes.
constexpr Row kRows[] = {
    {"", "v1", "ConfigMap", "configmaps", "configmap", "cm", "", true, false},
    {"", "v1", "Endpoints", "endpoints", "endpoints", "ep", "", true, false},
    {"", "v1", "Event", "events", "event", "ev", "", true, false},
    {"", "v1", "Namespace", "namespaces", "namespace", "ns", "", false, true},
    {"", "v1", "Node", "nodes", "node", "no", "", false, true},
    {"", "v1", "Pod", "pods", "pod", "po", "all", true, true},
    {"", "v1", "Secret", "secrets", "secret", "", "", true, false},
    {"", "v1", "Service", "services", "service", "svc", "all", true, true},
    {"", "v1", "ServiceAccount", "serviceaccounts", "serviceaccount", "sa", "", true, false},
    {"admissionregistration.k8s.io",
     "v1",
     "MutatingWebhookConfiguration",
     "mutatingwebhookconfigurations",
     "mutatingwebhookconfiguration",
     "",
     "api-extensions",
     false,
     false},
    {"admissionregistration.k8s.io",
     "v1",
     "ValidatingWebhookConfiguration",
     "validatingwebhookconfigurations",
     "validatingwebhookconfiguration",
     "",
     "api-extensions",
     false,
     false},
    {"apiextensions.k8s.io",
     "v1",
     "CustomResourceDefinition",
     "customresourcedefinitions",
     "customresourcedefinition",
     "crd,crds",
     "api-extensions",
     false,
     true},
    {"apps",
     "v1",
     "ControllerRevision",
     "controllerrevisions",
     "controllerrevision",
     "",
     "",
     true,
     false},
    {"apps", "v1", "DaemonSet", "daemonsets", "daemonset", "ds", "all", true, true},
    {"apps", "v1", "Deployment", "deployments", "deployment", "deploy", "all", true, true},
    {"apps", "v1", "ReplicaSet", "replicasets", "replicaset", "rs", "all", true, true},
    {"coordination.k8s.io", "v1", "Lease", "leases", "lease", "", "", true, false},
    {"discovery.k8s.io",
     "v1,v1beta1",
     "EndpointSlice",
     "endpointslices",
     "endpointslice",
     "",
     "",
     true,
     false},
    {"networking.k8s.io",
     "v1",
     "NetworkPolicy",
     "networkpolicies",
     "networkpolicy",
     "netpol",
     "",
     true,
     false},
    {"networking.k8s.io", "v1", "ServiceCIDR", "servicecidrs", "servicecidr", "", "", false, true},
    {"policy",
     "v1",
     "PodDisruptionBudget",
     "poddisruptionbudgets",
     "poddisruptionbudget",
     "pdb",
     "",
     true,
     true},
    {"rbac.authorization.k8s.io",
     "v1",
     "ClusterRole",
     "clusterroles",
     "clusterrole",
     "",
     "",
     false,
     false},
    {"rbac.authorization.k8s.io",
     "v1",
     "ClusterRoleBinding",
     "clusterrolebindings",
     "clusterrolebinding",
     "",
     "",
     false,
     false},
    {"rbac.authorization.k8s.io", "v1", "Role", "roles", "role", "", "", true, false},
    {"rbac.authorization.k8s.io",
     "v1",
     "RoleBinding",
     "rolebindings",
     "rolebinding",
     "",
     "",
     true,
     false},
    {"scheduling.k8s.io",
     "v1",
     "PriorityClass",
     "priorityclasses",
     "priorityclass",
     "pc",
     "",
     false,
     false},
};

std::vector<std::string> words(const char* text) {
    return *text == '\0' ? std::vector<std::string>{} : split(text, ',');
}

}  // namespace

std::vector<Kind> builtin_kinds() {
    std::vector<Kind> kinds;
    for (const Row& row : kRows) {
        Kind kind;
        kind.group = row.group;
        kind.name = row.kind;
        kind.plural = row.plural;
        kind.singular = row.singular;
        kind.short_names = words(row.short_names);
        kind.categories = words(row.categories);
        kind.namespaced = row.namespaced;
        for (const std::string& name : words(row.versions)) {
            KindVersion version;
            version.name = name;
            version.has_status = row.has_status;
            kind.versions.push_back(std::move(version));
        }
        kind.storage_version = kind.versions.front().name;
        kinds.push_back(std::move(kind));
    }
    return kinds;
}

}  // namespace steelyard::apiserver
