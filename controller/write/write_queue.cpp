#include "controller/write/write_queue.hpp"

#include "common/kube/watch/status.hpp"
#include "common/rt/sleep.hpp"

#include <boost/asio/experimental/awaitable_operators.hpp>

#include <chrono>
#include <utility>

namespace steelyard::controller {
namespace {

using asio::experimental::awaitable_operators::operator||;

Instant now() {
    return std::chrono::steady_clock::now();
}

WriteOutcome outcome_of(const Written& written) {
    WriteOutcome outcome;
    outcome.whole = written.whole;
    if (written.result) {
        return outcome;
    }
    const Error& error = written.result.error();
    outcome.retry_after = kube::retry_after(error);
    if (is(error, Errc::TooManyRequests) || is(error, Errc::Unavailable)) {
        outcome.kind = WriteOutcome::Kind::PushedBack;
    } else if (is(error, Errc::Timeout)) {
        outcome.kind = WriteOutcome::Kind::TimedOut;
    } else {
        outcome.kind = WriteOutcome::Kind::Refused;
    }
    return outcome;
}

}  // namespace

WriteQueue::WriteQueue(
    const asio::any_io_executor& executor,
    const log::Logger& logger,
    metrics::CounterFamily& errors,
    std::string what,
    const WindowOptions& window,
    std::uint64_t seed,
    std::function<awaitable<Written>(kube::ObjectKey)> write
)
    : logger_(logger.with_component("write")),
      errors_(errors),
      what_(std::move(what)),
      write_(std::move(write)),
      schedule_(window, seed),
      alarm_(executor),
      idle_(executor) {
    workers_.reserve(window.most);
    for (unsigned i = 0; i < window.most; ++i) {
        workers_.emplace_back(executor);
    }
}

void WriteQueue::start(rt::TaskGroup& group) {
    for (std::size_t i = workers_.size(); i-- > 0;) {
        free_.push_back(i);
        group.spawn("write " + what_, work(i));
    }
    group.spawn("write " + what_ + " in time", keep_time());
    dispatch();
}

void WriteQueue::put(const kube::ObjectKey& key) {
    schedule_.put(key);
    dispatch();
}

awaitable<void> WriteQueue::work(std::size_t index) {
    Worker& worker = workers_[index];
    for (;;) {
        while (!worker.key) {
            co_await worker.wake.wait();
        }
        const kube::ObjectKey key = *std::exchange(worker.key, std::nullopt);
        const Written written = co_await write_(key);
        free_.push_back(index);
        conclude(key, written);
    }
}

// Wakes the queue when time alone makes a write possible.
awaitable<void> WriteQueue::keep_time() {
    for (;;) {
        if (alarm_set_) {
            const Instant at = *alarm_set_;
            co_await (alarm_.wait() || rt::sleep_until(at));
        } else {
            co_await alarm_.wait();
        }
        if (alarm_set_ && *alarm_set_ <= now()) {
            dispatch();
        }
    }
}

void WriteQueue::dispatch() {
    while (!free_.empty()) {
        std::optional<kube::ObjectKey> key = schedule_.next(now());
        if (!key) {
            break;
        }
        Worker& worker = workers_[free_.back()];
        free_.pop_back();
        worker.key = std::move(key);
        worker.wake.notify();
    }
    // With every worker busy time alone makes nothing possible; the first to end comes back here.
    const auto deadline = free_.empty() ? std::nullopt : schedule_.next_deadline();
    if (deadline != alarm_set_) {
        alarm_set_ = deadline;
        alarm_.notify();
    }
    if (schedule_.idle()) {
        idle_.notify();
    }
}

void WriteQueue::conclude(const kube::ObjectKey& key, const Written& written) {
    const bool pushed = schedule_.window().pushed();
    if (!written.result) {
        errors_.add();
        const WriteOutcome::Kind kind = outcome_of(written).kind;
        tell(key, written.result.error(), kind != WriteOutcome::Kind::Refused);
    }
    schedule_.finished(key, outcome_of(written), now());
    if (pushed && !schedule_.window().pushed()) {
        logger_.info("the API server takes writes again", {{"what", what_}});
    }
    dispatch();
}

// What concerns the server concerns every object: it is said once until it is over.
void WriteQueue::tell(const kube::ObjectKey& key, const Error& error, bool server) {
    if (!server) {
        logger_.warn(
            "writing failed, will retry",
            {{"what", what_}, {"object", to_string(key)}, {"error", to_string(error)}}
        );
    } else if (!schedule_.window().pushed()) {
        logger_.warn(
            "the API server takes no more writes for now, will retry",
            {{"what", what_}, {"error", to_string(error)}}
        );
    }
}

awaitable<void> WriteQueue::drain(Instant deadline) {
    while (!schedule_.idle() && now() < deadline) {
        co_await (idle_.wait() || rt::sleep_until(deadline));
    }
}

}  // namespace steelyard::controller
