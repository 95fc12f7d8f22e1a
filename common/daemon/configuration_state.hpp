#pragma once

#include "common/config/state.hpp"
#include "common/kube/client/informer.hpp"
#include "common/log/log.hpp"
#include "common/rt/signal.hpp"
#include "common/rt/task_group.hpp"

#include <cstdint>
#include <functional>
#include <optional>
#include <string>

// Keeps this daemon's own ConfigurationState as it should be: written whole by server-side apply
// when it differs, and again when somebody edits or deletes it. Nothing waits for it: an API server
// that is away, or a role that forbids it, costs a log line and a try every half minute. The owner
// joins its tasks before it dies.
namespace steelyard::daemon {

class ConfigurationStateWriter {
public:
    struct Known {
        config::StateOf of;
        config::StateInput input;
    };
    // What this daemon knows; nothing, and what an earlier run has told stays, before it knows.
    using Source = std::function<std::optional<Known>()>;

    // `api` and `log` outlive it.
    ConfigurationStateWriter(
        const asio::any_io_executor& executor,
        kube::KubeApi& api,
        const log::Logger& log,
        kube::ObjectKey key,  // config::state_key()
        Source source,
        std::function<WallTime()> wall_clock,
        std::uint64_t seed
    );

    void spawn(rt::TaskGroup& tasks);
    // There may be something else to say.
    void wake() { wake_.notify(); }

private:
    [[nodiscard]] kube::Informer<kube::ConfigurationState>::Callbacks callbacks();
    awaitable<void> run();
    awaitable<bool> write(kube::ConfigurationState state);
    void note(const std::string& failure);

    kube::KubeApi& api_;
    const log::Logger& log_;
    kube::ObjectKey key_;
    Source source_;
    std::function<WallTime()> wall_clock_;
    rt::Signal wake_;
    std::string failure_;  // as logged
    kube::Informer<kube::ConfigurationState> observed_;
};

}  // namespace steelyard::daemon
