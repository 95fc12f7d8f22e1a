#pragma once

#include "common/base/rng.hpp"
#include "common/kube/client/api.hpp"
#include "common/kube/watch/mirror.hpp"

#include <cstdint>
#include <utility>

// Keeps a Store<T> equal to the server for as long as its task runs: list, watch, back off, relist
// (decisions in common/kube/watch). The first full state is a consistent read: it holds everything
// written before run() began. Callbacks run on the loop between awaits, so they must be quick: mark
// a key dirty and notify a Signal. The informer, its KubeApi and its callbacks must outlive the
// spawned run(); the owner joins the TaskGroup first.
//
//     Informer<Service> services(api, Collection(Resource<Service>::kType), callbacks, seed);
//     group.spawn("watch services", services.run());
namespace steelyard::kube {

// Lists and watches forever; ends only by cancellation.
awaitable<void> run_list_watch(
    KubeApi& api, Collection collection, ObjectSink& sink, WatchErrorCallback on_error, Rng rng
);

template <class T>
class Informer final {
public:
    struct Callbacks : MirrorCallbacks<T> {
        // The connection to the server broke (a new reason each time), or works again (nullptr).
        WatchErrorCallback on_error;
    };

    Informer(KubeApi& api, Collection collection, Callbacks callbacks, std::uint64_t seed)
        : api_(api),
          collection_(std::move(collection)),
          on_error_(std::move(callbacks.on_error)),
          rng_(seed),
          mirror_(std::move(callbacks)) {}

    awaitable<void> run() { return run_list_watch(api_, collection_, mirror_, on_error_, rng_); }
    // True once the first full list is in the store; stays true while disconnected.
    [[nodiscard]] bool synced() const { return mirror_.synced(); }
    [[nodiscard]] const Store<T>& store() const { return mirror_.store(); }
    // The objects that cannot be decoded as they are now, and why.
    [[nodiscard]] const BadObjects& bad_objects() const { return mirror_.bad_objects(); }

private:
    KubeApi& api_;
    Collection collection_;
    WatchErrorCallback on_error_;
    Rng rng_;
    Mirror<T> mirror_;
};

}  // namespace steelyard::kube
