#pragma once

#include "common/kube/client/api.hpp"
#include "common/kube/lease/elector.hpp"
#include "common/rt/asio.hpp"

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>

// Takes part in the election over one Lease: the Elector's decisions (common/kube/lease) carried
// out against the API. The Lease is watched, so that a released one is taken at once, and polled,
// so that nothing depends on the watch. Give it a KubeApi of its own: its renewals must not wait
// behind other calls. Callbacks run on the loop and must be quick.
//
//     LeaderElection election(executor, api, callbacks, options);
//     group.spawn("leader election", election.run());
//     ...                                   // SIGTERM: stop acting as leader first, then
//     co_await election.release();
//     group.cancel(); co_await group.join();
namespace steelyard::kube {

struct LeaderOptions {
    ObjectKey lease;
    std::string identity;  // of this process alone: the pod's name and something random
    ElectionTimings timings;
    std::uint64_t seed = 0;                            // for jitter
    Duration release_limit = std::chrono::seconds(3);  // how long release() may take
    std::function<WallTime()> wall_clock;              // for the times in the Lease
    // Must count while the machine sleeps; tests replace it.
    std::function<Instant()> clock;  // CLOCK_BOOTTIME when empty
};

struct LeaderCallbacks {
    std::function<void()> on_elected;
    std::function<void(LostReason)> on_lost;  // act as leader no more, at once
    // Whom the Lease names now, "" for nobody; for logs.
    std::function<void(const std::string& holder)> on_holder;
    // The API fails (a new reason each time), or works again (nullptr).
    std::function<void(const Error*)> on_error;
};

class LeaderElection {
public:
    // `api` outlives this object; options.timings have passed check(). Throws system_error when
    // the kernel gives no timer.
    LeaderElection(
        const asio::any_io_executor& executor,
        KubeApi& api,
        LeaderCallbacks callbacks,
        LeaderOptions options
    );
    LeaderElection(const LeaderElection&) = delete;
    LeaderElection& operator=(const LeaderElection&) = delete;
    ~LeaderElection();

    // Takes part until cancelled or released.
    awaitable<void> run();
    // Leads no more from the call on (on_lost comes within it) and gives the Lease back, so that
    // another can take it at once. True when the Lease is known to be free of us; false after
    // release_limit. Call it while run() runs.
    awaitable<bool> release();
    // May this process act as the leader now? Past the renew deadline it may not, even when the
    // process or the machine slept and nothing was called since.
    [[nodiscard]] bool leading() const;

private:
    struct Impl;
    std::unique_ptr<Impl> impl_;
};

}  // namespace steelyard::kube
