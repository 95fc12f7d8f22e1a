#include "speaker/plan/bgp_state.hpp"

#include <algorithm>
#include <limits>
#include <utility>

namespace steelyard::speaker_plan {
namespace {

// What differs between what is held and what there is now; null: gone.
template <class Held, class T, class Ref>
std::vector<std::pair<kube::ObjectKey, std::shared_ptr<const T>>> differences(
    const Held& held, const Objects<T>& now, const Ref& ref
) {
    std::vector<std::pair<kube::ObjectKey, std::shared_ptr<const T>>> changed;
    auto old = held.begin();
    const auto gone_before = [&](const kube::ObjectKey* key) {
        for (; old != held.end() && (key == nullptr || old->first < *key); ++old) {
            if (ref(old->second)) {
                changed.emplace_back(old->first, nullptr);
            }
        }
    };
    for (const auto& [key, object] : now) {
        gone_before(&key);
        const bool there = old != held.end() && old->first == key;
        if (!there || ref(old->second) != object) {
            changed.emplace_back(key, object);
        }
        if (there) {
            ++old;
        }
    }
    gone_before(nullptr);
    return changed;
}

std::vector<BgpAddress> addresses_of(const kube::Service& service) {
    std::vector<BgpAddress> addresses;
    for (const kube::LoadBalancerIngress& ingress : service.ingress) {
        if (ingress.ip) {
            addresses.push_back({*ingress.ip, {}, std::nullopt});
        }
    }
    const auto by_address = [](const BgpAddress& a, const BgpAddress& b) {
        return a.address < b.address;
    };
    std::sort(addresses.begin(), addresses.end(), by_address);
    addresses.erase(std::unique(addresses.begin(), addresses.end()), addresses.end());
    return addresses;
}

std::size_t index_of(net::Family family) {
    return family == net::Family::V4 ? 0 : 1;
}

}  // namespace

void BgpPlanner::State::set_context(BgpContext context) {
    plan_.draining = context.draining;
    auto policy = std::make_unique<BgpPolicy>(context);
    if (!policy->same_for_services(next_policy_ ? *next_policy_ : *policy_)) {
        next_policy_ = std::move(policy);
    }
}

void BgpPlanner::State::set_service(
    const kube::ObjectKey& key, std::shared_ptr<const kube::Service> service
) {
    auto& entry = *entries_.try_emplace(key).first;
    std::shared_ptr<const kube::Service>& slot = entry.second.service;
    if (slot) {
        for (const BgpAddress& held : addresses_of(*slot)) {
            const auto [first, last] = holders_.equal_range(held.address);
            const auto own = std::find_if(first, last, [&](const auto& holder) {
                return holder.second == &entry;
            });
            holders_.erase(own);
        }
    }
    slot = std::move(service);
    if (slot) {
        for (const BgpAddress& held : addresses_of(*slot)) {
            holders_.emplace(held.address, &entry);
        }
    }
    soil(entry);
}

void BgpPlanner::State::set_slice(const kube::ObjectKey& key, SliceRef slice) {
    if (const auto old = slices_.find(key); old != slices_.end()) {
        // The label that names the Service can change: forget the slice where it was.
        auto& owner = *entries_.find(kube::ObjectKey{key.ns, old->second->service});
        std::erase(owner.second.slices, old->second);
        slices_.erase(old);
        soil(owner);
    }
    if (slice) {
        auto& owner = *entries_.try_emplace(kube::ObjectKey{key.ns, slice->service}).first;
        owner.second.slices.push_back(slice);
        slices_.emplace(key, std::move(slice));
        soil(owner);
    }
}

void BgpPlanner::State::set_servable(std::optional<std::vector<net::IpAddress>> addresses) {
    if (addresses && servable_) {
        std::vector<net::IpAddress> changed;
        std::set_symmetric_difference(
            addresses->begin(),
            addresses->end(),
            servable_->begin(),
            servable_->end(),
            std::back_inserter(changed)
        );
        for (const net::IpAddress& address : changed) {
            soil_holders(address);
        }
    } else if (addresses.has_value() != servable_.has_value()) {
        for (auto& entry : entries_) {
            soil(entry);
        }
    }
    servable_ = std::move(addresses);
}

void BgpPlanner::State::sync_services(const Objects<kube::Service>& services) {
    const auto ref = [](const Entry& entry) -> const std::shared_ptr<const kube::Service>& {
        return entry.service;
    };
    for (auto& [key, service] : differences(entries_, services, ref)) {
        set_service(key, std::move(service));
    }
}

void BgpPlanner::State::sync_slices(const Objects<kube::EndpointSlice>& slices) {
    const auto ref = [](const SliceRef& slice) -> const SliceRef& {
        return slice;
    };
    for (auto& [key, slice] : differences(slices_, slices, ref)) {
        set_slice(key, std::move(slice));
    }
}

void BgpPlanner::State::soil(Entries::value_type& entry) {
    if (!entry.second.dirty) {
        entry.second.dirty = true;
        dirty_.push_back(&entry);
    }
}

void BgpPlanner::State::soil_holders(const net::IpAddress& address) {
    const auto [first, last] = holders_.equal_range(address);
    for (auto holder = first; holder != last; ++holder) {
        soil(*holder->second);
    }
}

// The parts point into the old policy: all of them go, and every route is looked at again.
void BgpPlanner::State::start_again(std::vector<net::Prefix>& touched) {
    tallies_.clear();
    for (auto& entry : entries_) {
        entry.second.parts.clear();
        soil(entry);
    }
    for (const auto& [prefix, route] : plan_.routes) {
        touched.push_back(prefix);
    }
    policy_ = std::move(next_policy_);
    plan_.peers = policy_->peer_names();
}

BgpChanges BgpPlanner::State::update() {
    BgpChanges changes;
    changes.sequence = sequence_ + 1;
    std::vector<net::Prefix> touched;
    if (next_policy_) {
        start_again(touched);
    }
    std::sort(dirty_.begin(), dirty_.end(), [](const auto* a, const auto* b) {
        return a->first < b->first;
    });
    for (auto* entry : dirty_) {
        replan(*entry, touched, changes);
        entry->second.dirty = false;
        if (!entry->second.service && entry->second.slices.empty()) {
            entries_.erase(entries_.find(entry->first));
        }
    }
    dirty_.clear();
    std::sort(touched.begin(), touched.end());
    touched.erase(std::unique(touched.begin(), touched.end()), touched.end());
    for (const net::Prefix& prefix : touched) {
        settle(prefix, changes);
    }
    if (changes.changes_routes()) {
        sequence_ = changes.sequence;
    } else {
        changes.sequence = sequence_;
    }
    return changes;
}

bool BgpPlanner::State::is_ours(const Entry& entry) const {
    return entry.service && entry.service->type == kube::ServiceType::LoadBalancer &&
           entry.service->load_balancer_class == policy_->context().load_balancer_class;
}

BgpPlanner::State::BothFamilies BgpPlanner::State::serving(const Entry& entry) const {
    BothFamilies both;
    for (const SliceRef& slice : entry.slices) {
        Serving& serving = both[index_of(slice->family)];
        for (const kube::SliceEndpoint& endpoint : slice->endpoints) {
            // One that terminates but still serves counts: it is all there is during a roll-out.
            if (!(endpoint.ready || endpoint.serving) || !endpoint.address) {
                continue;
            }
            serving.anywhere = true;
            if (endpoint.node_name == policy_->context().node_name) {
                serving.here = true;
                serving.ready_here += endpoint.ready ? 1U : 0U;
            }
        }
    }
    return both;
}

std::optional<BgpWhyNot> BgpPlanner::State::withheld(
    const net::IpAddress& address, const kube::Service& service, const Serving& serving
) const {
    if (policy_->shut()) {
        return policy_->shut();
    }
    if (!serving.anywhere) {
        return BgpWhyNot::NoEndpoints;
    }
    if (service.external_traffic_policy == kube::TrafficPolicy::Local && !serving.here) {
        return BgpWhyNot::NoLocalEndpoints;
    }
    if (servable_ && !std::binary_search(servable_->begin(), servable_->end(), address)) {
        return BgpWhyNot::NotServable;
    }
    return std::nullopt;
}

BgpPlanner::State::Planned BgpPlanner::State::planned(const Entry& entry) {
    const kube::Service& service = *entry.service;
    const BothFamilies both = serving(entry);
    Planned out;
    std::vector<BgpAddress>& addresses = out.service.addresses;
    addresses = addresses_of(service);
    std::vector<Piece> pieces;
    for (std::size_t i = 0; i < addresses.size(); ++i) {
        const net::IpAddress& address = addresses[i].address;
        if (policy_->shut() == BgpWhyNot::NoConfig) {
            addresses[i].why_not = BgpWhyNot::NoConfig;
            continue;
        }
        const BgpPolicy::Covering covering = policy_->covering(address, service);
        addresses[i].why_not = covering.why_not
                                   ? covering.why_not
                                   : withheld(address, service, both[index_of(address.family())]);
        for (const std::uint32_t advertisement : covering.advertisements) {
            const unsigned length =
                policy_->advertisement(advertisement).aggregation(address.family());
            pieces.push_back({net::Prefix(address, length), advertisement, i});
        }
    }
    std::sort(pieces.begin(), pieces.end());
    for (auto piece = pieces.cbegin(); piece != pieces.cend();) {
        const auto end = std::find_if(piece, pieces.cend(), [&](const Piece& other) {
            return other.prefix != piece->prefix;
        });
        join(piece, end, both, out);
        piece = end;
    }
    for (BgpAddress& address : addresses) {
        if (address.prefixes.empty() && !address.why_not) {
            address.why_not = BgpWhyNot::Conflict;
        }
    }
    return out;
}

// All that the Service has to say about one prefix. A contradiction is one even while nothing
// serves the address: the user should not find it out later.
void BgpPlanner::State::join(
    std::vector<Piece>::const_iterator piece,
    std::vector<Piece>::const_iterator end,
    const BothFamilies& serving,
    Planned& out
) {
    const net::Prefix prefix = piece->prefix;
    Advertisements all;
    Advertisements in_force;
    const auto add = [](Advertisements& to, std::uint32_t advertisement) {
        if (to.empty() || to.back() != advertisement) {
            to.push_back(advertisement);
        }
    };
    for (auto each = piece; each != end; ++each) {
        add(all, each->advertisement);
        if (!out.service.addresses[each->address].why_not) {
            add(in_force, each->advertisement);
        }
    }
    if (const auto& conflict = policy_->offer(all).conflict) {
        out.service.conflicts.push_back(
            {prefix,
             std::string(conflict->attribute),
             policy_->advertisement(conflict->first).name,
             policy_->advertisement(conflict->second).name}
        );
        return;
    }
    if (in_force.empty()) {
        return;
    }
    const BgpOffer& offer = policy_->offer(in_force);
    const Serving& here = serving[index_of(prefix.address().family())];
    out.parts.push_back({prefix, &offer, offer.weighted ? here.ready_here : 0});
    for (; piece != end; ++piece) {
        BgpAddress& address = out.service.addresses[piece->address];
        if (!address.why_not && (address.prefixes.empty() || address.prefixes.back() != prefix)) {
            address.prefixes.push_back(prefix);
        }
    }
}

void BgpPlanner::State::replan(
    Entries::value_type& entry, std::vector<net::Prefix>& touched, BgpChanges& changes
) {
    Planned next;
    BgpServiceRef after;
    if (is_ours(entry.second)) {
        next = planned(entry.second);
        after = std::make_shared<const BgpService>(std::move(next.service));
    }
    if (next.parts != entry.second.parts) {
        for (const Part& part : entry.second.parts) {
            count(part, false);
            touched.push_back(part.prefix);
        }
        for (const Part& part : next.parts) {
            count(part, true);
            touched.push_back(part.prefix);
        }
        entry.second.parts = std::move(next.parts);
    }
    const auto held = plan_.services.find(entry.first);
    BgpServiceRef before = held == plan_.services.end() ? nullptr : held->second;
    if (before && after ? *before == *after : before == after) {
        return;
    }
    if (!after) {
        plan_.services.erase(held);
    } else if (before) {
        held->second = after;
    } else {
        plan_.services.emplace(entry.first, after);
    }
    changes.services.push_back({entry.first, std::move(before), std::move(after)});
}

void BgpPlanner::State::count(const Part& part, bool in) {
    const auto entry = tallies_.try_emplace(part.prefix).first;
    std::vector<Tally>& tallies = entry->second;
    auto tally = std::find_if(tallies.begin(), tallies.end(), [&](const Tally& known) {
        return known.offer == part.offer;
    });
    if (tally == tallies.end()) {
        tally = tallies.insert(tally, Tally{part.offer, 0, 0});
    }
    if (in) {
        ++tally->services;
        tally->weight += part.weight;
        return;
    }
    --tally->services;
    tally->weight -= part.weight;
    if (tally->services == 0) {
        tallies.erase(tally);
        if (tallies.empty()) {
            tallies_.erase(entry);
        }
    }
}

// What each peer hears of a prefix is the union over the Services in it; their weights add up, so
// that the nodes' shares stay those of their endpoints.
std::shared_ptr<const BgpPaths> BgpPlanner::State::paths_for(const std::vector<Tally>& tallies) {
    const BgpOffer* offer = tallies.front().offer;
    if (tallies.size() > 1) {
        Advertisements all;
        for (const Tally& tally : tallies) {
            const Advertisements& more = tally.offer->advertisements;
            all.insert(all.end(), more.begin(), more.end());
        }
        std::sort(all.begin(), all.end());
        all.erase(std::unique(all.begin(), all.end()), all.end());
        offer = &policy_->offer(all);
    }
    if (!offer->weighted) {
        return offer->paths;
    }
    constexpr std::uint64_t kMost = std::numeric_limits<std::uint32_t>::max();
    std::vector<BgpOffer::Slot> slots = offer->slots;
    for (BgpOffer::Slot& slot : slots) {
        std::uint64_t weight = 0;
        for (const Tally& tally : tallies) {
            weight += tally.offer->tells_weight(slot.peer) ? tally.weight : 0;
        }
        if (slot.weighted) {
            // A weight of 0 would mean nothing at all to some routers.
            weight = std::clamp<std::uint64_t>(weight, 1, kMost);
            slot.attributes.link_bandwidth_weight = static_cast<std::uint32_t>(weight);
        }
    }
    return std::make_shared<const BgpPaths>(paths_of(slots));
}

void BgpPlanner::State::settle(const net::Prefix& prefix, BgpChanges& changes) {
    const auto route = plan_.routes.find(prefix);
    const auto tallies = tallies_.find(prefix);
    if (tallies == tallies_.end()) {
        if (route != plan_.routes.end()) {
            plan_.routes.erase(route);
            changes.remove.push_back(prefix);
        }
        return;
    }
    std::shared_ptr<const BgpPaths> paths = paths_for(tallies->second);
    if (route == plan_.routes.end()) {
        plan_.routes.emplace(prefix, BgpRoute(paths, changes.sequence));
    } else {
        const auto& held = route->second.paths();
        const bool same = held == paths || *held == *paths;
        route->second.set(paths, changes.sequence);
        if (same) {
            return;
        }
    }
    changes.upsert.push_back({prefix, std::move(paths)});
}

}  // namespace steelyard::speaker_plan
