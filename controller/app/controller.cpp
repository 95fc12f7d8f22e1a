#include "controller/app/controller.hpp"

#include "controller/app/allocator_gauges.hpp"

#include <algorithm>
#include <functional>
#include <utility>

namespace steelyard::controller {
namespace {

constexpr const char* kComponent = "metallb-controller";  // as MetalLB's Events name it
constexpr const char* kConfigurationInvalid = "ConfigurationInvalid";

template <class T>
std::vector<T> values(const kube::Store<T>& store) {
    std::vector<T> list;
    for (const auto& [key, object] : store.objects()) {
        list.push_back(*object);
    }
    return list;
}

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
        on_bad_object(kube::Resource<T>::kType, key, error);
    };
    return made;
}

Controller::Controller(
    const asio::any_io_executor& executor,
    kube::KubeApi& api,
    const log::Logger& logger,
    metrics::Registry& registry,
    const Settings& settings,
    std::function<WallTime()> wall_clock
)
    : logger_(logger.with_component("controller")),
      planner_(controller_plan::Options{settings.load_balancer_class, settings.ns}),
      wall_clock_(wall_clock),
      wake_(executor),
      loaded_gauge_(registry.gauge(
          "metallb_k8s_client_config_loaded_bool", "1 once a configuration was accepted."
      )),
      stale_gauge_(registry.gauge(
          "metallb_k8s_client_config_stale_bool",
          "1 while the newest configuration is wrong and an older one is in use."
      )),
      updates_(registry.counter(
          "metallb_k8s_client_updates_total", "Changes of Kubernetes objects that were handled."
      )),
      update_errors_(registry.counter(
          "metallb_k8s_client_update_errors_total",
          "Objects that could not be read and writes that failed."
      )),
      registry_(registry),
      events_(
          executor,
          api,
          kComponent,
          wall_clock,
          [this](const Error& error) {
              logger_.debug("an Event was not posted", {{"error", to_string(error)}});
          }
      ),
      pool_status_(executor, api, logger, settings.ns, settings.pool_status_interval),
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
      pools_(
          api,
          kube::Collection(kube::Resource<kube::IpAddressPool>::kType, settings.ns),
          callbacks<kube::IpAddressPool>([this](const auto& change) {
              config_dirty_ = true;
              if (!change.before) {
                  pool_status_.forget(change.key.name);
              }
          }),
          settings.seed + 2
      ),
      l2_advertisements_(
          api,
          kube::Collection(kube::Resource<kube::L2Advertisement>::kType, settings.ns),
          callbacks<kube::L2Advertisement>([this](const auto&) { config_dirty_ = true; }),
          settings.seed + 3
      ) {
    for (std::size_t i = 0; i < settings.writers; ++i) {
        writers_.push_back(std::make_unique<StatusWriter>(
            executor, api, logger, update_errors_, wall_clock, settings.seed + 4 + i
        ));
    }
}

void Controller::start(rt::TaskGroup& group) {
    group.spawn("watch services", services_.run());
    group.spawn("watch namespaces", namespaces_.run());
    group.spawn("watch pools", pools_.run());
    group.spawn("watch l2advertisements", l2_advertisements_.run());
    group.spawn("events", events_.run());
    group.spawn("decide", decide());
    for (const auto& writer : writers_) {
        group.spawn("status writer", writer->run());
    }
    group.spawn("pool status", pool_status_.run());
}

void Controller::on_service(const kube::Change<kube::Service>& change) {
    if (change.after) {
        planner_.on_service(change.after);
        return;
    }
    planner_.on_service_deleted(change.key);
    writer_for(change.key).forget(change.key);
}

void Controller::on_namespace(const kube::Change<kube::Namespace>& change) {
    if (change.after) {
        planner_.on_namespace(change.key.name, change.after->meta.labels);
    } else {
        planner_.on_namespace_deleted(change.key.name);
    }
}

void Controller::on_bad_object(
    const kube::ResourceType& type, const kube::ObjectKey& key, const Error& error
) {
    update_errors_.add();
    logger_.error("object cannot be used", {{"error", error.context}});
    const kube::ObjectReference involved{type, key, "", ""};
    events_.record(involved, kube::EventType::Warning, kConfigurationInvalid, error.context);
}

bool Controller::synced() const {
    return services_.synced() && namespaces_.synced() && pools_.synced() &&
           l2_advertisements_.synced();
}

awaitable<void> Controller::decide() {
    for (;;) {
        co_await wake_.wait();
        if (!synced()) {
            continue;
        }
        if (!std::exchange(announced_synced_, true)) {
            config_dirty_ = true;
            planner_.on_synced();
        }
        if (std::exchange(config_dirty_, false)) {
            load_config();
        }
        const controller_plan::Plan plan = planner_.plan(wall_clock_());
        for (const controller_plan::Outcome& outcome : plan.outcomes) {
            carry_out(outcome);
        }
        pool_status_.put(planner_.counts());
        planned_ = true;
    }
}

void Controller::load_config() {
    config::Objects objects;
    objects.pools = values(pools_.store());
    objects.l2_advertisements = values(l2_advertisements_.store());
    const std::vector<config::Problem> before = config_.problems();
    const bool changed = config_.update(config::parse(objects));
    if (config_.problems() != before) {
        report(before);
    }
    if (changed) {
        planner_.on_config(config_.current());
        logger_.info(
            "configuration in use", {{"pools", std::to_string(config_.current()->pools.size())}}
        );
    }
}

// Logs all problems there are now, and posts an Event for each that was not there before.
void Controller::report(const std::vector<config::Problem>& before) {
    const std::vector<config::Problem>& problems = config_.problems();
    if (problems.empty()) {
        logger_.info("configuration is right again");
        return;
    }
    std::string line;
    for (const config::Problem& problem : problems) {
        line += (line.empty() ? "" : "; ") + to_string(problem);
        if (std::find(before.begin(), before.end(), problem) != before.end()) {
            continue;
        }
        std::string uid;
        if (problem.kind == config::Kind::IpAddressPool) {
            if (const auto pool = pools_.store().find(problem.key)) {
                uid = pool->meta.uid;
            }
        } else if (const auto l2 = l2_advertisements_.store().find(problem.key)) {
            uid = l2->meta.uid;
        }
        const kube::ObjectReference involved{
            config::resource_type(problem.kind), problem.key, uid, ""};
        events_.record(
            involved, kube::EventType::Warning, kConfigurationInvalid, to_string(problem)
        );
    }
    logger_.error(
        config_.loaded() ? "configuration rejected, the last good one stays in use"
                         : "configuration rejected, there is none to use",
        {{"problems", line}}
    );
}

void Controller::carry_out(const controller_plan::Outcome& outcome) {
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
        writer_for(outcome.service).put(outcome.service, outcome.uid, outcome.standing);
    }
}

StatusWriter& Controller::writer_for(const kube::ObjectKey& service) {
    const std::size_t hash = std::hash<std::string>()(to_string(service));
    return *writers_[hash % writers_.size()];
}

bool Controller::stale() const {
    return config_.stale() || !pools_.bad_objects().empty() ||
           !l2_advertisements_.bad_objects().empty();
}

void Controller::update_gauges() {
    loaded_gauge_.set(config_.loaded() ? 1 : 0);
    stale_gauge_.set(stale() ? 1 : 0);
    update_allocator_gauges(registry_, planner_.counts());
}

}  // namespace steelyard::controller
