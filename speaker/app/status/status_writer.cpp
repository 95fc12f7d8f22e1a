#include "speaker/app/status/status_writer.hpp"

#include "common/kube/model/encode.hpp"
#include "common/rt/sleep.hpp"

#include <algorithm>
#include <chrono>
#include <utility>

namespace steelyard::speaker {
namespace {

using namespace std::chrono_literals;

constexpr Duration kPace = 20ms;     // between writes: at most 50 a second
constexpr Duration kGather = 100ms;  // between rounds, so that one write follows many changes
// With thousands of Services a comparison takes long: at most a hundredth of the thread's time.
constexpr int kShare = 100;
constexpr Duration kFresh = 1s;  // a comparison holds for so long at least
constexpr Duration kFirstRetry = 1s;
constexpr Duration kLongestRetry = 30s;

template <class Status>
constexpr const kube::ResourceType& kType = kube::Resource<Status>::kType;

template <class Status>
std::string kind() {
    return std::string(kType<Status>.kind);
}

// Gone already, or made by our last try whose answer was lost: the watch tells what is there.
bool settled_elsewhere(const Error& error) {
    return is(error, Errc::NotFound) || is(error, Errc::Conflict);
}

// `outcome` keeps what was passed over.
bool ends_round(const Result<>& done, Result<>& outcome) {
    if (!done && is(done.error(), Errc::Invalid)) {
        outcome = done;
        return false;
    }
    return !done;
}

}  // namespace

template <class Status>
StatusWriter<Status>::StatusWriter(
    const asio::any_io_executor& executor,
    kube::KubeApi& api,
    const log::Logger& log,
    std::string ns,
    std::string label_selector,
    Compare compare,
    std::uint64_t seed
)
    : api_(api),
      log_(log),
      compare_(std::move(compare)),
      wake_(executor),
      observed_(
          api,
          kube::Collection(kType<Status>, std::move(ns), std::move(label_selector)),
          callbacks(),
          seed
      ) {}

// Objects that do not decode are somebody else's: ours do.
template <class Status>
typename kube::Informer<Status>::Callbacks StatusWriter<Status>::callbacks() {
    typename kube::Informer<Status>::Callbacks made;
    made.on_change = [this](const kube::Change<Status>&) {
        wake_.notify();
    };
    made.on_synced = [this] {
        wake_.notify();
    };
    made.on_error = [this](const Error* error) {
        // Without the kind there is nothing to write; the rest works as ever.
        const std::string failure = error == nullptr ? "" : to_string(*error);
        if (!failure.empty() && failure != watch_failure_) {
            log_.warn("objects are not written", {{"kind", kind<Status>()}, {"error", failure}});
        }
        watch_failure_ = failure;
    };
    return made;
}

template <class Status>
void StatusWriter<Status>::spawn(rt::TaskGroup& tasks) {
    const std::string plural(kType<Status>.plural);
    tasks.spawn("watch " + plural, observed_.run());
    tasks.spawn("write " + plural, run());
}

template <class Status>
typename StatusWriter<Status>::Changes StatusWriter<Status>::changes() {
    Changes todo = compare_(observed_.store().objects());
    const Instant now = std::chrono::steady_clock::now();
    std::erase_if(todo.leftovers, [&](const auto& leftover) {
        return !pace_.admits(leftover, now);
    });
    return todo;
}

template <class Status>
awaitable<void> StatusWriter<Status>::run() {
    Duration retry = kFirstRetry;
    for (;;) {
        co_await wake_.wait();
        if (!observed_.synced()) {
            continue;
        }
        const Instant before = std::chrono::steady_clock::now();
        outdated_ = false;
        auto next = changes();
        const Duration gather =
            std::max(kGather, kShare * (std::chrono::steady_clock::now() - before));
        if (next.empty()) {
            co_await rt::sleep_for(gather);
            continue;
        }
        const auto done = co_await apply(std::move(next));
        note(done);
        if (done || is(done.error(), Errc::Invalid)) {
            // What was refused is offered again when something else changes.
            retry = kFirstRetry;
            co_await rt::sleep_for(gather);
        } else {
            co_await rt::sleep_for(retry);
            retry = std::min(retry * 2, kLongestRetry);
            wake_.notify();
        }
    }
}

// A long round ends early when there is something else to tell: what was to be removed when a
// session went may be right again when it is back. The first write that fails ends the round: what
// is left is compared afresh in the next. But an object that the server refuses is passed over, or
// those after it would never be written.
template <class Status>
awaitable<Result<>> StatusWriter<Status>::apply(Changes changes) {
    Result<> outcome;
    const Instant fresh_until = std::chrono::steady_clock::now() + kFresh;
    const auto stale = [this, fresh_until] {
        return outdated_ && std::chrono::steady_clock::now() > fresh_until;
    };
    for (const kube::ObjectKey& key : changes.remove) {
        const auto done = co_await remove(key);
        if (ends_round(done, outcome) || stale()) {
            co_return done;
        }
    }
    for (const speaker_plan::Leftover& leftover : changes.leftovers) {
        const auto done = co_await remove(leftover.key);
        if (ends_round(done, outcome)) {
            co_return done;
        }
        pace_.removed(leftover);
    }
    for (const Status& status : changes.create) {
        const auto done = co_await create(status);
        if (ends_round(done, outcome) || stale()) {
            co_return done;
        }
    }
    for (const Status& status : changes.patch_metadata) {
        const auto done = co_await patch(status, "", kube::metadata_patch(status));
        if (ends_round(done, outcome) || stale()) {
            co_return done;
        }
    }
    for (const Status& status : changes.patch_status) {
        const auto done = co_await patch(status, "status", kube::status_patch(status));
        if (ends_round(done, outcome) || stale()) {
            co_return done;
        }
    }
    co_return outcome;
}

template <class Status>
awaitable<Result<>> StatusWriter<Status>::remove(kube::ObjectKey key) {
    const kube::ObjectRef ref(kType<Status>, std::move(key));
    const auto removed = co_await api_.remove(ref, nullptr);
    if (!removed && !settled_elsewhere(removed.error())) {
        co_return removed.error();
    }
    co_await rt::sleep_for(kPace);
    co_return Result<>();
}

template <class Status>
awaitable<Result<>> StatusWriter<Status>::create(Status status) {
    auto object = kube::encode_object(status);
    const auto created = co_await api_.create(kType<Status>, std::move(object));
    if (!created && !is(created.error(), Errc::Conflict)) {
        co_return created.error();
    }
    co_await rt::sleep_for(kPace);
    auto content = kube::status_patch(status);
    co_return co_await patch(std::move(status), "status", std::move(content));
}

template <class Status>
awaitable<Result<>> StatusWriter<Status>::patch(
    Status status, std::string subresource, nlohmann::json content
) {
    const kube::ObjectRef ref(kType<Status>, status.meta.key, std::move(subresource));
    const auto patched = co_await api_.patch(ref, kube::PatchType::Merge, std::move(content));
    if (!patched && !settled_elsewhere(patched.error())) {
        co_return patched.error();
    }
    co_await rt::sleep_for(kPace);
    co_return Result<>();
}

template <class Status>
void StatusWriter<Status>::note(const Result<>& outcome) {
    const std::string failure = outcome ? "" : to_string(outcome.error());
    if (!failure.empty() && failure != last_failure_) {
        log_.warn(
            "object not written; tried again", {{"kind", kind<Status>()}, {"error", failure}}
        );
    }
    last_failure_ = failure;
}

template class StatusWriter<kube::ServiceL2Status>;
template class StatusWriter<kube::ServiceBgpStatus>;
template class StatusWriter<kube::BgpSessionState>;

}  // namespace steelyard::speaker
