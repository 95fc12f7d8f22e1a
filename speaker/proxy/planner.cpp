#include "speaker/proxy/planner.hpp"

#include <utility>

namespace steelyard::proxy {

Planner::Planner(Context context)
    : context_(std::move(context)), tables_(std::make_shared<const Tables>()) {}

void Planner::set_service(const kube::ObjectKey& key, ServiceRef service) {
    if (service) {
        services_[key] = std::move(service);
    } else {
        services_.erase(key);
    }
    dirty_.insert(key);
}

void Planner::set_slice(const kube::ObjectKey& key, SliceRef slice) {
    if (const auto old = slices_.find(key); old != slices_.end()) {
        // The label that names the Service can change: forget the slice where it was.
        const kube::ObjectKey owner{key.ns, old->second->service};
        const auto siblings = slices_of_.find(owner);
        siblings->second.erase(key);
        if (siblings->second.empty()) {
            slices_of_.erase(siblings);
        }
        slices_.erase(old);
        dirty_.insert(owner);
    }
    if (slice) {
        const kube::ObjectKey owner{key.ns, slice->service};
        slices_of_[owner][key] = slice;
        slices_[key] = std::move(slice);
        dirty_.insert(owner);
    }
}

void Planner::set_context(Context context) {
    if (context == context_) {
        return;
    }
    context_ = std::move(context);
    for (const auto& [key, service] : services_) {
        dirty_.insert(key);
    }
}

void Planner::mark_dirty(const kube::ObjectKey& service) {
    dirty_.insert(service);
}

std::shared_ptr<const ServiceTables> Planner::replan(const kube::ObjectKey& key) const {
    const auto service = services_.find(key);
    if (service == services_.end() || !is_proxied(*service->second, context_.config.mode)) {
        return nullptr;
    }
    std::vector<SliceRef> slices;
    if (const auto found = slices_of_.find(key); found != slices_of_.end()) {
        for (const auto& [name, slice] : found->second) {
            slices.push_back(slice);
        }
    }
    return std::make_shared<const ServiceTables>(plan_service(*service->second, slices, context_));
}

std::shared_ptr<const Tables> Planner::tables() {
    std::shared_ptr<Tables> next;  // copied only once something really changed
    for (const kube::ObjectKey& key : dirty_) {
        std::shared_ptr<const ServiceTables> planned = replan(key);
        const auto& current = next ? next->services : tables_->services;
        const auto before = current.find(key);
        const bool same =
            before == current.end() ? !planned : planned && *planned == *before->second;
        if (same) {
            continue;
        }
        if (!next) {
            next = std::make_shared<Tables>(*tables_);
        }
        if (planned) {
            next->services[key] = std::move(planned);
        } else {
            next->services.erase(key);
        }
    }
    dirty_.clear();
    if (next) {
        tables_ = std::move(next);
    }
    return tables_;
}

}  // namespace steelyard::proxy
