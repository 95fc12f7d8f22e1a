#include "controller/sim/users.hpp"

#include "controller/ipam/request.hpp"

#include <iterator>
#include <utility>
#include <vector>

namespace steelyard::controller_sim {
namespace {

using nlohmann::json;

constexpr unsigned kNames = 8;
const char* const kNamespaces[] = {"n0", "n1", "n2"};

kube::IpAddressPool pool(const std::string& name, std::vector<std::string> addresses) {
    kube::IpAddressPool made;
    made.meta.key = {"metallb-system", name};
    made.addresses = std::move(addresses);
    return made;
}

std::string annotation(std::string_view name) {
    return std::string(name);
}

}  // namespace

Users::Users(Cluster& cluster, Rng rng, bool forging)
    : cluster_(cluster), rng_(rng), forging_(forging) {
    for (const char* ns : kNamespaces) {
        cluster_.set_labels(ns, {{"team", ns}});
    }
    edit_pools();
}

void Users::act(WallTime now) {
    const kube::ObjectKey key = any_key();
    const bool exists = cluster_.find(key) != nullptr;
    const std::uint64_t what = rng_.below(100);
    if (what < 6) {
        edit_pools();
    } else if (what < 8) {
        cluster_.set_labels(key.ns, {{"team", kNamespaces[rng_.below(3)]}});
    } else if (what < 14) {
        reserve();
    } else if (!exists) {
        create(key, now);
    } else if (what < 34) {
        cluster_.remove(key);
        if (chance(30)) {
            create(key, now);
        }
    } else if (what < 46 && forging_) {
        forge(key);
    } else {
        change(key);
    }
}

kube::ObjectKey Users::any_key() {
    return {kNamespaces[rng_.below(3)], "s" + std::to_string(rng_.below(kNames))};
}

json Users::any_ports() {
    json ports = json::array();
    ports.push_back({{"name", "a"}, {"port", 80 + rng_.below(4)}, {"protocol", "TCP"}});
    if (chance(20)) {
        ports.push_back({{"name", "b"}, {"port", 90 + rng_.below(2)}, {"protocol", "UDP"}});
    }
    return ports;
}

std::string Users::any_address() {
    return chance(75)
               ? "10.0." + std::to_string(rng_.below(2)) + "." + std::to_string(rng_.below(8))
               : "fd00::" + std::to_string(rng_.below(6));
}

void Users::create(const kube::ObjectKey& key, WallTime now) {
    json object = json::object();
    json& spec = object["spec"];
    spec["type"] = chance(92) ? "LoadBalancer" : "ClusterIP";
    spec["ports"] = any_ports();
    spec["selector"]["app"] = chance(50) ? "x" : "y";
    spec["externalTrafficPolicy"] = chance(75) ? "Cluster" : "Local";
    const std::uint64_t families = rng_.below(10);
    if (families < 6) {
        spec["clusterIPs"] = {"10.96.0.1"};
        spec["ipFamilies"] = {"IPv4"};
        spec["ipFamilyPolicy"] = "SingleStack";
    } else if (families < 7) {
        spec["clusterIPs"] = {"fd96::1"};
        spec["ipFamilies"] = {"IPv6"};
        spec["ipFamilyPolicy"] = "SingleStack";
    } else {
        spec["clusterIPs"] = {"10.96.0.1", "fd96::1"};
        spec["ipFamilies"] = {"IPv4", "IPv6"};
        spec["ipFamilyPolicy"] = chance(60) ? "PreferDualStack" : "RequireDualStack";
    }
    json& annotations = object["metadata"]["annotations"];
    annotations = json::object();
    if (chance(35)) {
        annotations[annotation(ipam::kSharingAnnotation)] = chance(60) ? "k" : "l";
    }
    if (chance(15)) {
        annotations[annotation(ipam::kAddressesAnnotation)] = any_address();
    }
    if (chance(10)) {
        annotations[annotation(ipam::kAddressPoolAnnotation)] = chance(50) ? "a" : "b";
    }
    if (chance(20)) {
        object["status"]["loadBalancer"]["ingress"] = {{{"hostname", "h" + std::to_string(made_)}}};
    }
    ++made_;
    cluster_.create(key, object, now);
}

void Users::change(const kube::ObjectKey& key) {
    json merge = json::object();
    json& annotations = merge["metadata"]["annotations"];
    switch (rng_.below(8)) {
        case 0:
            merge["spec"]["type"] = chance(60) ? "LoadBalancer" : "ClusterIP";
            break;
        case 1:
            merge["spec"]["ports"] = any_ports();
            break;
        case 2:
            annotations[annotation(ipam::kSharingAnnotation)] =
                chance(30) ? json() : json(chance(60) ? "k" : "l");
            break;
        case 3:
            annotations[annotation(ipam::kAddressesAnnotation)] =
                chance(50) ? json() : json(any_address());
            break;
        case 4:
            annotations[annotation(ipam::kAddressPoolAnnotation)] =
                chance(60) ? json() : json(chance(50) ? "a" : "b");
            break;
        case 5:
            merge["spec"]["externalTrafficPolicy"] = chance(60) ? "Cluster" : "Local";
            break;
        case 6:
            merge["metadata"]["labels"]["touched"] = std::to_string(rng_.below(1000));
            break;
        default:
            merge["spec"]["loadBalancerClass"] = chance(60) ? json() : json("other");
            break;
    }
    cluster_.edit(key, merge);
}

// Status written by somebody who should not, or lost in a restore.
void Users::forge(const kube::ObjectKey& key) {
    json merge = json::object();
    json& ingress = merge["status"]["loadBalancer"]["ingress"];
    switch (rng_.below(4)) {
        case 0:
            break;  // null: lost
        case 1: {
            const Cluster::Stored* other = cluster_.find(any_key());
            if (other == nullptr || other->decoded->ingress.empty()) {
                return;
            }
            ingress = other->object["status"]["loadBalancer"]["ingress"];
            break;
        }
        case 2:
            ingress = {{{"ip", any_address()}}};
            break;
        default:
            ingress = {{{"ip", "192.0.2.1"}}};
            break;
    }
    cluster_.edit(key, merge);
}

// Two of a pool that differ in keepAfterDelete are refused; then the old configuration stays.
kube::AllocationPolicy Users::any_policy() {
    kube::AllocationPolicy policy;
    policy.meta.key = {"metallb-system", "p"};
    if (chance(60)) {
        policy.ip_address_pools = {chance(60) ? "a" : "b"};
    }
    if (chance(40)) {
        policy.exclude = {chance(50) ? "10.0.0.1-10.0.0.2" : any_address()};
    }
    if (chance(40)) {
        kube::AllocationPolicy::Quota quota;
        quota.addresses = static_cast<std::int64_t>(rng_.below(4));
        if (chance(70)) {
            quota.namespaces = {kNamespaces[rng_.below(3)]};
        }
        policy.quotas.push_back(std::move(quota));
    }
    if (chance(50)) {
        policy.keep_after_delete = std::to_string(5 * (1 + rng_.below(10))) + "s";
    }
    return policy;
}

// By hand: one of a few names appears, changes or goes. Those of the controllers are not spared.
void Users::reserve() {
    const Cluster::Reservations& all = cluster_.reservations();
    if (!all.empty() && chance(40)) {
        const auto any =
            std::next(all.begin(), static_cast<std::ptrdiff_t>(rng_.below(all.size())));
        kube::AddressReservation object = *any->second;
        if (chance(60)) {
            (void)cluster_.remove_reservation(object.meta.key, object.meta.uid, "");
        } else {
            object.addresses = {any_address()};
            object.keep_for = chance(50) ? "" : "20s";
            cluster_.edit_reservation(object);
        }
        return;
    }
    const kube::ObjectKey service = any_key();
    kube::AddressReservation made;
    made.meta.key = {"metallb-system", "hand-" + std::to_string(rng_.below(4))};
    made.service_namespace = service.ns;
    made.service_name = service.name;
    made.addresses = {any_address()};
    made.keep_for = chance(40) ? "" : std::to_string(5 * (1 + rng_.below(10))) + "s";
    (void)cluster_.create_reservation(made);
}

void Users::edit_pools() {
    config::Objects objects;
    const std::string last = std::to_string(1 + rng_.below(6));
    if (chance(90)) {
        objects.pools.push_back(pool("a", {"10.0.0.0-10.0.0." + last}));
        objects.pools.back().avoid_buggy_ips = chance(15);
    }
    if (chance(60)) {
        objects.pools.push_back(pool("b", {"10.0.1.0/30", "fd00::1-fd00::3"}));
        objects.pools.back().auto_assign = chance(75);
    }
    if (chance(35)) {
        objects.pools.push_back(pool("c", {"10.0.1.4-10.0.1.6"}));
        kube::ServiceAllocation allocation;
        allocation.priority = static_cast<std::int64_t>(rng_.below(3));
        if (chance(50)) {
            allocation.namespaces = {kNamespaces[rng_.below(3)]};
        } else {
            allocation.namespace_selectors.emplace_back().match_labels["team"] =
                kNamespaces[rng_.below(3)];
        }
        objects.pools.back().service_allocation = allocation;
    }
    while (chance(45)) {
        objects.allocation_policies.push_back(any_policy());
        objects.allocation_policies.back().meta.key.name +=
            std::to_string(objects.allocation_policies.size());
    }
    if (chance(15) && objects.pools.size() > 1) {
        std::swap(objects.pools[0].meta.key.name, objects.pools[1].meta.key.name);
    }
    if (auto parsed = config::parse(objects); parsed.config) {
        cluster_.set_config(std::move(parsed.config));
    }
}

}  // namespace steelyard::controller_sim
