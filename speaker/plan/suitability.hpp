#pragma once

#include "speaker/elect/elect.hpp"
#include "speaker/plan/pools.hpp"
#include "speaker/plan/ring.hpp"
#include "speaker/plan/snapshot.hpp"

#include <cstdint>
#include <map>
#include <string>
#include <utility>
#include <vector>

// How nodes suit addresses by the L2Advertisements alone. Many addresses share the same
// advertisements, so the answer is kept per set of them; positions are those in
// Config::l2_advertisements. Private to the room.
namespace steelyard::speaker_plan {

struct Coverage {
    std::uint32_t fits = 0;           // position in Suitability::fits()
    std::vector<std::string> usable;  // this node's interfaces: allowed, and able to do the family
    bool every_interface = false;     // no restriction on this node
};

class Suitability {
public:
    // Both must outlive it; the snapshot has a configuration.
    Suitability(const Snapshot& snapshot, const Ring& ring);

    // The pool's position in Config::pools; nothing when none has the address.
    [[nodiscard]] std::optional<std::size_t> pool_of(const net::IpAddress& address) const {
        return pools_.pool_of(address);
    }
    // Those of the pool that cover the Service.
    [[nodiscard]] Advertisements advertisements(std::size_t pool, const kube::Service& service)
        const;
    // A BGPAdvertisement covers them, or (of other nodes, less is known) may do so.
    [[nodiscard]] bool is_for_bgp(std::size_t pool, const kube::Service& service) const;
    // The reference stays good.
    [[nodiscard]] const Coverage& coverage(
        const Advertisements& advertisements, net::Family family
    );
    [[nodiscard]] std::vector<elect::Fits> take_fits() { return std::move(fits_); }

private:
    [[nodiscard]] elect::Fit fit(
        const RingNode& candidate, const Advertisements& advertisements, net::Family family
    ) const;
    void look_here(
        const kube::Node& node,
        const Advertisements& advertisements,
        net::Family family,
        Coverage& coverage
    ) const;

    const Snapshot& snapshot_;
    const Ring& ring_;
    PoolIndex pools_;
    std::vector<Advertisements> by_pool_;      // that name the pool
    std::vector<Advertisements> bgp_by_pool_;  // the same of BGPAdvertisements
    std::map<std::pair<Advertisements, net::Family>, Coverage> known_;
    std::vector<elect::Fits> fits_;
};

}  // namespace steelyard::speaker_plan
