#include "e2e/apiserver/protobuf/messages.hpp"

namespace steelyard::apiserver {

namespace {

using enum FieldType;

constexpr bool kList = true;
constexpr bool kKeepZero = true;

constexpr MessageField kFields[] = {
    {"ObjectMeta", 1, "name", Text},
    {"ObjectMeta", 2, "generateName", Text},
    {"ObjectMeta", 3, "namespace", Text},
    {"ObjectMeta", 5, "uid", Text},
    {"ObjectMeta", 6, "resourceVersion", Text},
    {"ObjectMeta", 7, "generation", Integer},
    {"ObjectMeta", 8, "creationTimestamp", Time},
    {"ObjectMeta", 9, "deletionTimestamp", Time},
    {"ObjectMeta", 10, "deletionGracePeriodSeconds", Integer, false, kKeepZero},
    {"ObjectMeta", 11, "labels", TextMap},
    {"ObjectMeta", 12, "annotations", TextMap},
    {"ObjectMeta", 13, "ownerReferences", Message, kList, false, "OwnerReference"},
    {"ObjectMeta", 14, "finalizers", Text, kList},
    {"OwnerReference", 1, "kind", Text},
    {"OwnerReference", 3, "name", Text},
    {"OwnerReference", 4, "uid", Text},
    {"OwnerReference", 5, "apiVersion", Text},
    {"OwnerReference", 6, "controller", Boolean, false, kKeepZero},
    {"OwnerReference", 7, "blockOwnerDeletion", Boolean, false, kKeepZero},
    {"LabelSelector", 1, "matchLabels", TextMap},
    {"LabelSelector", 2, "matchExpressions", Message, kList, false, "LabelRequirement"},
    {"LabelRequirement", 1, "key", Text},
    {"LabelRequirement", 2, "operator", Text},
    {"LabelRequirement", 3, "values", Text, kList},
    {"LocalObjectReference", 1, "name", Text},

    {"Namespace", 1, "metadata", Message, false, false, "ObjectMeta"},
    {"Namespace", 2, "spec", Message, false, false, "NamespaceSpec"},
    {"NamespaceSpec", 1, "finalizers", Text, kList},

    {"ConfigMap", 1, "metadata", Message, false, false, "ObjectMeta"},
    {"ConfigMap", 2, "data", TextMap},
    {"ConfigMap", 3, "binaryData", BytesMap},
    {"ConfigMap", 4, "immutable", Boolean, false, kKeepZero},

    {"Secret", 1, "metadata", Message, false, false, "ObjectMeta"},
    {"Secret", 2, "data", BytesMap},
    {"Secret", 3, "type", Text},
    {"Secret", 4, "stringData", TextMap},
    {"Secret", 5, "immutable", Boolean, false, kKeepZero},

    {"ServiceAccount", 1, "metadata", Message, false, false, "ObjectMeta"},
    {"ServiceAccount", 3, "imagePullSecrets", Message, kList, false, "LocalObjectReference"},
    {"ServiceAccount", 4, "automountServiceAccountToken", Boolean, false, kKeepZero},

    {"Service", 1, "metadata", Message, false, false, "ObjectMeta"},
    {"Service", 2, "spec", Message, false, false, "ServiceSpec"},
    {"ServiceSpec", 1, "ports", Message, kList, false, "ServicePort"},
    {"ServiceSpec", 2, "selector", TextMap},
    {"ServiceSpec", 3, "clusterIP", Text},
    {"ServiceSpec", 4, "type", Text},
    {"ServiceSpec", 5, "externalIPs", Text, kList},
    {"ServiceSpec", 7, "sessionAffinity", Text},
    {"ServiceSpec", 8, "loadBalancerIP", Text},
    {"ServiceSpec", 9, "loadBalancerSourceRanges", Text, kList},
    {"ServiceSpec", 10, "externalName", Text},
    {"ServiceSpec", 11, "externalTrafficPolicy", Text},
    {"ServiceSpec", 12, "healthCheckNodePort", Integer},
    {"ServiceSpec", 13, "publishNotReadyAddresses", Boolean},
    {"ServiceSpec", 17, "ipFamilyPolicy", Text},
    {"ServiceSpec", 18, "clusterIPs", Text, kList},
    {"ServiceSpec", 19, "ipFamilies", Text, kList},
    {"ServiceSpec", 20, "allocateLoadBalancerNodePorts", Boolean, false, kKeepZero},
    {"ServiceSpec", 21, "loadBalancerClass", Text},
    {"ServiceSpec", 22, "internalTrafficPolicy", Text},
    {"ServicePort", 1, "name", Text},
    {"ServicePort", 2, "protocol", Text},
    {"ServicePort", 3, "port", Integer},
    {"ServicePort", 4, "targetPort", IntOrString},
    {"ServicePort", 5, "nodePort", Integer},
    {"ServicePort", 6, "appProtocol", Text},

    {"Deployment", 1, "metadata", Message, false, false, "ObjectMeta"},
    {"Deployment", 2, "spec", Message, false, false, "DeploymentSpec"},
    {"DeploymentSpec", 1, "replicas", Integer, false, kKeepZero},
    {"DeploymentSpec", 2, "selector", Message, false, false, "LabelSelector"},
    {"DeploymentSpec", 3, "template", Message, false, false, "PodTemplateSpec"},
    {"DeploymentSpec", 5, "minReadySeconds", Integer},
    {"DeploymentSpec", 6, "revisionHistoryLimit", Integer, false, kKeepZero},
    {"DeploymentSpec", 7, "paused", Boolean},
    {"DeploymentSpec", 9, "progressDeadlineSeconds", Integer, false, kKeepZero},
    {"PodTemplateSpec", 1, "metadata", Message, false, false, "ObjectMeta"},
    {"PodTemplateSpec", 2, "spec", Message, false, false, "PodSpec"},
    {"Pod", 1, "metadata", Message, false, false, "ObjectMeta"},
    {"Pod", 2, "spec", Message, false, false, "PodSpec"},
    {"PodSpec", 2, "containers", Message, kList, false, "Container"},
    {"PodSpec", 3, "restartPolicy", Text},
    {"PodSpec", 4, "terminationGracePeriodSeconds", Integer, false, kKeepZero},
    {"PodSpec", 6, "dnsPolicy", Text},
    {"PodSpec", 7, "nodeSelector", TextMap},
    {"PodSpec", 8, "serviceAccountName", Text},
    {"PodSpec", 10, "nodeName", Text},
    {"PodSpec", 11, "hostNetwork", Boolean},
    {"PodSpec", 15, "imagePullSecrets", Message, kList, false, "LocalObjectReference"},
    {"PodSpec", 19, "schedulerName", Text},
    {"PodSpec", 20, "initContainers", Message, kList, false, "Container"},
    {"Container", 1, "name", Text},
    {"Container", 2, "image", Text},
    {"Container", 3, "command", Text, kList},
    {"Container", 4, "args", Text, kList},
    {"Container", 5, "workingDir", Text},
    {"Container", 6, "ports", Message, kList, false, "ContainerPort"},
    {"Container", 7, "env", Message, kList, false, "EnvVar"},
    {"Container", 8, "resources", Message, false, false, "ResourceRequirements"},
    {"Container", 14, "imagePullPolicy", Text},
    {"ContainerPort", 1, "name", Text},
    {"ContainerPort", 2, "hostPort", Integer},
    {"ContainerPort", 3, "containerPort", Integer},
    {"ContainerPort", 4, "protocol", Text},
    {"ContainerPort", 5, "hostIP", Text},
    {"EnvVar", 1, "name", Text},
    {"EnvVar", 2, "value", Text},
    {"ResourceRequirements", 1, "limits", QuantityMap},
    {"ResourceRequirements", 2, "requests", QuantityMap},

    {"Role", 1, "metadata", Message, false, false, "ObjectMeta"},
    {"Role", 2, "rules", Message, kList, false, "PolicyRule"},
    {"ClusterRole", 1, "metadata", Message, false, false, "ObjectMeta"},
    {"ClusterRole", 2, "rules", Message, kList, false, "PolicyRule"},
    {"PolicyRule", 1, "verbs", Text, kList},
    {"PolicyRule", 2, "apiGroups", Text, kList},
    {"PolicyRule", 3, "resources", Text, kList},
    {"PolicyRule", 4, "resourceNames", Text, kList},
    {"PolicyRule", 5, "nonResourceURLs", Text, kList},
    {"RoleBinding", 1, "metadata", Message, false, false, "ObjectMeta"},
    {"RoleBinding", 2, "subjects", Message, kList, false, "Subject"},
    {"RoleBinding", 3, "roleRef", Message, false, false, "RoleRef"},
    {"ClusterRoleBinding", 1, "metadata", Message, false, false, "ObjectMeta"},
    {"ClusterRoleBinding", 2, "subjects", Message, kList, false, "Subject"},
    {"ClusterRoleBinding", 3, "roleRef", Message, false, false, "RoleRef"},
    {"Subject", 1, "kind", Text},
    {"Subject", 2, "apiGroup", Text},
    {"Subject", 3, "name", Text},
    {"Subject", 4, "namespace", Text},
    {"RoleRef", 1, "apiGroup", Text},
    {"RoleRef", 2, "kind", Text},
    {"RoleRef", 3, "name", Text},

    {"PriorityClass", 1, "metadata", Message, false, false, "ObjectMeta"},
    {"PriorityClass", 2, "value", Integer, false, kKeepZero},
    {"PriorityClass", 3, "globalDefault", Boolean},
    {"PriorityClass", 4, "description", Text},
    {"PriorityClass", 5, "preemptionPolicy", Text},
    {"PodDisruptionBudget", 1, "metadata", Message, false, false, "ObjectMeta"},
    {"PodDisruptionBudget", 2, "spec", Message, false, false, "PodDisruptionBudgetSpec"},
    {"PodDisruptionBudgetSpec", 1, "minAvailable", IntOrString},
    {"PodDisruptionBudgetSpec", 2, "selector", Message, false, false, "LabelSelector"},
    {"PodDisruptionBudgetSpec", 3, "maxUnavailable", IntOrString},

    {"TokenRequest", 1, "metadata", Message, false, false, "ObjectMeta"},
    {"TokenRequest", 2, "spec", Message, false, false, "TokenRequestSpec"},
    {"TokenRequestSpec", 1, "audiences", Text, kList},
    {"TokenRequestSpec", 4, "expirationSeconds", Integer},
    {"SelfSubjectAccessReview", 1, "metadata", Message, false, false, "ObjectMeta"},
    {"SelfSubjectAccessReview", 2, "spec", Message, false, false, "AccessReviewSpec"},
    {"AccessReviewSpec", 1, "resourceAttributes", Message, false, false, "ResourceAttributes"},
    {"ResourceAttributes", 1, "namespace", Text},
    {"ResourceAttributes", 2, "verb", Text},
    {"ResourceAttributes", 3, "group", Text},
    {"ResourceAttributes", 4, "version", Text},
    {"ResourceAttributes", 5, "resource", Text},
    {"ResourceAttributes", 6, "subresource", Text},
    {"ResourceAttributes", 7, "name", Text},
    {"Scale", 1, "metadata", Message, false, false, "ObjectMeta"},
    {"Scale", 2, "spec", Message, false, false, "ScaleSpec"},
    {"ScaleSpec", 1, "replicas", Integer, false, kKeepZero},
    {"DeleteOptions", 1, "gracePeriodSeconds", Integer, false, kKeepZero},
    {"DeleteOptions", 2, "preconditions", Message, false, false, "Preconditions"},
    {"DeleteOptions", 3, "orphanDependents", Boolean},
    {"DeleteOptions", 4, "propagationPolicy", Text},
    {"DeleteOptions", 5, "dryRun", Text, kList},
    {"Preconditions", 1, "uid", Text},
    {"Preconditions", 2, "resourceVersion", Text},
};

}  // namespace

const MessageField* find_field(std::string_view message, unsigned number) {
    for (const MessageField& field : kFields) {
        if (field.number == number && message == field.message) {
            return &field;
        }
    }
    return nullptr;
}

bool knows_message(std::string_view message) {
    for (const MessageField& field : kFields) {
        if (message == field.message) {
            return true;
        }
    }
    return false;
}

}  // namespace steelyard::apiserver
