#include "common/kube/model/encode.hpp"
#include "common/kube/model/field.hpp"
#include "common/kube/model/resource.hpp"

#include <utility>

// discovery.k8s.io/v1 EndpointSlice. An entry that makes no sense is left out and told of: the
// others of its slice go on being served.
namespace steelyard::kube {
namespace {

std::vector<std::string> names(const Field& hints) {
    std::vector<std::string> result;
    for (const Field& item : hints.items()) {
        result.push_back(item["name"].text());
    }
    return result;
}

// Whether a pod's name is one of a StatefulSet's, "web-0": the others are random, and nobody can
// mean one of them beforehand.
bool has_ordinal(const std::string& pod) {
    const std::size_t last = pod.find_last_not_of("0123456789");
    return last != std::string::npos && last + 1 < pod.size() && pod[last] == '-';
}

bool is_somebodys(const net::IpAddress& address) {
    return !address.is_unspecified() && !address.is_loopback() && !address.is_multicast();
}

SliceEndpoint decode_endpoint(const Field& field, net::Family family) {
    SliceEndpoint endpoint;
    const std::vector<Field> addresses = field["addresses"].items();
    if (!addresses.empty()) {
        endpoint.address = addresses.front().address();
        if (endpoint.address && endpoint.address->family() != family) {
            addresses.front().reject("an address of the slice's addressType");
        } else if (endpoint.address && !is_somebodys(*endpoint.address)) {
            addresses.front().reject("an address that somebody can have");
        }
    }
    const Field conditions = field["conditions"];
    endpoint.ready = conditions["ready"].boolean(true);
    endpoint.serving = conditions["serving"].boolean(true);
    endpoint.terminating = conditions["terminating"].boolean(false);
    endpoint.node_name = field["nodeName"].text();
    EndpointDetails::Fields details;
    if (endpoint.node_name.empty()) {  // else the zone is that of the node
        details.zone = field["zone"].text();
    }
    const Field target = field["targetRef"];
    if (const std::string pod = target["name"].text();
        target["kind"].text() == "Pod" && has_ordinal(pod)) {
        details.pod = pod;
    }
    details.for_zones = names(field["hints"]["forZones"]);
    details.for_nodes = names(field["hints"]["forNodes"]);
    endpoint.details = EndpointDetails(details);
    return endpoint;
}

// Nothing for a port without a number ("any", which a proxy cannot use) and for one of a protocol
// we do not know.
std::optional<SlicePort> decode_port(const Field& field) {
    SlicePort port;
    port.name = field["name"].text();
    const Field number = field["port"];
    port.port = number.port();
    if (number.present() && port.port == 0) {
        number.reject("a port (1..65535)");
    }
    const std::string protocol = field["protocol"].text();
    if (!protocol.empty()) {
        const auto parsed = net::parse_protocol(protocol);
        if (!parsed) {
            return std::nullopt;
        }
        port.protocol = *parsed;
    }
    return port.port == 0 ? std::nullopt : std::optional(std::move(port));
}

void decode_entries(const Field& root, EndpointSlice& slice) {
    read_each(root["endpoints"], slice.complaints, [&](const Field& item, const Problem& problem) {
        SliceEndpoint endpoint = decode_endpoint(item, slice.family);
        if (problem.any()) {
            return false;
        }
        slice.endpoints.push_back(std::move(endpoint));
        return true;
    });
    read_each(root["ports"], slice.complaints, [&](const Field& item, const Problem& problem) {
        auto port = decode_port(item);
        if (problem.any() || !port) {
            return false;
        }
        slice.ports.push_back(std::move(*port));
        return true;
    });
    slice.endpoints.shrink_to_fit();
    slice.ports.shrink_to_fit();
}

void keep_what_is_read(ObjectMeta meta, EndpointSlice& slice) {
    const Labels& labels = meta.labels;
    if (const auto label = labels.find("kubernetes.io/service-name"); label != labels.end()) {
        slice.service = label->second;
    }
    slice.headless = labels.contains("service.kubernetes.io/headless");
    const Labels& annotations = meta.annotations;
    const auto trigger = annotations.find("endpoints.kubernetes.io/last-change-trigger-time");
    if (trigger != annotations.end()) {
        if (const auto time = parse_rfc3339(trigger->second)) {
            slice.last_change_trigger = *time;
        }
    }
    slice.meta = {std::move(meta.key), std::move(meta.resource_version)};
}

}  // namespace

Result<EndpointSlice> decode_endpoint_slice(const nlohmann::json& object) {
    Problem problem;
    const Field root(object, problem);
    EndpointSlice slice;
    keep_what_is_read(decode_meta(root), slice);
    // FQDN slices, and address types still to be invented, hold nothing a packet can be sent to.
    const std::string type = root["addressType"].text();
    if (type == "IPv4" || type == "IPv6") {
        slice.family = type == "IPv6" ? net::Family::V6 : net::Family::V4;
        decode_entries(root, slice);
    }
    if (problem.any()) {
        return decode_error("EndpointSlice", object, problem);
    }
    return slice;
}

}  // namespace steelyard::kube
