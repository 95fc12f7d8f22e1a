#include "speaker/proxy/service_plan.hpp"

#include <algorithm>
#include <array>
#include <utility>

namespace steelyard::proxy {
namespace {

using net::Endpoint;
using net::Family;
using net::IpAddress;
using net::Protocol;

constexpr std::size_t kMaxComplaints = 16;

bool is_restricted(const std::vector<net::Prefix>& ranges, Family family) {
    bool restricted = false;
    for (const net::Prefix& range : ranges) {
        if (range.address().family() == family) {
            if (range.length() == 0) {
                return false;
            }
            restricted = true;
        }
    }
    return restricted;
}

bool contains(const std::vector<IpAddress>& addresses, const IpAddress& address) {
    return std::find(addresses.begin(), addresses.end(), address) != addresses.end();
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

SetEntry element(const Endpoint& frontend, Protocol protocol) {
    SetEntry entry;
    entry.ip = frontend.address;
    entry.protocol = protocol;
    entry.port = frontend.port;
    return entry;
}

std::string label(const kube::ServicePort& port) {
    std::string text = "port ";
    text += port.name.empty() ? std::to_string(port.port) : port.name;
    return text;
}

// Whether a packet to `port` reaches some real server at another one.
bool translates(const VirtualServer& server, std::uint16_t port) {
    return std::any_of(
        server.real_servers.begin(),
        server.real_servers.end(),
        [port](const auto& real_server) { return real_server.first.port != port; }
    );
}

}  // namespace

ServicePlan::ServicePlan(const kube::Service& service, const Context& context, MarkAllocator& marks)
    : service_(service),
      context_(context),
      marks_(marks),
      tuning_(tuning_of(service, context.config)),
      external_local_(
          service.external_traffic_policy == kube::TrafficPolicy::Local &&
          (service.type != kube::ServiceType::ClusterIp || !service.external_ips.empty())
      ),
      internal_local_(service.internal_traffic_policy == kube::TrafficPolicy::Local) {
    for (std::string& complaint : tuning_.complaints) {
        complain(std::move(complaint));
    }
    const std::size_t both = std::min(service.ip_families.size(), service.cluster_ips.size());
    for (std::size_t i = 0; i < both; ++i) {
        if (service.cluster_ips[i].family() != service.ip_families[i]) {
            complain(
                "clusterIP " + net::to_string(service.cluster_ips[i]) + " is not " +
                std::string(net::to_string(service.ip_families[i])) + " as ipFamilies has it"
            );
        }
    }
}

void ServicePlan::complain(std::string text) {
    auto& complaints = tables_.complaints;
    const bool known = std::find(complaints.begin(), complaints.end(), text) != complaints.end();
    if (!known && complaints.size() < kMaxComplaints) {
        complaints.push_back(std::move(text));
    }
}

std::vector<kube::ServicePort> ServicePlan::sound_ports() {
    std::vector<kube::ServicePort> sound;
    for (const kube::ServicePort& port : service_.ports) {
        if (port.port == 0) {
            complain(label(port) + ": 0 is no port number");
            continue;
        }
        const auto clash = std::find_if(sound.begin(), sound.end(), [&](const auto& other) {
            return other.protocol == port.protocol &&
                   (other.name == port.name || other.port == port.port);
        });
        if (clash != sound.end()) {
            complain(label(port) + ": there is a port of this name or number before it");
            continue;
        }
        sound.push_back(port);
    }
    return sound;
}

std::optional<IpAddress> ServicePlan::cluster_ip(Family family) const {
    for (std::size_t i = 0; i < service_.cluster_ips.size(); ++i) {
        const IpAddress& address = service_.cluster_ips[i];
        const bool named = i < service_.ip_families.size() && service_.ip_families[i] == family;
        if (address.family() == family && (named || service_.ip_families.empty())) {
            return address;
        }
    }
    return std::nullopt;
}

void ServicePlan::add_port(
    Family family, const kube::ServicePort& port, const std::vector<SliceRef>& slices
) {
    if (!cluster_ip(family)) {
        return;
    }
    const Backends behind = backends(family, port, slices);
    Frontends frontends;
    if (context_.config.mode == Mode::Full) {
        add_cluster_ip(family, port, frontends);
        add_external_ips(family, port, frontends);
        add_node_ports(family, port, frontends);
    }
    add_load_balancer_ips(family, port, frontends);
    add_servers(port.protocol, frontends, behind);
    add_no_local(family, port, frontends, behind);
    if (external_local_) {
        add_internal_mark(family, port, frontends, behind);
    }
    if (tuning_.scheduling.persistence > 0) {
        add_affinity_mark(family, port, MarkKind::ClusterWide, frontends, behind);
        add_affinity_mark(family, port, MarkKind::NodeLocal, frontends, behind);
    }
    add_hairpins(port.protocol, behind.candidates);
}

ServicePlan::Backends ServicePlan::backends(
    Family family, const kube::ServicePort& port, const std::vector<SliceRef>& slices
) {
    Backends made;
    made.candidates = collect(slices, family, port, context_.node_name, context_.unreachable_nodes);
    made.selection = select(made.candidates, {context_.node_name, context_.zone});
    Selection& selection = made.selection;
    VirtualServer server;
    server.scheduling = tuning_.scheduling;
    server.drain_grace = tuning_.drain_grace;
    if (port.protocol != Protocol::Tcp) {  // a flow without an end to wait for
        selection.cluster.idle.clear();
        selection.local.idle.clear();
        server.drain_grace = std::chrono::seconds(0);
    }
    server.real_servers = real_servers(selection.cluster, made.candidates);
    made.cluster = VirtualServerRef(server);
    if (external_local_ || internal_local_) {
        server.real_servers = real_servers(selection.local, made.candidates);
        made.local = VirtualServerRef(std::move(server));
    }
    return made;
}

RealServers ServicePlan::real_servers(const Choice& choice, const Candidates& candidates) const {
    RealServers servers;
    servers.reserve(choice.usable.size() + choice.idle.size());
    const auto idle = [&](const Endpoint& endpoint) {
        return std::binary_search(choice.idle.begin(), choice.idle.end(), endpoint);
    };
    for (const auto& [endpoint, candidate] : candidates) {
        if (std::binary_search(choice.usable.begin(), choice.usable.end(), endpoint)) {
            servers.emplace(
                endpoint, tuning_.weights.of(endpoint.address, candidate, context_.node_zones)
            );
        } else if (idle(endpoint)) {
            servers.emplace(endpoint, 0);
        }
    }
    return servers;
}

bool ServicePlan::is_sound(const IpAddress& address, const char* field) {
    const bool sound =
        !address.is_unspecified() && !address.is_loopback() && !address.is_multicast();
    if (!sound) {
        complain(std::string(field) + ": " + net::to_string(address) + " is nothing to serve on");
    }
    return sound;
}

void ServicePlan::add_cluster_ip(
    Family family, const kube::ServicePort& port, Frontends& frontends
) {
    const IpAddress address = cluster_ip(family).value();
    if (!is_sound(address, "clusterIPs")) {
        return;
    }
    const Endpoint endpoint{address, port.port};
    frontends.push_back(
        {endpoint, internal_local_ ? MarkKind::NodeLocal : MarkKind::ClusterWide, false}
    );
    bind(address);
    add_entry(SetName::ClusterIp, family, element(endpoint, port.protocol));
}

void ServicePlan::add_external_ips(
    Family family, const kube::ServicePort& port, Frontends& frontends
) {
    const SetName set = external_local_ ? SetName::ExternalIpLocal : SetName::ExternalIp;
    for (const IpAddress& address : service_.external_ips) {
        if (address.family() != family || !is_sound(address, "externalIPs")) {
            continue;
        }
        const Endpoint endpoint{address, port.port};
        frontends.push_back(
            {endpoint, external_local_ ? MarkKind::NodeLocal : MarkKind::ClusterWide, true}
        );
        bind(address);
        add_entry(set, family, element(endpoint, port.protocol));
    }
}

void ServicePlan::add_load_balancer_ips(
    Family family, const kube::ServicePort& port, Frontends& frontends
) {
    if (service_.type != kube::ServiceType::LoadBalancer) {
        return;
    }
    for (const kube::LoadBalancerIngress& ingress : service_.ingress) {
        // In load-balancer mode the controller writes ipMode Proxy so that kube-proxy keeps its
        // hands off; the address is then ours alone.
        const bool ours = ingress.ip_mode.empty() || ingress.ip_mode == "VIP" ||
                          context_.config.mode == Mode::LoadBalancer;
        if (!ingress.ip || ingress.ip->family() != family || !ours ||
            !is_sound(*ingress.ip, "status.loadBalancer.ingress")) {
            continue;
        }
        const Endpoint endpoint{*ingress.ip, port.port};
        frontends.push_back(
            {endpoint, external_local_ ? MarkKind::NodeLocal : MarkKind::ClusterWide, true}
        );
        bind(*ingress.ip);
        const SetEntry entry = element(endpoint, port.protocol);
        add_entry(SetName::LoadBalancer, family, entry);
        if (external_local_) {
            add_entry(SetName::LoadBalancerLocal, family, entry);
        }
        add_source_ranges(*ingress.ip, port);
    }
}

void ServicePlan::add_source_ranges(const IpAddress& address, const kube::ServicePort& port) {
    const Family family = address.family();
    if (!is_restricted(service_.load_balancer_source_ranges, family)) {
        return;
    }
    const SetEntry frontend = element({address, port.port}, port.protocol);
    add_entry(SetName::LoadBalancerFw, family, frontend);
    for (const net::Prefix& range : service_.load_balancer_source_ranges) {
        if (range.address().family() != family) {
            continue;
        }
        SetEntry allowed = frontend;
        allowed.second_ip = range.address();
        allowed.prefix_length = static_cast<std::uint8_t>(range.length());
        add_entry(SetName::LoadBalancerSourceCidr, family, allowed);
        if (node_is_inside(range)) {  // its own packets can carry the virtual address as source
            SetEntry self = frontend;
            self.second_ip = address;
            add_entry(SetName::LoadBalancerSourceIp, family, self);
        }
    }
}

bool ServicePlan::node_is_inside(const net::Prefix& range) const {
    const auto primary = context_.node_ips.find(range.address().family());
    if (primary != context_.node_ips.end()) {
        return range.contains(primary->second);
    }
    const auto& own = context_.node_addresses;
    return std::any_of(own.begin(), own.end(), [&](const IpAddress& address) {
        return range.contains(address);
    });
}

std::vector<IpAddress> ServicePlan::node_port_addresses(Family family) const {
    std::vector<IpAddress> addresses;
    if (context_.config.node_port_primary) {
        if (const auto primary = context_.node_ips.find(family);
            primary != context_.node_ips.end()) {
            addresses.push_back(primary->second);
        }
        return addresses;
    }
    const auto& ranges = context_.config.node_port_addresses;
    const bool restricted = is_restricted(ranges, family);
    for (const IpAddress& address : context_.node_addresses) {
        const bool wanted =
            !restricted || std::any_of(ranges.begin(), ranges.end(), [&](const auto& range) {
                return range.contains(address);
            });
        if (address.family() == family && !address.is_loopback() && !address.is_link_local() &&
            wanted) {
            addresses.push_back(address);
        }
    }
    return addresses;
}

void ServicePlan::add_node_ports(
    Family family, const kube::ServicePort& port, Frontends& frontends
) {
    if (port.node_port == 0) {
        return;
    }
    for (const IpAddress& address : node_port_addresses(family)) {
        const Endpoint endpoint{address, port.node_port};
        frontends.push_back(
            {endpoint, external_local_ ? MarkKind::NodeLocal : MarkKind::ClusterWide, true}
        );
        SetEntry entry;
        entry.port = port.node_port;
        if (port.protocol == Protocol::Sctp) {  // bitmap:port has no protocol
            entry = element(endpoint, port.protocol);
        }
        add_entry(node_port_set(port.protocol, false), family, entry);
        if (external_local_) {
            add_entry(node_port_set(port.protocol, true), family, entry);
        }
    }
}

void ServicePlan::add_hairpins(Protocol protocol, const Candidates& candidates) {
    for (const auto& [endpoint, candidate] : candidates) {
        if (!candidate.local) {
            continue;
        }
        SetEntry entry = element(endpoint, protocol);
        entry.second_ip = endpoint.address;
        add_entry(SetName::LoopBack, endpoint.address.family(), entry);
        if (candidate.ready) {
            local_ready_.insert(endpoint.address);
        }
    }
}

void ServicePlan::add_servers(
    Protocol protocol, const Frontends& frontends, const Backends& backends
) {
    for (const Frontend& frontend : frontends) {
        tables_.virtual_servers.emplace(
            VirtualServerKey{protocol, frontend.endpoint},
            frontend.leads_to == MarkKind::NodeLocal ? backends.local : backends.cluster
        );
    }
}

void ServicePlan::add_no_local(
    Family family,
    const kube::ServicePort& port,
    const Frontends& frontends,
    const Backends& backends
) {
    if (!backends.selection.anywhere || !backends.selection.local.usable.empty()) {
        return;
    }
    if (internal_local_ && context_.config.mode == Mode::Full) {
        tables_.no_local_internal.insert(family);
    }
    if (external_local_) {
        tables_.no_local_external.insert(family);
    }
    for (const Frontend& frontend : frontends) {
        if (frontend.leads_to == MarkKind::NodeLocal) {
            add_entry(
                SetName::NoLocal,
                frontend.endpoint.address.family(),
                element(frontend.endpoint, port.protocol)
            );
        }
    }
}

// Clients inside the cluster reach every endpoint of an external frontend from everywhere. The
// server is there whatever the lists are: connections made through it must not end with them.
void ServicePlan::add_internal_mark(
    Family family,
    const kube::ServicePort& port,
    const Frontends& frontends,
    const Backends& backends
) {
    VirtualServer server = *backends.cluster;
    bool translated = false;
    std::uint32_t number = 0;
    for (const Frontend& frontend : frontends) {
        if (!frontend.external) {
            continue;
        }
        number = mark(port, MarkKind::ClusterWide);
        translated = translated || translates(server, frontend.endpoint.port);
        if (backends.selection.anywhere) {  // else the address's own server refuses
            add_entry(
                SetName::InternalMark, family, element(frontend.endpoint, port.protocol), number
            );
        }
    }
    if (number == 0) {
        return;
    }
    if (server.scheduling.persistence == 0 || !translated) {
        tables_.virtual_servers.emplace(by_mark(number, family), backends.cluster);
        return;
    }
    // A persistent server of a mark does not translate ports. A client's address leads to the same
    // real server by this hash too.
    server.scheduling = {"mh", 0, {false, true}};
    tables_.virtual_servers.emplace(by_mark(number, family), VirtualServerRef(std::move(server)));
}

// Affinity is a matter of the Service port: a client that comes by another frontend meets the same
// endpoint. Persistence of one server does that, where ports need no translation.
void ServicePlan::add_affinity_mark(
    Family family,
    const kube::ServicePort& port,
    MarkKind kind,
    const Frontends& frontends,
    const Backends& backends
) {
    const VirtualServerRef& server =
        kind == MarkKind::NodeLocal ? backends.local : backends.cluster;
    std::set<Endpoint> together;
    std::size_t by_internal_mark = 0;
    for (const Frontend& frontend : frontends) {
        if (frontend.leads_to == kind && !translates(*server, frontend.endpoint.port)) {
            together.insert(frontend.endpoint);
        } else if (frontend.external && external_local_ && kind == MarkKind::ClusterWide) {
            ++by_internal_mark;
        }
    }
    const bool serves = kind == MarkKind::NodeLocal ? !backends.selection.local.usable.empty()
                                                    : backends.selection.anywhere;
    if (together.empty() || together.size() + by_internal_mark < 2 || !serves) {
        return;
    }
    const std::uint32_t number = mark(port, kind);
    const auto shared = tables_.virtual_servers.emplace(by_mark(number, family), server).first;
    if (shared->second->scheduling.persistence == 0) {  // what inside clients use has to translate
        return;
    }
    for (const Endpoint& frontend : together) {
        add_entry(SetName::AffinityMark, family, element(frontend, port.protocol), number);
    }
}

std::uint32_t ServicePlan::mark(const kube::ServicePort& port, MarkKind kind) {
    const std::uint32_t number = marks_.mark(service_.meta.key, {port.name, port.protocol, kind});
    used_marks_.insert(number);
    return number;
}

// An address the node already has on a real interface stays there: moving it to the dummy link
// would take it away from whoever put it there.
void ServicePlan::bind(const IpAddress& address) {
    if (contains(context_.node_addresses, address)) {
        return;
    }
    tables_.addresses.insert(address);
    SetEntry entry;
    entry.ip = address;
    add_entry(SetName::IpvsIps, address.family(), entry);
}

void ServicePlan::add_entry(SetName set, Family family, const SetEntry& entry, std::uint32_t mark) {
    tables_.entries.emplace(SetElement{{set, family}, entry}, mark);
}

void ServicePlan::add_health_check_port() {
    // In load-balancer mode the kube-proxy beside us answers there.
    if (service_.type != kube::ServiceType::LoadBalancer || !external_local_ ||
        service_.health_check_node_port == 0 || context_.config.mode != Mode::Full) {
        return;
    }
    SetEntry entry;
    entry.port = service_.health_check_node_port;
    add_entry(SetName::HealthCheckNodePort, Family::V4, entry);
    add_entry(SetName::HealthCheckNodePort, Family::V6, entry);
    tables_.health_check_node_port = service_.health_check_node_port;
}

ServiceTables ServicePlan::take() {
    marks_.keep_only(service_.meta.key, used_marks_);
    // A pod of two families has an address of each and is one endpoint.
    const auto v4 = std::count_if(local_ready_.begin(), local_ready_.end(), [](const auto& ip) {
        return ip.is_v4();
    });
    const auto v6 = static_cast<std::ptrdiff_t>(local_ready_.size()) - v4;
    tables_.local_ready_endpoints = static_cast<std::size_t>(std::max(v4, v6));
    tables_.virtual_servers.shrink_to_fit();
    tables_.addresses.shrink_to_fit();
    tables_.entries.shrink_to_fit();
    return std::move(tables_);
}

}  // namespace steelyard::proxy
