#pragma once

#include "common/net/ip.hpp"
#include "common/net/prefix.hpp"
#include "speaker/proxy/config.hpp"
#include "speaker/proxy/flat_map.hpp"
#include "speaker/proxy/scheduler_name.hpp"
#include "speaker/proxy/shared.hpp"

#include <chrono>
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

// Two kinds of virtual server: packets to an address and port, or packets that carry a mark, of any
// protocol and port. Of the second the protocol is Tcp, the port 0 and the address the unspecified
// one of its family.
struct VirtualServerKey {
    net::Protocol protocol = net::Protocol::Tcp;
    net::Endpoint endpoint;
    std::uint32_t mark = 0;  // 0: by address
    friend auto operator<=>(const VirtualServerKey&, const VirtualServerKey&) = default;
};
[[nodiscard]] VirtualServerKey by_mark(std::uint32_t mark, net::Family family);
// TCP 10.96.0.1:443, or FWM 0x80001234 IPv4
[[nodiscard]] std::string to_string(const VirtualServerKey& key);

// How a virtual server spreads connections; `persistence` 0 means no session affinity. The kernel
// gives a persistent server of a mark no way to translate ports.
struct Scheduling {
    SchedulerName scheduler = "rr";
    std::uint32_t persistence = 0;
    SchedulerFlags flags;
    friend bool operator==(const Scheduling&, const Scheduling&) = default;
};

using RealServers = FlatMap<net::Endpoint, std::uint32_t>;  // -> weight

// In place of a weight: a real server that was found to forward in another way than by masquerading
// (direct routing, tunnel), as somebody else set it. Beyond the kernel's weights, so never wanted.
inline constexpr std::uint32_t kForwardsOtherwise = 1U << 31U;

// A real server of weight 0 takes no new connections. In a plan it stands for an endpoint that is
// still there but not for use: kept while the kernel has it, never added.
struct VirtualServer {
    Scheduling scheduling;
    RealServers real_servers;
    // How long a real server may drain, where the Service says so. Not known to the kernel.
    std::optional<std::chrono::seconds> drain_grace{};
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
    // Not among kube-proxy's.
    InternalMark,  // frontend with a Local policy -> mark of all endpoints, for clients inside
    AffinityMark,  // frontend of a Service with affinity -> mark, for all clients
    NoLocal,       // frontend with a Local policy and endpoints on other nodes only: dropped
    ServiceCidr,   // where ClusterIPs come from
};

enum class SetType : std::uint8_t {
    HashIp,
    HashIpPort,
    HashIpPortIp,
    HashIpPortNet,
    BitmapPort,
    HashNet,
};

struct SetId {
    SetName name = SetName::LoopBack;
    net::Family family = net::Family::V4;
    friend auto operator<=>(const SetId&, const SetId&) = default;
};

// An element of a set. Which fields count depends on the set's type; the others keep their
// defaults. Of a type with a network `prefix_length` is that of second_ip (hash:ip,port,net) or of
// ip (hash:net).
struct SetEntry {
    net::IpAddress ip;
    net::Protocol protocol = net::Protocol::Tcp;
    std::uint16_t port = 0;
    std::optional<net::IpAddress> second_ip;
    std::uint8_t prefix_length = 0;
    friend auto operator<=>(const SetEntry&, const SetEntry&) = default;
};
struct SetElement {
    SetId set;
    SetEntry entry;
    friend auto operator<=>(const SetElement&, const SetElement&) = default;
};

[[nodiscard]] SetType set_type(SetName name);
[[nodiscard]] bool has_marks(SetName name);              // created with the extension skbinfo
[[nodiscard]] std::string_view to_string(SetType type);  // hash:ip,port
// kube-proxy's name with `prefix` in place of KUBE, IPv6 twins as KUBE-6-..., cut to the kernel's
// 31 characters.
[[nodiscard]] std::string set_name(SetId id, std::string_view prefix = "KUBE");
[[nodiscard]] std::span<const SetName> all_set_names();

using VirtualServerRef = Shared<VirtualServer>;

struct KernelTables {
    std::map<VirtualServerKey, VirtualServer> virtual_servers;
    std::set<net::IpAddress> addresses;                       // on the dummy link
    std::set<net::IpAddress> routes;                          // host routes in table local
    std::map<SetId, std::map<SetEntry, std::uint32_t>> sets;  // -> mark, 0 for none
    friend bool operator==(const KernelTables&, const KernelTables&) = default;
};

}  // namespace steelyard::proxy
