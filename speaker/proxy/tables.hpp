#pragma once

#include "common/net/ip.hpp"
#include "common/net/prefix.hpp"

#include <compare>
#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <span>
#include <string>

// The kernel's tables as values: IPVS virtual and real servers, the addresses on the proxy's dummy
// link, and ipset members in kube-proxy's naming. The same types describe what is wanted and what
// was found, so that a diff is a comparison. Weights are IPVS weights, persistence is in seconds.
namespace steelyard::proxy {

struct VirtualServerKey {
    net::Protocol protocol = net::Protocol::Tcp;
    net::Endpoint endpoint;
    friend auto operator<=>(const VirtualServerKey&, const VirtualServerKey&) = default;
};
[[nodiscard]] std::string to_string(const VirtualServerKey& key);  // TCP 10.96.0.1:443

// How a virtual server spreads connections; `persistence` 0 means no session affinity.
struct Scheduling {
    std::string scheduler = "rr";
    std::uint32_t persistence = 0;
    bool source_port_hash = false;  // ipvsadm flag mh-port: `mh` hashes the source port too
    friend bool operator==(const Scheduling&, const Scheduling&) = default;
};

using RealServers = std::map<net::Endpoint, std::uint32_t>;  // -> weight; 0 drains

struct VirtualServer {
    Scheduling scheduling;
    RealServers real_servers;
    friend bool operator==(const VirtualServer&, const VirtualServer&) = default;
};

enum class SetName : std::uint8_t {
    LoopBack,
    ClusterIp,
    ExternalIp,
    ExternalIpLocal,
    LoadBalancer,
    LoadBalancerLocal,
    LoadBalancerFw,
    LoadBalancerSourceCidr,
    LoadBalancerSourceIp,
    NodePortTcp,
    NodePortUdp,
    NodePortSctp,
    NodePortLocalTcp,
    NodePortLocalUdp,
    NodePortLocalSctp,
    HealthCheckNodePort,
    IpvsIps,
};

enum class SetType : std::uint8_t { HashIp, HashIpPort, HashIpPortIp, HashIpPortNet, BitmapPort };

struct SetId {
    SetName name = SetName::LoopBack;
    net::Family family = net::Family::V4;
    friend auto operator<=>(const SetId&, const SetId&) = default;
};

// Which fields count depends on the set's type; the others keep their defaults.
struct SetEntry {
    net::IpAddress ip;
    net::Protocol protocol = net::Protocol::Tcp;
    std::uint16_t port = 0;
    std::optional<net::IpAddress> second_ip;
    std::optional<net::Prefix> net;
    friend auto operator<=>(const SetEntry&, const SetEntry&) = default;
};

[[nodiscard]] SetType set_type(SetName name);
[[nodiscard]] std::string_view to_string(SetType type);  // hash:ip,port
// kube-proxy's name with `prefix` in place of KUBE, IPv6 twins as KUBE-6-..., cut to the kernel's
// 31 characters.
[[nodiscard]] std::string set_name(SetId id, std::string_view prefix = "KUBE");
[[nodiscard]] std::span<const SetName> all_set_names();

struct KernelTables {
    std::map<VirtualServerKey, VirtualServer> virtual_servers;
    std::set<net::IpAddress> addresses;  // on the dummy link
    std::map<SetId, std::set<SetEntry>> sets;
    friend bool operator==(const KernelTables&, const KernelTables&) = default;
};

// Addresses with a virtual server that has somewhere to send traffic. Computed from what the kernel
// acknowledged, this is what a node may announce.
[[nodiscard]] std::set<net::IpAddress> servable_addresses(const KernelTables& tables);

}  // namespace steelyard::proxy
