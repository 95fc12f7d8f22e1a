#include "controller/ipam/request.hpp"

#include <algorithm>
#include <optional>

namespace steelyard::ipam {
namespace {

constexpr std::string_view kPrefix = "metallb.io/";
constexpr std::string_view kDeprecatedPrefix = "metallb.universe.tf/";

std::string deprecated_name(std::string_view annotation) {
    return std::string(kDeprecatedPrefix) + std::string(annotation.substr(kPrefix.size()));
}

std::string annotation_of(const kube::Service& service, std::string_view name) {
    const kube::Labels& all = service.meta.annotations;
    if (const auto found = all.find(name); found != all.end()) {
        return found->second;
    }
    const auto old = all.find(deprecated_name(name));
    return old == all.end() ? std::string() : old->second;
}

std::string_view trim(std::string_view text) {
    const auto first = text.find_first_not_of(" \t");
    if (first == std::string_view::npos) {
        return {};
    }
    return text.substr(first, text.find_last_not_of(" \t") - first + 1);
}

Refusal invalid(std::string message) {
    return {Reason::InvalidRequest, std::move(message)};
}

Verdict<std::vector<net::IpAddress>> parse_addresses(
    std::string_view field, std::string_view text
) {
    std::vector<net::IpAddress> addresses;
    const std::string where = std::string(field) + ": \"" + std::string(text) + "\"";
    for (std::size_t start = 0; start <= text.size();) {
        const std::size_t comma = std::min(text.find(',', start), text.size());
        const std::string_view item = trim(text.substr(start, comma - start));
        const auto address = net::IpAddress::parse(item);
        if (!address) {
            return invalid(
                where + " is not accepted: \"" + std::string(item) +
                "\" is not an IP address; give one, or one IPv4 and one IPv6 separated by a comma"
            );
        }
        addresses.push_back(*address);
        start = comma + 1;
    }
    if (addresses.size() > 2 ||
        (addresses.size() == 2 && addresses[0].family() == addresses[1].family())) {
        return invalid(where + " is not accepted: give one address, or one IPv4 and one IPv6");
    }
    return addresses;
}

Verdict<std::vector<net::IpAddress>> requested_addresses(const kube::Service& service) {
    const std::string listed = annotation_of(service, kAddressesAnnotation);
    const std::string& single = service.load_balancer_ip;
    if (!listed.empty() && !single.empty()) {
        return invalid(
            "spec.loadBalancerIP \"" + single + "\" and annotation " +
            std::string(kAddressesAnnotation) + " \"" + listed + "\" are both set: keep one of them"
        );
    }
    if (!listed.empty()) {
        return parse_addresses(kAddressesAnnotation, listed);
    }
    if (single.empty()) {
        return std::vector<net::IpAddress>();
    }
    if (single.find(',') != std::string::npos) {
        return invalid(
            "spec.loadBalancerIP: \"" + single +
            "\" is not accepted: it takes one address; for two use " +
            std::string(kAddressesAnnotation)
        );
    }
    return parse_addresses("spec.loadBalancerIP", single);
}

std::string backend_of(const kube::Service& service) {
    const bool local = service.external_traffic_policy == kube::TrafficPolicy::Local;
    return local ? service.selector : std::string();
}

std::vector<net::Family> families_of(const kube::Service& service) {
    std::vector<net::Family> families;
    for (const net::IpAddress& address : service.cluster_ips) {
        if (std::find(families.begin(), families.end(), address.family()) == families.end()) {
            families.push_back(address.family());
        }
    }
    if (service.ip_family_policy == kube::IpFamilyPolicy::SingleStack && families.size() > 1) {
        families.resize(1);
    }
    return families;
}

std::optional<Refusal> unfit_cluster_ips(
    const kube::Service& service, const std::vector<net::Family>& families
) {
    if (service.headless || families.empty()) {
        return Refusal{
            Reason::NoClusterIp,
            "it has no cluster IP: an external address leads to cluster IPs, so leave clusterIP "
            "unset instead of None"};
    }
    if (service.cluster_ips.size() > 2 ||
        (service.cluster_ips.size() == 2 &&
         service.cluster_ips[0].family() == service.cluster_ips[1].family())) {
        return Refusal{
            Reason::UnclearClusterIps,
            "the families of its cluster IPs are unclear: a Service has one cluster IP, or one "
            "IPv4 and one IPv6"};
    }
    if (service.ip_family_policy == kube::IpFamilyPolicy::RequireDualStack && families.size() < 2) {
        return Refusal{
            Reason::DualStackNotPossible,
            "ipFamilyPolicy RequireDualStack needs two cluster IPs and it has one: enable dual "
            "stack in the cluster or use PreferDualStack"};
    }
    return std::nullopt;
}

}  // namespace

Verdict<Request> parse_request_for_any(
    const kube::Service& service, const kube::Labels& namespace_labels
) {
    Request request;
    request.service = service.meta.key;
    request.service_labels = &service.meta.labels;
    request.namespace_labels = &namespace_labels;
    request.families = families_of(service);
    request.policy = service.ip_family_policy;
    if (auto refusal = unfit_cluster_ips(service, request.families)) {
        return *std::move(refusal);
    }
    request.pool = annotation_of(service, kAddressPoolAnnotation);
    request.sharing.key = annotation_of(service, kSharingAnnotation);
    request.sharing.backend = backend_of(service);
    for (const kube::ServicePort& port : service.ports) {
        request.sharing.ports.push_back({port.protocol, port.port});
    }
    return request;
}

Verdict<Request> parse_request(const kube::Service& service, const kube::Labels& namespace_labels) {
    auto request = parse_request_for_any(service, namespace_labels);
    if (request) {
        auto addresses = requested_addresses(service);
        if (!addresses) {
            return addresses.error();
        }
        request->addresses = std::move(*addresses);
    }
    return request;
}

std::vector<std::string> deprecated_annotations(const kube::Service& service) {
    std::vector<std::string> found;
    for (const auto name : {kAddressPoolAnnotation, kAddressesAnnotation, kSharingAnnotation}) {
        std::string old = deprecated_name(name);
        if (service.meta.annotations.contains(old)) {
            found.push_back(std::move(old));
        }
    }
    return found;
}

}  // namespace steelyard::ipam
