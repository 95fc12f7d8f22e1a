#include "common/config/parse.hpp"

namespace steelyard::config {

Parsed parse_all(const Objects& objects) {
    Parsed parsed;
    Config& config = parsed.config;
    std::vector<Problem>& problems = parsed.problems;
    config.pools = parse_pools(objects.pools, problems);
    config.policies =
        parse_allocation_policies(objects.allocation_policies, config.pools, problems);
    config.l2_advertisements =
        parse_l2_advertisements(objects.l2_advertisements, config.pools, problems);
    config.bfd_profiles = parse_bfd_profiles(objects.bfd_profiles, problems);
    config.bgp_peers = parse_bgp_peers(objects, config.bfd_profiles, problems);
    parsed.aliases = parse_aliases(objects.communities, problems);
    config.bgp_advertisements =
        parse_bgp_advertisements(objects, config.pools, parsed.aliases, problems);
    config.pools_advertised_elsewhere = pools_advertised_elsewhere(objects, config.pools);
    return parsed;
}

ParseResult parse(const Objects& objects) {
    Parsed parsed = parse_all(objects);
    ParseResult result;
    result.problems = std::move(parsed.problems);
    if (result.problems.empty()) {
        result.config = std::make_shared<const Config>(std::move(parsed.config));
    } else {
        result.partial =
            without_wrong(std::move(parsed.config), objects, parsed.aliases, result.problems);
    }
    return result;
}

}  // namespace steelyard::config
