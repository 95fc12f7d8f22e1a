#include "common/kube/client/event_recorder.hpp"

#include <chrono>
#include <iterator>
#include <string_view>
#include <utility>

namespace steelyard::kube {
namespace {

constexpr std::size_t kCalm = 1000;        // up to here each one is posted
constexpr std::size_t kMaxQueue = 20'000;  // a start with that many Services, some 12 MB
constexpr std::size_t kMaxKnown = 4096;
constexpr auto kAggregateFor = std::chrono::minutes(10);

std::size_t subject_hash(const Event& event) {
    const std::hash<std::string_view> hash;
    std::size_t value = hash(event.involved.type.kind);
    for (const std::string* part :
         {&event.involved.key.ns, &event.involved.key.name, &event.involved.uid, &event.reason}) {
        value = value * 31 + hash(*part);
    }
    return value;
}

bool same_subject(const Event& a, const Event& b) {
    return a.involved.type.kind == b.involved.type.kind && a.involved.key == b.involved.key &&
           a.involved.uid == b.involved.uid && a.reason == b.reason;
}

}  // namespace

EventRecorder::EventRecorder(
    const asio::any_io_executor& executor,
    KubeApi& api,
    std::string component,
    std::function<WallTime()> wall_clock,
    std::function<void(const Error&)> on_error,
    std::function<void()> on_full
)
    : api_(api),
      component_(std::move(component)),
      wall_clock_(std::move(wall_clock)),
      on_error_(std::move(on_error)),
      wake_(executor),
      on_full_(std::move(on_full)) {}

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
    Known& known = known_[name];
    if (known.count++ == 0) {
        known.first = now;
    }
    known.last = now;
    if (known.queued) {
        return;  // its post will carry the new count
    }
    known.queued = true;
    enqueue(Pending{std::move(event), std::move(name)});
}

void EventRecorder::enqueue(Pending pending) {
    const std::size_t subject = subject_hash(pending.event);
    const auto newest = newest_.find(subject);
    if (queue_.size() >= kCalm && newest != newest_.end() &&
        same_subject(newest->second->event, pending.event)) {
        forget_unposted(newest->second->name);
        *newest->second = std::move(pending);
        ++coalesced_;
        return;
    }
    if (queue_.size() >= kMaxQueue) {
        forget_unposted(pending.name);
        ++dropped_;
        if (!std::exchange(told_full_, true) && on_full_) {
            on_full_();
        }
        return;
    }
    queue_.push_back(std::move(pending));
    newest_[subject] = std::prev(queue_.end());
    wake_.notify();
}

void EventRecorder::forget_unposted(const std::string& name) {
    const auto known = known_.find(name);
    known->second.queued = false;
    if (!known->second.exists && !known->second.in_post) {
        known_.erase(known);
    }
}

EventRecorder::Pending EventRecorder::take_first() {
    const auto newest = newest_.find(subject_hash(queue_.front().event));
    if (newest != newest_.end() && newest->second == queue_.begin()) {
        newest_.erase(newest);
    }
    Pending pending = std::move(queue_.front());
    queue_.pop_front();
    told_full_ = told_full_ && !queue_.empty();
    return pending;
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
        Pending pending = take_first();
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
    Result<> answer = make_error(Errc::NotFound, "");
    if (!known.exists) {
        answer = co_await api_.create_only(kEventType, object);
    }
    bool there = known.exists;
    if (!answer && is(answer.error(), Errc::Conflict)) {
        // A former run of this process posted it, or it was forgotten: count on from there.
        there = true;
        const auto posted = co_await api_.get(ref);
        if (posted && posted->value("count", nlohmann::json()).is_number_integer()) {
            known.count += posted->value("count", std::int64_t{0});
            object["count"] = known.count;
        }
    }
    if (there) {
        nlohmann::json repeat;
        repeat["count"] = object["count"];
        repeat["lastTimestamp"] = object["lastTimestamp"];
        repeat["message"] = object["message"];
        answer = co_await api_.patch_only(ref, PatchType::Merge, std::move(repeat));
        if (!answer && is(answer.error(), Errc::NotFound)) {
            // The server keeps Events for an hour.
            answer = co_await api_.create_only(kEventType, std::move(object));
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
    // Too many to remember: the server's count goes on when it comes again.
    if (known_.size() > kMaxKnown && !known.queued) {
        known_.erase(pending.name);
    }
}

}  // namespace steelyard::kube
