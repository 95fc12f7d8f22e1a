#pragma once

#include "common/kube/client/api.hpp"
#include "common/kube/model/encode.hpp"
#include "common/rt/signal.hpp"

#include <cstddef>
#include <cstdint>
#include <functional>
#include <list>
#include <map>
#include <string>
#include <unordered_map>

// Posts Kubernetes Events without ever holding up the caller: record() only queues. A repeat of the
// same Event raises its count instead of adding an object. While a thousand wait, a new one takes
// the place of the waiting one with its object and reason: of each the newest is told. One is
// dropped only when far too many objects wait, or when its post fails (Events are a courtesy,
// status is the truth). run() is the task that posts; spawn it in the owner's TaskGroup.
namespace steelyard::kube {

class EventRecorder {
public:
    // `wall_clock` supplies the timestamps people see. `on_error` may be empty, and `on_full` too:
    // the first Event was dropped since none waited.
    EventRecorder(
        const asio::any_io_executor& executor,
        KubeApi& api,
        std::string component,
        std::function<WallTime()> wall_clock,
        std::function<void(const Error&)> on_error,
        std::function<void()> on_full = {}
    );

    // Callers record on change only; what was recorded within the last ten minutes is counted, and
    // the count is posted with the next post of that Event.
    void record(ObjectReference involved, EventType type, std::string reason, std::string message);
    awaitable<void> run();
    [[nodiscard]] std::size_t waiting() const { return queue_.size(); }
    [[nodiscard]] std::uint64_t dropped() const { return dropped_; }
    // Never posted, because a newer one of their object and reason was.
    [[nodiscard]] std::uint64_t coalesced() const { return coalesced_; }

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

    using Queue = std::list<Pending>;

    awaitable<void> post(Pending pending);
    void enqueue(Pending pending);
    void forget_unposted(const std::string& name);
    [[nodiscard]] Pending take_first();
    void forget_old(WallTime now);

    KubeApi& api_;
    std::string component_;
    std::function<WallTime()> wall_clock_;
    std::function<void(const Error&)> on_error_;
    rt::Signal wake_;
    std::function<void()> on_full_;
    Queue queue_;
    // By a hash of object and reason: the one queued last.
    std::unordered_map<std::size_t, Queue::iterator> newest_;
    std::map<std::string, Known> known_;  // by event name
    WallTime swept_{};
    std::uint64_t dropped_ = 0;
    std::uint64_t coalesced_ = 0;
    bool told_full_ = false;
};

}  // namespace steelyard::kube
