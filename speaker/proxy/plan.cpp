#include "speaker/proxy/plan.hpp"

#include <algorithm>
#include <array>
#include <utility>

namespace steelyard::proxy {
namespace {

using net::Endpoint;
using net::Family;
using net::IpAddress;
using net::Protocol;

constexpr std::string_view kProxyNameLabel = "service.kubernetes.io/service-proxy-name";

// One address and port behind a Service port, with the conditions that decide its use.
struct Backend {
    bool ready = false;
    bool serving = false;
    bool terminating = false;
    std::string_view node;  // views the slice
};
using Backends = std::map<Endpoint, Backend>;

Backends collect(
    const std::vector<SliceRef>& slices, Family family, const kube::ServicePort& port
) {
    Backends backends;
    for (const SliceRef& slice : slices) {
        if (slice->family != family || slice->headless) {
            continue;
        }
        for (const kube::SlicePort& slice_port : slice->ports) {
            if (slice_port.name != port.name || slice_port.protocol != port.protocol ||
                slice_port.port == 0) {
                continue;
            }
            for (const kube::SliceEndpoint& endpoint : slice->endpoints) {
                if (!endpoint.address || endpoint.address->family() != family) {
                    continue;
                }
                const Backend backend{
                    endpoint.ready, endpoint.serving, endpoint.terminating, endpoint.node_name};
                const Endpoint key{*endpoint.address, slice_port.port};
                const auto [found, added] = backends.emplace(key, backend);
                // A pod address can be reused while the old pod's entry is still terminating.
                if (!added && found->second.terminating && !backend.terminating) {
                    found->second = backend;
                }
            }
        }
    }
    return backends;
}

// KEP-1669: the ready ones; if there are none, those that still serve while terminating. Then
// endpoints on dead nodes go, unless nothing else is left.
RealServers select(const Backends& backends, bool only_local, const Context& context) {
    RealServers chosen;
    RealServers reachable;
    const auto take = [&](auto&& wanted) {
        for (const auto& [endpoint, backend] : backends) {
            if ((only_local && backend.node != context.node_name) || !wanted(backend)) {
                continue;
            }
            chosen.emplace(endpoint, 1);
            if (backend.node == context.node_name ||
                !context.unreachable_nodes.contains(backend.node)) {
                reachable.emplace(endpoint, 1);
            }
        }
    };
    take([](const Backend& backend) { return backend.ready; });
    if (chosen.empty()) {
        take([](const Backend& backend) { return backend.serving && backend.terminating; });
    }
    return reachable.empty() ? chosen : reachable;
}

bool is_restricted(const std::vector<net::Prefix>& ranges, Family family) {
    const auto same_family = [family](const net::Prefix& range) {
        return range.address().family() == family;
    };
    const auto everything = [](const net::Prefix& range) {
        return range.length() == 0;
    };
    return std::any_of(ranges.begin(), ranges.end(), same_family) &&
           std::none_of(ranges.begin(), ranges.end(), everything);
}

bool contains(const std::vector<IpAddress>& addresses, const IpAddress& address) {
    return std::find(addresses.begin(), addresses.end(), address) != addresses.end();
}

bool is_node_port_address(const IpAddress& address, const ProxyConfig& config) {
    if (address.is_loopback() || address.is_link_local()) {
        return false;
    }
    const auto& ranges = config.node_port_addresses;
    const bool restricted = std::any_of(ranges.begin(), ranges.end(), [&](const auto& range) {
        return range.address().family() == address.family();
    });
    return !restricted || std::any_of(ranges.begin(), ranges.end(), [&](const auto& range) {
        return range.contains(address);
    });
}

SetName node_port_set(Protocol protocol, bool local) {
    switch (protocol) {
        case Protocol::Tcp:
            return local ? SetName::NodePortLocalTcp : SetName::NodePortTcp;
        case Protocol::Udp:
            return local ? SetName::NodePortLocalUdp : SetName::NodePortUdp;
        case Protocol::Sctp:
            break;
    }
    return local ? SetName::NodePortLocalSctp : SetName::NodePortSctp;
}

// Plans one Service; each method adds one kind of frontend of one port and family.
class Builder {
public:
    Builder(const kube::Service& service, const Context& context)
        : service_(service), context_(context) {
        scheduling_.scheduler = context.config.scheduler;
        scheduling_.persistence = service.client_ip_affinity_seconds.value_or(0);
        // kube-proxy's choice: with `mh` the source port takes part in the hash.
        scheduling_.flags.source_port_hash = scheduling_.scheduler == "mh";
        external_local_ =
            service.external_traffic_policy == kube::TrafficPolicy::Local &&
            (service.type != kube::ServiceType::ClusterIp || !service.external_ips.empty());
    }

