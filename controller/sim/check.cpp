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

bool excluded(const config::Config& config, const config::Pool& pool, net::IpAddress address) {
    return std::ranges::any_of(config.policies, [&](const config::AllocationPolicy& policy) {
        return policy.covers(pool.name) &&
               std::ranges::any_of(policy.exclude, [&](const net::Range& range) {
                   return range.contains(address);
               });
    });
}

bool keeps(const kube::AddressReservation& reservation, net::IpAddress address) {
    return std::ranges::find(reservation.addresses, to_string(address)) !=
           reservation.addresses.end();
}

bool is_for(const kube::AddressReservation& reservation, const kube::ObjectKey& service) {
    return reservation.service_namespace == service.ns && reservation.service_name == service.name;
}

bool reserved(const Cluster& cluster, net::IpAddress address) {
    return std::ranges::any_of(cluster.reservations(), [&](const auto& entry) {
        return keeps(*entry.second, address);
    });
}

bool has_quota(const config::Config& config, const config::Pool& pool) {
    return std::ranges::any_of(config.policies, [&](const config::AllocationPolicy& policy) {
        return policy.covers(pool.name) && !policy.quotas.empty();
    });
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
        if (!pool.auto_assign || !open || pool.avoid_buggy_ips ||
            has_quota(*cluster.config(), pool)) {
            continue;
        }
        for (const net::Range& range : pool.ranges) {
            if (range.family() != family) {
                continue;
            }
            for (net::IpAddress at = range.first();; at = at.plus(1)) {
                if (!excluded(*cluster.config(), pool, at) && !reserved(cluster, at)) {
                    list.push_back(at);
                }
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

// Who waits for an address is not told each time its namespace comes to the end of a quota; when
// there is an address it hears.
bool is_spent_since(const controller_plan::Standing& shown, const controller_plan::Standing& anew) {
    controller_plan::Standing same = anew;
    same.condition = shown.condition;
    return same == shown && shown.condition && anew.condition &&
           anew.condition->reason == "QuotaExceeded" &&
           (shown.condition->reason == "PoolExhausted" || shown.condition->reason == "QuotaExceeded"
           );
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
        } else if (excluded(*cluster.config(), *pool, address)) {
            out.push_back(name(service) + " shows " + to_string(address) + ", which is excluded");
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

Kept kept_now(const Cluster& cluster) {
    Kept kept;
    kept.reservations = cluster.reservations();
    for (const auto& [key, stored] : cluster.services()) {
        for (const net::IpAddress& address : shown(*stored.decoded)) {
            kept.shown.emplace(stored.decoded->meta.uid, address);
        }
    }
    return kept;
}

std::vector<std::string> given_away(const Cluster& cluster, const Kept& before) {
    std::vector<ReservationEvent> states;
    for (const auto& [key, reservation] : before.reservations) {
        states.push_back({key, reservation});
    }
    for (auto at = cluster.reservation_log.begin(); at < cluster.reservation_log.end(); ++at) {
        states.push_back(cluster.reservation_log.at(at));
    }
    // While its Service uses it, whoever may share it with that one may come.
    const auto kept_on = [&](const kube::AddressReservation& now) {
        return before.reservations.contains(now.meta.key) &&
               std::ranges::all_of(states, [&](const ReservationEvent& state) {
                   return state.key != now.meta.key ||
                          (state.reservation && state.reservation->meta.uid == now.meta.uid &&
                           state.reservation->addresses == now.addresses &&
                           state.reservation->released_at == now.released_at &&
                           !state.reservation->in_use);
               });
    };
    const auto had_its_own = [&](const kube::ObjectKey& service, net::IpAddress address) {
        return std::ranges::any_of(states, [&](const ReservationEvent& state) {
            return state.reservation && is_for(*state.reservation, service) &&
                   keeps(*state.reservation, address);
        });
    };
    std::vector<std::string> out;
    for (const auto& [key, reservation] : cluster.reservations()) {
        if (!kept_on(*reservation)) {
            continue;
        }
        for (const auto& [service, stored] : cluster.services()) {
            for (const net::IpAddress& address : shown(*stored.decoded)) {
                if (is_ours(*stored.decoded) && keeps(*reservation, address) &&
                    !had_its_own(service, address) &&
                    !before.shown.contains({stored.decoded->meta.uid, address})) {
                    out.push_back(
                        name(*stored.decoded) + " was given " + to_string(address) +
                        ", reserved by " + key.name + " for " + reservation->service_namespace +
                        "/" + reservation->service_name
                    );
                }
            }
        }
    }
    return out;
}

Taken taken_now(const Cluster& cluster) {
    Taken taken;
    taken.config = cluster.config();
    std::map<std::pair<std::string, std::string>, std::set<net::IpAddress>> addresses;
    for (const auto& [key, stored] : cluster.services()) {
        for (const net::IpAddress& address : shown(*stored.decoded)) {
            const config::Pool* pool = taken.config->pool_of(address);
            for (const config::AllocationPolicy& policy : taken.config->policies) {
                if (is_ours(*stored.decoded) && pool != nullptr && policy.covers(pool->name)) {
                    addresses[{policy.name, key.ns}].insert(address);
                }
            }
        }
    }
    for (const auto& [place, held] : addresses) {
        taken.addresses[place] = static_cast<std::int64_t>(held.size());
    }
    return taken;
}

std::vector<std::string> beyond_quota(const Cluster& cluster, const Taken& before) {
    std::vector<std::string> out;
    if (before.config != cluster.config()) {
        return out;
    }
    const Taken now = taken_now(cluster);
    for (const auto& [place, held] : now.addresses) {
        const auto& [policy_name, ns] = place;
        const auto then = before.addresses.find(place);
        const std::int64_t had = then == before.addresses.end() ? 0 : then->second;
        for (const config::AllocationPolicy& policy : cluster.config()->policies) {
            for (const config::Quota& quota : policy.quotas) {
                if (policy.name == policy_name &&
                    config::applies(quota, ns, labels_of(cluster, ns)) &&
                    held > std::max(quota.addresses, had)) {
                    out.push_back(
                        ns + " holds " + std::to_string(held) + " addresses, " + policy.name +
                        " grants " + std::to_string(quota.addresses)
                    );
                }
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
    for (const auto& [key, reservation] : cluster.reservations()) {
        fresh.on_reservation(reservation);
    }
    fresh.on_synced();
    fresh.on_config(cluster.config());
    std::vector<std::string> out;
    const controller_plan::Plan plan = fresh.plan(now);
    for (const controller_plan::ReservationChange& change : plan.reservations) {
        out.push_back("a restart would change the reservation " + change.object.meta.key.name);
    }
    for (const controller_plan::Outcome& outcome : plan.outcomes) {
        const kube::Service& service = *cluster.find(outcome.service)->decoded;
        if (outcome.write &&
            !is_spent_since(controller_plan::standing_of(service), outcome.standing)) {
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
