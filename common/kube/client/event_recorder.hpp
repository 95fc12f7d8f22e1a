#pragma once

#include "common/kube/client/api.hpp"
#include "common/kube/model/encode.hpp"
#include "common/rt/signal.hpp"

#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <string>

// Posts Kubernetes Events without ever holding up the caller: record() only queues. A repeat of the
// same Event raises its count instead of adding an object. The queue is bounded and the newest is
// dropped when it is full; a failed post is dropped too (Events are a courtesy, status is the
// truth). run() is the task that posts; spawn it in the owner's TaskGroup.
namespace steelyard::kube {

class EventRecorder {
public:
    // `wall_clock` supplies the timestamps people see. `on_error` may be empty.
    EventRecorder(
        const asio::any_io_executor& executor,
        KubeApi& api,
        std::string component,
        std::function<WallTime()> wall_clock,
        std::function<void(const Error&)> on_error
    );

    // Callers record on change only; what was recorded within the last ten minutes is counted, and
    // the count is posted with the next post of that Event.
    void record(ObjectReference involved, EventType type, std::string reason, std::string message);
    awaitable<void> run();
    [[nodiscard]] std::uint64_t dropped() const { return dropped_; }

private:
    struct Known {
        std::int64_t count = 0;
        WallTime first{};
        WallTime last{};
        bool queued = false;
        bool in_post = false;
        bool exists = false;  // the server has it: update the count with a patch
    };
    struct Pending {
        Event event;
        std::string name;
    };

    awaitable<void> post(Pending pending);
    void forget_old(WallTime now);

    KubeApi& api_;
    std::string component_;
    std::function<WallTime()> wall_clock_;
    std::function<void(const Error&)> on_error_;
    rt::Signal wake_;
    std::deque<Pending> queue_;
    std::map<std::string, Known> known_;  // by event name
    WallTime swept_{};
    std::uint64_t dropped_ = 0;
};

}  // namespace steelyard::kube
