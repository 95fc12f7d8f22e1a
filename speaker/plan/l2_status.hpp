#pragma once

#include "common/base/time.hpp"
#include "common/kube/model/metallb.hpp"
#include "speaker/plan/plan.hpp"

#include <chrono>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

// The ServiceL2Status objects of this node: one for each Service it announces, as MetalLB writes
// them (labels, owner, fields), so a dual-stack Service whose families live on two nodes has two.
// Pure: what should be there, and what to do about what is there.
namespace steelyard::speaker_plan {

inline constexpr std::string_view kNodeLabel = "metallb.io/node";
inline constexpr std::string_view kServiceNameLabel = "metallb.io/service-name";
inline constexpr std::string_view kServiceNamespaceLabel = "metallb.io/service-namespace";

struct L2StatusScope {
    std::string node_name;
    std::string ns;                                   // where the objects live: the speaker's own
    std::optional<kube::ServiceL2Status::Owner> pod;  // absent: nobody owns them
};

// What a label can say of a name: the name, or for one over 63 bytes its start and a hash.
[[nodiscard]] std::string label_value(std::string_view name);

// By key. The names are "l2-" and a hash of Service and node: a create that is repeated meets its
// own object ("already exists") instead of adding a second one.
using L2Statuses = std::map<kube::ObjectKey, kube::ServiceL2Status>;
[[nodiscard]] L2Statuses desired_l2_statuses(
    const L2StatusScope& scope, const Announcements& plan, const std::set<Conflict>& conflicts
);

using ObservedL2Statuses = Objects<kube::ServiceL2Status>;

// What another node has left behind, it seems: that node may live and be cut off from us.
struct Leftover {
    kube::ObjectKey key;
    std::string uid;
    std::string node;
    kube::ObjectKey service;
    friend bool operator==(const Leftover&, const Leftover&) = default;
};

// In the order to apply: first remove.
struct L2StatusChanges {
    std::vector<kube::ObjectKey> remove;                // DELETE; 404 is fine
    std::vector<Leftover> leftovers;                    // as LeftoverPace allows: DELETE
    std::vector<kube::ServiceL2Status> create;          // POST (409: exists), then patch its status
    std::vector<kube::ServiceL2Status> patch_metadata;  // labels or owner differ
    std::vector<kube::ServiceL2Status> patch_status;    // merge patch of the subresource
    [[nodiscard]] bool empty() const;
    friend bool operator==(const L2StatusChanges&, const L2StatusChanges&) = default;
};
// `observed` may be all objects of the namespace or only those labelled with this node. An object
// of this node that is under another name (MetalLB's are generated) is taken over; a second one is
// removed. Objects of other nodes are removed, as MetalLB does, when their Service is announced
// here and their node owns none of its addresses: what a dead node left behind. Under MetalLB's own
// definition the server drops `conflicts`, and the difference stays: apply the changes only when
// something that went in has changed, not again and again.
[[nodiscard]] L2StatusChanges diff_l2_statuses(
    const L2StatusScope& scope,
    const Announcements& plan,
    const L2Statuses& desired,
    const ObservedL2Statuses& observed
);

// When to remove leftovers. Where gossip is cut but the API server is not, every node takes the
// others for dead: what one removes another puts back, without end. So a node one of whose objects
// came back is left alone, twice as long each time.
class LeftoverPace {
public:
    static constexpr Duration kFirstHold = std::chrono::minutes(1);
    static constexpr Duration kLongestHold = std::chrono::hours(1);

    [[nodiscard]] bool admits(const Leftover& leftover, Instant now);
    void removed(const Leftover& leftover);

private:
    struct Node {
        std::map<kube::ObjectKey, std::string> removed;  // uid by Service
        Instant held_until = Instant::min();
        Duration hold = kFirstHold;
    };
    std::map<std::string, Node> nodes_;
};

}  // namespace steelyard::speaker_plan
