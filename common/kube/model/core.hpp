#pragma once

#include "common/base/time.hpp"
#include "common/kube/model/endpoint_details.hpp"
#include "common/kube/model/meta.hpp"
#include "common/net/ip.hpp"
#include "common/net/prefix.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
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
    std::string selector;  // spec.selector as "key=value,key=value", in order of keys
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
    // Ports that make no sense and are left out, one line each with their path.
    std::vector<std::string> complaints{};
    friend bool operator==(const Service&, const Service&) = default;
};

struct SliceEndpoint {
    // The first of `addresses`; the others mean nothing to a proxy. Absent: it has none.
    std::optional<net::IpAddress> address;
    // Missing conditions mean ready, serving and not terminating (discovery/v1).
    bool ready = true;
    bool serving = true;
    bool terminating = false;
    std::string node_name;
    EndpointDetails details;
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
// There are as many as Services and more, so of the metadata only this is kept.
struct EndpointSlice {
    struct Meta {
        ObjectKey key;
        std::string resource_version;
        friend bool operator==(const Meta&, const Meta&) = default;
    };
    Meta meta;
    std::string service;
    net::Family family = net::Family::V4;  // addressType; FQDN slices are not decoded
    bool headless = false;                 // label service.kubernetes.io/headless: not for proxies
    std::vector<SliceEndpoint> endpoints;
    std::vector<SlicePort> ports;
    // Annotation endpoints.kubernetes.io/last-change-trigger-time: when what the slice tells of
    // happened.
    std::optional<WallTime> last_change_trigger{};
    // Entries that make no sense and are left out, one line each with their path.
    std::vector<std::string> complaints{};
    friend bool operator==(const EndpointSlice&, const EndpointSlice&) = default;
};

struct Taint {
    std::string key;
    std::string effect;
    friend bool operator==(const Taint&, const Taint&) = default;
};

struct Node {
    ObjectMeta meta;
    std::vector<net::IpAddress> internal_ips;  // status.addresses of type InternalIP
    std::vector<net::IpAddress> external_ips;  // of type ExternalIP
    std::string hostname;                      // of type Hostname
    std::vector<net::Prefix> pod_cidrs;        // spec.podCIDRs (or podCIDR)
    std::vector<Taint> taints;
    bool network_unavailable = false;  // condition NetworkUnavailable=True
    bool ready = false;                // condition Ready=True
    friend bool operator==(const Node&, const Node&) = default;
};

// Its label topology.kubernetes.io/zone, "" without one.
[[nodiscard]] std::string_view zone_of(const Node& node);

struct Pod {
    ObjectMeta meta;
    std::string node_name;
    std::vector<net::IpAddress> pod_ips;
    bool ready = false;
    friend bool operator==(const Pod&, const Pod&) = default;
};

// networking.k8s.io/v1 ServiceCIDR: ranges that ClusterIPs are taken from.
struct ServiceCidr {
    ObjectMeta meta;
    std::vector<net::Prefix> cidrs;
    bool ready = false;  // condition Ready=True
    friend bool operator==(const ServiceCidr&, const ServiceCidr&) = default;
};

struct Namespace {
    ObjectMeta meta;
    friend bool operator==(const Namespace&, const Namespace&) = default;
};

}  // namespace steelyard::kube
