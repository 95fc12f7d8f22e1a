#include "common/daemon/configuration_state.hpp"

#include "common/kube/model/encode.hpp"
#include "common/rt/sleep.hpp"

#include <algorithm>
#include <chrono>
#include <optional>
#include <utility>

namespace steelyard::daemon {
namespace {

using namespace std::chrono_literals;
using kube::ConfigurationState;

constexpr const auto& kType = kube::Resource<ConfigurationState>::kType;
// A configuration is applied as many objects: their verdict is one.
constexpr Duration kGather = 200ms;
constexpr Duration kFirstRetry = 1s;
constexpr Duration kLongestRetry = 30s;

}  // namespace

ConfigurationStateWriter::ConfigurationStateWriter(
    const asio::any_io_executor& executor,
    kube::KubeApi& api,
    const log::Logger& log,
    kube::ObjectKey key,
    Source source,
    std::function<WallTime()> wall_clock,
    std::uint64_t seed
)
    : api_(api),
      log_(log),
      key_(std::move(key)),
      source_(std::move(source)),
      wall_clock_(std::move(wall_clock)),
      wake_(executor),
      observed_(
          api, kube::Collection(kType, key_.ns, "", "metadata.name=" + key_.name), callbacks(), seed
      ) {}

kube::Informer<ConfigurationState>::Callbacks ConfigurationStateWriter::callbacks() {
    kube::Informer<ConfigurationState>::Callbacks made;
    made.on_change = [this](const kube::Change<ConfigurationState>&) {
        wake_.notify();
    };
    made.on_synced = [this] {
        wake_.notify();
    };
    made.on_error = [this](const Error* error) {
        note(error == nullptr ? "" : to_string(*error));
    };
    return made;
}

void ConfigurationStateWriter::spawn(rt::TaskGroup& tasks) {
    tasks.spawn("watch configurationstate", observed_.run());
    tasks.spawn("write configurationstate", run());
}

awaitable<void> ConfigurationStateWriter::run() {
    Duration retry = kFirstRetry;
    for (;;) {
        co_await wake_.wait();
        if (!observed_.synced()) {
            continue;
        }
        co_await rt::sleep_for(kGather);
        const auto known = source_();
        if (!known) {
            continue;
        }
        std::optional<ConfigurationState> before;
        if (const auto observed = observed_.store().find(key_)) {
            before = *observed;
        }
        auto desired = config::desired_state(known->of, known->input, before, wall_clock_());
        if (before && !config::differs(desired, *before)) {
            retry = kFirstRetry;
            continue;
        }
        const bool written = co_await write(std::move(desired));
        if (!written) {
            co_await rt::sleep_for(retry);
            wake_.notify();
        }
        retry = written ? kFirstRetry : std::min(retry * 2, kLongestRetry);
    }
}

awaitable<bool> ConfigurationStateWriter::write(ConfigurationState state) {
    const kube::ObjectRef ref(kType, key_);
    auto object = kube::encode_object(state);
    const auto applied = co_await api_.patch(ref, kube::PatchType::Apply, std::move(object));
    note(applied ? "" : to_string(applied.error()));
    co_return applied.has_value();
}

void ConfigurationStateWriter::note(const std::string& failure) {
    if (!failure.empty() && failure != failure_) {
        log_.warn("ConfigurationState is not written", {{"error", failure}});
    }
    failure_ = failure;
}

}  // namespace steelyard::daemon
