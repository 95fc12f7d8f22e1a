#include "speaker/plan/endpoints.hpp"

namespace steelyard::speaker_plan {

ServingEndpoints::ServingEndpoints(const Objects<kube::EndpointSlice>& slices) {
    for (const auto& [key, slice] : slices) {
        for (const kube::SliceEndpoint& endpoint : slice->endpoints) {
            // One that terminates but still serves counts: it is all there is during a roll-out.
            if ((endpoint.ready || endpoint.serving) && !endpoint.addresses.empty()) {
                const kube::ObjectKey service{slice->meta.key.ns, slice->service};
                nodes_[{service, slice->family}].insert(endpoint.node_name);
            }
        }
    }
}

const std::set<std::string>* ServingEndpoints::nodes(
    const kube::ObjectKey& service, net::Family family
) const {
    const auto found = nodes_.find({service, family});
    return found == nodes_.end() ? nullptr : &found->second;
}

}  // namespace steelyard::speaker_plan
