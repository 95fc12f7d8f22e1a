#pragma once

#include "common/kube/model/core.hpp"
#include "speaker/proxy/config.hpp"
#include "speaker/proxy/flat_map.hpp"
#include "speaker/proxy/marks.hpp"
#include "speaker/proxy/tables.hpp"

#include <cstdint>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

// Services and their endpoints -> kernel tables, one Service at a time. Pure; the meaning of every
// field is kube-proxy's in its modes that get it right (its IPVS mode does not: a `Local` policy
// there spills to other nodes, and leaves pods without the endpoints elsewhere). Both families are
// planned.
namespace steelyard::proxy {

// Everything a Service's plan depends on besides the Service and its slices.
struct Context {
    std::string node_name;
    std::string zone;  // this node's topology.kubernetes.io/zone
    // Of the other nodes, as far as anybody asks: zones in weights.
    std::map<std::string, std::string, std::less<>> node_zones;
    std::vector<net::IpAddress> node_addresses;  // without those on the dummy link
    // The node's first address of each family: the source of its own packets to virtual addresses,
    // and where NodePorts answer when they do on the primary addresses only.
    std::map<net::Family, net::IpAddress> node_ips;
    std::vector<net::Prefix> service_cidrs;  // where ClusterIPs come from; empty: not known
    // Nodes gossip calls dead: their endpoints leave rotation while others remain.
    std::set<std::string, std::less<>> unreachable_nodes;
    ProxyConfig config;
    friend bool operator==(const Context&, const Context&) = default;
};

// Some of the families.
struct Families {
    bool v4 = false;
    bool v6 = false;
    void insert(net::Family family) { (family == net::Family::V4 ? v4 : v6) = true; }
    [[nodiscard]] bool contains(net::Family family) const {
        return family == net::Family::V4 ? v4 : v6;
    }
    friend bool operator==(const Families&, const Families&) = default;
};

struct ServiceTables {
    FlatMap<VirtualServerKey, VirtualServerRef> virtual_servers;
    FlatSet<net::IpAddress> addresses;           // to be bound; in which way is for Desired to say
    FlatMap<SetElement, std::uint32_t> entries;  // -> mark, 0 for none
    // What of the Service or its endpoints makes no sense and is left out, or is put right: one
    // line each.
    std::vector<std::string> complaints;
    // Distinct local ready endpoint addresses over all ports: what the health-check node port
    // reports and what makes this node a candidate under externalTrafficPolicy: Local.
    std::size_t local_ready_endpoints = 0;
    std::uint16_t health_check_node_port = 0;  // 0: none
    // Where a Local policy sends nothing from here though there are endpoints elsewhere.
    Families no_local_internal;
    Families no_local_external;
    friend bool operator==(const ServiceTables&, const ServiceTables&) = default;
};

using ServiceRef = std::shared_ptr<const kube::Service>;
using SliceRef = std::shared_ptr<const kube::EndpointSlice>;

struct Input {
    std::map<kube::ObjectKey, ServiceRef> services;
    std::map<kube::ObjectKey, SliceRef> slices;
    Context context;
};

// Per Service, shared with the previous tables where nothing changed. A Service the proxy skips
// (headless, ExternalName, another proxy's) has no entry. What belongs to no Service, the
// ServiceCIDRs, is under the key with empty names.
struct Tables {
    std::map<kube::ObjectKey, std::shared_ptr<const ServiceTables>> services;
    // The node's own addresses: the source of its packets to addresses bound as routes.
    std::map<net::Family, net::IpAddress> sources;
};

// From one state of the tables to a later one.
struct Changes {
    std::map<kube::ObjectKey, std::shared_ptr<const ServiceTables>> services;  // null: gone
    std::map<net::Family, net::IpAddress> sources;                             // as they are now
};

// Whether the proxy has anything to do with this Service.
[[nodiscard]] bool is_proxied(const kube::Service& service, const ProxyConfig& config);
// Takes from `marks` what the Service needs and gives back what it needs no more.
[[nodiscard]] ServiceTables plan_service(
    const kube::Service& service,
    const std::vector<SliceRef>& slices,
    const Context& context,
    MarkAllocator& marks
);
// What belongs to no Service; null when that is nothing.
[[nodiscard]] std::shared_ptr<const ServiceTables> plan_cluster(const Context& context);
[[nodiscard]] Tables plan(const Input& input);

}  // namespace steelyard::proxy
