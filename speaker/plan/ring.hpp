#pragma once

#include "speaker/elect/elect.hpp"
#include "speaker/plan/endpoints.hpp"
#include "speaker/plan/snapshot.hpp"

#include <string_view>
#include <utility>
#include <vector>

// The nodes of the cluster and what the ring knows of them, this node like any other. Private to
// the room.
namespace steelyard::speaker_plan {

// Keeps a node from announcing anything, unless --ignore-exclude-lb.
inline constexpr std::string_view kExcludeLabel =
    "node.kubernetes.io/exclude-from-external-load-balancers";

struct RingNode {
    const kube::Node* node = nullptr;
    const MemberView* member = nullptr;  // null: not in the ring
};

class Ring {
public:
    // `snapshot` must outlive it.
    explicit Ring(const Snapshot& snapshot);

    // While a MetalLB speaker is in the ring, or while nobody can tell, its order is the common
    // one.
    [[nodiscard]] elect::Order order() const { return order_; }
    [[nodiscard]] const std::vector<RingNode>& nodes() const { return nodes_; }  // by name
    [[nodiscard]] const NodeNumbers& numbers() const { return numbers_; }
    [[nodiscard]] std::vector<elect::NodeFacts> facts() const;
    // Nodes whose kernel refused the address, ascending.
    [[nodiscard]] std::vector<elect::NodeIndex> unservable(const net::IpAddress& address) const;

private:
    [[nodiscard]] elect::NodeFacts facts_of(const RingNode& node) const;

    const Snapshot& snapshot_;
    elect::Order order_;
    std::vector<RingNode> nodes_;
    NodeNumbers numbers_;
    std::vector<std::pair<std::uint32_t, elect::NodeIndex>> refused_;  // fingerprint, node; sorted
};

}  // namespace steelyard::speaker_plan
