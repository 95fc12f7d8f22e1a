#include "speaker/app/l2_status_writer.hpp"

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
constexpr Duration kFirstRetry = 1s;
constexpr Duration kLongestRetry = 30s;

const kube::ResourceType kType = kube::Resource<kube::ServiceL2Status>::kType;

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

L2StatusWriter::L2StatusWriter(
    const asio::any_io_executor& executor,
    kube::KubeApi& api,
    const log::Logger& log,
    std::string node_name,
    std::string ns,
    std::uint64_t seed
)
    : api_(api),
      log_(log),
      scope_{std::move(node_name), ns, std::nullopt},
      wake_(executor),
      observed_(
          api,
          kube::Collection(kType, std::move(ns)),
          {[this](const kube::Change<Status>&) { wake_.notify(); },
           [this] { wake_.notify(); },
           [this](const Error* error) {
               // Without the kind there is nothing to write; the rest works as ever.
               const std::string failure = error == nullptr ? "" : to_string(*error);
               if (!failure.empty() && failure != watch_failure_) {
                   log_.warn("ServiceL2Status objects are not written", {{"error", failure}});
               }
               watch_failure_ = failure;
           },
           [](const kube::ObjectKey&, const Error&) {
               // Somebody else's: ours decode.
           }},
          seed
      ) {}

void L2StatusWriter::spawn(rt::TaskGroup& tasks) {
    tasks.spawn("watch servicel2statuses", observed_.run());
    tasks.spawn("write servicel2statuses", run());
}

void L2StatusWriter::set(
    std::shared_ptr<const speaker_plan::Announcements> plan,
    std::set<speaker_plan::Conflict> conflicts,
    std::optional<kube::ServiceL2Status::Owner> pod
) {
    plan_ = std::move(plan);
    conflicts_ = std::move(conflicts);
    scope_.pod = std::move(pod);
    wake_.notify();
}

speaker_plan::L2StatusChanges L2StatusWriter::changes() {
    const auto desired = speaker_plan::desired_l2_statuses(scope_, *plan_, conflicts_);
    auto todo =
        speaker_plan::diff_l2_statuses(scope_, *plan_, desired, observed_.store().objects());
    const Instant now = std::chrono::steady_clock::now();
    std::erase_if(todo.leftovers, [&](const auto& leftover) {
        return !pace_.admits(leftover, now);
    });
    return todo;
}

awaitable<void> L2StatusWriter::run() {
    Duration retry = kFirstRetry;
    for (;;) {
        co_await wake_.wait();
        if (!plan_ || !observed_.synced()) {
            continue;
        }
        auto next = changes();
        if (next.empty()) {
            continue;
        }
        const auto done = co_await apply(std::move(next));
        note(done);
        if (done || is(done.error(), Errc::Invalid)) {
            // What was refused is offered again when something else changes.
            retry = kFirstRetry;
            co_await rt::sleep_for(kGather);
        } else {
            co_await rt::sleep_for(retry);
            retry = std::min(retry * 2, kLongestRetry);
            wake_.notify();
        }
    }
}

// The first write that fails ends the round: what is left is compared afresh in the next. But an
// object that the server refuses is passed over, or those after it would never be written.
awaitable<Result<>> L2StatusWriter::apply(speaker_plan::L2StatusChanges changes) {
    Result<> outcome;
    for (const kube::ObjectKey& key : changes.remove) {
        const auto done = co_await remove(key);
        if (ends_round(done, outcome)) {
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
        if (ends_round(done, outcome)) {
            co_return done;
        }
    }
    for (const Status& status : changes.patch_metadata) {
        const auto done = co_await patch(status, "", kube::metadata_patch(status));
        if (ends_round(done, outcome)) {
            co_return done;
        }
    }
    for (const Status& status : changes.patch_status) {
        const auto done = co_await patch(status, "status", kube::status_patch(status));
        if (ends_round(done, outcome)) {
            co_return done;
        }
    }
    co_return outcome;
}

awaitable<Result<>> L2StatusWriter::remove(kube::ObjectKey key) {
    const kube::ObjectRef ref(kType, std::move(key));
    const auto removed = co_await api_.remove(ref, nullptr);
    if (!removed && !settled_elsewhere(removed.error())) {
        co_return removed.error();
    }
    co_await rt::sleep_for(kPace);
    co_return Result<>();
}

awaitable<Result<>> L2StatusWriter::create(Status status) {
    auto object = kube::encode_object(status);
    const auto created = co_await api_.create(kType, std::move(object));
    if (!created && !is(created.error(), Errc::Conflict)) {
        co_return created.error();
    }
    co_await rt::sleep_for(kPace);
    auto content = kube::status_patch(status);
    co_return co_await patch(std::move(status), "status", std::move(content));
}

awaitable<Result<>> L2StatusWriter::patch(
    Status status, std::string subresource, nlohmann::json content
) {
    const kube::ObjectRef ref(kType, status.meta.key, std::move(subresource));
    const auto patched = co_await api_.patch(ref, kube::PatchType::Merge, std::move(content));
    if (!patched && !settled_elsewhere(patched.error())) {
        co_return patched.error();
    }
    co_await rt::sleep_for(kPace);
    co_return Result<>();
}

void L2StatusWriter::note(const Result<>& outcome) {
    const std::string failure = outcome ? "" : to_string(outcome.error());
    if (!failure.empty() && failure != last_failure_) {
        log_.warn("ServiceL2Status not written; tried again", {{"error", failure}});
    }
    last_failure_ = failure;
}

}  // namespace steelyard::speaker
