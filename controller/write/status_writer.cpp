#include "controller/write/status_writer.hpp"

#include "common/rt/sleep.hpp"
#include "controller/write/status_patch.hpp"

#include <boost/asio/experimental/awaitable_operators.hpp>

#include <algorithm>
#include <chrono>
#include <utility>

namespace steelyard::controller {
namespace {

using asio::experimental::awaitable_operators::operator||;

constexpr int kConflictAttempts = 5;
constexpr Duration kFirstDelay = std::chrono::milliseconds(100);
constexpr Duration kLongestDelay = std::chrono::seconds(30);

Instant now() {
    return std::chrono::steady_clock::now();
}

// The next write would fare no better, whatever it is about.
bool concerns_all(const Error& error) {
    return is(error, Errc::Unavailable) || is(error, Errc::Timeout) ||
           is(error, Errc::TooManyRequests);
}

}  // namespace

StatusWriter::StatusWriter(
    const asio::any_io_executor& executor,
    kube::KubeApi& api,
    const log::Logger& logger,
    metrics::CounterFamily& errors,
    std::function<WallTime()> wall_clock,
    std::uint64_t seed
)
    : api_(api),
      logger_(logger.with_component("status")),
      errors_(errors),
      wall_clock_(std::move(wall_clock)),
      rng_(seed),
      wake_(executor) {}

void StatusWriter::put(
    const kube::ObjectKey& service, std::string uid, controller_plan::Standing standing
) {
    Wanted wanted{std::move(uid), std::move(standing)};
    const bool added = wanted_.insert_or_assign(service, std::move(wanted)).second;
    const auto of_service = [&](const auto& entry) {
        return entry.second == service;
    };
    if (added || std::erase_if(later_, of_service) != 0) {
        order_.push_back(service);
    }
    wake_.notify();
}

void StatusWriter::forget(const kube::ObjectKey& service) {
    if (wanted_.erase(service) != 0) {
        std::erase(order_, service);
        std::erase_if(later_, [&](const auto& entry) { return entry.second == service; });
    }
}

awaitable<void> StatusWriter::run() {
    for (;;) {
        co_await wait_for_work();
        const kube::ObjectKey service = order_.front();
        order_.pop_front();
        Wanted wanted = std::move(wanted_.extract(service).mapped());
        const Result<> result = co_await write(service, wanted);
        const Duration delay = conclude(service, std::move(wanted), result);
        if (delay > Duration::zero()) {
            co_await rt::sleep_for(delay);
        }
    }
}

awaitable<void> StatusWriter::wait_for_work() {
    for (;;) {
        while (!later_.empty() && later_.begin()->first <= now()) {
            order_.push_back(std::move(later_.begin()->second));
            later_.erase(later_.begin());
        }
        if (!order_.empty()) {
            co_return;
        }
        if (later_.empty()) {
            co_await wake_.wait();
        } else {
            const Instant due = later_.begin()->first;
            co_await (wake_.wait() || rt::sleep_until(due));
        }
    }
}

awaitable<Result<>> StatusWriter::write(kube::ObjectKey service, Wanted wanted) {
    for (int attempt = 0; attempt < kConflictAttempts; ++attempt) {
        const Result<Step> step = co_await try_write(service, wanted);
        if (!step) {
            co_return step.error();
        }
        if (*step == Step::Done) {
            co_return Result<>{};
        }
    }
    co_return make_error(Errc::Conflict, "the Service kept changing while its status was written");
}

awaitable<Result<StatusWriter::Step>> StatusWriter::try_write(
    const kube::ObjectKey& service, const Wanted& wanted
) {
    const kube::ObjectRef object_ref(kube::Resource<kube::Service>::kType, service);
    const auto object = co_await api_.get(object_ref);
    if (!object) {
        if (is(object.error(), Errc::NotFound)) {
            co_return Step::Done;
        }
        co_return object.error();
    }
    std::optional<nlohmann::json> patch;
    if (uid_of(*object) == wanted.uid) {
        patch = status_patch(*object, wanted.standing, wall_clock_());
    }
    if (!patch) {
        co_return Step::Done;
    }
    const kube::ObjectRef status_ref(kube::Resource<kube::Service>::kType, service, "status");
    const auto answer = co_await api_.patch(status_ref, kube::PatchType::Merge, *patch);
    if (answer || is(answer.error(), Errc::NotFound)) {
        co_return Step::Done;
    }
    if (is(answer.error(), Errc::Conflict)) {
        co_return Step::Again;
    }
    co_return answer.error();
}

Duration StatusWriter::conclude(
    const kube::ObjectKey& service, Wanted wanted, const Result<>& result
) {
    if (result) {
        failures_ = 0;
        return Duration::zero();
    }
    errors_.add();
    const Error& error = result.error();
    logger_.warn(
        "writing the status failed, will retry",
        {{"service", to_string(service)}, {"error", to_string(error)}}
    );
    const bool all = concerns_all(error);
    const Duration delay = backoff(all ? failures_++ : wanted.refusals++);
    if (!all) {
        failures_ = 0;
    }
    // Unless something newer came meanwhile, try this one again.
    if (wanted_.try_emplace(service, std::move(wanted)).second) {
        if (all) {
            order_.push_back(service);
        } else {
            later_.emplace(now() + delay, service);
        }
    }
    return all ? delay : Duration::zero();
}

Duration StatusWriter::backoff(unsigned failures) {
    const unsigned doublings = std::min(failures, 10U);
    const Duration delay = std::min<Duration>(kFirstDelay * (1U << doublings), kLongestDelay);
    const double jitter = 0.5 + rng_.unit() / 2;
    return std::chrono::duration_cast<Duration>(delay * jitter);
}

}  // namespace steelyard::controller
