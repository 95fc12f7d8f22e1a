#include "common/kube/model/field.hpp"
#include "common/kube/model/resource.hpp"

// core/v1 Node, Pod and Namespace.
namespace steelyard::kube {
namespace {

bool condition_true(const Field& status, std::string_view type) {
    for (const Field& item : status["conditions"].items()) {
        if (item["type"].text() == type) {
            return item["status"].text() == "True";
        }
    }
    return false;
}

}  // namespace

Result<Node> decode_node(const nlohmann::json& object) {
    Problem problem;
    const Field root(object, problem);
    Node node;
    node.meta = decode_meta(root);
    const Field status = root["status"];
    for (const Field& item : status["addresses"].items()) {
        if (item["type"].text() != "InternalIP") {
            continue;
        }
        if (const auto address = item["address"].address()) {
            node.internal_ips.push_back(*address);
        }
    }
    node.network_unavailable = condition_true(status, "NetworkUnavailable");
    node.ready = condition_true(status, "Ready");
    if (problem.any()) {
        return decode_error("Node", object, problem);
    }
    return node;
}

Result<Pod> decode_pod(const nlohmann::json& object) {
    Problem problem;
    const Field root(object, problem);
    Pod pod;
    pod.meta = decode_meta(root);
    pod.node_name = root["spec"]["nodeName"].text();
    const Field status = root["status"];
    for (const Field& item : status["podIPs"].items()) {
        if (const auto address = item["ip"].address()) {
            pod.pod_ips.push_back(*address);
        }
    }
    if (pod.pod_ips.empty()) {
        if (const auto address = status["podIP"].address()) {
            pod.pod_ips.push_back(*address);
        }
    }
    pod.ready = condition_true(status, "Ready");
    if (problem.any()) {
        return decode_error("Pod", object, problem);
    }
    return pod;
}

Result<Namespace> decode_namespace(const nlohmann::json& object) {
    Problem problem;
    Namespace result;
    result.meta = decode_meta(Field(object, problem));
    if (problem.any()) {
        return decode_error("Namespace", object, problem);
    }
    return result;
}

}  // namespace steelyard::kube
