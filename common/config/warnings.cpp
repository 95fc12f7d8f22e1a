#include "common/config/parse.hpp"
#include "common/config/reservation.hpp"
#include "common/config/rules.hpp"

#include <algorithm>
#include <set>

// What is allowed but hardly meant. An object may be there before what it refers to, so none of
// this may refuse it.
namespace steelyard::config {
namespace {

bool covered(const net::Range& range, std::vector<net::Range> parts) {
    std::sort(parts.begin(), parts.end());
    net::IpAddress next = range.first();  // the first address not known to be covered
    for (const net::Range& part : parts) {
        if (part.contains(next)) {
            if (range.last() <= part.last()) {
                return true;
            }
            next = part.last().plus(1);
        }
    }
    return false;
}

class Reviewer {
public:
    Reviewer(const Objects& objects, const Config& config) : objects_(objects), config_(config) {}

    std::vector<Problem> review() {
        for (const kube::L2Advertisement& ad : objects_.l2_advertisements) {
            review_selection(Kind::L2Advertisement, ad);
        }
        for (const kube::BgpAdvertisement& ad : objects_.bgp_advertisements) {
            review_selection(Kind::BgpAdvertisement, ad);
            review_peers(ad);
        }
        review_unheard();
        for (const kube::BgpPeer& peer : objects_.bgp_peers) {
            review_echo(peer);
        }
        for (const kube::AllocationPolicy& policy : objects_.allocation_policies) {
            review_selection(Kind::AllocationPolicy, policy);
            review_policy(policy);
        }
        review_pools();
        for (const kube::AddressReservation& reservation : objects_.address_reservations) {
            review_reservation(reservation);
        }
        std::stable_sort(warnings_.begin(), warnings_.end(), [](const auto& a, const auto& b) {
            return std::tie(a.kind, a.key) < std::tie(b.kind, b.key);
        });
        return std::move(warnings_);
    }

private:
    void add(
        Kind kind,
        const kube::ObjectKey& key,
        std::string field,
        std::string value,
        std::string accepted
    ) {
        warnings_.push_back({kind, key, std::move(field), std::move(value), std::move(accepted)});
    }

    // Names and selectors of pools that find none.
    template <class T>
    void review_selection(Kind kind, const T& object) {
        const auto& names = object.ip_address_pools;
        for (std::size_t i = 0; i < names.size(); ++i) {
            if (!names[i].empty() && config_.find_pool(names[i]) == nullptr) {
                add(kind,
                    object.meta.key,
                    at("spec.ipAddressPools", i),
                    names[i],
                    "there is no IPAddressPool of this name");
            }
        }
        const auto& selectors = object.ip_address_pool_selectors;
        for (std::size_t i = 0; i < selectors.size(); ++i) {
            if (std::none_of(config_.pools.begin(), config_.pools.end(), [&](const Pool& pool) {
                    return kube::matches(selectors[i], pool.labels);
                })) {
                add(kind,
                    object.meta.key,
                    at("spec.ipAddressPoolSelectors", i),
                    describe(selectors[i]),
                    "no IPAddressPool has such labels");
            }
        }
    }

    [[nodiscard]] bool has_peer(const std::string& name) const {
        const auto& peers = objects_.bgp_peers;
        return std::any_of(peers.begin(), peers.end(), [&](const kube::BgpPeer& peer) {
            return peer.meta.key.name == name;
        });
    }

    void review_peers(const kube::BgpAdvertisement& ad) {
        for (std::size_t i = 0; i < ad.peers.size(); ++i) {
            if (!ad.peers[i].empty() && !has_peer(ad.peers[i])) {
                add(Kind::BgpAdvertisement,
                    ad.meta.key,
                    at("spec.peers", i),
                    ad.peers[i],
                    "there is no BGPPeer of this name");
            }
        }
        if (ad.peers.empty() && objects_.bgp_peers.empty()) {
            add(Kind::BgpAdvertisement,
                ad.meta.key,
                "spec.peers",
                "",
                "there is no BGPPeer: nobody hears what this advertises");
        }
    }

    void review_unheard() {
        const auto& ads = objects_.bgp_advertisements;
        for (const kube::BgpPeer& peer : objects_.bgp_peers) {
            const std::string& name = peer.meta.key.name;
            if (std::none_of(ads.begin(), ads.end(), [&](const kube::BgpAdvertisement& ad) {
                    return ad.peers.empty() ||
                           std::find(ad.peers.begin(), ad.peers.end(), name) != ad.peers.end();
                })) {
                add(Kind::BgpPeer,
                    peer.meta.key,
                    "metadata.name",
                    name,
                    "no BGPAdvertisement is for this peer: its session carries no route");
            }
        }
    }

    [[nodiscard]] const Pool* ipv6_pool_advertised_to(const std::string& peer) const {
        for (const BgpAdvertisement& ad : config_.bgp_advertisements) {
            if (!ad.peers.empty() &&
                std::find(ad.peers.begin(), ad.peers.end(), peer) == ad.peers.end()) {
                continue;
            }
            for (const std::string& name : ad.pools) {
                const Pool* pool = config_.find_pool(name);
                const auto& ranges = pool->ranges;
                if (std::any_of(ranges.begin(), ranges.end(), [](const net::Range& range) {
                        return range.family() == net::Family::V6;
                    })) {
                    return pool;
                }
            }
        }
        return nullptr;
    }

