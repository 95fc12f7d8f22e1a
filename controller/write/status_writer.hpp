#pragma once

#include "common/base/rng.hpp"
#include "common/kube/client/api.hpp"
#include "common/log/log.hpp"
#include "common/metrics/metrics.hpp"
#include "common/rt/signal.hpp"
#include "controller/plan/planner.hpp"

#include <deque>
#include <functional>
#include <map>
#include <string>

// Writes the standing of Services to the API, one after the other. Each write reads the object
// first, so that what other writers put there stays, and is conditional on its resourceVersion; a
// conflict reads again. A failure is retried with backoff until it works or a newer standing
// replaces it: while the server is not well everything waits, while it refuses one Service the
// others go on. The controller runs several; one Service always goes to the same one, which keeps
// its writes in order.
namespace steelyard::controller {

class StatusWriter {
public:
    // References outlive run(). `wall_clock` supplies the times people see in conditions.
    StatusWriter(
        const asio::any_io_executor& executor,
        kube::KubeApi& api,
        const log::Logger& logger,
        metrics::CounterFamily& errors,
        std::function<WallTime()> wall_clock,
        std::uint64_t seed
    );

    // Only queues; a newer standing of the same Service replaces one not yet written.
    void put(const kube::ObjectKey& service, std::string uid, controller_plan::Standing standing);
    // The Service is gone.
    void forget(const kube::ObjectKey& service);
    awaitable<void> run();

private:
    struct Wanted {
        std::string uid;
        controller_plan::Standing standing;
        unsigned refusals = 0;  // of this Service, in a row
    };
    enum class Step { Done, Again };

    awaitable<void> wait_for_work();
    awaitable<Result<>> write(kube::ObjectKey service, Wanted wanted);
    awaitable<Result<Step>> try_write(const kube::ObjectKey& service, const Wanted& wanted);
    // How long to wait before the next one; zero unless the server is not well.
    Duration conclude(const kube::ObjectKey& service, Wanted wanted, const Result<>& result);
    Duration backoff(unsigned failures);

    kube::KubeApi& api_;
    log::Logger logger_;
    metrics::CounterFamily& errors_;
    std::function<WallTime()> wall_clock_;
    Rng rng_;
    rt::Signal wake_;
    std::map<kube::ObjectKey, Wanted> wanted_;
    // Each key of wanted_ stands in one of these: to be written now, or tried again when it is due.
    std::deque<kube::ObjectKey> order_;
    std::multimap<Instant, kube::ObjectKey> later_;
    unsigned failures_ = 0;  // of the server, in a row
};

}  // namespace steelyard::controller
