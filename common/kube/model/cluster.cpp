#include "common/kube/model/field.hpp"
#include "common/kube/model/resource.hpp"

// core/v1 Node, Pod and Namespace; networking.k8s.io/v1 ServiceCIDR.
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

void decode_addresses(const Field& status, Node& node) {
    for (const Field& item : status["addresses"].items()) {
        const std::string type = item["type"].text();
        if (type == "Hostname") {
            node.hostname = item["address"].text();
        } else if (type == "InternalIP" || type == "ExternalIP") {
            if (const auto address = item["address"].address()) {
                (type == "InternalIP" ? node.internal_ips : node.external_ips).push_back(*address);
            }
        }
    }
}

std::vector<net::Prefix> decode_prefixes(const std::vector<Field>& items) {
    std::vector<net::Prefix> prefixes;
    for (const Field& item : items) {
        const std::string text = item.text();
        if (const auto prefix = net::Prefix::parse(text)) {
            prefixes.push_back(*prefix);
        } else if (!text.empty()) {
            item.reject("a CIDR");
        }
    }
    return prefixes;
}

}  // namespace

std::string_view zone_of(const Node& node) {
    const auto label = node.meta.labels.find("topology.kubernetes.io/zone");
    return label == node.meta.labels.end() ? std::string_view() : std::string_view(label->second);
}

Result<Node> decode_node(const nlohmann::json& object) {
    Problem problem;
    const Field root(object, problem);
    Node node;
    node.meta = decode_meta(root);
    const Field status = root["status"];
    decode_addresses(status, node);
    const Field spec = root["spec"];
    node.pod_cidrs = decode_prefixes(spec["podCIDRs"].items());
    if (node.pod_cidrs.empty()) {
        node.pod_cidrs = decode_prefixes({spec["podCIDR"]});
    }
    for (const Field& item : spec["taints"].items()) {
        node.taints.push_back({item["key"].text(), item["effect"].text()});
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

Result<ServiceCidr> decode_service_cidr(const nlohmann::json& object) {
    Problem problem;
    const Field root(object, problem);
    ServiceCidr range;
    range.meta = decode_meta(root);
    range.cidrs = decode_prefixes(root["spec"]["cidrs"].items());
    range.ready = condition_true(root["status"], "Ready");
    if (problem.any()) {
        return decode_error("ServiceCIDR", object, problem);
    }
    return range;
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
