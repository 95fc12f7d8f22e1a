#pragma once

#include "common/config/config.hpp"
#include "common/config/rules.hpp"

#include <algorithm>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

// One function a kind, each in the file of that name; parse() calls them in the order in which they
// need one another. Every function returns all its objects, wrong ones included, so that a mistake
// is told once and not again by whoever refers to its object. Private to the room.
namespace steelyard::config {

[[nodiscard]] std::vector<Pool> parse_pools(
    const std::vector<kube::IpAddressPool>& objects, std::vector<Problem>& problems
);
[[nodiscard]] std::vector<AllocationPolicy> parse_allocation_policies(
    const std::vector<kube::AllocationPolicy>& objects,
    const std::vector<Pool>& pools,
    std::vector<Problem>& problems
);
[[nodiscard]] std::vector<L2Advertisement> parse_l2_advertisements(
    const std::vector<kube::L2Advertisement>& objects,
    const std::vector<Pool>& pools,
    std::vector<Problem>& problems
);
[[nodiscard]] std::vector<BfdProfile> parse_bfd_profiles(
    const std::vector<kube::BfdProfile>& objects, std::vector<Problem>& problems
);
// Takes from `objects` the peers, the Secrets and the scope.
[[nodiscard]] std::vector<BgpPeer> parse_bgp_peers(
    const Objects& objects, const std::vector<BfdProfile>& profiles, std::vector<Problem>& problems
);

// What the aliases stand for; nullopt for one that is wrong, which is told already.
using Aliases = std::map<std::string, std::optional<Communities>>;
[[nodiscard]] Aliases parse_aliases(
    const std::vector<kube::Community>& objects, std::vector<Problem>& problems
);
// Takes from `objects` the advertisements and the scope.
[[nodiscard]] std::vector<BgpAdvertisement> parse_bgp_advertisements(
    const Objects& objects,
    const std::vector<Pool>& pools,
    const Aliases& aliases,
    std::vector<Problem>& problems
);

// By the advertisements that the scope leaves out, whatever else is wrong with them.
[[nodiscard]] std::vector<std::string> pools_advertised_elsewhere(
    const Objects& objects, const std::vector<Pool>& pools
);

// ParseResult::partial, given a configuration of all objects, wrong ones included.
[[nodiscard]] std::shared_ptr<const Config> without_wrong(
    Config config,
    const Objects& objects,
    const Aliases& aliases,
    const std::vector<Problem>& problems
);

// Everything, as far as it can be understood: wrong objects are in `config` too.
struct Parsed {
    Config config;
    Aliases aliases;
    std::vector<Problem> problems;
};
[[nodiscard]] Parsed parse_all(const Objects& objects);

// The warnings of validate(); told for right and wrong objects alike.
[[nodiscard]] std::vector<Problem> warn(const Objects& objects, const Config& config);

// The objects sorted by name; a name given twice is a problem.
template <class T>
[[nodiscard]] std::vector<const T*> by_name(
    Kind kind, const std::vector<T>& objects, std::vector<Problem>& problems
) {
    std::vector<const T*> sorted;
    sorted.reserve(objects.size());
    for (const T& object : objects) {
        sorted.push_back(&object);
    }
    std::stable_sort(sorted.begin(), sorted.end(), [](const T* a, const T* b) {
        return a->meta.key.name < b->meta.key.name;
    });
    for (std::size_t i = 1; i < sorted.size(); ++i) {
        const kube::ObjectKey& key = sorted[i]->meta.key;
        if (sorted[i - 1]->meta.key.name == key.name) {
            ObjectCheck(kind, key, problems)
                .add("metadata.name", key.name, "names are unique within the namespace");
        }
    }
    return sorted;
}

// Leaves out what does not select the node of the scope.
template <class T>
[[nodiscard]] std::vector<T> in_scope(
    const std::vector<T>& objects, const std::optional<Scope>& scope
) {
    std::vector<T> result;
    for (const T& object : objects) {
        if (!scope || kube::matches_any(object.node_selectors, scope->labels)) {
            result.push_back(object);
        }
    }
    return result;
}

// Whether two objects surely meet on some node. Both passed in_scope(): with a scope they do;
// without one the nodes are not known, so it takes a selector that selects nothing but what one of
// the other selects, or two that list a value of one label in common.
[[nodiscard]] bool share_a_node(
    const std::optional<Scope>& scope,
    const std::vector<kube::LabelSelector>& a,
    const std::vector<kube::LabelSelector>& b
);

}  // namespace steelyard::config
