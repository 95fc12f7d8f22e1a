#include "common/kube/model/field.hpp"
#include "common/kube/model/resource.hpp"

// discovery.k8s.io/v1 EndpointSlice.
namespace steelyard::kube {
namespace {

SliceEndpoint decode_endpoint(const Field& field) {
    SliceEndpoint endpoint;
    for (const Field& item : field["addresses"].items()) {
        if (const auto address = item.address()) {
            endpoint.addresses.push_back(*address);
        }
    }
    const Field conditions = field["conditions"];
    endpoint.ready = conditions["ready"].boolean(true);
    endpoint.serving = conditions["serving"].boolean(true);
    endpoint.terminating = conditions["terminating"].boolean(false);
    endpoint.node_name = field["nodeName"].text();
    return endpoint;
}

void decode_ports(const Field& field, EndpointSlice& slice) {
    for (const Field& item : field.items()) {
        SlicePort port;
        port.name = item["name"].text();
        port.port = item["port"].port();
        const std::string protocol = item["protocol"].text();
        if (!protocol.empty()) {
            const auto parsed = net::parse_protocol(protocol);
            if (!parsed) {
                continue;
            }
            port.protocol = *parsed;
        }
        if (port.port != 0) {  // nil means "any port", which a proxy cannot use
            slice.ports.push_back(std::move(port));
        }
    }
}

}  // namespace

Result<EndpointSlice> decode_endpoint_slice(const nlohmann::json& object) {
    Problem problem;
    const Field root(object, problem);
    EndpointSlice slice;
    slice.meta = decode_meta(root);
    const auto label = slice.meta.labels.find("kubernetes.io/service-name");
    if (label != slice.meta.labels.end()) {
        slice.service = label->second;
    }
    // FQDN slices, and address types still to be invented, hold nothing a packet can be sent to.
    const std::string type = root["addressType"].text();
    if (type == "IPv4" || type == "IPv6") {
        slice.family = type == "IPv6" ? net::Family::V6 : net::Family::V4;
        for (const Field& item : root["endpoints"].items()) {
            slice.endpoints.push_back(decode_endpoint(item));
        }
        decode_ports(root["ports"], slice);
    }
    if (problem.any()) {
        return decode_error("EndpointSlice", object, problem);
    }
    return slice;
}

}  // namespace steelyard::kube
