#include "speaker/plan/bgp_policy.hpp"

#include "speaker/plan/ring.hpp"

#include <algorithm>
#include <set>

namespace steelyard::speaker_plan {
namespace {

using Slot = BgpOffer::Slot;

const std::vector<config::Pool>& pools_of(const BgpContext& context) {
    static const std::vector<config::Pool> kNone;
    return context.config ? context.config->pools : kNone;
}

bool names(const config::BgpAdvertisement& advertisement, const std::string& peer) {
    const auto& peers = advertisement.peers;
    return peers.empty() || std::find(peers.begin(), peers.end(), peer) != peers.end();
}

// What two advertisements have to agree on for one Service, or no peer could be told both.
std::string_view contradiction(
    const config::BgpAdvertisement& a, const config::BgpAdvertisement& b
) {
    if (a.local_pref != b.local_pref) {
        return "localPref";
    }
    if (a.med != b.med) {
        return "med";
    }
    return a.as_path_prepend != b.as_path_prepend ? "asPathPrepend" : "";
}

// Where Services share a prefix, their advertisements need not agree: what is set counts, and where
// several set it, the route is as good as the best of them would be.
void merge(BgpAttributes& into, const config::BgpAdvertisement& advertisement) {
    if (advertisement.local_pref) {
        into.local_pref = std::max(into.local_pref.value_or(0), *advertisement.local_pref);
    }
    if (advertisement.med) {
        into.med = std::min(into.med.value_or(*advertisement.med), *advertisement.med);
    }
    const std::uint32_t prepend = advertisement.as_path_prepend;
    if (prepend != 0) {
        into.prepend = into.prepend == 0 ? prepend : std::min(into.prepend, prepend);
    }
    into.communities.merge(advertisement.communities);
}

}  // namespace

bool BgpOffer::tells_weight(std::string_view peer) const {
    const auto found = std::lower_bound(
        slots.begin(),
        slots.end(),
        peer,
        [](const Slot& slot, std::string_view wanted) { return slot.peer < wanted; }
    );
    if (found != slots.end() && found->peer == peer) {
        return found->weighted;
    }
    // Not named: it is one of all.
    return !slots.empty() && slots.front().peer.empty() && slots.front().weighted;
}

BgpPaths paths_of(const std::vector<Slot>& slots) {
    const bool for_all = !slots.empty() && slots.front().peer.empty();
    std::map<BgpAttributes, std::vector<std::string>> named;
    for (const Slot& slot : slots) {
        if (!slot.peer.empty() && !(for_all && slot.attributes == slots.front().attributes)) {
            named[slot.attributes].push_back(slot.peer);
        }
    }
    BgpPaths paths;
    for (auto& [attributes, peers] : named) {
        paths.push_back({std::move(peers), attributes});
    }
    std::sort(paths.begin(), paths.end(), [](const BgpPath& a, const BgpPath& b) {
        return a.peers < b.peers;
    });
    if (for_all) {
        paths.push_back({{}, slots.front().attributes});
    }
    return paths;
}

BgpPolicy::BgpPolicy(const BgpContext& context) : context_(context), pools_(pools_of(context)) {
    if (!context_.config) {
        shut_ = BgpWhyNot::NoConfig;
        return;
    }
    const config::Config& config = *context_.config;
    by_pool_ = advertisements_by_pool(config.pools, config.bgp_advertisements);
    const kube::Node* node = context_.node.get();
    if (node != nullptr) {
        for (const config::BgpPeer& peer : config.bgp_peers) {
            if (kube::matches_any(peer.node_selectors, node->meta.labels)) {
                peers_.push_back(&peer);
            }
        }
        std::sort(peers_.begin(), peers_.end(), [](const auto* a, const auto* b) {
            return a->name < b->name;
        });
        if (node->network_unavailable) {
            shut_ = BgpWhyNot::NetworkUnavailable;
        } else if (!context_.ignore_exclude_label && node->meta.labels.contains(kExcludeLabel)) {
            shut_ = BgpWhyNot::ExcludedByLabel;
        }
    }
    for (const config::BgpAdvertisement& advertisement : config.bgp_advertisements) {
        here_.push_back(
            node != nullptr && kube::matches_any(advertisement.node_selectors, node->meta.labels)
        );
        reaches_.push_back(here_.back() && reaches_a_peer(advertisement));
    }
}

bool BgpPolicy::same_for_services(const BgpPolicy& other) const {
    return context_.load_balancer_class == other.context_.load_balancer_class &&
           context_.config == other.context_.config && shut_ == other.shut_ &&
           peers_ == other.peers_ && here_ == other.here_;
}

std::vector<std::string> BgpPolicy::peer_names() const {
    std::vector<std::string> names;
    for (const config::BgpPeer* peer : peers_) {
        names.push_back(peer->name);
    }
    return names;
}

const config::BgpAdvertisement& BgpPolicy::advertisement(std::uint32_t i) const {
    return context_.config->bgp_advertisements[i];
}

bool BgpPolicy::runs_here(const std::string& peer) const {
    return std::any_of(peers_.begin(), peers_.end(), [&](const config::BgpPeer* active) {
        return active->name == peer;
    });
}

bool BgpPolicy::reaches_a_peer(const config::BgpAdvertisement& advertisement) const {
    return std::any_of(peers_.begin(), peers_.end(), [&](const config::BgpPeer* active) {
        return names(advertisement, active->name);
    });
}

BgpPolicy::Covering BgpPolicy::covering(const net::IpAddress& address, const kube::Service& service)
    const {
    Covering covering;
    const auto pool = pools_.pool_of(address);
    if (!pool) {
        covering.why_not = BgpWhyNot::NotInPool;
        return covering;
    }
    BgpWhyNot why_not = BgpWhyNot::NoAdvertisement;
    for (const std::uint32_t i : by_pool_[*pool]) {
        if (!kube::matches_any(advertisement(i).service_selectors, service.meta.labels)) {
            continue;
        }
        if (reaches_[i]) {
            covering.advertisements.push_back(i);
        } else {
            why_not = std::max(why_not, here_[i] ? BgpWhyNot::NoPeer : BgpWhyNot::NotSelected);
        }
    }
    if (covering.advertisements.empty()) {
        covering.why_not = why_not;
    }
    return covering;
}

const BgpOffer& BgpPolicy::offer(const Advertisements& advertisements) {
    const auto found = offers_.find(advertisements);
    if (found != offers_.end()) {
        return found->second;
    }
    return offers_.emplace(advertisements, work_out(advertisements)).first->second;
}

BgpOffer BgpPolicy::work_out(const Advertisements& advertisements) const {
    BgpOffer offer;
    offer.advertisements = advertisements;
    std::set<std::string> peers;
    for (const std::uint32_t i : advertisements) {
        const auto& named = advertisement(i).peers;
        if (named.empty()) {
            peers.insert(std::string());
        }
        std::copy_if(
            named.begin(),
            named.end(),
            std::inserter(peers, peers.end()),
            [&](const std::string& peer) { return runs_here(peer); }
        );
    }
    for (const std::string& peer : peers) {
        Slot slot;
        slot.peer = peer;
        fill(slot, offer);
        offer.weighted = offer.weighted || slot.weighted;
        offer.slots.push_back(std::move(slot));
    }
    offer.paths = std::make_shared<const BgpPaths>(paths_of(offer.slots));
    return offer;
}

void BgpPolicy::fill(Slot& slot, BgpOffer& offer) const {
    std::optional<std::uint32_t> first;
    for (const std::uint32_t i : offer.advertisements) {
        const config::BgpAdvertisement& said = advertisement(i);
        if (!names(said, slot.peer)) {
            continue;
        }
        first = first.value_or(i);
        const std::string_view attribute = contradiction(advertisement(*first), said);
        if (!offer.conflict && !attribute.empty()) {
            offer.conflict = BgpOffer::Conflict{*first, i, attribute};
        }
        merge(slot.attributes, said);
        slot.weighted = slot.weighted || said.link_bandwidth;
    }
}

}  // namespace steelyard::speaker_plan
