#include "common/kube/client/event_recorder.hpp"

#include <chrono>
#include <utility>

namespace steelyard::kube {
namespace {

constexpr std::size_t kMaxQueue = 1000;
constexpr std::size_t kMaxKnown = 4096;
constexpr auto kAggregateFor = std::chrono::minutes(10);

}  // namespace

EventRecorder::EventRecorder(
    const asio::any_io_executor& executor,
    KubeApi& api,
    std::string component,
    std::function<WallTime()> wall_clock,
    std::function<void(const Error&)> on_error
)
    : api_(api),
      component_(std::move(component)),
      wall_clock_(std::move(wall_clock)),
      on_error_(std::move(on_error)),
      wake_(executor) {}

void EventRecorder::record(
    ObjectReference involved, EventType type, std::string reason, std::string message
) {
    Event event;
    event.involved = std::move(involved);
    event.type = type;
    event.reason = std::move(reason);
    event.message = std::move(message);
    event.component = component_;
    const WallTime now = wall_clock_();
    forget_old(now);

    std::string name = event_name(event);
    const auto found = known_.find(name);
    if (found == known_.end() && (queue_.size() >= kMaxQueue || known_.size() >= kMaxKnown)) {
        ++dropped_;
        return;
    }
    Known& known = known_[name];
    if (known.count++ == 0) {
        known.first = now;
    }
    known.last = now;
    if (known.queued) {
        return;  // its post will carry the new count
    }
    if (queue_.size() >= kMaxQueue) {
        ++dropped_;
        return;
    }
    known.queued = true;
    queue_.push_back(Pending{std::move(event), std::move(name)});
    wake_.notify();
}

// A clock stepped backwards makes entries look young: they are only kept longer.
void EventRecorder::forget_old(WallTime now) {
    if (now - swept_ < std::chrono::minutes(1) && now >= swept_) {
        return;
    }
    swept_ = now;
    std::erase_if(known_, [&](const auto& entry) {
        return !entry.second.queued && !entry.second.in_post &&
               now - entry.second.last > kAggregateFor;
    });
}

awaitable<void> EventRecorder::run() {
    for (;;) {
        while (queue_.empty()) {
            co_await wake_.wait();
        }
        Pending pending = std::move(queue_.front());
        queue_.pop_front();
        co_await post(std::move(pending));
    }
}

awaitable<void> EventRecorder::post(Pending pending) {
    Known& known = known_[pending.name];  // map entries stay put, and one in post is not swept
    known.in_post = true;
    known.queued = false;  // what is recorded from here on needs another post
    nlohmann::json object = encode_event(pending.event, known.count, known.first, known.last);
    ObjectKey key{event_namespace(pending.event), pending.name};
    const ObjectRef ref(kEventType, std::move(key));
    Result<nlohmann::json> answer = make_error(Errc::NotFound, "");
    if (!known.exists) {
        answer = co_await api_.create(kEventType, object);
    }
    bool there = known.exists;
    if (!answer && is(answer.error(), Errc::Conflict)) {
        // A former run of this process posted it: count on from there.
        there = true;
        answer = co_await api_.get(ref);
        if (answer && answer->value("count", nlohmann::json()).is_number_integer()) {
            known.count += answer->value("count", std::int64_t{0});
            object["count"] = known.count;
        }
    }
    if (there) {
        nlohmann::json repeat;
        repeat["count"] = object["count"];
        repeat["lastTimestamp"] = object["lastTimestamp"];
        repeat["message"] = object["message"];
        answer = co_await api_.patch(ref, PatchType::Merge, std::move(repeat));
        if (!answer && is(answer.error(), Errc::NotFound)) {
            // The server keeps Events for an hour.
            answer = co_await api_.create(kEventType, std::move(object));
        }
    }
    known.exists = answer.has_value();
    known.in_post = false;
    if (!answer) {
        ++dropped_;
        if (on_error_) {
            on_error_(answer.error());
        }
    }
}

}  // namespace steelyard::kube
