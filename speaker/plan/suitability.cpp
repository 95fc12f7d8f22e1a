#include "speaker/plan/suitability.hpp"

#include <algorithm>
#include <utility>

namespace steelyard::speaker_plan {
namespace {

bool includes(const config::L2Advertisement& advertisement, const kube::Node& node) {
    return kube::matches_any(advertisement.node_selectors, node.meta.labels);
}

bool covers(
    const config::L2Advertisement& advertisement,
    const std::string& pool,
    const std::vector<const kube::Service*>& services
) {
    const auto& pools = advertisement.pools;
    return std::find(pools.begin(), pools.end(), pool) != pools.end() &&
           std::any_of(services.begin(), services.end(), [&](const kube::Service* service) {
               return kube::matches_any(advertisement.service_selectors, service->meta.labels);
           });
}

bool contains(const std::vector<std::string>& names, const std::string& name) {
    return std::find(names.begin(), names.end(), name) != names.end();
}

}  // namespace

void Suitability::add_node(const kube::Node& node, const MemberView* member) {
    candidates_.push_back({&node, member});
}

const Coverage& Suitability::coverage(
    const std::string& pool, const std::vector<const kube::Service*>& services
) {
    std::vector<const config::L2Advertisement*> advertisements;
    for (const config::L2Advertisement& advertisement : snapshot_.config->l2_advertisements) {
        if (covers(advertisement, pool, services)) {
            advertisements.push_back(&advertisement);
        }
    }
    const auto known = known_.find(advertisements);
    if (known != known_.end()) {
        return known->second;
    }
    Coverage computed = compute(advertisements);
    return known_.emplace(std::move(advertisements), std::move(computed)).first->second;
}

Coverage Suitability::compute(std::vector<const config::L2Advertisement*> advertisements) const {
    Coverage coverage;
    for (const Candidate& candidate : candidates_) {
        coverage.fits.push_back(fit(candidate, advertisements));
        if (candidate.node->meta.key.name != snapshot_.node_name) {
            continue;
        }
        for (const config::L2Advertisement* advertisement : advertisements) {
            if (includes(*advertisement, *candidate.node)) {
                const auto& names = advertisement->interfaces;
                coverage.all_interfaces = coverage.all_interfaces || names.empty();
                coverage.interfaces.insert(coverage.interfaces.end(), names.begin(), names.end());
            }
        }
    }
    coverage.advertisements = std::move(advertisements);
    return coverage;
}

elect::Fit Suitability::fit(
    const Candidate& candidate, const std::vector<const config::L2Advertisement*>& advertisements
) {
    elect::Fit fit;
    fit.selected = false;
    bool has_interface = false;
    for (const config::L2Advertisement* advertisement : advertisements) {
        if (!includes(*advertisement, *candidate.node)) {
            continue;
        }
        fit.selected = true;
        for (const auto& preferred : advertisement->preferred_nodes) {
            if (kube::matches(preferred.preference, candidate.node->meta.labels)) {
                fit.preference += static_cast<std::int32_t>(preferred.weight);
            }
        }
        // Only what a node told everybody counts: all must elect alike.
        if (candidate.member != nullptr && candidate.member->interfaces) {
            const auto& present = *candidate.member->interfaces;
            const auto& allowed = advertisement->interfaces;
            has_interface =
                has_interface || (allowed.empty() && !present.empty()) ||
                std::any_of(allowed.begin(), allowed.end(), [&](const std::string& name) {
                    return contains(present, name);
                });
            fit.has_interface = has_interface;
        }
    }
    return fit;
}

std::vector<std::string> Suitability::usable_here(const Coverage& coverage, net::Family family)
    const {
    std::vector<std::string> names;
    for (const LocalInterface& interface : snapshot_.interfaces) {
        const bool able = family == net::Family::V4 ? interface.arp : interface.ndp;
        if (able && (coverage.all_interfaces || contains(coverage.interfaces, interface.name))) {
            names.push_back(interface.name);
        }
    }
    std::sort(names.begin(), names.end());
    return names;
}

}  // namespace steelyard::speaker_plan
