#pragma once

#include "speaker/proxy/plan.hpp"
#include "speaker/proxy/rules/testing/expected.hpp"
#include "speaker/proxy/rules/testing/tracer.hpp"

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

// A small cluster round this node with one Service, in which every Case can be played: who has
// which address, the Service and its slices, the configuration, the first packet. Tests only.
namespace steelyard::proxy::oracle {

// Addresses of one family.
struct Places {
    net::IpAddress node;
    net::IpAddress external;       // a client outside
    net::IpAddress pod_here;       // a client
    net::IpAddress pod_elsewhere;  // a client
    net::IpAddress endpoint_here;  // pods of the Service
    net::IpAddress endpoint_there;
    net::IpAddress cluster_ip;
    net::IpAddress external_ip;
    net::IpAddress load_balancer_ip;
    net::Prefix pods;       // of the whole cluster
    net::Prefix node_pods;  // of this node
    net::Prefix services;   // the ServiceCIDR
};
[[nodiscard]] const Places& places(net::Family family);

inline constexpr std::uint16_t kPort = 80;
inline constexpr std::uint16_t kNodePort = 30080;
inline constexpr std::uint16_t kEndpointPort = 8080;

struct Variant {
    net::Family family = net::Family::V4;
    net::Protocol protocol = net::Protocol::Tcp;
    std::uint16_t endpoint_port = kEndpointPort;
    bool affinity = false;
    bool as_routes = false;  // how virtual addresses are bound
    // loadBalancerSourceRanges is set; every client is inside unless the case says otherwise.
    bool restricted = false;
};
[[nodiscard]] std::string to_string(const Variant& variant);

[[nodiscard]] ProxyConfig config_of(
    LocalDetection::Kind detect, bool node_pod_cidrs_known, bool masquerade_all
);
[[nodiscard]] net::IpAddress client_address(const Case& c, net::Family family);
[[nodiscard]] net::Endpoint frontend_of(const Case& c, net::Family family);

// The Service's plan merged into what a kernel would hold.
[[nodiscard]] Host host_of(const Case& c, const Variant& variant, const ProxyConfig& config);
// The client's first packet. `hairpin`: the client is the endpoint on this node.
[[nodiscard]] Packet packet_of(
    const Case& c, const Variant& variant, const Host& host, bool hairpin = false
);

}  // namespace steelyard::proxy::oracle
