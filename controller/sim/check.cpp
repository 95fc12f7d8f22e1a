#include "controller/sim/check.hpp"

#include "controller/ipam/request.hpp"

#include <algorithm>
#include <map>
#include <set>

namespace steelyard::controller_sim {
namespace {

using Addresses = std::vector<net::IpAddress>;

Addresses shown(const kube::Service& service) {
    return controller_plan::standing_of(service).addresses;
}

bool is_ours(const kube::Service& service) {
    return service.type == kube::ServiceType::LoadBalancer && service.load_balancer_class.empty();
}

std::string sharing_key(const kube::Service& service) {
    const auto found = service.meta.annotations.find(ipam::kSharingAnnotation);
    return found == service.meta.annotations.end() ? std::string() : found->second;
}

// Written from MetalLB's documentation, not from the allocator.
bool may_share(const kube::Service& a, const kube::Service& b) {
    if (sharing_key(a).empty() || sharing_key(a) != sharing_key(b)) {
        return false;
    }
    for (const kube::ServicePort& port : a.ports) {
        for (const kube::ServicePort& other : b.ports) {
            if (port.port == other.port && port.protocol == other.protocol) {
                return false;
            }
        }
    }
    const bool both_cluster = a.external_traffic_policy == kube::TrafficPolicy::Cluster &&
                              b.external_traffic_policy == kube::TrafficPolicy::Cluster;
    const bool both_local = a.external_traffic_policy == kube::TrafficPolicy::Local &&
                            b.external_traffic_policy == kube::TrafficPolicy::Local;
    return both_cluster || (both_local && a.selector == b.selector);
}

const kube::Labels& labels_of(const Cluster& cluster, const std::string& ns) {
    static const kube::Labels kNone;
    const auto found = cluster.namespaces().find(ns);
    return found == cluster.namespaces().end() ? kNone : found->second;
}

bool asks_for_anything(const kube::Service& service) {
    return !service.meta.annotations.contains(std::string(ipam::kAddressesAnnotation)) &&
           !service.meta.annotations.contains(std::string(ipam::kAddressPoolAnnotation)) &&
           service.load_balancer_ip.empty() && service.cluster_ips.size() == 1;
}

// The addresses of this family that a pool hands out to the Service unasked.
Addresses offered(const Cluster& cluster, const kube::Service& service, net::Family family) {
    Addresses list;
    for (const config::Pool& pool : cluster.config()->pools) {
        const bool open = !pool.service_allocation || config::admits(
                                                          pool,
                                                          service.meta.key.ns,
                                                          labels_of(cluster, service.meta.key.ns),
                                                          service.meta.labels
                                                      );
        if (!pool.auto_assign || !open || pool.avoid_buggy_ips) {
            continue;
        }
        for (const net::Range& range : pool.ranges) {
            if (range.family() != family) {
                continue;
            }
            for (net::IpAddress at = range.first();; at = at.plus(1)) {
                list.push_back(at);
                if (at == range.last()) {
                    break;
                }
            }
        }
    }
    return list;
}

std::string name(const kube::Service& service) {
    return to_string(service.meta.key) + " (" + service.meta.uid + ")";
}

std::string text(const controller_plan::Standing& standing) {
    std::string out = "[";
    for (const net::IpAddress& address : standing.addresses) {
        out += to_string(address) + " ";
    }
    out += "of " + standing.pool;
    return out + (standing.condition ? ", " + standing.condition->message : "") + "]";
}

void check_places(
    const Cluster& cluster, const kube::Service& service, std::vector<std::string>& out
) {
    if (!is_ours(service)) {
        if (service.type != kube::ServiceType::LoadBalancer &&
            service.meta.annotations.contains(std::string(ipam::kAllocatedFromAnnotation))) {
            out.push_back(name(service) + " is no LoadBalancer and carries our mark");
        }
        return;
    }
    for (const net::IpAddress& address : shown(service)) {
        const config::Pool* pool = cluster.config()->pool_of(address);
        if (pool == nullptr) {
            out.push_back(name(service) + " shows " + to_string(address) + ", of no pool");
        } else if (pool->name != controller_plan::standing_of(service).pool) {
            out.push_back(name(service) + " shows an address of another pool than it says");
        }
    }
}

}  // namespace

std::vector<std::string> wrong(const Cluster& cluster) {
    std::vector<std::string> out;
    std::map<net::IpAddress, std::vector<const kube::Service*>> holders;
    for (const auto& [key, stored] : cluster.services()) {
        const kube::Service& service = *stored.decoded;
        check_places(cluster, service, out);
        if (!is_ours(service)) {
            continue;
        }
        for (const net::IpAddress& address : shown(service)) {
            for (const kube::Service* other : holders[address]) {
                if (!may_share(service, *other)) {
                    out.push_back(
                        to_string(address) + " is shown by " + name(service) + " and " +
                        name(*other)
                    );
                }
            }
            holders[address].push_back(&service);
        }
    }
    for (const auto& [key, stored] : cluster.services()) {
        const kube::Service& service = *stored.decoded;
        if (!is_ours(service) || !shown(service).empty() || !asks_for_anything(service)) {
            continue;
        }
        for (const net::IpAddress& address :
             offered(cluster, service, service.cluster_ips.front().family())) {
            if (!holders.contains(address)) {
                out.push_back(
                    name(service) + " has no address while " + to_string(address) + " is free"
                );
                break;
            }
        }
    }
    return out;
}

std::vector<std::string> unsettled(
    const Cluster& cluster, const controller_plan::Planner& planner, WallTime now
) {
    controller_plan::Planner fresh{controller_plan::Options{}};
    for (const auto& [ns, labels] : cluster.namespaces()) {
        fresh.on_namespace(ns, labels);
    }
    for (const auto& [key, stored] : cluster.services()) {
        fresh.on_service(stored.decoded);
    }
    fresh.on_synced();
    fresh.on_config(cluster.config());
    std::vector<std::string> out;
    for (const controller_plan::Outcome& outcome : fresh.plan(now).outcomes) {
        if (outcome.write) {
            const kube::Service& service = *cluster.find(outcome.service)->decoded;
            out.push_back(
                "a restart would change " + name(service) + " from " +
                text(controller_plan::standing_of(service)) + " to " + text(outcome.standing)
            );
        }
    }
    if (fresh.counts() != planner.counts()) {
        out.emplace_back("a restart would count other addresses");
    }
    return out;
}

}  // namespace steelyard::controller_sim
