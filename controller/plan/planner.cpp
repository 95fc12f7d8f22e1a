#include "controller/plan/planner.hpp"

#include "controller/plan/sentences.hpp"

#include <algorithm>
#include <iterator>
#include <tuple>
#include <utility>

namespace steelyard::controller_plan {
namespace {

bool selects_namespaces(const config::Config& config) {
    return std::any_of(config.pools.begin(), config.pools.end(), [](const config::Pool& pool) {
        return pool.service_allocation && !pool.service_allocation->namespace_selectors.empty();
    });
}

// The Service as if it asked for no address by value.
kube::Service without_requested_addresses(const kube::Service& service) {
    kube::Service copy = service;
    copy.load_balancer_ip.clear();
    std::erase_if(copy.meta.annotations, [](const auto& annotation) {
        return annotation.first.ends_with("/loadBalancerIPs");
    });
    return copy;
}

bool may_grow(const ipam::Request& request, const Standing& standing) {
    return request.policy == kube::IpFamilyPolicy::PreferDualStack &&
           request.families.size() == 2 && request.addresses.empty() &&
           standing.addresses.size() == 1;
}

}  // namespace

Standing standing_of(const kube::Service& service) {
    Standing standing;
    for (const kube::LoadBalancerIngress& ingress : service.ingress) {
        if (ingress.ip) {
            standing.addresses.push_back(*ingress.ip);
        }
    }
    const auto pool = service.meta.annotations.find(ipam::kAllocatedFromAnnotation);
    if (pool != service.meta.annotations.end()) {
        standing.pool = pool->second;
    }
    for (const kube::ServiceCondition& condition : service.conditions) {
        if (condition.type == kConditionType) {
            standing.condition = condition;
        }
    }
    return standing;
}

void Planner::on_config(std::shared_ptr<const config::Config> config) {
    config_ = std::move(config);
    namespaces_matter_ = selects_namespaces(*config_);
    allocator_.set_pools(config_);
    for (const auto& [key, entry] : services_) {
        dirty_.insert(key);
    }
}

void Planner::on_namespace(const std::string& name, kube::Labels labels) {
    namespaces_[name] = std::move(labels);
    if (!namespaces_matter_) {
        return;
    }
    for (auto entry = services_.lower_bound({name, ""});
         entry != services_.end() && entry->first.ns == name;
         ++entry) {
        dirty_.insert(entry->first);
    }
}

void Planner::on_namespace_deleted(const std::string& name) {
    // Its Services are deleted one by one, each with its own notice.
    namespaces_.erase(name);
}

void Planner::on_service(std::shared_ptr<const kube::Service> service) {
    const kube::ObjectKey key = service->meta.key;
    const auto known = services_.find(key);
    if (known != services_.end() && known->second.service->meta.uid != service->meta.uid) {
        on_service_deleted(key);  // deleted and made again between two looks
    }
    Entry& entry = services_[key];
    if (!entry.service) {
        entry.last = standing_of(*service);
    }
    entry.service = std::move(service);
    dirty_.insert(key);
}

void Planner::on_service_deleted(const kube::ObjectKey& key) {
    release(key);
    services_.erase(key);
    dirty_.erase(key);
    waiting_.erase(key);
}

Plan Planner::plan([[maybe_unused]] WallTime now) {
    Plan plan;
    if (!synced_ || !config_) {
        return plan;
    }
    std::vector<Work> round;
    take(std::exchange(dirty_, {}), round);
    if (freed_) {
        // Only a review frees, and those who wait are the last to be reviewed: one round is enough.
        take(waiting_, round);
        freed_ = false;
    }
    sort_by_age(round);
    for (Work& work : round) {
        fulfil(work);
    }
    for (Work& work : round) {
        conclude(work, plan.outcomes);
    }
    return plan;
}

// Appends those of `keys` that are not in the round yet, and reviews them.
void Planner::take(const std::set<kube::ObjectKey>& keys, std::vector<Work>& round) {
    std::set<const Entry*> present;
    for (const Work& work : round) {
        present.insert(work.entry);
    }
    std::vector<Work> added;
    for (const kube::ObjectKey& key : keys) {
        Entry& entry = services_.at(key);
        if (!present.contains(&entry) && !awaits_namespace(*entry.service)) {
            added.push_back({&entry, {}, {}, {}, {}, false});
        }
    }
    sort_by_age(added);
    for (Work& work : added) {
        review(work);
    }
    std::move(added.begin(), added.end(), std::back_inserter(round));
}

// Oldest first: who came first keeps a contested address, and is served first.
void Planner::sort_by_age(std::vector<Work>& round) {
    std::stable_sort(round.begin(), round.end(), [](const Work& a, const Work& b) {
        const kube::ObjectMeta& left = a.entry->service->meta;
        const kube::ObjectMeta& right = b.entry->service->meta;
        return std::tie(left.creation_timestamp, left.uid) <
               std::tie(right.creation_timestamp, right.uid);
    });
}

Planner::Claim Planner::claim(const kube::Service& service) const {
    if (service.type != kube::ServiceType::LoadBalancer) {
        return Claim::NotLoadBalancer;
    }
    return service.load_balancer_class == options_.load_balancer_class ? Claim::Ours
                                                                       : Claim::OtherClass;
}

// Services and Namespaces are watched apart, so a Service may be seen before its Namespace, whose
// labels decide which pools it may use. on_namespace() marks it as dirty again.
bool Planner::awaits_namespace(const kube::Service& service) const {
    return namespaces_matter_ && claim(service) == Claim::Ours &&
           !namespaces_.contains(service.meta.key.ns);
}

const kube::Labels& Planner::labels_of(const std::string& ns) const {
    static const kube::Labels kNone;
    const auto found = namespaces_.find(ns);
    return found == namespaces_.end() ? kNone : found->second;
}

void Planner::review(Work& work) {
    const kube::Service& service = *work.entry->service;
    if (const Claim whose = claim(service); whose != Claim::Ours) {
        review_foreign(work, whose);
        return;
    }
    auto request = ipam::parse_request(service, labels_of(service.meta.key.ns));
    if (request) {
        work.request = std::move(*request);
        review_current(work, *work.request);
        return;
    }
    work.refusal = std::move(request).error();
    if (work.refusal->reason == ipam::Reason::InvalidRequest) {
        review_invalid(work);
        return;
    }
    const std::vector<net::IpAddress> lost = standing_of(service).addresses;
    if (!lost.empty()) {
        work.events.push_back(sentences::cleared(lost, *work.refusal));
    }
    release(service.meta.key);
}

void Planner::review_foreign(Work& work, Claim whose) {
    const kube::Service& service = *work.entry->service;
    const Standing shown = standing_of(service);
    const ipam::Assignment* held = allocator_.find(service.meta.key);
    if (whose == Claim::NotLoadBalancer) {
        // Only what carries our mark is cleared: other status belongs to somebody else.
        work.leave_alone = held == nullptr && shown.pool.empty() && !shown.condition;
    } else {
        // Another instance may serve that class by now, with the same annotation; only a status
        // that still shows exactly what we gave is ours to clear.
        work.leave_alone = held == nullptr || held->addresses != shown.addresses;
    }
    release(service.meta.key);
}

void Planner::review_current(Work& work, const ipam::Request& request) {
    const kube::ObjectKey& key = request.service;
    // What we hold is the truth; status only counts for what we have not seen before, after a
    // start.
    const ipam::Assignment* held = allocator_.find(key);
    const std::vector<net::IpAddress> current =
        held != nullptr ? held->addresses : standing_of(*work.entry->service).addresses;
    if (current.empty()) {
        return;
    }
    const bool other_sharing = held != nullptr && *allocator_.sharing_of(key) != request.sharing;
    const auto adopted = allocator_.adopt(request, current);
    if (!adopted) {
        work.events.push_back(sentences::cleared(current, adopted.error()));
        release(key);
        return;
    }
    freed_ = freed_ || other_sharing;
    work.standing.addresses = adopted->addresses;
    work.standing.pool = adopted->pool;
}

void Planner::review_invalid(Work& work) {
    const kube::Service service = without_requested_addresses(*work.entry->service);
    const auto request = ipam::parse_request(service, labels_of(service.meta.key.ns));
    if (request) {
        review_current(work, *request);
    }
}

void Planner::fulfil(Work& work) {
    if (!work.request) {
        return;
    }
    if (may_grow(*work.request, work.standing)) {
        extend(work);
        return;
    }
    if (!work.standing.addresses.empty()) {
        return;
    }
    const auto given = allocator_.allocate(*work.request);
    if (!given) {
        work.refusal = given.error();
        return;
    }
    work.standing.addresses = given->addresses;
    work.standing.pool = given->pool;
    work.events.push_back(sentences::allocated(given->addresses));
}

void Planner::extend(Work& work) {
    const auto grown = allocator_.extend(*work.request);
    if (!grown) {
        work.refusal = grown.error();
        return;
    }
    work.standing.addresses = grown->addresses;
    work.events.push_back(sentences::allocated(grown->addresses));
}

void Planner::conclude(Work& work, std::vector<Outcome>& outcomes) {
    const kube::Service& service = *work.entry->service;
    const kube::ObjectKey& key = service.meta.key;
    const bool ours = claim(service) == Claim::Ours;
    const bool waits = ours && work.request && work.refusal;
    if (waits) {
        waiting_.insert(key);
    } else {
        waiting_.erase(key);
    }
    if (work.leave_alone) {
        work.entry->last = standing_of(service);
        return;
    }
    Standing& standing = work.standing;
    if (ours && work.refusal) {
        const bool has = !standing.addresses.empty();
        standing.condition =
            has ? sentences::assigned_but(*work.refusal) : sentences::not_assigned(*work.refusal);
        // Said once, not on every look, nor again after a restart.
        if (work.entry->last.condition != standing.condition) {
            work.events.push_back(
                has && waits ? sentences::second_failed(key, *work.refusal)
                             : sentences::failed(key, *work.refusal)
            );
        }
    } else if (ours) {
        standing.condition = sentences::assigned(standing);
    }
    // A decision that returns to what the object shows is written too: it replaces the one before
    // it, which may still be on its way to the API.
    const bool decided_anew = standing != work.entry->last;
    const bool write = decided_anew || standing != standing_of(service);
    if (decided_anew) {
        for (const std::string& annotation : ipam::deprecated_annotations(service)) {
            work.events.push_back(sentences::deprecated(annotation));
        }
    }
    work.entry->last = standing;
    if (write || !work.events.empty()) {
        outcomes.push_back({key, service.meta.uid, standing, write, std::move(work.events)});
    }
}

void Planner::release(const kube::ObjectKey& key) {
    freed_ = allocator_.release(key) || freed_;
}

}  // namespace steelyard::controller_plan
