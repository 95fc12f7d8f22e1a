#pragma once

#include "speaker/elect/elect.hpp"
#include "speaker/plan/snapshot.hpp"

#include <string_view>
#include <unordered_map>
#include <vector>

// Where each Service has serving endpoints. Private to the room.
namespace steelyard::speaker_plan {

// Positions of nodes by name.
using NodeNumbers = std::unordered_map<std::string_view, elect::NodeIndex>;

class ServingEndpoints {
public:
    // The slices must outlive it.
    ServingEndpoints(const Objects<kube::EndpointSlice>& slices, const NodeNumbers& numbers);

    // Nodes with a serving endpoint of that family, ascending; those nobody knows are left out.
    // Null when there is no serving endpoint at all.
    [[nodiscard]] const std::vector<elect::NodeIndex>* nodes(
        const kube::ObjectKey& service, net::Family family
    ) const;

private:
    struct Key {
        std::string_view ns;
        std::string_view name;
        net::Family family = net::Family::V4;
        friend bool operator==(const Key&, const Key&) = default;
    };
    struct KeyHash {
        std::size_t operator()(const Key& key) const;
    };
    std::unordered_map<Key, std::vector<elect::NodeIndex>, KeyHash> nodes_;
};

}  // namespace steelyard::speaker_plan
