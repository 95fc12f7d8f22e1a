#pragma once

#include "common/config/config.hpp"
#include "common/config/state.hpp"
#include "common/daemon/config_watches.hpp"
#include "common/log/log.hpp"
#include "common/metrics/metrics.hpp"
#include "controller/admission/snapshot.hpp"

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

// The configuration as one replica sees it, leading or not: watched, judged, and at hand for the
// webhook. The last good one stays in force; what is wrong is logged here, once.
namespace steelyard::controller {

class ConfigSide {
public:
    // `api`, `log` and `registry` outlive it. `on_any` is called whenever load() may say something
    // else than before.
    ConfigSide(
        kube::KubeApi& api,
        const log::Logger& log,
        metrics::Registry& registry,
        const std::string& ns,
        std::uint64_t seed,
        std::function<void()> on_any
    );

    void spawn(rt::TaskGroup& tasks) { watches_.spawn(tasks); }
    [[nodiscard]] bool synced() const { return watches_.synced(); }
    // Judges the objects if they changed since the last call. Cheap when they did not; nothing
    // before synced().
    void load();

    // Null until there was a right one; another pointer when it is another configuration.
    [[nodiscard]] const std::shared_ptr<const config::Config>& current() const {
        return last_good_.current();
    }
    [[nodiscard]] const std::vector<config::Problem>& problems() const {
        return last_good_.problems();
    }
    // Some object in the API is wrong, so an older configuration is in use.
    [[nodiscard]] bool stale() const;
    // To post Events about an object; nothing when it is gone.
    [[nodiscard]] std::optional<kube::ObjectReference> find(const config::Problem& problem) const {
        return watches_.find(problem.kind, problem.key);
    }
    // What a leader wants to hear besides; both may be empty.
    struct Hooks {
        // An IPAddressPool appeared: its status has to be written again.
        std::function<void(const std::string& pool)> on_new_pool;
        // An object cannot be decoded.
        std::function<void(const kube::ObjectReference&, const Error&)> on_unreadable;
    };
    void set_hooks(Hooks hooks) { hooks_ = std::move(hooks); }

    // For the ConfigurationState object.
    [[nodiscard]] config::StateInput state() const;
    // For the webhook; null before synced().
    [[nodiscard]] std::shared_ptr<const admission::Snapshot> snapshot();
    void update_gauges();

private:
    void report();

    const log::Logger& log_;
    std::string ns_;
    Hooks hooks_;
    metrics::GaugeFamily& loaded_gauge_;
    metrics::GaugeFamily& stale_gauge_;
    metrics::CounterFamily& updates_;
    metrics::CounterFamily& update_errors_;
    daemon::ConfigWatches watches_;
    config::LastGood last_good_;
    std::uint64_t judged_ = 0;       // version of the objects last_good_ was made from
    std::uint64_t snapshot_of_ = 0;  // version of the objects in snapshot_
    std::shared_ptr<const admission::Snapshot> snapshot_;
};

}  // namespace steelyard::controller
