#pragma once

#include "speaker/plan/plan.hpp"
#include "speaker/plan/status_objects.hpp"

#include <set>

// The ServiceL2Status objects of this node: one for each Service it announces, as MetalLB writes
// them (labels, owner, fields), so a dual-stack Service whose families live on two nodes has two.
namespace steelyard::speaker_plan {

using L2Statuses = StatusObjects<kube::ServiceL2Status>;
[[nodiscard]] L2Statuses desired_l2_statuses(
    const StatusScope& scope, const Announcements& plan, const std::set<Conflict>& conflicts
);

using ObservedL2Statuses = Objects<kube::ServiceL2Status>;
using L2StatusChanges = StatusChanges<kube::ServiceL2Status>;

// `observed` may be all objects of the namespace or only those labelled with this node. An object
// of this node that is under another name (MetalLB's are generated) is taken over; a second one is
// removed. Objects of other nodes are removed, as MetalLB does, when their Service is announced
// here and their node owns none of its addresses: what a dead node left behind. Under MetalLB's own
// definition the server drops `conflicts`, and the difference stays: apply the changes only when
// something that went in has changed, not again and again.
[[nodiscard]] L2StatusChanges diff_l2_statuses(
    const StatusScope& scope,
    const Announcements& plan,
    const L2Statuses& desired,
    const ObservedL2Statuses& observed
);

}  // namespace steelyard::speaker_plan
