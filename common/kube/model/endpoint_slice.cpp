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

SliceEndpoint decode_endpoint(const Field& field, net::Family family) {
    SliceEndpoint endpoint;
    const std::vector<Field> addresses = field["addresses"].items();
    if (!addresses.empty()) {
        endpoint.address = addresses.front().address();
        if (endpoint.address && endpoint.address->family() != family) {
            addresses.front().reject("an address of the slice's addressType");
        }
    }
    const Field conditions = field["conditions"];
    endpoint.ready = conditions["ready"].boolean(true);
    endpoint.serving = conditions["serving"].boolean(true);
    endpoint.terminating = conditions["terminating"].boolean(false);
    endpoint.node_name = field["nodeName"].text();
    EndpointDetails::Fields details;
    details.zone = field["zone"].text();
    if (field["targetRef"]["kind"].text() == "Pod") {
        details.pod = field["targetRef"]["name"].text();
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

// Every entry of an array is read as an object of its own, so that what is wrong with one says
// nothing about the rest.
template <class Read>
void read_each(const Field& array, std::vector<std::string>& complaints, Read&& read) {
    for (const Field& item : array.items()) {
        if (!item.present()) {
            continue;
        }
        Problem problem;
        const bool taken = read(Field(*item.json(), problem), problem);
        if (!taken && problem.any()) {
            complaints.push_back(item.path() + "." + problem.text());
        }
    }
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

void keep_what_is_read(EndpointSlice& slice) {
    Labels& labels = slice.meta.labels;
    if (const auto label = labels.find("kubernetes.io/service-name"); label != labels.end()) {
        slice.service = label->second;
    }
    slice.headless = labels.contains("service.kubernetes.io/headless");
    const Labels& annotations = slice.meta.annotations;
    const auto trigger = annotations.find("endpoints.kubernetes.io/last-change-trigger-time");
    if (trigger != annotations.end()) {
        if (const auto time = parse_rfc3339(trigger->second)) {
            slice.last_change_trigger = *time;
        }
    }
    slice.meta.labels = Labels();
    slice.meta.annotations = Labels();
    slice.meta.uid = std::string();
}

}  // namespace

Result<EndpointSlice> decode_endpoint_slice(const nlohmann::json& object) {
    Problem problem;
    const Field root(object, problem);
    EndpointSlice slice;
    slice.meta = decode_meta(root);
    keep_what_is_read(slice);
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
