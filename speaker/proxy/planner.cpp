#include "speaker/proxy/planner.hpp"

#include "speaker/proxy/tuning.hpp"

#include <algorithm>
#include <iterator>
#include <utility>

namespace steelyard::proxy {
namespace {

const kube::ObjectKey kCluster;  // what belongs to no Service

std::set<std::string, std::less<>> changed_nodes(const Context& before, const Context& after) {
    std::set<std::string, std::less<>> nodes;
    std::set_symmetric_difference(
        before.unreachable_nodes.begin(),
        before.unreachable_nodes.end(),
        after.unreachable_nodes.begin(),
        after.unreachable_nodes.end(),
        std::inserter(nodes, nodes.end())
    );
    return nodes;
}

kube::ObjectKey owner_of(const kube::EndpointSlice& slice) {
    return {slice.meta.key.ns, slice.service};
}

}  // namespace

Planner::Planner(Context context)
    : context_(std::move(context)), marks_(context_.config.masquerade_bit), dirty_{kCluster} {}

void Planner::set_service(const kube::ObjectKey& key, ServiceRef service) {
    entries_[key].service = std::move(service);
    dirty_.insert(key);
}

void Planner::set_slice(const kube::ObjectKey& key, SliceRef slice) {
    forget_slice(key);
    if (slice) {
        const kube::ObjectKey owner = owner_of(*slice);
        auto& slices = entries_[owner].slices;
        const auto after = std::upper_bound(slices.begin(), slices.end(), slice, ByKey());
        slices.insert(after, slice);
        slices_.insert(std::move(slice));
        dirty_.insert(owner);
    }
}

// The label that names the Service can change: a slice leaves where it was.
void Planner::forget_slice(const kube::ObjectKey& key) {
    const auto old = slices_.find(key);
    if (old == slices_.end()) {
        return;
    }
    const kube::ObjectKey owner = owner_of(**old);
    std::erase(entries_[owner].slices, *old);
    slices_.erase(old);
    dirty_.insert(owner);
}

void Planner::set_context(Context context) {
    if (context == context_) {
        return;
    }
    mark_dirty_on(changed_nodes(context_, context));
    context_.unreachable_nodes = context.unreachable_nodes;
    if (context.node_zones != context_.node_zones) {
        mark_weighted_dirty();
        context_.node_zones = context.node_zones;
    }
    if (context.service_cidrs != context_.service_cidrs) {
        dirty_.insert(kCluster);
        context_.service_cidrs = context.service_cidrs;
    }
    if (context == context_) {
        return;
    }
    if (context.config.masquerade_bit != context_.config.masquerade_bit) {
        marks_ = MarkAllocator(context.config.masquerade_bit);
    }
    context_ = std::move(context);
    mark_all_dirty();
}

void Planner::mark_dirty(const kube::ObjectKey& service) {
    dirty_.insert(service);
}

void Planner::mark_all_dirty() {
    for (const auto& [key, entry] : entries_) {
        dirty_.insert(key);
    }
    dirty_.insert(kCluster);
}

// A walk over all endpoints: a millisecond for 50 000 of them, where an index by node would cost
// more memory than their slices.
void Planner::mark_dirty_on(const std::set<std::string, std::less<>>& nodes) {
    if (nodes.empty()) {
        return;
    }
    for (const SliceRef& slice : slices_) {
        const bool there = std::any_of(
            slice->endpoints.begin(),
            slice->endpoints.end(),
            [&](const kube::SliceEndpoint& endpoint) { return nodes.contains(endpoint.node_name); }
        );
        if (there) {
            dirty_.insert(owner_of(*slice));
        }
    }
}

// Zones of other nodes count in weights only.
void Planner::mark_weighted_dirty() {
    for (const auto& [key, entry] : entries_) {
        if (entry.service && entry.service->meta.annotations.contains(kWeightsAnnotation)) {
            dirty_.insert(key);
        }
    }
}

std::shared_ptr<const ServiceTables> Planner::replan(
    const kube::ObjectKey& key, const Entry& entry
) {
    if (!entry.service || !is_proxied(*entry.service, context_.config)) {
        marks_.keep_only(key, {});
        return nullptr;
    }
    ++planned_;
    auto planned = std::make_shared<const ServiceTables>(
        plan_service(*entry.service, entry.slices, context_, marks_)
    );
    // Equal tables stay one object, so that nobody looks at them twice.
    return entry.tables && *planned == *entry.tables ? entry.tables : planned;
}

void Planner::replan_dirty() {
    for (const kube::ObjectKey& key : dirty_) {
        auto tables = key == kCluster ? plan_cluster(context_) : nullptr;
        auto& entry = entries_[key];
        if (key == kCluster && tables && entry.tables && *tables == *entry.tables) {
            tables = entry.tables;
        } else if (key != kCluster) {
            tables = replan(key, entry);
        }
        if (tables != entry.tables) {
            entry.tables = std::move(tables);
            changed_.insert(key);
            whole_ = nullptr;
        }
        drop_if_empty(key);
    }
    dirty_.clear();
}

void Planner::drop_if_empty(const kube::ObjectKey& key) {
    const auto entry = entries_.find(key);
    if (!entry->second.service && entry->second.slices.empty() && !entry->second.tables) {
        entries_.erase(entry);
    }
}

Changes Planner::take_changes() {
    replan_dirty();
    Changes changes;
    changes.sources = context_.node_ips;
    for (const kube::ObjectKey& key : changed_) {
        const auto entry = entries_.find(key);
        changes.services.emplace(key, entry == entries_.end() ? nullptr : entry->second.tables);
    }
    changed_.clear();
    return changes;
}

std::shared_ptr<const Tables> Planner::tables() {
    replan_dirty();
    if (!whole_ || whole_->sources != context_.node_ips) {
        auto whole = std::make_shared<Tables>();
        whole->sources = context_.node_ips;
        for (const auto& [key, entry] : entries_) {
            if (entry.tables) {
                whole->services.emplace_hint(whole->services.end(), key, entry.tables);
            }
        }
        whole_ = std::move(whole);
    }
    return whole_;
}

}  // namespace steelyard::proxy
