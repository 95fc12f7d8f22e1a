#pragma once

#include "common/kube/client/event_recorder.hpp"
#include "common/kube/client/informer.hpp"
#include "common/log/log.hpp"
#include "common/metrics/metrics.hpp"
#include "common/rt/signal.hpp"
#include "common/rt/task_group.hpp"
#include "controller/app/config_side.hpp"
#include "controller/plan/explanation.hpp"
#include "controller/plan/planner.hpp"
#include "controller/write/pool_status.hpp"
#include "controller/write/reservation_writer.hpp"
#include "controller/write/status_writers.hpp"

#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

// What the leading replica does, from its election to its end: watch, plan, write. It is made anew
// for each term, so that every term begins with consistent lists and with adopting what Services
// already have; that, not the Lease, is what keeps two Services from getting one address. Watches
// feed the Planner; one task asks it what to do; writers carry that out. Everything it decides with
// is in controller/plan. Start it in a TaskGroup that is joined before this object dies.
namespace steelyard::controller {

struct Settings {
    std::string ns;                   // of the metallb.io objects
    std::string load_balancer_class;  // "": Services without a class
    controller_plan::IpMode ip_mode = controller_plan::IpMode::Keep;
    std::uint64_t seed = 0;                                   // for jitter
    Duration pool_status_interval = std::chrono::seconds(1);  // shortest time between two writes
};

class Controller {
public:
    // `api`, `config`, `registry` and what the functions use outlive this object. `may_write`:
    // the Lease is known to be held.
    Controller(
        const asio::any_io_executor& executor,
        kube::KubeApi& api,
        ConfigSide& config,
        const log::Logger& logger,
        metrics::Registry& registry,
        const Settings& settings,
        std::function<WallTime()> wall_clock,
        std::function<bool()> may_write
    );
    Controller(const Controller&) = delete;
    Controller& operator=(const Controller&) = delete;
    ~Controller();

    void start(rt::TaskGroup& group);
    // There may be another configuration.
    void wake() { wake_.notify(); }
    // Decides nothing more, and returns when what was decided is written or `deadline` is over.
    awaitable<void> drain(Instant deadline);

    // The first lists are in and a first plan was made.
    [[nodiscard]] bool ready() const { return planned_; }
    // Brings the gauges up to date; call before rendering the registry.
    void update_gauges();
    // Why a Service has what it has, pool by pool.
    [[nodiscard]] controller_plan::Explanation explain(const kube::ObjectKey& service) const {
        return planner_.explain(service);
    }

private:
    template <class T>
    typename kube::Informer<T>::Callbacks callbacks(
        std::function<void(const kube::Change<T>&)> on_change
    );
    [[nodiscard]] kube::Informer<kube::AddressReservation>::Callbacks reservation_callbacks();
    void on_service(const kube::Change<kube::Service>& change);
    void on_namespace(const kube::Change<kube::Namespace>& change);
    void on_reservation(const kube::Change<kube::AddressReservation>& change);
    void on_unreadable(const kube::ObjectReference& object, const Error& error);
    [[nodiscard]] bool synced() const;
    awaitable<void> decide();
    awaitable<void> watch_expiries();
    awaitable<void> give_back_memory();
    void plan();
    void tell_problems();
    void carry_out(controller_plan::Outcome outcome);

    log::Logger logger_;
    ConfigSide& config_;
    controller_plan::Planner planner_;
    std::function<WallTime()> wall_clock_;
    bool announced_synced_ = false;
    bool planned_ = false;
    bool draining_ = false;
    std::size_t decided_ = 0;         // Services, since the heap was given back
    std::optional<WallTime> expiry_;  // of a reservation: plan again then
    std::shared_ptr<const config::Config> taken_;
    std::vector<config::Problem> told_;
    rt::Signal wake_;
    rt::Signal expiry_changed_;
    rt::Signal much_decided_;

    metrics::CounterFamily& updates_;
    metrics::CounterFamily& update_errors_;
    metrics::Registry& registry_;

    kube::EventRecorder events_;
    PoolStatusWriter pool_status_;
    ReservationWriter reservation_writer_;

    bool no_reservations_ = false;  // the kind cannot be had
    kube::Informer<kube::Service> services_;
    kube::Informer<kube::Namespace> namespaces_;
    kube::Informer<kube::AddressReservation> reservations_;
    StatusWriters statuses_;
};

}  // namespace steelyard::controller
