#pragma once

#include "common/base/error.hpp"
#include "common/log/log.hpp"
#include "common/metrics/metrics.hpp"
#include "common/rt/asio.hpp"
#include "common/rt/signal.hpp"
#include "common/rt/task_group.hpp"
#include "controller/write/write_schedule.hpp"

#include <cstddef>
#include <functional>
#include <optional>
#include <string>
#include <vector>

// Runs a WriteSchedule: as many writes at once as its window allows, each a call of `write` for one
// object. A write that fails is called again until it succeeds, the object is forgotten, or the
// tasks are cancelled, which ends what is in flight.
namespace steelyard::controller {

struct Written {
    Result<> result;
    bool whole = true;  // one request, so that its time tells how the server fares
};

class WriteQueue {
public:
    // References outlive the tasks. `what` is written, for the log: "the status of a Service".
    WriteQueue(
        const asio::any_io_executor& executor,
        const log::Logger& logger,
        metrics::CounterFamily& errors,
        std::string what,
        const WindowOptions& window,
        std::uint64_t seed,
        std::function<awaitable<Written>(kube::ObjectKey)> write
    );

    // Once. The group is joined before this object dies.
    void start(rt::TaskGroup& group);
    void put(const kube::ObjectKey& key);
    void forget(const kube::ObjectKey& key) { schedule_.forget(key); }
    // Returns when all that can be written now is written, or at the deadline. What the server
    // refused is not waited for.
    awaitable<void> drain(Instant deadline);

    [[nodiscard]] const WriteSchedule& schedule() const { return schedule_; }

private:
    // One write after the other; there are as many as the window may grow to.
    struct Worker {
        explicit Worker(const asio::any_io_executor& executor) : wake(executor) {}
        rt::Signal wake;
        std::optional<kube::ObjectKey> key;
    };

    awaitable<void> work(std::size_t index);
    awaitable<void> keep_time();
    void dispatch();
    void conclude(const kube::ObjectKey& key, const Written& written);
    void tell(const kube::ObjectKey& key, const Error& error, bool server);

    log::Logger logger_;
    metrics::CounterFamily& errors_;
    std::string what_;
    std::function<awaitable<Written>(kube::ObjectKey)> write_;
    WriteSchedule schedule_;
    std::vector<Worker> workers_;
    std::vector<std::size_t> free_;     // workers without a key
    std::optional<Instant> alarm_set_;  // what keep_time() waits for
    rt::Signal alarm_;
    rt::Signal idle_;
};

}  // namespace steelyard::controller
