#pragma once

#include "speaker/plan/bgp.hpp"
#include "speaker/plan/status_objects.hpp"

#include <cstdint>
#include <string>
#include <vector>

// The ServiceBGPStatus objects of this node, one for each Service that a peer was told of, and its
// BGPSessionState objects, one for each peer. MetalLB's tell to which peers the configuration would
// send a Service; ours tell which peers were sent it. Every node announces, so the objects of
// others are never touched: Kubernetes removes them with the pods that own them.
namespace steelyard::speaker_plan {

// What the BGP driver knows of a peer of this node.
struct BgpPeerFacts {
    std::string peer;
    bool v4 = false;  // established, and IPv4 routes stand: carried, not withdrawn to drain
    bool v6 = false;  // IPv6
    std::uint64_t synced = 0;  // all changes up to this BgpChanges::sequence were sent
};

using BgpStatuses = StatusObjects<kube::ServiceBgpStatus>;
using BgpStatusChanges = StatusChanges<kube::ServiceBgpStatus>;
[[nodiscard]] BgpStatuses desired_bgp_statuses(
    const StatusScope& scope, const BgpPlan& plan, const std::vector<BgpPeerFacts>& peers
);
// `observed` may be all objects of the namespace; those of this node under another name (MetalLB's
// are generated) are taken over, a second one is removed.
[[nodiscard]] BgpStatusChanges diff_bgp_statuses(
    const StatusScope& scope,
    const BgpStatuses& desired,
    const Objects<kube::ServiceBgpStatus>& observed
);

using SessionStates = StatusObjects<kube::BgpSessionState>;
using SessionStateChanges = StatusChanges<kube::BgpSessionState>;
// `sessions` say `peer` and what follows it; the rest is added.
[[nodiscard]] SessionStates desired_session_states(
    const StatusScope& scope, std::vector<kube::BgpSessionState> sessions
);
[[nodiscard]] SessionStateChanges diff_session_states(
    const StatusScope& scope,
    const SessionStates& desired,
    const Objects<kube::BgpSessionState>& observed
);

}  // namespace steelyard::speaker_plan
