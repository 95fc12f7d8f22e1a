#pragma once

#include "common/base/rng.hpp"
#include "common/kube/client/api.hpp"
#include "common/kube/watch/store.hpp"

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

// Keeps a Store<T> equal to the server for as long as its task runs: list, watch, back off, relist
// (decisions in common/kube/watch). Callbacks run on the loop between awaits, so they must be
// quick: mark a key dirty and notify a Signal. The informer, its KubeApi and its callbacks must
// outlive the spawned run(); the owner joins the TaskGroup first.
//
//     Informer<Service> services(api, Collection(Resource<Service>::kType), callbacks, seed);
//     group.spawn("watch services", services.run());
namespace steelyard::kube {

// What the generic engine tells the typed side; all of it is called on the loop.
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

// Lists and watches forever; ends only by cancellation. `on_error` hears of a failure when it
// differs from the last one, and of the recovery as a null pointer.
using WatchErrorCallback = std::function<void(const Error* error)>;
awaitable<void> run_list_watch(
    KubeApi& api, Collection collection, ObjectSink& sink, WatchErrorCallback on_error, Rng rng
);

using BadObjects = std::map<ObjectKey, Error>;

template <class T>
class Informer final : private ObjectSink {
public:
    struct Callbacks {
        std::function<void(const Change<T>&)> on_change;
        std::function<void()> on_synced;  // once, after the first full list
        // The connection to the server broke (a new reason each time), or works again (nullptr).
        WatchErrorCallback on_error;
        // An object we cannot decode: the last good version stays in the store. Called once, and
        // again only when something else is wrong with it.
        std::function<void(const ObjectKey&, const Error&)> on_bad_object;
    };

    Informer(KubeApi& api, Collection collection, Callbacks callbacks, std::uint64_t seed)
        : api_(api),
          collection_(std::move(collection)),
          callbacks_(std::move(callbacks)),
          rng_(seed) {}

    awaitable<void> run() {
        return run_list_watch(api_, collection_, *this, callbacks_.on_error, rng_);
    }
    // True once the first full list is in the store; stays true while disconnected.
    [[nodiscard]] bool synced() const { return synced_; }
    [[nodiscard]] const Store<T>& store() const { return store_; }
    // The objects that cannot be decoded as they are now, and why.
    [[nodiscard]] const BadObjects& bad_objects() const { return bad_; }

private:
    void begin_replace() override {
        incoming_.clear();
        incoming_bad_.clear();
    }
    void add(const nlohmann::json& object) override;
    void remove(const nlohmann::json& object) override;
    void end_replace() override;
    void put(const nlohmann::json& object) override;
    void erase(const nlohmann::json& object) override;
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

    KubeApi& api_;
    Collection collection_;
    Callbacks callbacks_;
    Rng rng_;
    Store<T> store_;
    BadObjects bad_;
    typename Store<T>::Objects incoming_;  // the full state while it is sent
    BadObjects incoming_bad_;
    bool synced_ = false;
};

// metadata.namespace and metadata.name, "" where missing.
[[nodiscard]] ObjectKey key_of(const nlohmann::json& object);

template <class T>
void Informer<T>::add(const nlohmann::json& object) {
    auto decoded = Resource<T>::decode(object);
    if (decoded) {
        ObjectKey key = decoded->meta.key;
        incoming_bad_.erase(key);
        incoming_[std::move(key)] = std::make_shared<const T>(std::move(*decoded));
        return;
    }
    const ObjectKey key = key_of(object);
    if (auto last_good = store_.find(key)) {
        incoming_[key] = std::move(last_good);
    }
    incoming_bad_.insert_or_assign(key, decoded.error());
}

template <class T>
void Informer<T>::remove(const nlohmann::json& object) {
    const ObjectKey key = key_of(object);
    incoming_.erase(key);
    incoming_bad_.erase(key);
}

template <class T>
void Informer<T>::end_replace() {
    const BadObjects before = std::exchange(bad_, std::exchange(incoming_bad_, {}));
    for (const auto& [key, error] : bad_) {
        report_bad(key, error, before);
    }
    report(store_.replace(std::exchange(incoming_, {})));
    if (!synced_) {
        synced_ = true;
        if (callbacks_.on_synced) {
            callbacks_.on_synced();
        }
    }
}

template <class T>
void Informer<T>::put(const nlohmann::json& object) {
    auto decoded = Resource<T>::decode(object);
    if (decoded) {
        bad_.erase(decoded->meta.key);
        report(store_.put(std::move(*decoded)));
        return;
    }
    const ObjectKey key = key_of(object);
    report_bad(key, decoded.error(), bad_);
    bad_.insert_or_assign(key, decoded.error());
}

template <class T>
void Informer<T>::erase(const nlohmann::json& object) {
    const ObjectKey key = key_of(object);
    bad_.erase(key);
    report(store_.erase(key));
}

}  // namespace steelyard::kube
