#include "controller/plan/planner.hpp"

#include "controller/plan/sentences.hpp"

#include <algorithm>
#include <utility>

namespace steelyard::controller_plan {
namespace {

bool selects_namespaces(const config::Config& config) {
    const auto by_quota = [](const config::Quota& quota) {
        return !quota.namespace_selectors.empty();
    };
    return std::ranges::any_of(
               config.pools,
               [](const config::Pool& pool) {
                   return pool.service_allocation &&
                          !pool.service_allocation->namespace_selectors.empty();
               }
           ) ||
           std::ranges::any_of(config.policies, [&](const config::AllocationPolicy& policy) {
               return std::ranges::any_of(policy.quotas, by_quota);
           });
}

std::vector<net::IpAddress> addresses_of(const kube::Service& service) {
    std::vector<net::IpAddress> list;
    for (const kube::LoadBalancerIngress& ingress : service.ingress) {
        if (ingress.ip) {
            list.push_back(*ingress.ip);
        }
    }
    return list;
}

bool lacks_some(const std::vector<net::IpAddress>& part, const std::vector<net::IpAddress>& whole) {
    return part.size() < whole.size() &&
           std::ranges::all_of(part, [&](const net::IpAddress& address) {
               return std::ranges::find(whole, address) != whole.end();
           });
}

std::string ip_mode_for(const kube::Service& service, const Standing& standing, IpMode wanted) {
    if (standing.addresses.empty()) {
        return "";
    }
    switch (wanted) {
        case IpMode::Vip:
            return "";
        case IpMode::Proxy:
            return kProxy;
        case IpMode::Keep:
            break;
    }
    return standing_of(service).ip_mode;
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
            const std::string mode = ingress.ip_mode == kVip ? "" : ingress.ip_mode;
            const bool same = standing.addresses.empty() || standing.ip_mode == mode;
            standing.ip_mode = same ? mode : "mixed";
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

Standing Planner::last_of(const Entry& entry) {
    return entry.decided ? *entry.decided : standing_of(*entry.service);
}

void Planner::on_config(std::shared_ptr<const config::Config> config) {
    config_ = std::move(config);
    namespaces_matter_ = selects_namespaces(*config_);
    allocator_.set_pools(config_);
    reservations_.on_config(config_);
    waiters_.clear();
    for (const auto& [key, entry] : services_) {
        dirty_.insert(key);
    }
}

void Planner::on_namespace(const std::string& name, kube::Labels labels) {
    const auto known = namespaces_.find(name);
    const bool same = known != namespaces_.end() && known->second == labels;
    namespaces_[name] = std::move(labels);
    if (same || !namespaces_matter_) {
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
    if (!entry.service || addresses_of(*service) != addresses_of(*entry.service)) {
        entry.shown_anew = !is_echo(entry, addresses_of(*service));
    }
    if (entry.service) {
        Standing last = last_of(entry);
        const bool shown = last == standing_of(*service);
        entry.decided = shown ? nullptr : std::make_unique<const Standing>(std::move(last));
    }
    entry.service = std::move(service);
    dirty_.insert(key);
}

// What we wrote comes back in the order in which it was decided, if it was written at all.
bool Planner::is_echo(Entry& entry, const std::vector<net::IpAddress>& shown) {
    const auto found = std::ranges::find(entry.sent, shown);
    if (found == entry.sent.end()) {
        return false;
    }
    entry.sent.erase(entry.sent.begin(), std::next(found));
    if (entry.sent.empty()) {
        entry.sent.shrink_to_fit();  // there are ten thousand of them
    }
    return true;
}

void Planner::remember_sent(Entry& entry, const std::vector<net::IpAddress>& addresses) {
    constexpr std::size_t kMost = 8;  // some may have been replaced before they were written
    std::vector<std::vector<net::IpAddress>>& sent = entry.sent;
    if (sent.empty() ? addresses == addresses_of(*entry.service) : addresses == sent.back()) {
        return;
    }
    if (sent.size() == kMost) {
        sent.erase(sent.begin());
    }
    sent.push_back(addresses);
}

void Planner::on_service_deleted(const kube::ObjectKey& key) {
    allocator_.release(key);
    waiters_.erase(key);
    services_.erase(key);
    dirty_.erase(key);
    reservations_.on_service(key);
}

void Planner::on_reservation(std::shared_ptr<const kube::AddressReservation> reservation) {
    mark(reservations_.on_object(std::move(reservation)));
}

void Planner::on_reservation_deleted(const kube::ObjectKey& key) {
    mark(reservations_.on_deleted(key));
}

void Planner::mark(const std::vector<kube::ObjectKey>& services) {
    for (const kube::ObjectKey& key : services) {
        if (services_.contains(key)) {
            dirty_.insert(key);
        }
    }
}

Plan Planner::plan(WallTime now) {
    Plan plan;
    if (!synced_ || !config_) {
        return plan;
    }
    const auto undecided = [this](const kube::ObjectKey& key) {
        const auto found = services_.find(key);
        return found != services_.end() && awaits_namespace(*found->second.service);
    };
    const auto is_open = [this](const ipam::Want& want) {
        return allocator_.is_open(want);
    };
    reservations_.expire(now);
    do {
        std::vector<Work> round = review_dirty(plan);
        while (!dirty_.empty()) {  // those who had to give way to an older one
            std::erase_if(round, [this](const Work& work) {
                return dirty_.contains(work.entry->service->meta.key);
            });
            std::ranges::move(review_dirty(plan), std::back_inserter(round));
        }
        std::ranges::sort(round, {}, [](const Work& work) {
            return age_of(work.entry->service->meta);
        });
        serve(std::move(round), plan);
    } while (!dirty_.empty());
    reservations_.settle(now, undecided, plan.reservations);
    // A reservation that ended just now may have left something.
    for (waiters_.open(allocator_.take_openings()); waiters_.next(is_open) != nullptr;
         waiters_.open(allocator_.take_openings())) {
        serve({}, plan);
        reservations_.settle(now, undecided, plan.reservations);
    }
    plan.next = reservations_.next_expiry();
    return plan;
}

// Oldest first: who came first keeps a contested address, and is served first.
std::vector<Planner::Work> Planner::review_dirty(Plan& plan) {
    std::vector<std::pair<Age, Entry*>> reviewed;
    for (const kube::ObjectKey& key : std::exchange(dirty_, {})) {
        Entry& entry = services_.at(key);
        if (!awaits_namespace(*entry.service)) {
            waiters_.erase(key);
            reviewed.emplace_back(age_of(entry.service->meta), &entry);
        }
    }
    std::ranges::sort(reviewed);
    plan.decided += reviewed.size();
    std::vector<Work> round;
    for (const auto& [age, entry] : reviewed) {
        Work work{entry, {}, {}, {}, {}, false};
        review(work);
        const bool settled = !work.request || (!work.standing.addresses.empty() &&
                                               !may_grow(*work.request, work.standing));
        if (settled) {
            conclude(work, plan.outcomes);
        } else {
            round.push_back(std::move(work));
        }
    }
    return round;
}

void Planner::serve(std::vector<Work> round, Plan& plan) {
    const auto is_open = [this](const ipam::Want& want) {
        return allocator_.is_open(want);
    };
    for (auto work = round.begin();;) {
        waiters_.open(allocator_.take_openings());
        const Waiters::Call* waiter = waiters_.next(is_open);
        if (work != round.end() &&
            (waiter == nullptr || age_of(work->entry->service->meta) < waiter->age)) {
            fulfil(*work);
            conclude(*work, plan.outcomes);
            ++work;
        } else if (waiter != nullptr) {
            const Waiters::Call next = *waiter;
            waiters_.called();
            call(next, plan);
        } else {
            return;
        }
    }
}

void Planner::call(const Waiters::Call& call, Plan& plan) {
    Work work{&services_.at(call.age.service), {}, {}, {}, {}, false};
    ++plan.decided;
    review(work);
    fulfil(work);
    // Those behind need not hear of a quota that has nothing left. Refused by something else, this
    // one leaves it to them: they, too, have to wait for that from now on.
    if (call.want.kind == ipam::Want::Kind::Quota && work.refusal && work.request &&
        allocator_.quota_is_spent(*work.request, call.want)) {
        waiters_.close(call.want);
    }
    conclude(work, plan.outcomes);
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
    const std::vector<net::IpAddress> lost = last_of(*work.entry).addresses;
    if (!lost.empty()) {
        work.events.push_back(sentences::cleared(lost, *work.refusal));
    }
    allocator_.release(service.meta.key);
}

void Planner::review_foreign(Work& work, Claim whose) {
    const kube::Service& service = *work.entry->service;
    const Standing shown = standing_of(service);
    const auto held = allocator_.find(service.meta.key);
    if (whose == Claim::NotLoadBalancer) {
        // Only what carries our mark is cleared: other status belongs to somebody else.
        work.leave_alone = !held && shown.pool.empty() && !shown.condition;
    } else {
        // Another instance may serve that class by now, with the same annotation; only a status
        // that still shows exactly what we gave is ours to clear.
        // What is on its way there is taken back.
        if (!held || held->addresses != shown.addresses) {
            work.leave_alone = !held || !work.entry->decided;
            work.standing = shown;
        }
    }
    allocator_.release(service.meta.key);
}

void Planner::review_current(Work& work, const ipam::Request& request) {
    // What we hold is the truth, so that a lost status is written again. An address that somebody
    // else wrote counts too: the controller before this one, or one that believes to lead beside
    // it. Were it overwritten, two controllers would do so for ever.
    const auto held = allocator_.find(request.service);
    const auto shown = addresses_of(*work.entry->service);
    const bool anew = std::exchange(work.entry->shown_anew, false);
    // Where some of ours is missing nothing is claimed: that would give up the rest.
    const bool other =
        held ? shown != held->addresses && !lacks_some(shown, held->addresses) : !shown.empty();
    if (anew && other) {
        if (const auto claimed = claim_shown(request, shown)) {
            work.standing.addresses = claimed->addresses;
            work.standing.pool = claimed->pool;
            return;
        }
    }
    const std::vector<net::IpAddress> current = held ? held->addresses : shown;
    if (current.empty()) {
        return;
    }
    const auto kept = keep(request, current);
    if (!kept) {
        // Said already when only the write of it is still on its way.
        if (!last_of(*work.entry).addresses.empty()) {
            work.events.push_back(sentences::cleared(current, kept.error()));
        }
        allocator_.release(request.service);
        return;
    }
    work.standing.addresses = kept->addresses;
    work.standing.pool = kept->pool;
}

// As keep(), and who is younger gives way: of two that show one address the older keeps it, whoever
// was seen first.
ipam::Verdict<ipam::Assignment> Planner::claim_shown(
    const ipam::Request& request, const std::vector<net::IpAddress>& shown
) {
    auto kept = keep(request, shown);
    if (kept) {
        return kept;
    }
    using ipam::Reason;
    const Reason reason = kept.error().reason;
    if (reason != Reason::AddressInUse && reason != Reason::SharingPortConflict &&
        reason != Reason::SharingBackendMismatch) {
        return kept;
    }
    const Age age = age_of(services_.at(request.service).service->meta);
    std::vector<std::pair<Age, std::vector<net::IpAddress>>> younger;
    for (const net::IpAddress& address : shown) {
        for (const kube::ObjectKey& holder : allocator_.holders(address)) {
            const Age other = age_of(services_.at(holder).service->meta);
            if (age < other) {
                younger.emplace_back(other, allocator_.find(holder)->addresses);
                allocator_.release(holder);
            }
        }
    }
    kept = keep(request, shown);
    std::ranges::sort(younger);
    for (const auto& [other, addresses] : younger) {
        give_back(other.service, addresses);
    }
    return kept;
}

// What it still may have together with those before it; otherwise it is decided anew.
void Planner::give_back(const kube::ObjectKey& key, const std::vector<net::IpAddress>& addresses) {
    const kube::Service& service = *services_.at(key).service;
    const auto request = ipam::parse_request_for_any(service, labels_of(key.ns));
    if (!request || !allocator_.adopt(*request, addresses)) {
        dirty_.insert(key);
    }
}

// All of it; or, when the Service became a single-stack one, the address of that family.
ipam::Verdict<ipam::Assignment> Planner::keep(
    const ipam::Request& request, const std::vector<net::IpAddress>& current
) {
    auto kept = allocator_.adopt(request, current);
    const bool dual = current.size() == 2 && current[0].family() != current[1].family();
    if (kept || kept.error().reason != ipam::Reason::FamilyMismatch || !dual ||
        request.families.size() != 1) {
        return kept;
    }
    for (const net::IpAddress& address : current) {
        if (address.family() == request.families.front()) {
            return allocator_.adopt(request, std::span(&address, 1));
        }
    }
    return kept;
}

void Planner::review_invalid(Work& work) {
    const kube::Service& service = *work.entry->service;
    const auto request = ipam::parse_request_for_any(service, labels_of(service.meta.key.ns));
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
    if (may_grow(*work.request, work.standing)) {
        extend(work);  // it cannot, and that has to be told at once
    }
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

void Planner::wait_or_not(const Work& work, bool ours) {
    const kube::ObjectMeta& meta = work.entry->service->meta;
    if (ours && work.request && work.refusal) {
        waiters_.set(age_of(meta), allocator_.wants(*work.request, *work.refusal));
    } else {
        waiters_.erase(meta.key);
    }
    reservations_.on_service(meta.key);
}

void Planner::conclude(Work& work, std::vector<Outcome>& outcomes) {
    Entry& entry = *work.entry;
    const kube::Service& service = *entry.service;
    const kube::ObjectKey& key = service.meta.key;
    const bool ours = claim(service) == Claim::Ours;
    wait_or_not(work, ours);
    if (work.leave_alone) {
        entry.decided = nullptr;
        return;
    }
    const Standing last = last_of(entry);
    Standing& standing = work.standing;
    if (ours && work.refusal) {
        const bool has = !standing.addresses.empty();
        standing.condition =
            has ? sentences::assigned_but(*work.refusal) : sentences::not_assigned(*work.refusal);
        // Said once, not on every look, nor again after a restart.
        if (last.condition != standing.condition) {
            work.events.push_back(
                has && work.request ? sentences::second_failed(key, *work.refusal)
                                    : sentences::failed(key, *work.refusal)
            );
        }
    } else if (ours) {
        standing.condition = sentences::assigned(standing);
    }
    if (ours) {
        standing.ip_mode = ip_mode_for(service, standing, options_.ip_mode);
    }
    // A decision that returns to what the object shows is written too: it replaces the one before
    // it, which may still be on its way to the API.
    const bool decided_anew = standing != last;
    const bool shown = standing == standing_of(service);
    const bool write = decided_anew || !shown;
    if (write) {
        remember_sent(entry, standing.addresses);
    }
    if (decided_anew) {
        for (const std::string& annotation : ipam::deprecated_annotations(service)) {
            work.events.push_back(sentences::deprecated(annotation));
        }
    }
    entry.decided = shown ? nullptr : std::make_unique<const Standing>(standing);
    if (write || !work.events.empty()) {
        outcomes.push_back(
            {key, service.meta.uid, std::move(standing), write, std::move(work.events)}
        );
    }
}

}  // namespace steelyard::controller_plan
