#pragma once

#include "common/kube/model/core.hpp"
#include "speaker/proxy/config.hpp"
#include "speaker/proxy/tables.hpp"

#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

// Services and their endpoints -> kernel tables, one Service at a time. Pure; the meaning of every
// field is kube-proxy's, with one deliberate difference: a `Local` traffic policy without a local
// endpoint sends nothing (kube-proxy's IPVS mode spills to other nodes). Both families are planned.
namespace steelyard::proxy {

// Everything a Service's plan depends on besides the Service and its slices.
struct Context {
    std::string node_name;
    std::vector<net::IpAddress> node_addresses;  // without those on the dummy link
    // Nodes gossip calls dead: their endpoints leave rotation while others remain.
    std::set<std::string, std::less<>> unreachable_nodes;
    ProxyConfig config;
    friend bool operator==(const Context&, const Context&) = default;
};

struct ServiceTables {
    std::map<VirtualServerKey, VirtualServer> virtual_servers;
    std::set<net::IpAddress> addresses;
    std::set<std::pair<SetId, SetEntry>> entries;
    // Distinct local ready endpoint addresses over all ports: what the health-check node port
    // reports and what makes this node a candidate under externalTrafficPolicy: Local.
    std::size_t local_ready_endpoints = 0;
    std::uint16_t health_check_node_port = 0;  // 0: none
    friend bool operator==(const ServiceTables&, const ServiceTables&) = default;
};

using ServiceRef = std::shared_ptr<const kube::Service>;
using SliceRef = std::shared_ptr<const kube::EndpointSlice>;

struct Input {
    std::map<kube::ObjectKey, ServiceRef> services;
    std::map<kube::ObjectKey, SliceRef> slices;
    Context context;
};

// Per Service, shared with the previous Tables where nothing changed: comparing pointers finds what
// to apply. A Service the proxy skips (headless, ExternalName, another proxy's) has no entry.
struct Tables {
    std::map<kube::ObjectKey, std::shared_ptr<const ServiceTables>> services;
};

// Whether the proxy has anything to do with this Service.
[[nodiscard]] bool is_proxied(const kube::Service& service, Mode mode);
[[nodiscard]] ServiceTables plan_service(
    const kube::Service& service, const std::vector<SliceRef>& slices, const Context& context
);
[[nodiscard]] Tables plan(const Input& input);

}  // namespace steelyard::proxy
