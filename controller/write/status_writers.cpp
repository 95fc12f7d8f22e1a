#include "controller/write/status_writers.hpp"

#include "controller/write/status_patch.hpp"

#include <optional>
#include <utility>

namespace steelyard::controller {
namespace {

constexpr int kConflictAttempts = 5;

}  // namespace

StatusWriters::StatusWriters(
    const asio::any_io_executor& executor,
    kube::KubeApi& api,
    const log::Logger& logger,
    metrics::CounterFamily& errors,
    std::function<WallTime()> wall_clock,
    std::uint64_t seed,
    Lookup lookup,
    const WindowOptions& window,
    MayWrite may_write
)
    : api_(api),
      wall_clock_(std::move(wall_clock)),
      lookup_(std::move(lookup)),
      may_write_(std::move(may_write)),
      queue_(executor, logger, errors, "status of Services", window, seed, [this](auto service) {
          return write(std::move(service));
      }) {}

void StatusWriters::put(
    const kube::ObjectKey& service, std::string uid, controller_plan::Standing standing
) {
    wanted_.insert_or_assign(service, Wanted{std::move(uid), std::move(standing), ++serial_});
    queue_.put(service);
}

void StatusWriters::forget(const kube::ObjectKey& service) {
    wanted_.erase(service);
    queue_.forget(service);
}

awaitable<Written> StatusWriters::write(kube::ObjectKey service) {
    overtaken_.prune([this](const kube::ObjectKey& key) {
        const auto shown = lookup_(key);
        return shown ? shown->meta.resource_version : std::string();
    });
    const auto found = wanted_.find(service);
    if (found == wanted_.end()) {
        co_return Written{};
    }
    const Wanted wanted = found->second;
    Written written = co_await write_from_watch(service, wanted);
    if (!written.result && is(written.result.error(), Errc::Conflict)) {
        written = co_await write_from_server(service, wanted);
    }
    const auto now_wanted = wanted_.find(service);
    const bool newer = now_wanted != wanted_.end() && now_wanted->second.serial != wanted.serial;
    if (written.result && now_wanted != wanted_.end() && !newer) {
        wanted_.erase(now_wanted);
    }
    co_return written;
}

// Conflict when what the watch shows is not the newest.
awaitable<Written> StatusWriters::write_from_watch(kube::ObjectKey service, Wanted wanted) {
    const auto shown = lookup_(service);
    if (!shown || shown->meta.uid != wanted.uid) {
        co_return Written{};  // gone, or another one that is decided on its own
    }
    const std::string version = shown->meta.resource_version;
    if (overtaken_.contains(service, version)) {
        co_return Written{make_error(Errc::Conflict, "the watch shows what was replaced")};
    }
    const auto wanted_patch = status_patch(*shown, wanted.standing, wall_clock_());
    if (!wanted_patch) {
        co_return Written{};
    }
    Written written;
    written.result = co_await patch(service, version, *wanted_patch);
    co_return written;
}

awaitable<Written> StatusWriters::write_from_server(kube::ObjectKey service, Wanted wanted) {
    Written written;
    written.whole = false;
    const kube::ObjectRef ref(kube::Resource<kube::Service>::kType, service);
    for (int attempt = 0; attempt < kConflictAttempts; ++attempt) {
        const auto object = co_await api_.get(ref);
        if (!object) {
            if (!is(object.error(), Errc::NotFound)) {
                written.result = object.error();
            }
            co_return written;
        }
        if (uid_of(*object) != wanted.uid) {
            co_return written;
        }
        const auto wanted_patch = status_patch(*object, wanted.standing, wall_clock_());
        if (!wanted_patch) {
            co_return written;
        }
        const std::string version = version_of(*object);
        const Result<> result = co_await patch(service, version, *wanted_patch);
        if (result || !is(result.error(), Errc::Conflict)) {
            written.result = result;
            co_return written;
        }
    }
    written.result =
        make_error(Errc::Conflict, "the Service kept changing while its status was written");
    co_return written;
}

awaitable<Result<>> StatusWriters::patch(
    kube::ObjectKey service, std::string version, nlohmann::json patch
) {
    if (may_write_ && !may_write_()) {
        co_return make_error(Errc::Expired, "the Lease is not known to be held any more");
    }
    const kube::ObjectRef ref(kube::Resource<kube::Service>::kType, service, "status");
    const auto answer = co_await api_.patch_only(ref, kube::PatchType::Merge, std::move(patch));
    if (answer) {
        overtaken_.add(service, std::move(version));
    } else if (!is(answer.error(), Errc::NotFound)) {
        co_return answer.error();
    }
    co_return Result<>{};
}

}  // namespace steelyard::controller
