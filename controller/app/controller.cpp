#include "controller/app/controller.hpp"

#include "common/rt/sleep.hpp"
#include "controller/app/allocator_gauges.hpp"
#include "controller/app/api_metrics.hpp"

#include <malloc.h>

#include <algorithm>
#include <utility>

namespace steelyard::controller {
namespace {

using namespace std::chrono_literals;

constexpr const char* kComponent = "metallb-controller";  // as MetalLB's Events name it
constexpr const char* kConfigurationInvalid = "ConfigurationInvalid";
// An expiry that comes earlier than the one slept for is noticed this late at most.
constexpr Duration kLongestSleep = 10s;
// After as many decisions the heap is worth a look, as soon as they are written.
constexpr std::size_t kMuch = 500;
constexpr Duration kSettling = 1s;

}  // namespace

template <class T>
typename kube::Informer<T>::Callbacks Controller::callbacks(
    std::function<void(const kube::Change<T>&)> on_change
) {
    typename kube::Informer<T>::Callbacks made;
    made.on_change = [this, on_change = std::move(on_change)](const kube::Change<T>& change) {
        updates_.add();
        on_change(change);
        wake_.notify();
    };
    made.on_synced = [this] {
        wake_.notify();
    };
    made.on_error = [this](const Error* error) {
        const std::string kind(kube::Resource<T>::kType.kind);
        if (error != nullptr) {
            logger_.warn("watch broken", {{"kind", kind}, {"error", to_string(*error)}});
        } else {
            logger_.info("watch works again", {{"kind", kind}});
        }
    };
    made.on_bad_object = [this](const kube::ObjectKey& key, const Error& error) {
        update_errors_.add();
        logger_.error("object cannot be used", {{"error", error.context}});
        on_unreadable({kube::Resource<T>::kType, key, "", ""}, error);
    };
    return made;
}

Controller::Controller(
    const asio::any_io_executor& executor,
    kube::KubeApi& api,
    ConfigSide& config,
    const log::Logger& logger,
    metrics::Registry& registry,
    const Settings& settings,
    std::function<WallTime()> wall_clock,
    std::function<bool()> may_write
)
    : logger_(logger.with_component("controller")),
      config_(config),
      planner_(controller_plan::Options{settings.load_balancer_class, settings.ns, settings.ip_mode}
      ),
      wall_clock_(wall_clock),
      wake_(executor),
      expiry_changed_(executor),
      much_decided_(executor),
      updates_(updates_counter(registry)),
      update_errors_(update_errors_counter(registry)),
      registry_(registry),
      events_(
          executor,
          api,
          kComponent,
          wall_clock,
          [this](const Error& error) {
              logger_.debug("an Event was not posted", {{"error", to_string(error)}});
          },
          [this] { logger_.warn("Events are dropped: too many Services have one at once", {}); }
      ),
      pool_status_(executor, api, logger, settings.ns, settings.pool_status_interval),
      reservation_writer_(executor, api, logger, update_errors_, settings.seed + 4),
      services_(
          api,
          kube::Collection(kube::Resource<kube::Service>::kType),
          callbacks<kube::Service>([this](const auto& change) { on_service(change); }),
          settings.seed
      ),
      namespaces_(
          api,
          kube::Collection(kube::Resource<kube::Namespace>::kType),
          callbacks<kube::Namespace>([this](const auto& change) { on_namespace(change); }),
          settings.seed + 1
      ),
      reservations_(
          api,
          kube::Collection(kube::Resource<kube::AddressReservation>::kType, settings.ns),
          reservation_callbacks(),
          settings.seed + 2
      ),
      statuses_(
          executor,
          api,
          logger,
          update_errors_,
          wall_clock,
          settings.seed + 3,
          [this](const kube::ObjectKey& key) { return services_.store().find(key); },
          WindowOptions{},
          std::move(may_write)
      ) {
    config_.set_hooks(
        {.on_new_pool = [this](const std::string& pool) { pool_status_.forget(pool); },
         .on_unreadable =
             [this](const kube::ObjectReference& object, const Error& error) {
                 on_unreadable(object, error);
             }}
    );
}

Controller::~Controller() {
    config_.set_hooks({});
}

// Older definitions and roles do not know the kind: then nothing is reserved.
kube::Informer<kube::AddressReservation>::Callbacks Controller::reservation_callbacks() {
    auto made =
        callbacks<kube::AddressReservation>([this](const auto& change) { on_reservation(change); });
    made.on_error = [this, next = made.on_error](const Error* error) {
        next(error);
        if (error == nullptr) {
            no_reservations_ = false;
        } else if (is(*error, Errc::NotFound) || is(*error, Errc::Unauthorized)) {
            no_reservations_ = true;  // until it is there: a server that is away says nothing new
        }
        wake_.notify();
    };
    return made;
}

void Controller::start(rt::TaskGroup& group) {
    group.spawn("watch services", services_.run());
    group.spawn("watch namespaces", namespaces_.run());
    group.spawn("watch addressreservations", reservations_.run());
    group.spawn("events", events_.run());
    group.spawn("decide", decide());
    group.spawn("expiries", watch_expiries());
    group.spawn("memory", give_back_memory());
    group.spawn("pool status", pool_status_.run());
    reservation_writer_.start(group);
    statuses_.start(group);
    wake_.notify();
}

void Controller::on_service(const kube::Change<kube::Service>& change) {
    if (change.after) {
        planner_.on_service(change.after);
        return;
    }
    planner_.on_service_deleted(change.key);
    statuses_.forget(change.key);
}

void Controller::on_namespace(const kube::Change<kube::Namespace>& change) {
    if (change.after) {
        planner_.on_namespace(change.key.name, change.after->meta.labels);
    } else {
        planner_.on_namespace_deleted(change.key.name);
    }
}

void Controller::on_reservation(const kube::Change<kube::AddressReservation>& change) {
    if (change.after) {
        planner_.on_reservation(change.after);
    } else {
        planner_.on_reservation_deleted(change.key);
    }
}

void Controller::on_unreadable(const kube::ObjectReference& object, const Error& error) {
    events_.record(object, kube::EventType::Warning, kConfigurationInvalid, error.context);
}

bool Controller::synced() const {
    return services_.synced() && namespaces_.synced() && config_.synced() &&
           (reservations_.synced() || no_reservations_);
}

awaitable<void> Controller::decide() {
    for (;;) {
        co_await wake_.wait();
        if (synced() && !draining_) {
            plan();
        }
    }
}

void Controller::plan() {
    if (!std::exchange(announced_synced_, true)) {
        planner_.on_synced();
    }
    config_.load();
    if (config_.current() != taken_) {
        taken_ = config_.current();
        planner_.on_config(taken_);
    }
    tell_problems();
    controller_plan::Plan plan = planner_.plan(wall_clock_());
    for (controller_plan::Outcome& outcome : plan.outcomes) {
        carry_out(std::move(outcome));
    }
    for (controller_plan::ReservationChange& change : plan.reservations) {
        reservation_writer_.put(std::move(change));
    }
    decided_ += plan.decided;
    if (decided_ >= kMuch) {
        decided_ = 0;
        much_decided_.notify();
    }
    pool_status_.put(planner_.counts());
    if (plan.next != expiry_) {
        expiry_ = plan.next;
        expiry_changed_.notify();
    }
    planned_ = true;
}

awaitable<void> Controller::watch_expiries() {
    for (;;) {
        while (!expiry_) {
            co_await expiry_changed_.wait();
        }
        const auto left = std::chrono::duration_cast<Duration>(*expiry_ - wall_clock_());
        if (left <= Duration::zero()) {
            expiry_.reset();
            wake_.notify();
            continue;
        }
        co_await rt::sleep_for(std::min(left, kLongestSleep));
    }
}

// A start, or thousands of Services at once, leave the heap full of holes: lists, patches, answers.
awaitable<void> Controller::give_back_memory() {
    for (;;) {
        co_await much_decided_.wait();
        do {
            co_await rt::sleep_for(kSettling);
        } while (!statuses_.schedule().idle() || events_.waiting() != 0);
        ::malloc_trim(0);
    }
}

// An Event for each problem that was not there before.
void Controller::tell_problems() {
    for (const config::Problem& problem : config_.problems()) {
        const auto object = config_.find(problem);
        if (object && std::find(told_.begin(), told_.end(), problem) == told_.end()) {
            events_.record(
                *object, kube::EventType::Warning, kConfigurationInvalid, to_string(problem)
            );
        }
    }
    told_ = config_.problems();
}

void Controller::carry_out(controller_plan::Outcome outcome) {
    const kube::ObjectReference involved{
        kube::Resource<kube::Service>::kType, outcome.service, outcome.uid, ""};
    for (const controller_plan::Event& event : outcome.events) {
        logger_.info(
            event.message, {{"service", to_string(outcome.service)}, {"reason", event.reason}}
        );
        events_.record(
            involved,
            event.warning ? kube::EventType::Warning : kube::EventType::Normal,
            event.reason,
            event.message
        );
    }
    if (outcome.write) {
        statuses_.put(outcome.service, std::move(outcome.uid), std::move(outcome.standing));
    }
}

awaitable<void> Controller::drain(Instant deadline) {
    draining_ = true;
    co_await reservation_writer_.drain(deadline);
    co_await statuses_.drain(deadline);
}

void Controller::update_gauges() {
    update_allocator_gauges(registry_, planner_.counts());
    registry_
        .counter(
            "steelyard_controller_events_dropped_total",
            "Events that were not posted: refused by the API server, or too many at once."
        )
        .replace({{{}, static_cast<double>(events_.dropped())}});
    registry_
        .counter(
            "steelyard_controller_events_coalesced_total",
            "Events a newer one of their object and reason replaced before they were posted."
        )
        .replace({{{}, static_cast<double>(events_.coalesced())}});
}

}  // namespace steelyard::controller
