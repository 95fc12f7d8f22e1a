#include "speaker/plan/endpoints.hpp"

#include <algorithm>
#include <functional>

namespace steelyard::speaker_plan {

std::size_t ServingEndpoints::KeyHash::operator()(const Key& key) const {
    constexpr std::size_t kSpread = 31;
    const std::hash<std::string_view> hash;
    return (hash(key.name) * kSpread + hash(key.ns)) * 2 + (key.family == net::Family::V6 ? 1 : 0);
}

ServingEndpoints::ServingEndpoints(
    const Objects<kube::EndpointSlice>& slices, const NodeNumbers& numbers
) {
    nodes_.reserve(slices.size());
    for (const auto& [key, slice] : slices) {
        std::vector<elect::NodeIndex>* nodes = nullptr;
        for (const kube::SliceEndpoint& endpoint : slice->endpoints) {
            // One that terminates but still serves counts: it is all there is during a roll-out.
            if (!(endpoint.ready || endpoint.serving) || !endpoint.address) {
                continue;
            }
            if (nodes == nullptr) {
                nodes = &nodes_[{slice->meta.key.ns, slice->service, slice->family}];
            }
            const auto number = numbers.find(endpoint.node_name);
            if (number != numbers.end()) {
                nodes->push_back(number->second);
            }
        }
    }
    for (auto& [key, nodes] : nodes_) {
        std::sort(nodes.begin(), nodes.end());
        nodes.erase(std::unique(nodes.begin(), nodes.end()), nodes.end());
    }
}

const std::vector<elect::NodeIndex>* ServingEndpoints::nodes(
    const kube::ObjectKey& service, net::Family family
) const {
    const auto found = nodes_.find({service.ns, service.name, family});
    return found == nodes_.end() ? nullptr : &found->second;
}

}  // namespace steelyard::speaker_plan
