#include "common/config/parse.hpp"
#include "common/config/rules.hpp"

#include <algorithm>
#include <limits>
#include <set>

namespace steelyard::config {
namespace {

constexpr std::int64_t kMax32 = std::numeric_limits<std::uint32_t>::max();
// As MetalLB. The wire has room for about a thousand of 4 bytes in a message of 4096, but routers
// cut long lists down.
constexpr std::size_t kMaxCommunities = 63;
constexpr std::int64_t kMaxPrepend = 10;

// `pools` holds the name: it comes from select_pools().
const Pool& pool_named(const std::vector<Pool>& pools, const std::string& name) {
    return *std::lower_bound(
        pools.begin(),
        pools.end(),
        name,
        [](const Pool& pool, const std::string& wanted) { return pool.name < wanted; }
    );
}

class AdvertisementParser {
public:
    AdvertisementParser(
        const kube::BgpAdvertisement& object,
        const std::vector<Pool>& pools,
        const Aliases& aliases,
        std::vector<Problem>& problems
    )
        : object_(object),
          pools_(pools),
          aliases_(aliases),
          check_(Kind::BgpAdvertisement, object.meta.key, problems) {}

    BgpAdvertisement parse() {
        ad_.name = object_.meta.key.name;
        ad_.pools = select_pools(
            object_.ip_address_pools, object_.ip_address_pool_selectors, pools_, check_
        );
        check_.selectors("spec.nodeSelectors", object_.node_selectors);
        ad_.node_selectors = object_.node_selectors;
        check_.unique_names("spec.peers", object_.peers);
        ad_.peers = object_.peers;
        parse_attributes();
        parse_communities();
        parse_aggregation();
        check_.selectors("spec.serviceSelectors", object_.service_selectors);
        ad_.service_selectors = object_.service_selectors;
        return std::move(ad_);
    }

private:
    void parse_attributes() {
        const auto local_pref = static_cast<std::uint32_t>(
            check_.number("spec.localPref", object_.local_pref, 0, kMax32, 0)
        );
        if (local_pref != 0) {
            ad_.local_pref = local_pref;
        }
        ad_.med = check_.number<std::uint32_t>("spec.med", object_.med, 0, kMax32);
        ad_.as_path_prepend =
            check_
                .number<std::uint8_t>("spec.asPathPrepend", object_.as_path_prepend, 0, kMaxPrepend)
                .value_or(0);
        ad_.link_bandwidth = object_.link_bandwidth;
    }

    // An alias hides a registered name: the user's word counts.
    void parse_communities() {
        check_.unique_names("spec.communities", object_.communities);
        if (object_.communities.size() > kMaxCommunities) {
            check_.add(
                "spec.communities",
                std::to_string(object_.communities.size()) + " communities",
                "list at most " + std::to_string(kMaxCommunities)
            );
        }
        for (std::size_t i = 0; i < object_.communities.size(); ++i) {
            const std::string& text = object_.communities[i];
            const auto alias = aliases_.find(text);
            const bool known = alias != aliases_.end();
            const std::optional<Communities> value = known ? alias->second : parse_community(text);
            if (value) {
                ad_.communities.merge(*value);
            } else if (!known && !text.empty()) {  // "" and a wrong alias are told already
                check_.add(
                    at("spec.communities", i),
                    text,
                    std::string(kCommunityAccepted) + ", or a name that a Community object defines"
                );
            }
        }
    }

    // `longest` is the default, too; it keeps a wrong length from being told again for each pool.
    std::uint8_t length(
        const std::string& field, const std::optional<std::int64_t>& written, std::uint8_t longest
    ) {
        return static_cast<std::uint8_t>(
            check_.number(field, written.value_or(longest), 1, longest, longest)
        );
    }

    void parse_aggregation() {
        const std::string v4 = "spec.aggregationLength";
        const std::string v6 = "spec.aggregationLengthV6";
        ad_.aggregation_length = length(v4, object_.aggregation_length, ad_.aggregation_length);
        ad_.aggregation_length_v6 =
            length(v6, object_.aggregation_length_v6, ad_.aggregation_length_v6);
        check_against_pools(v4, net::Family::V4);
        check_against_pools(v6, net::Family::V6);
        if (!object_.service_selectors.empty() &&
            (ad_.aggregation_length != 32 || ad_.aggregation_length_v6 != 128)) {
            check_.add(
                "spec.serviceSelectors",
                describe(object_.service_selectors.front()),
                "Services can be told apart only with aggregationLength 32 and "
                "aggregationLengthV6 128"
            );
        }
    }

    // An aggregate wider than what the pool holds would attract traffic for addresses of others.
    // Told once a family, for the range that needs the longest prefix.
    void check_against_pools(const std::string& field, net::Family family) {
        unsigned needed = 0;
        std::string where;
        for (const std::string& name : ad_.pools) {
            for (const net::Range& range : pool_named(pools_, name).ranges) {
                const unsigned length = range.family() == family ? shortest_block(range) : 0;
                if (length > needed) {
                    needed = length;
                    where = to_string(range) + " of IPAddressPool " + name;
                }
            }
        }
        if (ad_.aggregation(family) < needed) {
            check_.add(
                field,
                std::to_string(ad_.aggregation(family)),
                "give at least " + std::to_string(needed) + ", as " + where +
                    " holds no wider block"
            );
        }
    }

