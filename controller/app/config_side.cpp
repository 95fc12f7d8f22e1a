#include "controller/app/config_side.hpp"

#include "controller/app/api_metrics.hpp"

#include <utility>

namespace steelyard::controller {

ConfigSide::ConfigSide(
    kube::KubeApi& api,
    const log::Logger& log,
    metrics::Registry& registry,
    const std::string& ns,
    std::uint64_t seed,
    std::function<void()> on_any
)
    : log_(log),
      ns_(ns),
      loaded_gauge_(registry.gauge(
          "metallb_k8s_client_config_loaded_bool", "1 once a configuration was accepted."
      )),
      stale_gauge_(registry.gauge(
          "metallb_k8s_client_config_stale_bool",
          "1 while the newest configuration is wrong and an older one is in use."
      )),
      updates_(updates_counter(registry)),
      update_errors_(update_errors_counter(registry)),
      watches_(
          api,
          log,
          ns,
          daemon::ConfigWatches::For::Controller,
          seed,
          {
              .on_any = std::move(on_any),
              .on_change = [this] { updates_.add(); },
              .on_pool =
                  [this](const kube::Change<kube::IpAddressPool>& change) {
                      if (!change.before && hooks_.on_new_pool) {
                          hooks_.on_new_pool(change.key.name);
                      }
                  },
              .on_unreadable =
                  [this](const kube::ObjectReference& object, const Error& error) {
                      update_errors_.add();
                      if (hooks_.on_unreadable) {
                          hooks_.on_unreadable(object, error);
                      }
                  },
          }
      ) {}

void ConfigSide::load() {
    if (!synced() || judged_ == watches_.version()) {
        return;
    }
    judged_ = watches_.version();
    const std::vector<config::Problem> before = last_good_.problems();
    const bool changed = last_good_.update(config::parse(watches_.objects()));
    if (last_good_.problems() != before) {
        report();
    }
    if (changed) {
        log_.info("configuration in use", {{"pools", std::to_string(current()->pools.size())}});
    }
}

void ConfigSide::report() {
    if (problems().empty()) {
        log_.info("configuration is right again");
        return;
    }
    std::string line;
    for (const config::Problem& problem : problems()) {
        line += (line.empty() ? "" : "; ") + to_string(problem);
    }
    log_.error(
        last_good_.loaded() ? "configuration rejected, the last good one stays in use"
                            : "configuration rejected, there is none to use",
        {{"problems", line}}
    );
}

bool ConfigSide::stale() const {
    return last_good_.stale() || !watches_.unreadable().empty();
}

config::StateInput ConfigSide::state() const {
    config::StateInput input;
    input.problems = problems();
    input.unreadable = watches_.unreadable();
    input.known = judged_ != 0;
    return input;
}

std::shared_ptr<const admission::Snapshot> ConfigSide::snapshot() {
    if (synced() && snapshot_of_ != watches_.version()) {
        snapshot_of_ = watches_.version();
        snapshot_ = std::make_shared<const admission::Snapshot>(admission::Snapshot{
            watches_.objects(), ns_});
    }
    return snapshot_;
}

void ConfigSide::update_gauges() {
    loaded_gauge_.set(last_good_.loaded() ? 1 : 0);
    stale_gauge_.set(stale() ? 1 : 0);
}

}  // namespace steelyard::controller
