#include "common/config/parse.hpp"

#include <algorithm>

namespace steelyard::config {

bool share_a_node(
    const std::optional<Scope>& scope,
    const std::vector<kube::LabelSelector>& a,
    const std::vector<kube::LabelSelector>& b
) {
    return scope || a.empty() || b.empty() ||
           std::any_of(a.begin(), a.end(), [&](const kube::LabelSelector& selector) {
               return std::find(b.begin(), b.end(), selector) != b.end();
           });
}

ParseResult parse(const Objects& objects) {
    ParseResult result;
    std::vector<Problem>& problems = result.problems;
    Config config;
    config.pools = parse_pools(objects.pools, problems);
    config.policies =
        parse_allocation_policies(objects.allocation_policies, config.pools, problems);
    config.l2_advertisements =
        parse_l2_advertisements(objects.l2_advertisements, config.pools, problems);
    config.bfd_profiles = parse_bfd_profiles(objects.bfd_profiles, problems);
    config.bgp_peers = parse_bgp_peers(objects, config.bfd_profiles, problems);
    const Aliases aliases = parse_aliases(objects.communities, problems);
    config.bgp_advertisements = parse_bgp_advertisements(objects, config.pools, aliases, problems);
    config.pools_advertised_elsewhere = pools_advertised_elsewhere(objects, config.pools);
    if (problems.empty()) {
        result.config = std::make_shared<const Config>(std::move(config));
    } else {
        result.partial = without_wrong(std::move(config), objects, aliases, problems);
    }
    return result;
}

}  // namespace steelyard::config