    const kube::BgpAdvertisement& object_;
    const std::vector<Pool>& pools_;
    const Aliases& aliases_;
    ObjectCheck check_;
    BgpAdvertisement ad_;
};

// What two advertisements of one prefix to one peer have to agree on, because the peer gets one
// route.
struct Attribute {
    std::string_view name;
    std::int64_t value;
    std::int64_t other;
};

std::optional<Attribute> disagreement(const BgpAdvertisement& a, const BgpAdvertisement& b) {
    const auto number = [](const std::optional<std::uint32_t>& value) {
        return value ? std::int64_t{*value} : -1;
    };
    if (a.local_pref != b.local_pref) {
        return Attribute{"localPref", a.local_pref.value_or(0), b.local_pref.value_or(0)};
    }
    if (a.med != b.med) {
        return Attribute{"med", number(a.med), number(b.med)};
    }
    if (a.as_path_prepend != b.as_path_prepend) {
        return Attribute{"asPathPrepend", a.as_path_prepend, b.as_path_prepend};
    }
    return std::nullopt;
}

bool share_a_peer(const BgpAdvertisement& a, const BgpAdvertisement& b) {
    return a.peers.empty() || b.peers.empty() ||
           std::any_of(a.peers.begin(), a.peers.end(), [&](const std::string& peer) {
               return std::find(b.peers.begin(), b.peers.end(), peer) != b.peers.end();
           });
}

// The first pool with addresses that both roll up to prefixes of one length.
const Pool* pool_of_equal_prefixes(
    const BgpAdvertisement& a, const BgpAdvertisement& b, const std::vector<Pool>& pools
) {
    std::vector<std::string> common;
    std::set_intersection(
        a.pools.begin(), a.pools.end(), b.pools.begin(), b.pools.end(), std::back_inserter(common)
    );
    for (const std::string& name : common) {
        const Pool& pool = pool_named(pools, name);
        if (std::any_of(pool.ranges.begin(), pool.ranges.end(), [&](const net::Range& range) {
                return a.aggregation(range.family()) == b.aggregation(range.family());
            })) {
            return &pool;
        }
    }
    return nullptr;
}

std::string shown(std::int64_t value) {
    return value < 0 ? "none" : std::to_string(value);
}

void check_conflicts(
    const std::vector<const kube::BgpAdvertisement*>& objects,
    const std::vector<BgpAdvertisement>& ads,
    const std::vector<Pool>& pools,
    const std::optional<Scope>& scope,
    std::vector<Problem>& problems
) {
    for (std::size_t i = 0; i < ads.size(); ++i) {
        for (std::size_t j = 0; j < i; ++j) {
            const BgpAdvertisement& a = ads[i];
            const BgpAdvertisement& b = ads[j];
            const auto attribute = disagreement(a, b);
            // With serviceSelectors only the Services tell: the speaker looks at each.
            if (!attribute || !a.service_selectors.empty() || !b.service_selectors.empty() ||
                !share_a_peer(a, b) || !share_a_node(scope, a.node_selectors, b.node_selectors)) {
                continue;
            }
            if (const Pool* pool = pool_of_equal_prefixes(a, b, pools)) {
                ObjectCheck(Kind::BgpAdvertisement, objects[i]->meta.key, problems)
                    .add(
                        "spec." + std::string(attribute->name),
                        shown(attribute->value),
                        "BGPAdvertisement " + to_string(objects[j]->meta.key) + " has " +
                            shown(attribute->other) + " for the same prefixes of IPAddressPool " +
                            pool->name + " and the same peer and node: let them agree"
                    );
                break;
            }
        }
    }
}

}  // namespace

std::vector<BgpAdvertisement> parse_bgp_advertisements(
    const Objects& objects,
    const std::vector<Pool>& pools,
    const Aliases& aliases,
    std::vector<Problem>& problems
) {
    const std::vector<kube::BgpAdvertisement> ours =
        in_scope(objects.bgp_advertisements, objects.scope);
    const auto sorted = by_name(Kind::BgpAdvertisement, ours, problems);
    std::vector<BgpAdvertisement> ads;
    ads.reserve(sorted.size());
    for (const kube::BgpAdvertisement* object : sorted) {
        ads.push_back(AdvertisementParser(*object, pools, aliases, problems).parse());
    }
    check_conflicts(sorted, ads, pools, objects.scope, problems);
    return ads;
}

std::vector<std::string> pools_advertised_elsewhere(
    const Objects& objects, const std::vector<Pool>& pools
) {
    std::set<std::string> names;
    for (const kube::BgpAdvertisement& object : objects.bgp_advertisements) {
        if (!objects.scope || kube::matches_any(object.node_selectors, objects.scope->labels)) {
            continue;
        }
        std::vector<Problem> not_ours;
        ObjectCheck check(Kind::BgpAdvertisement, object.meta.key, not_ours);
        const std::vector<std::string> selected =
            select_pools(object.ip_address_pools, object.ip_address_pool_selectors, pools, check);
        names.insert(selected.begin(), selected.end());
    }
    return {names.begin(), names.end()};
}

}  // namespace steelyard::config
