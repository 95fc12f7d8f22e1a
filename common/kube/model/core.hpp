#pragma once

#include "common/base/time.hpp"
#include "common/kube/model/meta.hpp"
#include "common/net/ip.hpp"
#include "common/net/prefix.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

// The core and discovery kinds Steelyard watches, as plain values. Enumerations that Kubernetes may
// extend decode unknown values to a stated default instead of failing, so that a newer server never
// breaks an older Steelyard.
namespace steelyard::kube {

enum class ServiceType { ClusterIp, NodePort, LoadBalancer, ExternalName };
enum class TrafficPolicy { Cluster, Local };
enum class IpFamilyPolicy { SingleStack, PreferDualStack, RequireDualStack };

struct ServicePort {
    std::string name;
    net::Protocol protocol = net::Protocol::Tcp;
    std::uint16_t port = 0;
    std::uint16_t node_port = 0;  // 0: none
    friend bool operator==(const ServicePort&, const ServicePort&) = default;
};

// One entry of status.loadBalancer.ingress. `ip` is absent for a hostname entry; ipMode is nil,
// "VIP" or "Proxy".
struct LoadBalancerIngress {
    std::optional<net::IpAddress> ip;
    std::string hostname;
    std::string ip_mode;
    std::string as_written{};  // the entry as JSON where it holds more than the above (ports)
    friend bool operator==(const LoadBalancerIngress&, const LoadBalancerIngress&) = default;
};

// One entry of status.conditions. Two are equal when they say the same, whenever that was written.
struct ServiceCondition {
    std::string type;
    bool status = false;  // "True"; anything else is false
    std::string reason;
    std::string message;
    // What is needed beside it to write the entry back unchanged.
    std::int64_t observed_generation = 0;
    WallTime last_transition{};
    std::string as_written{};  // the entry as JSON where it holds more than the above
    friend bool operator==(const ServiceCondition& a, const ServiceCondition& b) {
        return a.type == b.type && a.status == b.status && a.reason == b.reason &&
               a.message == b.message;
    }
};

struct Service {
    ObjectMeta meta;
    std::int64_t generation = 0;  // metadata.generation; 0 where the server keeps none
    ServiceType type = ServiceType::ClusterIp;
    bool headless = false;                    // clusterIP: None
    std::vector<net::IpAddress> cluster_ips;  // spec.clusterIPs (or clusterIP), empty when headless
    std::vector<net::IpAddress> external_ips;
    std::vector<net::Family> ip_families;
    IpFamilyPolicy ip_family_policy = IpFamilyPolicy::SingleStack;
    std::vector<ServicePort> ports;
    Labels selector;
    TrafficPolicy external_traffic_policy = TrafficPolicy::Cluster;
    TrafficPolicy internal_traffic_policy = TrafficPolicy::Cluster;
    std::optional<std::uint32_t> client_ip_affinity_seconds;  // sessionAffinity: ClientIP
    std::vector<net::Prefix> load_balancer_source_ranges;
    std::string load_balancer_ip;     // spec.loadBalancerIP as written, "" when absent
    std::string load_balancer_class;  // "" when absent
    std::uint16_t health_check_node_port = 0;
    bool publish_not_ready_addresses = false;
    std::vector<LoadBalancerIngress> ingress;  // status.loadBalancer.ingress
    std::vector<ServiceCondition> conditions;  // status.conditions
    friend bool operator==(const Service&, const Service&) = default;
};

struct SliceEndpoint {
    std::vector<net::IpAddress> addresses;  // only the first is used, as kube-proxy does
    // Missing conditions mean ready, serving and not terminating (discovery/v1).
    bool ready = true;
    bool serving = true;
    bool terminating = false;
    std::string node_name;
    friend bool operator==(const SliceEndpoint&, const SliceEndpoint&) = default;
};

struct SlicePort {
    std::string name;
    net::Protocol protocol = net::Protocol::Tcp;
    std::uint16_t port = 0;  // a nil or 0 port is left out when decoding
    friend bool operator==(const SlicePort&, const SlicePort&) = default;
};

// discovery.k8s.io/v1 EndpointSlice. `service` is the label kubernetes.io/service-name in the
// slice's namespace.
struct EndpointSlice {
    ObjectMeta meta;
    std::string service;
    net::Family family = net::Family::V4;  // addressType; FQDN slices are not decoded
    std::vector<SliceEndpoint> endpoints;
    std::vector<SlicePort> ports;
    friend bool operator==(const EndpointSlice&, const EndpointSlice&) = default;
};

struct Node {
    ObjectMeta meta;
    std::vector<net::IpAddress> internal_ips;  // status.addresses of type InternalIP
    bool network_unavailable = false;          // condition NetworkUnavailable=True
    bool ready = false;                        // condition Ready=True
    friend bool operator==(const Node&, const Node&) = default;
};

struct Pod {
    ObjectMeta meta;
    std::string node_name;
    std::vector<net::IpAddress> pod_ips;
    bool ready = false;
    friend bool operator==(const Pod&, const Pod&) = default;
};

struct Namespace {
    ObjectMeta meta;
    friend bool operator==(const Namespace&, const Namespace&) = default;
};

}  // namespace steelyard::kube
