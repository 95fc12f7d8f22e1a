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
// replaces it. The controller runs several; one Service always goes to the same one, which keeps
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
    };
    enum class Step { Done, Again, BackOff };

    awaitable<Result<>> write(kube::ObjectKey service, Wanted wanted);
    awaitable<Result<Step>> try_write(const kube::ObjectKey& service, const Wanted& wanted);
    // How long to wait before the next one; zero after a success.
    Duration conclude(const kube::ObjectKey& service, Wanted wanted, const Result<>& result);

    kube::KubeApi& api_;
    log::Logger logger_;
    metrics::CounterFamily& errors_;
    std::function<WallTime()> wall_clock_;
    Rng rng_;
    rt::Signal wake_;
    std::map<kube::ObjectKey, Wanted> wanted_;
    std::deque<kube::ObjectKey> order_;  // keys of wanted_, each once, and forgotten ones
    unsigned failures_ = 0;              // in a row
};

}  // namespace steelyard::controller
