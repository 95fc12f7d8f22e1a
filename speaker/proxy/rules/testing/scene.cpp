#include "speaker/proxy/rules/testing/scene.hpp"

namespace steelyard::proxy::oracle {
namespace {

using net::Endpoint;
using net::Family;
using net::IpAddress;
using Kind = LocalDetection::Kind;

IpAddress ip(std::string_view text) {
    return IpAddress::parse(text).value();
}
net::Prefix prefix(std::string_view text) {
    return net::Prefix::parse(text).value();
}

Places make_places(Family family) {
    if (family == Family::V4) {
        return {
            ip("172.16.0.1"),
            ip("203.0.113.9"),
            ip("10.244.1.9"),
            ip("10.244.3.9"),
            ip("10.244.1.2"),
            ip("10.244.2.2"),
            ip("10.96.0.10"),
            ip("198.51.100.10"),
            ip("192.0.2.10"),
            prefix("10.244.0.0/16"),
            prefix("10.244.1.0/24"),
            prefix("10.96.0.0/16")};
    }
    return {
        ip("fd16::1"),
        ip("2001:db8:9::9"),
        ip("fd44:0:0:1::9"),
        ip("fd44:0:0:3::9"),
        ip("fd44:0:0:1::2"),
        ip("fd44:0:0:2::2"),
        ip("fd96::10"),
        ip("2001:db8:e::10"),
        ip("2001:db8:b::10"),
        prefix("fd44::/48"),
        prefix("fd44:0:0:1::/64"),
        prefix("fd96::/112")};
}

std::shared_ptr<kube::Service> service_of(const Case& c, const Variant& variant) {
    const Places& where = places(variant.family);
    auto service = std::make_shared<kube::Service>();
    service->meta.key = {"default", "web"};
    service->type = kube::ServiceType::LoadBalancer;
    service->ip_families = {variant.family};
    service->cluster_ips = {where.cluster_ip};
    service->external_ips = {where.external_ip};
    service->ingress = {{where.load_balancer_ip, "", ""}};
    kube::ServicePort port;
    port.protocol = variant.protocol;
    port.port = kPort;
    port.node_port = kNodePort;
    service->ports = {port};
    using kube::TrafficPolicy;
    service->external_traffic_policy =
        c.external_local ? TrafficPolicy::Local : TrafficPolicy::Cluster;
    service->internal_traffic_policy =
        c.internal_local ? TrafficPolicy::Local : TrafficPolicy::Cluster;
    if (variant.affinity) {
        service->client_ip_affinity_seconds = 600;
    }
    if (variant.restricted) {
        const IpAddress nobody = variant.family == Family::V4 ? ip("192.0.2.200") : ip("fd99::1");
        std::vector<IpAddress> allowed{
            where.node, where.pod_here, where.pod_elsewhere, where.external};
        if (c.outside_ranges) {
            allowed = {nobody};
        }
        for (const IpAddress& address : allowed) {
            service->load_balancer_source_ranges.push_back(
                prefix(net::to_string(address) + "/" + std::to_string(address.bits()))
            );
        }
    }
    return service;
}

std::shared_ptr<kube::EndpointSlice> slice_of(const Case& c, const Variant& variant) {
    const Places& where = places(variant.family);
    auto slice = std::make_shared<kube::EndpointSlice>();
    slice->meta.key = {"default", "web-1"};
    slice->service = "web";
    slice->family = variant.family;
    slice->ports = {{"", variant.protocol, variant.endpoint_port}};
    const auto add = [&](const IpAddress& address, const std::string& node) {
        kube::SliceEndpoint endpoint;
        endpoint.address = address;
        endpoint.node_name = node;
        slice->endpoints.push_back(endpoint);
    };
    if (c.endpoints_here) {
        add(where.endpoint_here, "here");
    }
    if (c.endpoints_elsewhere) {
        add(where.endpoint_there, "there");
    }
    return slice;
}

}  // namespace

const Places& places(Family family) {
    static const Places v4 = make_places(Family::V4);
    static const Places v6 = make_places(Family::V6);
    return family == Family::V4 ? v4 : v6;
}

std::string to_string(const Variant& variant) {
    std::string text(net::to_string(variant.family));
    text += " " + std::string(net::to_string(variant.protocol));
    text += ", endpoints on port " + std::to_string(variant.endpoint_port);
    text += variant.affinity ? ", affinity" : "";
    text += variant.as_routes ? ", bound as routes" : "";
    text += variant.restricted ? ", source ranges" : "";
    return text;
}

ProxyConfig config_of(Kind detect, bool node_pod_cidrs_known, bool masquerade_all) {
    ProxyConfig config;
    config.detect.kind = detect;
    config.masquerade_all = masquerade_all;
    for (const Family family : {Family::V4, Family::V6}) {
        const Places& where = places(family);
        if (node_pod_cidrs_known) {
            config.node_pod_cidrs.push_back(where.node_pods);
        }
        if (detect == Kind::ClusterCidr) {
            config.detect.cidrs.push_back(where.pods);
        } else if (detect == Kind::NodeCidr) {
            config.detect.cidrs.push_back(where.node_pods);
        }
    }
    if (detect == Kind::BridgeInterface) {
        config.detect.name = "cbr0";
    } else if (detect == Kind::InterfaceNamePrefix) {
        config.detect.name = "cbr";
    }
    return config;
}

IpAddress client_address(const Case& c, Family family) {
    const Places& where = places(family);
    switch (c.client) {
        case Client::PodHere:
            return where.pod_here;
        case Client::PodElsewhere:
            return where.pod_elsewhere;
        case Client::Node:
            return where.node;
        case Client::External:
            break;
    }
    return where.external;
}

Endpoint frontend_of(const Case& c, Family family) {
    const Places& where = places(family);
    switch (c.frontend) {
        case Frontend::ClusterIp:
            return {where.cluster_ip, kPort};
        case Frontend::NodePort:
            return {where.node, kNodePort};
        case Frontend::ExternalIp:
            return {where.external_ip, kPort};
        case Frontend::LoadBalancer:
            break;
    }
    return {where.load_balancer_ip, kPort};
}

Host host_of(const Case& c, const Variant& variant, const ProxyConfig& config) {
    const Places& where = places(variant.family);
    Input input;
    input.context.node_name = "here";
    input.context.node_addresses = {where.node};
    input.context.node_ips = {{variant.family, where.node}};
    input.context.service_cidrs = {where.services};
    input.context.config = config;
    const auto service = service_of(c, variant);
    const auto slice = slice_of(c, variant);
    input.services.emplace(service->meta.key, service);
    input.slices.emplace(slice->meta.key, slice);

    Host host;
    host.family = variant.family;
    host.addresses = {where.node};
    for (const auto& [key, tables] : plan(input).services) {
        for (const auto& [server, value] : tables->virtual_servers) {
            host.tables.virtual_servers.emplace(server, *value);
        }
        auto& bound = variant.as_routes ? host.tables.routes : host.tables.addresses;
        bound.insert(tables->addresses.begin(), tables->addresses.end());
        for (const auto& [element, mark] : tables->entries) {
            host.tables.sets[element.set].emplace(element.entry, mark);
        }
    }
    return host;
}

Packet packet_of(const Case& c, const Variant& variant, const Host& host, bool hairpin) {
    const Places& where = places(variant.family);
    Packet packet;
    packet.protocol = variant.protocol;
    packet.destination = frontend_of(c, variant.family);
    packet.source = {client_address(c, variant.family), 40000};
    if (hairpin) {
        packet.source.address = where.endpoint_here;
    }
    if (c.client == Client::Node) {
        // What the kernel picks towards an address that the node has.
        if (host.tables.addresses.contains(packet.destination.address)) {
            packet.source.address = packet.destination.address;
        }
        return packet;
    }
    packet.in = c.client == Client::PodHere ? "cbr0" : "eth0";
    return packet;
}

}  // namespace steelyard::proxy::oracle