    void review_echo(const kube::BgpPeer& object) {
        const BfdProfile* profile = config_.find_bfd_profile(object.bfd_profile);
        const BgpPeer* peer = config_.find_bgp_peer(object.meta.key.name);
        if (profile == nullptr || !profile->echo || peer == nullptr) {
            return;
        }
        if (peer->multihop || !peer->interface.empty()) {
            add(Kind::BgpPeer,
                object.meta.key,
                "spec.bfdProfile",
                object.bfd_profile,
                "it has echoMode, which stays off: echo is for neighbours on the link with "
                "addresses of their own");
        } else if (const Pool* pool = ipv6_pool_advertised_to(peer->name)) {
            add(Kind::BgpPeer,
                object.meta.key,
                "spec.bfdProfile",
                object.bfd_profile,
                "it has echoMode, and IPAddressPool " + pool->name +
                    ", advertised to this peer, has IPv6 addresses: MetalLB refuses that, should "
                    "it read this too");
        }
    }

    void review_policy(const kube::AllocationPolicy& object) {
        if (object.exclude.empty() && object.quotas.empty() && object.keep_after_delete.empty()) {
            add(Kind::AllocationPolicy,
                object.meta.key,
                "spec",
                "",
                "it says nothing: give exclude, quotas or keepAfterDelete");
        }
        const auto found = std::find_if(
            config_.policies.begin(),
            config_.policies.end(),
            [&](const AllocationPolicy& policy) { return policy.name == object.meta.key.name; }
        );
        if (found == config_.policies.end() || found->exclude.size() != object.exclude.size()) {
            return;  // what is wrong with it is told elsewhere
        }
        for (std::size_t i = 0; i < object.exclude.size(); ++i) {
            if (!touches(found->pools, found->exclude[i])) {
                add(Kind::AllocationPolicy,
                    object.meta.key,
                    at("spec.exclude", i),
                    object.exclude[i],
                    "none of its pools has such an address");
            }
        }
    }

    [[nodiscard]] bool touches(const std::vector<std::string>& pools, const net::Range& range)
        const {
        return std::any_of(pools.begin(), pools.end(), [&](const std::string& name) {
            const auto& ranges = config_.find_pool(name)->ranges;
            return std::any_of(ranges.begin(), ranges.end(), [&](const net::Range& of_pool) {
                return of_pool.overlaps(range);
            });
        });
    }

    [[nodiscard]] bool advertised(const std::string& pool) const {
        const auto names_it = [&](const auto& ad) {
            return std::binary_search(ad.pools.begin(), ad.pools.end(), pool);
        };
        const auto& layer2 = config_.l2_advertisements;
        const auto& bgp = config_.bgp_advertisements;
        const auto& elsewhere = config_.pools_advertised_elsewhere;
        return std::any_of(layer2.begin(), layer2.end(), names_it) ||
               std::any_of(bgp.begin(), bgp.end(), names_it) ||
               std::binary_search(elsewhere.begin(), elsewhere.end(), pool);
    }

    void review_pools() {
        for (const kube::IpAddressPool& object : objects_.pools) {
            const std::string& name = object.meta.key.name;
            const Pool* pool = config_.find_pool(name);
            if (!advertised(name)) {
                add(Kind::IpAddressPool,
                    object.meta.key,
                    "metadata.name",
                    name,
                    "no L2Advertisement and no BGPAdvertisement is about this pool: nobody will "
                    "reach its addresses");
            }
            std::vector<net::Range> excluded;
            for (const AllocationPolicy& policy : config_.policies) {
                if (policy.covers(name)) {
                    excluded.insert(excluded.end(), policy.exclude.begin(), policy.exclude.end());
                }
            }
            const auto& ranges = pool->ranges;
            if (!ranges.empty() &&
                std::all_of(ranges.begin(), ranges.end(), [&](const net::Range& range) {
                    return covered(range, excluded);
                })) {
                add(Kind::IpAddressPool,
                    object.meta.key,
                    "spec.addresses",
                    to_string(ranges.front()),
                    "AllocationPolicies exclude every address: nothing is left to hand out");
            }
        }
    }

    void review_reservation(const kube::AddressReservation& object) {
        std::vector<Problem> told_already;
        const auto reservation = parse_reservation(object, told_already);
        if (!reservation) {
            return;
        }
        std::set<const Pool*> pools;
        for (std::size_t i = 0; i < reservation->addresses.size(); ++i) {
            const net::IpAddress& address = reservation->addresses[i];
            const std::string field = at("spec.addresses", i);
            const Pool* pool = config_.pool_of(address);
            if (pool == nullptr) {
                add(Kind::AddressReservation,
                    object.meta.key,
                    field,
                    object.addresses[i],
                    "no IPAddressPool has this address: there is nothing to keep");
                continue;
            }
            pools.insert(pool);
            for (const AllocationPolicy& policy : config_.policies) {
                const bool excludes =
                    policy.covers(pool->name) &&
                    std::any_of(
                        policy.exclude.begin(),
                        policy.exclude.end(),
                        [&](const net::Range& range) { return range.contains(address); }
                    );
                if (excludes) {
                    add(Kind::AddressReservation,
                        object.meta.key,
                        field,
                        object.addresses[i],
                        "AllocationPolicy " + policy.name + " excludes it: no Service gets it");
                }
            }
        }
        if (pools.size() > 1) {
            add(Kind::AddressReservation,
                object.meta.key,
                "spec.addresses",
                object.addresses.front() + ", " + object.addresses.back(),
                "they are of two IPAddressPools, and a Service has its addresses from one");
        }
    }

    const Objects& objects_;
    const Config& config_;
    std::vector<Problem> warnings_;
};

}  // namespace

std::vector<Problem> warn(const Objects& objects, const Config& config) {
    return Reviewer(objects, config).review();
}

}  // namespace steelyard::config
