#include "speaker/plan/bgp.hpp"

#include <algorithm>

namespace steelyard::speaker_plan {

bool BgpService::announced() const {
    return std::any_of(addresses.begin(), addresses.end(), [](const BgpAddress& address) {
        return !address.prefixes.empty();
    });
}

// A mistake that only the user can mend is told. Endpoints, nodes and kernels come and go, and that
// a node has no peer may be meant.
std::vector<Event> bgp_events(const std::string& node_name, const BgpChanges& changes) {
    std::vector<Event> events;
    for (const BgpChanges::Service& change : changes.services) {
        if (!change.after) {
            continue;
        }
        if (change.after->announced() && !(change.before && change.before->announced())) {
            events.push_back(
                {change.key,
                 false,
                 std::string(kNodeAssigned),
                 "announcing from node \"" + node_name + "\" with protocol \"bgp\""}
            );
        }
        for (const BgpConflict& conflict : change.after->conflicts) {
            const auto known = [&](const std::vector<BgpConflict>& before) {
                return std::find(before.begin(), before.end(), conflict) != before.end();
            };
            if (change.before && known(change.before->conflicts)) {
                continue;
            }
            // Every node with that peer finds the same and says it in the same words.
            events.push_back(
                {change.key,
                 true,
                 std::string(kAnnounceFailed),
                 to_string(conflict.prefix) + " is not announced by BGP: " + to_string(conflict)}
            );
        }
    }
    return events;
}

}  // namespace steelyard::speaker_plan
