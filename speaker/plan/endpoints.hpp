#pragma once

#include "speaker/plan/snapshot.hpp"

#include <map>
#include <set>
#include <string>
#include <utility>

// Where each Service has serving endpoints. Private to the room.
namespace steelyard::speaker_plan {

class ServingEndpoints {
public:
    explicit ServingEndpoints(const Objects<kube::EndpointSlice>& slices);

    // Nodes with a serving endpoint of that family ("" stands for an endpoint without a node);
    // null when there is no serving endpoint at all.
    [[nodiscard]] const std::set<std::string>* nodes(
        const kube::ObjectKey& service, net::Family family
    ) const;

private:
    std::map<std::pair<kube::ObjectKey, net::Family>, std::set<std::string>> nodes_;
};

}  // namespace steelyard::speaker_plan