    void add_port(Family family, const kube::ServicePort& port, const Backends& backends) {
        const bool full = context_.config.mode == Mode::Full;
        const RealServers cluster = select(backends, false, context_);
        const RealServers local = select(backends, true, context_);
        const bool internal_local = service_.internal_traffic_policy == kube::TrafficPolicy::Local;
        const RealServers& external = external_local_ ? local : cluster;
        if (full) {
            add_cluster_ips(family, port, internal_local ? local : cluster);
            add_external_ips(family, port, external);
            add_node_port(family, port, external);
        }
        add_load_balancer_ips(family, port, external);
        add_hairpins(family, port.protocol, backends);
    }

    void add_health_check_port() {
        if (service_.type != kube::ServiceType::LoadBalancer || !external_local_ ||
            service_.health_check_node_port == 0) {
            return;
        }
        SetEntry entry;
        entry.port = service_.health_check_node_port;
        add_entry({SetName::HealthCheckNodePort, Family::V4}, entry);
        add_entry({SetName::HealthCheckNodePort, Family::V6}, entry);
        tables_.health_check_node_port = service_.health_check_node_port;
    }

    ServiceTables take() {
        tables_.local_ready_endpoints = local_ready_.size();
        return std::move(tables_);
    }

private:
    void add_entry(SetId set, SetEntry entry) {
        tables_.entries.emplace(SetElement{set, entry}, 0U);
    }

    void add_server(const Endpoint& endpoint, Protocol protocol, const RealServers& real_servers) {
        tables_.virtual_servers[VirtualServerKey{protocol, endpoint}] =
            VirtualServer{scheduling_, real_servers};
    }

    static SetEntry frontend(const IpAddress& address, const kube::ServicePort& port) {
        SetEntry entry;
        entry.ip = address;
        entry.protocol = port.protocol;
        entry.port = port.port;
        return entry;
    }

    // An address the node already has on a real interface stays there: moving it to the dummy link
    // would take it away from whoever put it there.
    void bind(const IpAddress& address) {
        if (contains(context_.node_addresses, address)) {
            return;
        }
        tables_.addresses.insert(address);
        SetEntry entry;
        entry.ip = address;
        add_entry({SetName::IpvsIps, address.family()}, entry);
    }

    void add_cluster_ips(
        Family family, const kube::ServicePort& port, const RealServers& real_servers
    ) {
        for (const IpAddress& address : service_.cluster_ips) {
            if (address.family() == family) {
                add_server(Endpoint{address, port.port}, port.protocol, real_servers);
                bind(address);
                add_entry({SetName::ClusterIp, family}, frontend(address, port));
            }
        }
    }

    void add_external_ips(
        Family family, const kube::ServicePort& port, const RealServers& real_servers
    ) {
        const SetName set = external_local_ ? SetName::ExternalIpLocal : SetName::ExternalIp;
        for (const IpAddress& address : service_.external_ips) {
            if (address.family() == family) {
                add_server(Endpoint{address, port.port}, port.protocol, real_servers);
                bind(address);
                add_entry({set, family}, frontend(address, port));
            }
        }
    }

    void add_load_balancer_ips(
        Family family, const kube::ServicePort& port, const RealServers& real_servers
    ) {
        if (service_.type != kube::ServiceType::LoadBalancer) {
            return;
        }
        for (const kube::LoadBalancerIngress& ingress : service_.ingress) {
            // In load-balancer mode the controller writes ipMode Proxy so that kube-proxy keeps
            // its hands off; the address is then ours alone.
            const bool ours = ingress.ip_mode.empty() || ingress.ip_mode == "VIP" ||
                              context_.config.mode == Mode::LoadBalancer;
            if (!ingress.ip || ingress.ip->family() != family || !ours) {
                continue;
            }
            add_server(Endpoint{*ingress.ip, port.port}, port.protocol, real_servers);
            bind(*ingress.ip);
            add_entry({SetName::LoadBalancer, family}, frontend(*ingress.ip, port));
            if (external_local_) {
                add_entry({SetName::LoadBalancerLocal, family}, frontend(*ingress.ip, port));
            }
            add_source_ranges(*ingress.ip, port);
        }
    }

