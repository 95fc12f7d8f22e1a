#pragma once

#include "common/base/time.hpp"
#include "common/kube/model/status.hpp"
#include "speaker/plan/snapshot.hpp"

#include <chrono>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

// What the status objects of a node have in common, whatever their kind: where they live, how they
// are named and labelled, what there is to do about those that exist. l2_status.hpp and
// bgp_status.hpp say what they tell. Pure: the writer applies the changes.
namespace steelyard::speaker_plan {

inline constexpr std::string_view kNodeLabel = "metallb.io/node";
inline constexpr std::string_view kServiceNameLabel = "metallb.io/service-name";
inline constexpr std::string_view kServiceNamespaceLabel = "metallb.io/service-namespace";
inline constexpr std::string_view kPeerLabel = "steelyard.io/peer";

struct StatusScope {
    std::string node_name;
    std::string ns;                     // where the objects live: the speaker's own
    std::optional<kube::PodOwner> pod;  // absent: nobody owns them
};

// What a label can say of a name: the name, or for one over 63 bytes its start and a hash.
[[nodiscard]] std::string label_value(std::string_view name);

// By key. The names are the kind's prefix and a hash of node and subject: a create that is repeated
// meets its own object ("already exists") instead of adding a second one.
template <class Status>
using StatusObjects = std::map<kube::ObjectKey, Status>;

// What another node has left behind, it seems: that node may live and be cut off from us.
struct Leftover {
    kube::ObjectKey key;
    std::string uid;
    std::string node;
    kube::ObjectKey service;
    friend bool operator==(const Leftover&, const Leftover&) = default;
};

// In the order to apply: first remove.
template <class Status>
struct StatusChanges {
    std::vector<kube::ObjectKey> remove;  // DELETE; 404 is fine
    std::vector<Leftover> leftovers;      // as LeftoverPace allows: DELETE; only ServiceL2Status
    std::vector<Status> create;           // POST (409: exists), then patch its status
    std::vector<Status> patch_metadata;   // labels or owner differ
    std::vector<Status> patch_status;     // merge patch of the subresource

    [[nodiscard]] bool empty() const {
        return remove.empty() && leftovers.empty() && create.empty() && patch_metadata.empty() &&
               patch_status.empty();
    }
    friend bool operator==(const StatusChanges&, const StatusChanges&) = default;
};

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
