#pragma once

#include "common/kube/client/informer.hpp"
#include "common/log/log.hpp"
#include "common/rt/signal.hpp"
#include "common/rt/task_group.hpp"
#include "speaker/plan/status_objects.hpp"

#include <cstdint>
#include <functional>
#include <string>

// Keeps one kind of this node's status objects equal to what its owner wants told. It watches them
// and compares, so it also clears away what an earlier run left, and repairs what somebody edits.
// Nothing waits for it: an API server that is away, or that has no such kind, costs a log line and
// a try every half minute. Writes are paced. The owner joins its tasks before it dies.
namespace steelyard::speaker {

template <class Status>
class StatusWriter {
public:
    using Changes = speaker_plan::StatusChanges<Status>;
    // What there is to do, given the objects there are. Asked after wake() and whenever they
    // change, once they are known.
    using Compare = std::function<Changes(const speaker_plan::Objects<Status>& observed)>;

    // Watches the objects of namespace `ns` that have the labels. `api` and `log` outlive it.
    StatusWriter(
        const asio::any_io_executor& executor,
        kube::KubeApi& api,
        const log::Logger& log,
        std::string ns,
        std::string label_selector,
        Compare compare,
        std::uint64_t seed
    );

    void spawn(rt::TaskGroup& tasks);
    // There may be something else to tell.
    void wake() {
        outdated_ = true;
        wake_.notify();
    }

private:
    [[nodiscard]] typename kube::Informer<Status>::Callbacks callbacks();
    awaitable<void> run();
    [[nodiscard]] Changes changes();
    awaitable<Result<>> apply(Changes changes);
    awaitable<Result<>> remove(kube::ObjectKey key);
    awaitable<Result<>> create(Status status);
    awaitable<Result<>> patch(Status status, std::string subresource, nlohmann::json content);
    void note(const Result<>& outcome);

    kube::KubeApi& api_;
    const log::Logger& log_;
    Compare compare_;
    speaker_plan::LeftoverPace pace_;
    rt::Signal wake_;
    bool outdated_ = false;     // the owner has something else to tell since the last comparison
    std::string last_failure_;  // as logged
    std::string watch_failure_;
    kube::Informer<Status> observed_;
};

using L2StatusWriter = StatusWriter<kube::ServiceL2Status>;
using BgpStatusWriter = StatusWriter<kube::ServiceBgpStatus>;
using SessionStateWriter = StatusWriter<kube::BgpSessionState>;

extern template class StatusWriter<kube::ServiceL2Status>;
extern template class StatusWriter<kube::ServiceBgpStatus>;
extern template class StatusWriter<kube::BgpSessionState>;

}  // namespace steelyard::speaker
