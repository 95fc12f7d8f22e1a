#include "speaker/plan/suitability.hpp"

#include <algorithm>

namespace steelyard::speaker_plan {
namespace {

bool includes(const config::L2Advertisement& advertisement, const kube::Node& node) {
    return kube::matches_any(advertisement.node_selectors, node.meta.labels);
}

// An advertisement that names no interface allows all of them.
bool allows(const config::L2Advertisement& advertisement, const std::string& interface) {
    const auto& names = advertisement.interfaces;
    return names.empty() || std::find(names.begin(), names.end(), interface) != names.end();
}

template <class AnyInterface>
bool does(const AnyInterface& interface, net::Family family) {
    return family == net::Family::V4 ? interface.arp : interface.ndp;
}

// The best of the interfaces a node told about; links only get better.
elect::Link best_link(
    elect::Link link,
    const config::L2Advertisement& advertisement,
    const std::vector<MemberInterface>& interfaces,
    net::Family family
) {
    for (const MemberInterface& interface : interfaces) {
        if (does(interface, family) && allows(advertisement, interface.name)) {
            link = std::max(link, interface.up ? elect::Link::Up : elect::Link::Down);
        }
    }
    return link;
}

}  // namespace

Suitability::Suitability(const Snapshot& snapshot, const Ring& ring)
    : snapshot_(snapshot),
      ring_(ring),
      pools_(snapshot.config->pools),
      by_pool_(advertisements_by_pool(snapshot.config->pools, snapshot.config->l2_advertisements)),
      bgp_by_pool_(
          advertisements_by_pool(snapshot.config->pools, snapshot.config->bgp_advertisements)
      ) {}

Advertisements Suitability::advertisements(std::size_t pool, const kube::Service& service) const {
    Advertisements covering;
    for (const std::uint32_t i : by_pool_[pool]) {
        const auto& selectors = snapshot_.config->l2_advertisements[i].service_selectors;
        if (kube::matches_any(selectors, service.meta.labels)) {
            covering.push_back(i);
        }
    }
    return covering;
}

bool Suitability::is_for_bgp(std::size_t pool, const kube::Service& service) const {
    const auto& elsewhere = snapshot_.config->pools_advertised_elsewhere;
    const std::string& name = snapshot_.config->pools[pool].name;
    if (std::binary_search(elsewhere.begin(), elsewhere.end(), name)) {
        return true;
    }
    const Advertisements& named = bgp_by_pool_[pool];
    return std::any_of(named.begin(), named.end(), [&](std::uint32_t i) {
        const auto& selectors = snapshot_.config->bgp_advertisements[i].service_selectors;
        return kube::matches_any(selectors, service.meta.labels);
    });
}

const Coverage& Suitability::coverage(const Advertisements& advertisements, net::Family family) {
    const auto [entry, added] = known_.try_emplace({advertisements, family});
    Coverage& coverage = entry->second;
    if (!added) {
        return coverage;
    }
    elect::Fits fits;
    fits.reserve(ring_.nodes().size());
    for (const RingNode& candidate : ring_.nodes()) {
        fits.push_back(fit(candidate, advertisements, family));
        if (candidate.node->meta.key.name == snapshot_.node_name) {
            look_here(*candidate.node, advertisements, family, coverage);
        }
    }
    coverage.fits = static_cast<std::uint32_t>(fits_.size());
    fits_.push_back(std::move(fits));
    return coverage;
}

elect::Fit Suitability::fit(
    const RingNode& candidate, const Advertisements& advertisements, net::Family family
) const {
    elect::Fit fit;
    fit.selected = false;
    for (const std::uint32_t i : advertisements) {
        const config::L2Advertisement& advertisement = snapshot_.config->l2_advertisements[i];
        if (!includes(advertisement, *candidate.node)) {
            continue;
        }
        fit.selected = true;
        for (const auto& preferred : advertisement.preferred_nodes) {
            if (kube::matches(preferred.preference, candidate.node->meta.labels)) {
                fit.preference += static_cast<std::int32_t>(preferred.weight);
            }
        }
        if (candidate.member != nullptr && candidate.member->interfaces) {
            fit.link = best_link(
                std::max(fit.link, elect::Link::None),
                advertisement,
                *candidate.member->interfaces,
                family
            );
        }
    }
    return fit;
}

void Suitability::look_here(
    const kube::Node& node,
    const Advertisements& advertisements,
    net::Family family,
    Coverage& coverage
) const {
    std::vector<const config::L2Advertisement*> mine;
    for (const std::uint32_t i : advertisements) {
        const config::L2Advertisement& advertisement = snapshot_.config->l2_advertisements[i];
        if (includes(advertisement, node)) {
            mine.push_back(&advertisement);
            coverage.every_interface = coverage.every_interface || advertisement.interfaces.empty();
        }
    }
    for (const LocalInterface& interface : snapshot_.interfaces) {
        const bool allowed = std::any_of(mine.begin(), mine.end(), [&](const auto* advertisement) {
            return allows(*advertisement, interface.name);
        });
        if (allowed && does(interface, family)) {
            coverage.usable.push_back(interface.name);
        }
    }
    std::sort(coverage.usable.begin(), coverage.usable.end());
}

}  // namespace steelyard::speaker_plan
