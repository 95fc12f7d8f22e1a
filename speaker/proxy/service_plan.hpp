#pragma once

#include "speaker/proxy/plan.hpp"
#include "speaker/proxy/select/select.hpp"
#include "speaker/proxy/tuning.hpp"

#include <map>
#include <set>
#include <string>
#include <vector>

// The plan of one Service, family by family and port by port; private to this room. A frontend is
// an address and port clients know: ClusterIP, ExternalIP, load-balancer address or node port.
namespace steelyard::proxy {

class ServicePlan {
public:
    // The arguments outlive it.
    ServicePlan(const kube::Service& service, const Context& context, MarkAllocator& marks);

    void add_port(
        net::Family family, const kube::ServicePort& port, const std::vector<SliceRef>& slices
    );
    void add_health_check_port();
    // The ports that make sense; the others are complained of.
    [[nodiscard]] std::vector<kube::ServicePort> sound_ports();
    void complain(std::string text);
    [[nodiscard]] ServiceTables take();

private:
    // What one port has behind it in one family.
    struct Backends {
        Candidates candidates;
        Selection selection;
        VirtualServerRef cluster;  // all endpoints
        VirtualServerRef local;    // this node's
    };
    struct Frontend {
        net::Endpoint endpoint;
        MarkKind leads_to = MarkKind::ClusterWide;  // by its traffic policy
        bool external = false;
    };
    using Frontends = std::vector<Frontend>;

    Backends backends(
        net::Family family, const kube::ServicePort& port, const std::vector<SliceRef>& slices
    );
    [[nodiscard]] RealServers real_servers(const Choice& choice, const Candidates& candidates)
        const;

    [[nodiscard]] bool is_sound(const net::IpAddress& address, const char* field);
    [[nodiscard]] std::optional<net::IpAddress> cluster_ip(net::Family family) const;
    void add_cluster_ip(net::Family family, const kube::ServicePort& port, Frontends& frontends);
    void add_external_ips(net::Family family, const kube::ServicePort& port, Frontends& frontends);
    void add_load_balancer_ips(
        net::Family family, const kube::ServicePort& port, Frontends& frontends
    );
    void add_source_ranges(const net::IpAddress& address, const kube::ServicePort& port);
    [[nodiscard]] bool node_is_inside(const net::Prefix& range) const;
    void add_node_ports(net::Family family, const kube::ServicePort& port, Frontends& frontends);
    [[nodiscard]] std::vector<net::IpAddress> node_port_addresses(net::Family family) const;
    void add_hairpins(net::Protocol protocol, const Candidates& candidates);

    void add_servers(net::Protocol protocol, const Frontends& frontends, const Backends& backends);
    void add_no_local(
        net::Family family,
        const kube::ServicePort& port,
        const Frontends& frontends,
        const Backends& backends
    );
    void add_internal_mark(
        net::Family family,
        const kube::ServicePort& port,
        const Frontends& frontends,
        const Backends& backends
    );
    void add_affinity_mark(
        net::Family family,
        const kube::ServicePort& port,
        MarkKind kind,
        const Frontends& frontends,
        const Backends& backends
    );
    [[nodiscard]] std::uint32_t mark(const kube::ServicePort& port, MarkKind kind);

    void bind(const net::IpAddress& address);
    void add_entry(SetName set, net::Family family, const SetEntry& entry, std::uint32_t mark = 0);

    const kube::Service& service_;
    const Context& context_;
    MarkAllocator& marks_;
    Tuning tuning_;
    bool external_local_ = false;
    bool internal_local_ = false;
    std::set<std::uint32_t> used_marks_;
    std::set<net::IpAddress> local_ready_;
    ServiceTables tables_;
};

}  // namespace steelyard::proxy
