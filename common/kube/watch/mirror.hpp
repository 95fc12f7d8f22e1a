#pragma once

#include "common/base/error.hpp"
#include "common/kube/model/resource.hpp"
#include "common/kube/watch/list_watch.hpp"
#include "common/kube/watch/object.hpp"
#include "common/kube/watch/store.hpp"

#include <nlohmann/json.hpp>

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

// From the actions of a ListWatch to a Store<T>: decodes each object, collects a full state beside
// the store until it is complete, and tells what changed. An object that cannot be decoded leaves
// its last good version in the store. Without I/O; the loop round it is kube/client's Informer.
namespace steelyard::kube {

// What the untyped side tells the typed one.
class ObjectSink {
public:
    ObjectSink() = default;
    ObjectSink(const ObjectSink&) = delete;
    ObjectSink& operator=(const ObjectSink&) = delete;
    virtual ~ObjectSink() = default;
    virtual void begin_replace() = 0;                       // a full list follows
    virtual void add(const nlohmann::json& object) = 0;     // one object of that list
    virtual void remove(const nlohmann::json& object) = 0;  // left the list while it was sent
    virtual void end_replace() = 0;                         // the list is complete
    virtual void put(const nlohmann::json& object) = 0;     // ADDED, MODIFIED
    virtual void erase(const nlohmann::json& object) = 0;   // DELETED
};

// Hears of a failure when it differs from the last one, and of the recovery as a null pointer.
using WatchErrorCallback = std::function<void(const Error* error)>;

// Carries actions to a sink and failures to a callback.
class ActionCarrier {
public:
    ActionCarrier(ObjectSink& sink, WatchErrorCallback on_error)
        : sink_(sink), on_error_(std::move(on_error)) {}

    // Empties `actions`.
    void apply(WatchActions& actions);

private:
    void carry(const WatchAction& action);
    void fail(const Error& error);
    void recover();

    ObjectSink& sink_;
    WatchErrorCallback on_error_;
    std::optional<Error> last_error_;
};

using BadObjects = std::map<ObjectKey, Error>;

template <class T>
struct MirrorCallbacks {
    std::function<void(const Change<T>&)> on_change;
    std::function<void()> on_synced;  // once, after the first full list
    // An object we cannot decode: the last good version stays in the store. Called once, and
    // again only when something else is wrong with it.
    std::function<void(const ObjectKey&, const Error&)> on_bad_object;
    // It can be decoded again or is gone; the store may show no change then.
    std::function<void(const ObjectKey&)> on_no_longer_bad;
};

template <class T>
class Mirror final : public ObjectSink {
public:
    explicit Mirror(MirrorCallbacks<T> callbacks) : callbacks_(std::move(callbacks)) {}

    // True once the first full list is in the store; stays true while disconnected.
    [[nodiscard]] bool synced() const { return synced_; }
    [[nodiscard]] const Store<T>& store() const { return store_; }
    // The objects that cannot be decoded as they are now, and why.
    [[nodiscard]] const BadObjects& bad_objects() const { return bad_; }

    void begin_replace() override {
        incoming_.clear();
        incoming_bad_.clear();
    }
    void add(const nlohmann::json& object) override;
    void remove(const nlohmann::json& object) override;
    void end_replace() override;
    void put(const nlohmann::json& object) override;
    void erase(const nlohmann::json& object) override;

private:
    void report(const std::vector<Change<T>>& changes) {
        for (const Change<T>& change : changes) {
            if (callbacks_.on_change) {
                callbacks_.on_change(change);
            }
        }
    }
    void report_bad(const ObjectKey& key, const Error& error, const BadObjects& known) {
        const auto before = known.find(key);
        const bool said = before != known.end() && before->second == error;
        if (!said && callbacks_.on_bad_object) {
            callbacks_.on_bad_object(key, error);
        }
    }
    void report_no_longer_bad(const ObjectKey& key) {
        if (callbacks_.on_no_longer_bad) {
            callbacks_.on_no_longer_bad(key);
        }
    }

    MirrorCallbacks<T> callbacks_;
    Store<T> store_;
    BadObjects bad_;
    typename Store<T>::Objects incoming_;  // the full state while it is sent
    BadObjects incoming_bad_;
    bool synced_ = false;
};

template <class T>
void Mirror<T>::add(const nlohmann::json& object) {
    auto decoded = Resource<T>::decode(object);
    if (decoded) {
        const ObjectKey& key = decoded->meta.key;
        incoming_bad_.erase(key);
        // What has not changed is shared, so that a full state does not double our memory.
        auto have = store_.find(key);
        if (!have || !(*have == *decoded)) {
            have = std::make_shared<const T>(std::move(*decoded));
        }
        incoming_[have->meta.key] = have;
        return;
    }
    const ObjectKey key = key_of(object);
    if (auto last_good = store_.find(key)) {
        incoming_[key] = std::move(last_good);
    } else {
        incoming_.erase(key);
    }
    incoming_bad_.insert_or_assign(key, decoded.error());
}

template <class T>
void Mirror<T>::remove(const nlohmann::json& object) {
    const ObjectKey key = key_of(object);
    incoming_.erase(key);
    incoming_bad_.erase(key);
}

template <class T>
void Mirror<T>::end_replace() {
    const BadObjects before = std::exchange(bad_, std::exchange(incoming_bad_, {}));
    for (const auto& [key, error] : bad_) {
        report_bad(key, error, before);
    }
    report(store_.replace(std::exchange(incoming_, {})));
    for (const auto& [key, error] : before) {
        if (!bad_.contains(key)) {
            report_no_longer_bad(key);
        }
    }
    if (!synced_) {
        synced_ = true;
        if (callbacks_.on_synced) {
            callbacks_.on_synced();
        }
    }
}

template <class T>
void Mirror<T>::put(const nlohmann::json& object) {
    auto decoded = Resource<T>::decode(object);
    if (decoded) {
        const ObjectKey key = decoded->meta.key;
        const bool was_bad = bad_.erase(key) != 0;
        report(store_.put(std::move(*decoded)));
        if (was_bad) {
            report_no_longer_bad(key);
        }
        return;
    }
    const ObjectKey key = key_of(object);
    report_bad(key, decoded.error(), bad_);
    bad_.insert_or_assign(key, decoded.error());
}

template <class T>
void Mirror<T>::erase(const nlohmann::json& object) {
    const ObjectKey key = key_of(object);
    const bool was_bad = bad_.erase(key) != 0;
    report(store_.erase(key));
    if (was_bad) {
        report_no_longer_bad(key);
    }
}

}  // namespace steelyard::kube
