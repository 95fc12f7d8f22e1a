#include "common/kube/model/encode.hpp"
#include "common/kube/model/field.hpp"
#include "common/kube/model/resource.hpp"

#include <algorithm>
#include <limits>

// core/v1 Service.
namespace steelyard::kube {
namespace {

// An unknown type (a newer server) is treated as the default, ClusterIP.
ServiceType service_type(const std::string& text) {
    if (text == "NodePort") {
        return ServiceType::NodePort;
    }
    if (text == "LoadBalancer") {
        return ServiceType::LoadBalancer;
    }
    return text == "ExternalName" ? ServiceType::ExternalName : ServiceType::ClusterIp;
}

TrafficPolicy traffic_policy(const std::string& text) {
    return text == "Local" ? TrafficPolicy::Local : TrafficPolicy::Cluster;
}

IpFamilyPolicy family_policy(const std::string& text) {
    if (text == "PreferDualStack") {
        return IpFamilyPolicy::PreferDualStack;
    }
    return text == "RequireDualStack" ? IpFamilyPolicy::RequireDualStack
                                      : IpFamilyPolicy::SingleStack;
}

void decode_cluster_ips(const Field& spec, Service& service) {
    std::vector<Field> written = spec["clusterIPs"].items();
    if (written.empty() && spec["clusterIP"].present()) {
        written.push_back(spec["clusterIP"]);
    }
    for (const Field& item : written) {
        if (item.text() == "None") {
            service.headless = true;
        } else if (const auto address = item.address()) {
            service.cluster_ips.push_back(*address);
        }
    }
}

// Nothing for a port of a protocol we do not know: it cannot be balanced.
std::optional<ServicePort> decode_port(const Field& item) {
    ServicePort port;
    port.name = item["name"].text();
    port.port = item["port"].port();
    port.node_port = item["nodePort"].port();
    if (port.port == 0) {
        item["port"].reject("a port (1..65535)");
    }
    const std::string protocol = item["protocol"].text();
    if (!protocol.empty()) {
        const auto parsed = net::parse_protocol(protocol);
        if (!parsed) {
            return std::nullopt;
        }
        port.protocol = *parsed;
    }
    return port;
}

void decode_ports(const Field& spec, Service& service) {
    read_each(spec["ports"], service.complaints, [&](const Field& item, const Problem& problem) {
        auto port = decode_port(item);
        if (problem.any() || !port) {
            return false;
        }
        service.ports.push_back(std::move(*port));
        return true;
    });
    service.ports.shrink_to_fit();
}

void decode_source_ranges(const Field& spec, Service& service) {
    for (const Field& item : spec["loadBalancerSourceRanges"].items()) {
        std::string text = item.text();
        // The API has always let blanks through here.
        std::erase_if(text, [](char c) { return c == ' ' || c == '\t'; });
        const auto prefix = net::Prefix::parse(text);
        if (prefix) {
            service.load_balancer_source_ranges.push_back(*prefix);
        } else {
            item.reject("a CIDR");
        }
    }
}

void decode_affinity(const Field& spec, Service& service) {
    if (spec["sessionAffinity"].text() != "ClientIP") {
        return;
    }
    constexpr std::int64_t kMaxSeconds = 86400;
    constexpr std::int64_t kDefaultSeconds = 10800;
    const auto seconds =
        spec["sessionAffinityConfig"]["clientIP"]["timeoutSeconds"].integer(1, kMaxSeconds);
    service.client_ip_affinity_seconds =
        static_cast<std::uint32_t>(seconds.value_or(kDefaultSeconds));
}

void decode_spec(const Field& spec, Service& service) {
    service.type = service_type(spec["type"].text());
    decode_cluster_ips(spec, service);
    for (const Field& item : spec["externalIPs"].items()) {
        if (const auto address = item.address()) {
            service.external_ips.push_back(*address);
        }
    }
    for (const std::string& family : spec["ipFamilies"].texts()) {
        if (family == "IPv4") {
            service.ip_families.push_back(net::Family::V4);
        } else if (family == "IPv6") {
            service.ip_families.push_back(net::Family::V6);
        }
    }
    service.ip_family_policy = family_policy(spec["ipFamilyPolicy"].text());
    decode_ports(spec, service);
    for (const auto& [key, value] : spec["selector"].labels()) {
        service.selector += (service.selector.empty() ? "" : ",") + key + "=" + value;
    }
    service.external_traffic_policy = traffic_policy(spec["externalTrafficPolicy"].text());
    service.internal_traffic_policy = traffic_policy(spec["internalTrafficPolicy"].text());
    decode_affinity(spec, service);
    decode_source_ranges(spec, service);
    service.load_balancer_ip = spec["loadBalancerIP"].text();
    service.load_balancer_class = spec["loadBalancerClass"].text();
    service.health_check_node_port = spec["healthCheckNodePort"].port();
    service.publish_not_ready_addresses = spec["publishNotReadyAddresses"].boolean(false);
}

// The entry as JSON, "" when its decoded form, encoded again, gives the same: most cost no text.
std::string text_unless(const nlohmann::json& same, const Field& item) {
    if (!item.present() || *item.json() == same) {
        return {};
    }
    return item.json()->dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

LoadBalancerIngress decode_ingress(const Field& item) {
    LoadBalancerIngress ingress;
    ingress.ip = item["ip"].address();
    ingress.hostname = item["hostname"].text();
    ingress.ip_mode = item["ipMode"].text();
    ingress.as_written = text_unless(encode_ingress(ingress), item);
    return ingress;
}

ServiceCondition decode_condition(const Field& item) {
    ServiceCondition condition;
    condition.type = item["type"].text();
    condition.status = item["status"].text() == "True";
    condition.reason = item["reason"].text();
    condition.message = item["message"].text();
    if (!item.present()) {
        return condition;
    }
    // Whatever another writer put there is no reason to refuse the Service: it is kept as written.
    const nlohmann::json& written = *item.json();
    constexpr const char* kGeneration = "observedGeneration";
    constexpr const char* kTime = "lastTransitionTime";
    if (written.contains(kGeneration) && written[kGeneration].is_number_integer()) {
        condition.observed_generation = written[kGeneration].get<std::int64_t>();
    }
    if (written.contains(kTime) && written[kTime].is_string()) {
        const auto& text = written[kTime].get_ref<const std::string&>();
        condition.last_transition = parse_rfc3339(text).value_or(WallTime{});
    }
    condition.as_written = text_unless(encode_condition(condition), item);
    return condition;
}

// Only the groups Steelyard reads: kubectl alone keeps a whole copy of the object in an annotation.
void drop_unread(Labels& annotations) {
    std::erase_if(annotations, [](const auto& entry) {
        const std::string& name = entry.first;
        return !name.starts_with("metallb.") && !name.starts_with("steelyard.io/") &&
               !name.starts_with("kube-router.io/service.sched");
    });
}

}  // namespace

Result<Service> decode_service(const nlohmann::json& object) {
    Problem problem;
    const Field root(object, problem);
    Service service;
    service.meta = decode_meta(root);
    drop_unread(service.meta.annotations);
    service.generation = root["metadata"]["generation"]
                             .integer(0, std::numeric_limits<std::int64_t>::max())
                             .value_or(0);
    decode_spec(root["spec"], service);
    const Field status = root["status"];
    for (const Field& item : status["loadBalancer"]["ingress"].items()) {
        service.ingress.push_back(decode_ingress(item));
    }
    for (const Field& item : status["conditions"].items()) {
        service.conditions.push_back(decode_condition(item));
    }
    if (problem.any()) {
        return decode_error("Service", object, problem);
    }
    return service;
}

}  // namespace steelyard::kube
