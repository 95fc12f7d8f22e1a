#include "e2e/apiserver/storage/store.hpp"

#include <algorithm>

namespace steelyard::apiserver {

std::string object_key(const std::string& ns, const std::string& name) {
    return ns + "/" + name;
}

std::string object_key(const Json& object) {
    return object_key(text_at(object, "metadata.namespace"), text_at(object, "metadata.name"));
}

Object Store::get(const std::string& resource, const std::string& key) const {
    const auto kind = objects_.find(resource);
    if (kind == objects_.end()) {
        return nullptr;
    }
    const auto found = kind->second.find(key);
    return found == kind->second.end() ? nullptr : found->second;
}

std::vector<Object> Store::list(
    const std::string& resource, const std::string& ns, const std::string& after
) const {
    std::vector<Object> out;
    const auto kind = objects_.find(resource);
    if (kind == objects_.end()) {
        return out;
    }
    const std::string prefix = ns.empty() ? std::string{} : ns + "/";
    auto place = after.empty() ? kind->second.lower_bound(prefix) : kind->second.upper_bound(after);
    for (; place != kind->second.end() && place->first.starts_with(prefix); ++place) {
        out.push_back(place->second);
    }
    return out;
}

std::vector<Object> Store::list_at(
    std::uint64_t version,
    const std::string& resource,
    const std::string& ns,
    const std::string& after
) const {
    // Today's objects with the changes since then undone, the newest first.
    std::map<std::string, Object> state;
    if (const auto kind = objects_.find(resource); kind != objects_.end()) {
        state = kind->second;
    }
    for (auto change = history_.rbegin(); change != history_.rend(); ++change) {
        if (change->version <= version) {
            break;
        }
        if (change->resource != resource) {
            continue;
        }
        if (change->previous == nullptr) {
            state.erase(object_key(*change->object));
        } else {
            state[object_key(*change->object)] = change->previous;
        }
    }
    std::vector<Object> out;
    const std::string prefix = ns.empty() ? std::string{} : ns + "/";
    auto place = after.empty() ? state.lower_bound(prefix) : state.upper_bound(after);
    for (; place != state.end() && place->first.starts_with(prefix); ++place) {
        out.push_back(std::move(place->second));
    }
    return out;
}

std::vector<std::string> Store::resources() const {
    std::vector<std::string> out;
    for (const auto& [resource, objects] : objects_) {
        if (!objects.empty()) {
            out.push_back(resource);
        }
    }
    return out;
}

Object Store::put(const std::string& resource, Json object) {
    ++version_;
    object["metadata"]["resourceVersion"] = std::to_string(version_);
    Object& place = objects_[resource][object_key(object)];
    Change change;
    change.type = place == nullptr ? ChangeType::Added : ChangeType::Modified;
    change.previous = place;
    place = std::make_shared<const Json>(std::move(object));
    change.version = version_;
    change.resource = resource;
    change.object = place;
    record(std::move(change));
    return place;
}

Object Store::erase(const std::string& resource, const std::string& key) {
    const auto kind = objects_.find(resource);
    if (kind == objects_.end()) {
        return nullptr;
    }
    const auto found = kind->second.find(key);
    if (found == kind->second.end()) {
        return nullptr;
    }
    ++version_;
    Json last = *found->second;
    last["metadata"]["resourceVersion"] = std::to_string(version_);
    Change change;
    change.type = ChangeType::Deleted;
    change.version = version_;
    change.resource = resource;
    change.previous = found->second;
    change.object = std::make_shared<const Json>(std::move(last));
    kind->second.erase(found);
    Object gone = change.object;
    record(std::move(change));
    return gone;
}

void Store::record(Change change) {
    history_.push_back(std::move(change));
    while (history_.size() > history_limit_) {
        forgotten_ = history_.front().version;
        history_.pop_front();
    }
}

bool Store::remembers(std::uint64_t version) const {
    return version >= forgotten_;
}

void Store::each_change_after(
    std::uint64_t version, const std::function<void(const Change&)>& visit
) const {
    const auto begin = std::upper_bound(
        history_.begin(),
        history_.end(),
        version,
        [](std::uint64_t wanted, const Change& change) { return wanted < change.version; }
    );
    for (auto change = begin; change != history_.end(); ++change) {
        visit(*change);
    }
}

void Store::forget_history() {
    // A gap in the counter, so that a version handed out before is older than all that is known.
    version_ += 1000;
    forgotten_ = version_;
    history_.clear();
}

}  // namespace steelyard::apiserver
