#pragma once

#include "common/config/config.hpp"
#include "common/kube/client/event_recorder.hpp"
#include "common/kube/client/informer.hpp"
#include "common/log/log.hpp"
#include "common/metrics/metrics.hpp"
#include "common/rt/signal.hpp"
#include "common/rt/task_group.hpp"
#include "controller/plan/planner.hpp"
#include "controller/write/pool_status.hpp"
#include "controller/write/status_writer.hpp"

#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <vector>

// The controller as tasks on one loop: watch, plan, write. Watches feed the Planner and mark it
// dirty; one task asks it what to do; writers carry that out. Everything it decides with is in
// controller/plan. Start it in a TaskGroup that is joined before this object dies.
namespace steelyard::controller {

struct Settings {
    std::string ns;                                           // of the metallb.io objects
    std::string load_balancer_class;                          // "": Services without a class
    std::uint64_t seed = 0;                                   // for jitter
    std::size_t writers = 8;                                  // status writes in flight
    Duration pool_status_interval = std::chrono::seconds(1);  // shortest time between two writes
};

class Controller {
public:
    // `api`, `registry` and what `wall_clock` uses outlive this object.
    Controller(
        const asio::any_io_executor& executor,
        kube::KubeApi& api,
        const log::Logger& logger,
        metrics::Registry& registry,
        const Settings& settings,
        std::function<WallTime()> wall_clock
    );

    void start(rt::TaskGroup& group);

    // The first lists are in and a first plan was made.
    [[nodiscard]] bool ready() const { return planned_; }
    // Some object in the API is wrong, so an older configuration is in use.
    [[nodiscard]] bool stale() const;
    // Brings the gauges up to date; call before rendering the registry.
    void update_gauges();

private:
    template <class T>
    typename kube::Informer<T>::Callbacks callbacks(
        std::function<void(const kube::Change<T>&)> on_change
    );
    void on_service(const kube::Change<kube::Service>& change);
    void on_namespace(const kube::Change<kube::Namespace>& change);
    void on_bad_object(
        const kube::ResourceType& type, const kube::ObjectKey& key, const Error& error
    );
    [[nodiscard]] bool synced() const;
    awaitable<void> decide();
    void load_config();
    void report(const std::vector<config::Problem>& before);
    void carry_out(const controller_plan::Outcome& outcome);
    [[nodiscard]] StatusWriter& writer_for(const kube::ObjectKey& service);

    log::Logger logger_;
    controller_plan::Planner planner_;
    std::function<WallTime()> wall_clock_;
    config::LastGood config_;
    bool config_dirty_ = false;
    bool announced_synced_ = false;
    bool planned_ = false;
    rt::Signal wake_;

    metrics::GaugeFamily& loaded_gauge_;
    metrics::GaugeFamily& stale_gauge_;
    metrics::CounterFamily& updates_;
    metrics::CounterFamily& update_errors_;
    metrics::Registry& registry_;

    kube::EventRecorder events_;
    std::vector<std::unique_ptr<StatusWriter>> writers_;
    PoolStatusWriter pool_status_;

    kube::Informer<kube::Service> services_;
    kube::Informer<kube::Namespace> namespaces_;
    kube::Informer<kube::IpAddressPool> pools_;
    kube::Informer<kube::L2Advertisement> l2_advertisements_;
};

}  // namespace steelyard::controller
