#pragma once

#include "speaker/plan/bgp.hpp"
#include "speaker/plan/bgp_planner.hpp"
#include "speaker/plan/pools.hpp"

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

// What the BGPAdvertisements say on this node, whatever the Services: which of them count, and what
// a set of them that meet in one prefix tells each peer. The sets are few and the routes many, so
// each set is worked out once. Private to the room.
namespace steelyard::speaker_plan {

// Some advertisements that meet in one prefix, and what comes of it.
struct BgpOffer {
    // What one peer is told. The peer "" stands for all that no advertisement of the set names.
    struct Slot {
        std::string peer;
        BgpAttributes attributes;  // without the weight
        bool weighted = false;     // tells the weight
    };
    Advertisements advertisements;
    std::vector<Slot> slots;  // by peer
    bool weighted = false;    // any slot is
    struct Conflict {
        std::uint32_t first = 0;
        std::uint32_t second = 0;
        std::string_view attribute;
    };
    std::optional<Conflict> conflict;       // two that contradict each other for one peer
    std::shared_ptr<const BgpPaths> paths;  // for a route without weights

    [[nodiscard]] bool tells_weight(std::string_view peer) const;
};

// Equal attributes become one path.
[[nodiscard]] BgpPaths paths_of(const std::vector<BgpOffer::Slot>& slots);

class BgpPolicy {
public:
    explicit BgpPolicy(const BgpContext& context);

    // Nothing a Service would notice differs.
    [[nodiscard]] bool same_for_services(const BgpPolicy& other) const;

    [[nodiscard]] const BgpContext& context() const { return context_; }
    [[nodiscard]] const std::vector<const config::BgpPeer*>& peers() const { return peers_; }
    [[nodiscard]] std::vector<std::string> peer_names() const;
    [[nodiscard]] const config::BgpAdvertisement& advertisement(std::uint32_t i) const;

    // Why this node announces nothing at all.
    [[nodiscard]] std::optional<BgpWhyNot> shut() const { return shut_; }

    struct Covering {
        Advertisements advertisements;
        std::optional<BgpWhyNot> why_not;  // set when there are none
    };
    // Of those that cover the address and the Service, the ones that mean a peer of this node.
    [[nodiscard]] Covering covering(const net::IpAddress& address, const kube::Service& service)
        const;

    // The reference stays good.
    [[nodiscard]] const BgpOffer& offer(const Advertisements& advertisements);

private:
    [[nodiscard]] BgpOffer work_out(const Advertisements& advertisements) const;
    void fill(BgpOffer::Slot& slot, BgpOffer& offer) const;
    [[nodiscard]] bool runs_here(const std::string& peer) const;
    [[nodiscard]] bool reaches_a_peer(const config::BgpAdvertisement& advertisement) const;

    BgpContext context_;
    std::vector<const config::BgpPeer*> peers_;  // active here, by name
    std::optional<BgpWhyNot> shut_;
    PoolIndex pools_;
    std::vector<Advertisements> by_pool_;
    std::vector<bool> here_;     // by advertisement: selects this node
    std::vector<bool> reaches_;  // and means one of its peers
    std::map<Advertisements, BgpOffer> offers_;
};

}  // namespace steelyard::speaker_plan
