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

}  // namespace

Planner::Planner(Context context)
    : context_(std::move(context)), marks_(context_.config.masquerade_bit) {
    mark_dirty(*entries_.try_emplace(kCluster).first);
}

void Planner::mark_dirty(Record& record) {
    if (!std::exchange(record.second.dirty, true)) {
        dirty_.push_back(&record);
    }
}

Planner::Record& Planner::record_of(const kube::EndpointSlice& slice) {
    return *entries_.try_emplace({slice.meta.key.ns, slice.service}).first;
}

void Planner::set_service(const kube::ObjectKey& key, ServiceRef service) {
    Record& record = *entries_.try_emplace(key).first;
    record.second.service = std::move(service);
    mark_dirty(record);
}

void Planner::set_slice(const kube::ObjectKey& key, SliceRef slice) {
    forget_slice(key);
    if (slice) {
        Record& record = record_of(*slice);
        auto& slices = record.second.slices;
        const auto after = std::upper_bound(slices.begin(), slices.end(), slice, ByKey());
        slices.insert(after, slice);
        slices_.insert(std::move(slice));
        mark_dirty(record);
    }
}

// The label that names the Service can change: a slice leaves where it was.
void Planner::forget_slice(const kube::ObjectKey& key) {
    const auto old = slices_.find(key);
    if (old == slices_.end()) {
        return;
    }
    Record& record = record_of(**old);
    std::erase(record.second.slices, *old);
    slices_.erase(old);
    mark_dirty(record);
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
        mark_dirty(*entries_.try_emplace(kCluster).first);
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

void Planner::mark_all_dirty() {
    entries_.try_emplace(kCluster);
    for (Record& record : entries_) {
        mark_dirty(record);
    }
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
            mark_dirty(record_of(*slice));
        }
    }
}

// Zones of other nodes count in weights only.
void Planner::mark_weighted_dirty() {
    for (Record& record : entries_) {
        const ServiceRef& service = record.second.service;
        if (service && service->meta.annotations.contains(kWeightsAnnotation)) {
            mark_dirty(record);
        }
    }
}

std::shared_ptr<const ServiceTables> Planner::replan(const Record& record) {
    const auto& [key, entry] = record;
    std::shared_ptr<const ServiceTables> planned;
    if (key == kCluster) {
        planned = plan_cluster(context_);
    } else if (entry.service && is_proxied(*entry.service, context_.config)) {
        ++planned_;
        planned = std::make_shared<const ServiceTables>(
            plan_service(*entry.service, entry.slices, context_, marks_)
        );
    } else {
        marks_.keep_only(key, {});
    }
    // Equal tables stay one object, so that nobody looks at them twice.
    return planned && entry.tables && *planned == *entry.tables ? entry.tables : planned;
}

Changes Planner::take_changes() {
    Changes changes;
    changes.sources = context_.node_ips;
    // In the order of keys: which of two Services has its first choice of a mark depends on it.
    std::sort(dirty_.begin(), dirty_.end(), [](const Record* a, const Record* b) {
        return a->first < b->first;
    });
    for (Record* const record : dirty_) {
        auto& [key, entry] = *record;
        entry.dirty = false;
        auto tables = replan(*record);
        if (tables != entry.tables) {
            if (key != kCluster && !entry.tables) {
                ++proxied_;
            } else if (key != kCluster && !tables) {
                --proxied_;
            }
            entry.tables = std::move(tables);
            changes.services.emplace_hint(changes.services.end(), key, entry.tables);
        }
        drop_if_empty(*record);
    }
    dirty_ = {};
    return changes;
}

void Planner::drop_if_empty(const Record& record) {
    const Entry& entry = record.second;
    if (!entry.service && entry.slices.empty() && !entry.tables) {
        entries_.erase(entries_.find(record.first));
    }
}

}  // namespace steelyard::proxy