    void add_source_ranges(const IpAddress& address, const kube::ServicePort& port) {
        const Family family = address.family();
        if (!is_restricted(service_.load_balancer_source_ranges, family)) {
            return;
        }
        add_entry({SetName::LoadBalancerFw, family}, frontend(address, port));
        for (const net::Prefix& range : service_.load_balancer_source_ranges) {
            if (range.address().family() != family) {
                continue;
            }
            SetEntry allowed = frontend(address, port);
            allowed.second_ip = range.address();
            allowed.prefix_length = static_cast<std::uint8_t>(range.length());
            add_entry({SetName::LoadBalancerSourceCidr, family}, allowed);
            const auto& own = context_.node_addresses;
            const bool node_allowed = std::any_of(own.begin(), own.end(), [&](const auto& node) {
                return range.contains(node);
            });
            if (node_allowed) {  // the node's own packets carry the virtual address as source
                SetEntry self = frontend(address, port);
                self.second_ip = address;
                add_entry({SetName::LoadBalancerSourceIp, family}, self);
            }
        }
    }

    void add_node_port(
        Family family, const kube::ServicePort& port, const RealServers& real_servers
    ) {
        if (port.node_port == 0) {
            return;
        }
        for (const IpAddress& address : context_.node_addresses) {
            if (address.family() != family || !is_node_port_address(address, context_.config)) {
                continue;
            }
            add_server(Endpoint{address, port.node_port}, port.protocol, real_servers);
            SetEntry entry;
            entry.port = port.node_port;
            if (port.protocol == Protocol::Sctp) {  // bitmap:port has no protocol
                entry.ip = address;
                entry.protocol = port.protocol;
            }
            add_entry({node_port_set(port.protocol, false), family}, entry);
            if (external_local_) {
                add_entry({node_port_set(port.protocol, true), family}, entry);
            }
        }
    }

    void add_hairpins(Family family, Protocol protocol, const Backends& backends) {
        for (const auto& [endpoint, backend] : backends) {
            if (backend.node != context_.node_name) {
                continue;
            }
            SetEntry entry;
            entry.ip = endpoint.address;
            entry.protocol = protocol;
            entry.port = endpoint.port;
            entry.second_ip = endpoint.address;
            add_entry({SetName::LoopBack, family}, entry);
            if (backend.ready) {
                local_ready_.insert(endpoint.address);
            }
        }
    }

    const kube::Service& service_;
    const Context& context_;
    Scheduling scheduling_;
    bool external_local_ = false;
    std::set<IpAddress> local_ready_;
    ServiceTables tables_;
};

bool has_family(const kube::Service& service, Family family) {
    return std::any_of(
        service.cluster_ips.begin(),
        service.cluster_ips.end(),
        [family](const IpAddress& address) { return address.family() == family; }
    );
}

}  // namespace

bool is_proxied(const kube::Service& service, Mode mode) {
    if (mode == Mode::AnnounceOnly || service.headless || service.cluster_ips.empty() ||
        service.type == kube::ServiceType::ExternalName ||
        service.meta.labels.contains(kProxyNameLabel)) {
        return false;
    }
    return mode == Mode::Full || service.type == kube::ServiceType::LoadBalancer;
}

ServiceTables plan_service(
    const kube::Service& service, const std::vector<SliceRef>& slices, const Context& context
) {
    Builder builder(service, context);
    for (const Family family : {Family::V4, Family::V6}) {
        if (!has_family(service, family)) {
            continue;
        }
        for (const kube::ServicePort& port : service.ports) {
            builder.add_port(family, port, collect(slices, family, port));
        }
    }
    builder.add_health_check_port();
    return builder.take();
}

Tables plan(const Input& input) {
    std::map<kube::ObjectKey, std::vector<SliceRef>> slices;
    for (const auto& [key, slice] : input.slices) {
        slices[kube::ObjectKey{key.ns, slice->service}].push_back(slice);
    }
    Tables tables;
    for (const auto& [key, service] : input.services) {
        if (is_proxied(*service, input.context.config.mode)) {
            tables.services.emplace(
                key,
                std::make_shared<const ServiceTables>(
                    plan_service(*service, slices[key], input.context)
                )
            );
        }
    }
    return tables;
}

}  // namespace steelyard::proxy
