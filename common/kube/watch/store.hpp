#pragma once

#include "common/kube/model/meta.hpp"

#include <cstddef>
#include <map>
#include <memory>
#include <utility>
#include <vector>

// The local copy of one kind. Objects are immutable and shared, so a snapshot is a copy of the map
// and costs no decoding. Every call returns what really changed: an update that differs only in
// resourceVersion is kept (so that writes carry the newest one) but not reported, and replace()
// synthesises the deletions that happened while nobody was watching.
namespace steelyard::kube {

// before is null for an added object, after for a deleted one; never both.
template <class T>
struct Change {
    ObjectKey key;
    std::shared_ptr<const T> before;
    std::shared_ptr<const T> after;
};

template <class T>
class Store {
public:
    using Objects = std::map<ObjectKey, std::shared_ptr<const T>>;

    [[nodiscard]] const Objects& objects() const { return objects_; }
    [[nodiscard]] std::size_t size() const { return objects_.size(); }
    [[nodiscard]] std::shared_ptr<const T> find(const ObjectKey& key) const {
        const auto found = objects_.find(key);
        return found == objects_.end() ? nullptr : found->second;
    }

    // Adds or updates one object; at most one change.
    std::vector<Change<T>> put(T object) {
        std::vector<Change<T>> changes;
        put_into(std::make_shared<const T>(std::move(object)), changes);
        return changes;
    }

    std::vector<Change<T>> erase(const ObjectKey& key) {
        std::vector<Change<T>> changes;
        const auto found = objects_.find(key);
        if (found != objects_.end()) {
            changes.push_back(Change<T>{key, std::move(found->second), nullptr});
            objects_.erase(found);
        }
        return changes;
    }

    // Makes the store equal to `objects`; deletions come first, then the rest, each in key order.
    std::vector<Change<T>> replace(Objects objects) {
        std::vector<Change<T>> changes;
        for (auto entry = objects_.begin(); entry != objects_.end();) {
            if (objects.contains(entry->first)) {
                ++entry;
                continue;
            }
            changes.push_back(Change<T>{entry->first, std::move(entry->second), nullptr});
            entry = objects_.erase(entry);
        }
        while (!objects.empty()) {
            auto entry = objects.extract(objects.begin());  // moves on without another copy
            if (objects_.contains(entry.key())) {
                put_into(std::move(entry.mapped()), changes);
            } else {
                changes.push_back(Change<T>{entry.key(), nullptr, entry.mapped()});
                objects_.insert(std::move(entry));
            }
        }
        return changes;
    }

private:
    static bool same_but_version(const T& a, const T& b) {
        if (a.meta.resource_version == b.meta.resource_version) {
            return a == b;
        }
        T copy = a;
        copy.meta.resource_version = b.meta.resource_version;
        return copy == b;
    }

    void put_into(std::shared_ptr<const T> object, std::vector<Change<T>>& changes) {
        const ObjectKey& key = object->meta.key;
        std::shared_ptr<const T>& slot = objects_[key];
        if (!slot || !same_but_version(*slot, *object)) {
            changes.push_back(Change<T>{key, slot, object});
        }
        slot = std::move(object);
    }

    Objects objects_;
};

}  // namespace steelyard::kube
