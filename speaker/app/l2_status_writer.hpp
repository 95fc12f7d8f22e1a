#pragma once

#include "common/kube/client/informer.hpp"
#include "common/log/log.hpp"
#include "common/rt/signal.hpp"
#include "common/rt/task_group.hpp"
#include "speaker/plan/l2_status.hpp"

#include <cstdint>
#include <memory>
#include <optional>
#include <set>
#include <string>

// Keeps the ServiceL2Status objects of this node equal to what is announced here. It watches them
// and compares, so it also clears away what an earlier run left, and repairs what somebody edits.
// Nothing waits for it: an API server that is away, or that has no such kind, costs a log line and
// a try every half minute. Writes are paced. The owner joins its tasks before it dies.
namespace steelyard::speaker {

class L2StatusWriter {
public:
    // `api` and `log` outlive it.
    L2StatusWriter(
        const asio::any_io_executor& executor,
        kube::KubeApi& api,
        const log::Logger& log,
        std::string node_name,
        std::string ns,
        std::uint64_t seed
    );

    void spawn(rt::TaskGroup& tasks);
    // What should be told from now on. `pod` owns the objects: they go with it.
    void set(
        std::shared_ptr<const speaker_plan::Announcements> plan,
        std::set<speaker_plan::Conflict> conflicts,
        std::optional<kube::ServiceL2Status::Owner> pod
    );

private:
    using Status = kube::ServiceL2Status;

    awaitable<void> run();
    [[nodiscard]] speaker_plan::L2StatusChanges changes();
    awaitable<Result<>> apply(speaker_plan::L2StatusChanges changes);
    awaitable<Result<>> remove(kube::ObjectKey key);
    awaitable<Result<>> create(Status status);
    awaitable<Result<>> patch(Status status, std::string subresource, nlohmann::json content);
    void note(const Result<>& outcome);

    kube::KubeApi& api_;
    const log::Logger& log_;
    speaker_plan::StatusScope scope_;
    std::shared_ptr<const speaker_plan::Announcements> plan_;  // null until the first set()
    std::set<speaker_plan::Conflict> conflicts_;
    speaker_plan::LeftoverPace pace_;
    rt::Signal wake_;
    std::string last_failure_;  // as logged
    std::string watch_failure_;
    kube::Informer<Status> observed_;
};

}  // namespace steelyard::speaker
