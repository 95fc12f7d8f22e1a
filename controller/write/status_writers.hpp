#pragma once

#include "common/kube/client/api.hpp"
#include "controller/plan/planner.hpp"
#include "controller/write/overtaken.hpp"
#include "controller/write/write_queue.hpp"

#include <functional>
#include <map>
#include <memory>
#include <string>

// Writes the standing of Services to the API, several at once, each Service's in order. The patch
// is built from the newest object the watch has shown, so that what other writers put there stays,
// and is conditional on its resourceVersion: normally one request. After a Conflict the object is
// read from the server.
namespace steelyard::controller {

class StatusWriters {
public:
    // The Service as the watch shows it; null when it is gone.
    using Lookup = std::function<std::shared_ptr<const kube::Service>(const kube::ObjectKey&)>;

    // Whether this process may write now; always when empty. Asked last before each write, because
    // a standing that was decided before a pause must not be forced on another leader's.
    using MayWrite = std::function<bool()>;

    // References outlive the tasks. `wall_clock` supplies the times people see in conditions.
    StatusWriters(
        const asio::any_io_executor& executor,
        kube::KubeApi& api,
        const log::Logger& logger,
        metrics::CounterFamily& errors,
        std::function<WallTime()> wall_clock,
        std::uint64_t seed,
        Lookup lookup,
        const WindowOptions& window = {},
        MayWrite may_write = {}
    );

    // Once. The group is joined before this object dies; cancelling it ends the writes in flight.
    void start(rt::TaskGroup& group) { queue_.start(group); }
    // Only queues; a newer standing of the same Service replaces one not yet written.
    void put(const kube::ObjectKey& service, std::string uid, controller_plan::Standing standing);
    // The Service is gone.
    void forget(const kube::ObjectKey& service);
    // Returns when all that can be written now is written, or at the deadline.
    awaitable<void> drain(Instant deadline) { return queue_.drain(deadline); }

    [[nodiscard]] const WriteSchedule& schedule() const { return queue_.schedule(); }

private:
    struct Wanted {
        std::string uid;
        controller_plan::Standing standing;
        std::uint64_t serial = 0;
    };

    awaitable<Written> write(kube::ObjectKey service);
    awaitable<Written> write_from_watch(kube::ObjectKey service, Wanted wanted);
    awaitable<Written> write_from_server(kube::ObjectKey service, Wanted wanted);
    awaitable<Result<>> patch(kube::ObjectKey service, std::string version, nlohmann::json patch);

    kube::KubeApi& api_;
    std::function<WallTime()> wall_clock_;
    Lookup lookup_;
    MayWrite may_write_;
    std::map<kube::ObjectKey, Wanted> wanted_;
    std::uint64_t serial_ = 0;
    Overtaken overtaken_;
    WriteQueue queue_;
};

}  // namespace steelyard::controller
