#include "speaker/plan/bgp_planner.hpp"

#include "speaker/plan/bgp_state.hpp"

#include <algorithm>
#include <utility>

namespace steelyard::speaker_plan {
namespace {

bool is_draining(const Snapshot& snapshot) {
    if (!snapshot.members) {
        return false;
    }
    return std::any_of(
        snapshot.members->begin(),
        snapshot.members->end(),
        [&](const MemberView& member) {
            return member.name == snapshot.node_name && member.draining;
        }
    );
}

BgpContext context_of(const Snapshot& snapshot) {
    BgpContext context;
    context.node_name = snapshot.node_name;
    context.load_balancer_class = snapshot.load_balancer_class;
    context.ignore_exclude_label = snapshot.ignore_exclude_label;
    context.draining = is_draining(snapshot);
    context.config = snapshot.config;
    const auto node = snapshot.nodes.find(kube::ObjectKey{"", snapshot.node_name});
    if (node != snapshot.nodes.end()) {
        context.node = node->second;
    }
    return context;
}

std::optional<std::vector<net::IpAddress>> servable_of(const Snapshot& snapshot) {
    if (!snapshot.servable) {
        return std::nullopt;
    }
    std::vector<net::IpAddress> sorted(snapshot.servable->begin(), snapshot.servable->end());
    std::sort(sorted.begin(), sorted.end());
    return sorted;
}

}  // namespace

BgpPlanner::BgpPlanner() : state_(std::make_unique<State>()) {}
BgpPlanner::BgpPlanner(BgpPlanner&&) noexcept = default;
BgpPlanner& BgpPlanner::operator=(BgpPlanner&&) noexcept = default;
BgpPlanner::~BgpPlanner() = default;

void BgpPlanner::set_context(BgpContext context) {
    state_->set_context(std::move(context));
}

void BgpPlanner::set_service(
    const kube::ObjectKey& key, std::shared_ptr<const kube::Service> service
) {
    state_->set_service(key, std::move(service));
}

void BgpPlanner::set_slice(
    const kube::ObjectKey& key, std::shared_ptr<const kube::EndpointSlice> slice
) {
    state_->set_slice(key, std::move(slice));
}

void BgpPlanner::set_servable(std::optional<std::vector<net::IpAddress>> addresses) {
    state_->set_servable(std::move(addresses));
}

void BgpPlanner::sync(const Snapshot& snapshot) {
    state_->set_context(context_of(snapshot));
    state_->sync_services(snapshot.services);
    state_->sync_slices(snapshot.slices);
    state_->set_servable(servable_of(snapshot));
}

BgpChanges BgpPlanner::update() {
    return state_->update();
}

const BgpPlan& BgpPlanner::plan() const {
    return state_->plan();
}

BgpPlan bgp_plan(const Snapshot& snapshot) {
    BgpPlanner planner;
    planner.sync(snapshot);
    static_cast<void>(planner.update());
    return planner.plan();
}

BgpChanges diff(const BgpPlan& before, const BgpPlan& after) {
    BgpChanges changes;
    for (const auto& [prefix, route] : after.routes) {
        const auto old = before.routes.find(prefix);
        if (old == before.routes.end() || old->second != route) {
            changes.upsert.push_back({prefix, route.paths()});
        }
    }
    for (const auto& [prefix, route] : before.routes) {
        if (!after.routes.contains(prefix)) {
            changes.remove.push_back(prefix);
        }
    }
    return changes;
}

std::vector<const config::BgpPeer*> active_peers(const Snapshot& snapshot) {
    return BgpPolicy(context_of(snapshot)).peers();
}

}  // namespace steelyard::speaker_plan
