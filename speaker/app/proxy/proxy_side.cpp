#include "speaker/app/proxy/proxy_side.hpp"

#include "common/rt/sleep.hpp"
#include "speaker/app/proxy/kube_proxy.hpp"
#include "speaker/app/proxy/other_modes.hpp"
#include "speaker/io/health/pages.hpp"

#include <array>
#include <chrono>
#include <utility>

namespace steelyard::speaker {
namespace {

using namespace std::chrono_literals;

constexpr std::array kFamilies{net::Family::V4, net::Family::V6};
// How often somebody is looked for who would undo our work.
constexpr Duration kLookOut = 30s;

Instant steady_now() {
    return std::chrono::steady_clock::now();
}

WallTime wall_now() {
    return std::chrono::system_clock::now();
}

constexpr const char* kDisturbed =
    "somebody keeps changing this node's Service tables, as a kube-proxy beside --proxy-mode=full "
    "does: remove it, or choose --proxy-mode=load-balancer";

std::uint64_t changed_by_others(const dataplane::Counters& counters) {
    std::uint64_t changes = counters.drifts + counters.alarms;
    for (const std::uint64_t restores : counters.rule_restores) {
        changes += restores;
    }
    return changes;
}

std::string advice(const std::string& mode) {
    return "kube-proxy (" + mode +
           ") runs on this node beside --proxy-mode=full: remove it, or choose "
           "--proxy-mode=load-balancer";
}

}  // namespace

ProxySide::ProxySide(
    const asio::any_io_executor& executor,
    const Options& options,
    const log::Logger& log,
    metrics::Registry& registry,
    FactsSource facts,
    Telling telling
)
    : executor_(executor),
      options_(options),
      log_(log),
      registry_(registry),
      facts_(std::move(facts)),
      telling_(std::move(telling)),
      reprogram_(executor),
      dataplane_(dataplane::make_ipvs_dataplane(executor, options.proxy)),
      planner_(proxy::Context()),
      metrics_(registry, {kFamilies.begin(), kFamilies.end()}, wall_now()),
      health_({kFamilies.begin(), kFamilies.end()}, 2 * options.sync_period),
      health_ports_(
          executor,
          {[this] { return health_.healthy(steady_now()); },
           [this](const io_health::HealthPorts::Trouble& trouble) {
               log_.error(
                   "health check not served",
                   {{"service", to_string(trouble.service)}, {"error", trouble.reason}}
               );
               telling_.service_event(
                   trouble.service, "FailedToStartServiceHealthcheck", trouble.reason
               );
           }}
      ),
      configured_(options.proxy) {}

health::Moment ProxySide::moment() const {
    return {steady_now(), wall_now()};
}

awaitable<Result<>> ProxySide::start() {
    if (options_.proxy.mode == proxy::Mode::Full) {
        if (const auto mode = co_await running_kube_proxy()) {
            co_return make_error(Errc::Invalid, advice(*mode));
        }
    }
    open_ports();
    if (options_.bind_address_hard_fail) {
        for (io_health::ProxyPort* port : {healthz_port_.get(), metrics_port_.get()}) {
            if (port == nullptr) {
                continue;
            }
            if (auto opened = port->open(); !opened) {
                co_return opened.error();
            }
        }
    }
    co_await warn_of_other_modes(executor_, options_.proxy.mode, log_);
    const auto started = co_await dataplane_->start();
    for (const std::string& warning : dataplane_->warnings()) {
        log_.warn("node", {{"problem", warning}});
    }
    co_return started;
}

void ProxySide::open_ports() {
    io_health::ProxyPort::Callbacks callbacks;
    callbacks.on_trouble = [this](const std::string& reason) {
        log_.error("port not served", {{"error", reason}});
    };
    if (options_.healthz_bind) {
        io_health::HealthPages pages;
        pages.healthz = [this] {
            return health_.healthz(moment());
        };
        pages.livez = [this] {
            return health_.livez(moment());
        };
        pages.on_healthz = [this](unsigned status) {
            metrics_.on_healthz(status);
        };
        pages.on_livez = [this](unsigned status) {
            metrics_.on_livez(status);
        };
        healthz_port_ = std::make_unique<io_health::ProxyPort>(
            executor_,
            "healthzBindAddress",
            *options_.healthz_bind,
            io_health::health_handler(std::move(pages)),
            callbacks
        );
    }
    if (options_.metrics_bind) {
        io_health::MetricsPages pages;
        pages.refresh = telling_.refresh_metrics;
        metrics_port_ = std::make_unique<io_health::ProxyPort>(
            executor_,
            "metricsBindAddress",
            *options_.metrics_bind,
            io_health::metrics_handler(std::move(pages), registry_),
            callbacks
        );
    }
}

void ProxySide::spawn(rt::TaskGroup& tasks) {
    tasks.spawn("kernel", loop());
    tasks.spawn(
        "data plane",
        dataplane_->maintain(
            options_.sync_period, [this](const Result<dataplane::Report>& report) { note(report); }
        )
    );
    if (healthz_port_) {
        tasks.spawn("healthz port", healthz_port_->run());
    }
    if (metrics_port_) {
        tasks.spawn("metrics port", metrics_port_->run());
    }
    if (options_.proxy.mode == proxy::Mode::Full) {
        tasks.spawn("watch for kube-proxy", watch_for_kube_proxy());
    }
}

awaitable<void> ProxySide::close() {
    co_await health_ports_.close();
}

// What the first lists bring does not wait: a proxy that starts is healthy.
void ProxySide::queued(net::Family family) {
    if (!applied_) {
        return;
    }
    health_.on_queued(family, steady_now());
    metrics_.on_queued(wall_now());
}

void ProxySide::set_service(
    const kube::ObjectKey& key, std::shared_ptr<const kube::Service> service
) {
    metrics_.on_service_change();
    if (!programs()) {
        return;  // nobody would take what the planner gathers
    }
    planner_.set_service(key, std::move(service));
    for (const net::Family family : kFamilies) {
        queued(family);
    }
}

void ProxySide::set_slice(
    const kube::ObjectKey& key, std::shared_ptr<const kube::EndpointSlice> slice
) {
    const net::Family family = slice ? slice->family : net::Family::V4;
    metrics_.on_endpoint_change(family, slice ? slice->last_change_trigger : std::nullopt);
    if (!programs()) {
        return;
    }
    queued(family);
    planner_.set_slice(key, std::move(slice));
}

awaitable<void> ProxySide::loop() {
    for (;;) {
        co_await reprogram_.wait();
        co_await program();
        if (options_.min_sync_period > Duration::zero()) {
            co_await rt::sleep_for(options_.min_sync_period);
        }
    }
}

void ProxySide::follow_node(const Facts& facts) {
    health_.set_node(facts.node);
    health_ports_.set_addresses(listening_addresses(facts.context));
}

// What is refused is tried again by the data plane's own maintenance.
awaitable<void> ProxySide::program() {
    auto facts = facts_();
    if (!facts) {
        co_return;
    }
    if (!programs()) {
        become_ready();
        co_return;
    }
    follow_node(*facts);
    if (facts->context.config != configured_) {
        co_await configure(facts->context.config);
    }
    planner_.set_context(std::move(facts->context));
    proxy::Changes changes = planner_.take_changes();
    for (const net::Family family : kFamilies) {
        health_.on_started(family);
    }
    metrics_.on_sync_started();
    const Instant begin = steady_now();
    if (applied_ && changes.services.empty() && changes.sources == sources_) {
        note_sync(!failing_since_, Duration::zero());
        co_return;
    }
    sources_ = changes.sources;
    follow(changes);
    const auto report = co_await dataplane_->apply(std::move(changes));
    applied_ = true;
    note_sync(report.has_value(), steady_now() - begin);
    note(report);
}

awaitable<void> ProxySide::configure(const proxy::ProxyConfig& config) {
    const auto configured = co_await dataplane_->configure(config);
    if (configured) {
        configured_ = config;
    } else {
        log_.error("rules not written", {{"error", to_string(configured.error())}});
    }
}

void ProxySide::note_sync(bool done, Duration took) {
    for (const net::Family family : kFamilies) {
        if (done) {
            health_.on_synced(family, steady_now());
            metrics_.on_synced(family, took, wall_now());
        } else {
            health_.on_failed(family);
            metrics_.on_sync_failed(family);
        }
    }
}

void ProxySide::follow(const proxy::Changes& changes) {
    for (const Complaint& complaint : effects_.follow(changes)) {
        log_.warn(
            "ignored in part",
            {{"service", to_string(complaint.service)}, {"problem", complaint.line}}
        );
        telling_.service_event(complaint.service, "ProxyConfigIgnored", complaint.line);
    }
}

// One entry that the kernel refuses must not keep the node from serving all others: every node
// would refuse it, and nobody be left. What cannot be served is left out address by address.
void ProxySide::become_ready() {
    if (!std::exchange(ready_, true)) {
        telling_.on_ready();
    }
}

void ProxySide::note(const Result<dataplane::Report>& report) {
    std::string failure;
    if (report) {
        note_success(*report);
        if (!report->failures.empty()) {
            const dataplane::Failure& first = report->failures.front();
            failure = first.object + ": " + first.reason;
        }
    } else {
        failure = to_string(report.error());
        if (!failing_since_) {
            failing_since_ = steady_now();
        }
        telling_.on_serving();  // the node drains when this lasts
    }
    if (failure != last_failure_) {
        if (!failure.empty()) {
            log_.error("kernel refused", {{"error", failure}});
        } else {
            log_.info("kernel takes everything again");
        }
        last_failure_ = failure;
    }
    telling_.on_report();
}

void ProxySide::note_success(const dataplane::Report& report) {
    if (std::exchange(failing_since_, std::nullopt)) {
        note_sync(true, report.duration);  // an earlier write has come through after all
    }
    // A load balancer that asks is sent here only once the kernel has it.
    if (applied_ && options_.proxy.mode == proxy::Mode::Full) {
        if (const auto ports = effects_.take_health_ports()) {
            health_ports_.sync(*ports);
        }
    }
    unservable_ = report.unservable;
    metrics_.on_report(report);
    if (servable_ != report.servable) {
        servable_ = report.servable;
        telling_.on_serving();
    }
    if (applied_) {
        become_ready();
    }
    if (report.ops > 0) {
        log_.debug(
            "kernel written",
            {{"ops", std::to_string(report.ops)}, {"sends", std::to_string(report.sends)}}
        );
    }
}

// One that is started later would undo our work, and we would undo its. Where its own port is taken
// (by us) it does not answer, but what it writes shows.
awaitable<void> ProxySide::watch_for_kube_proxy() {
    for (;;) {
        co_await rt::sleep_for(kLookOut);
        const auto found = co_await running_kube_proxy();
        const bool disturbed = disturbance_.look(changed_by_others(dataplane_->counters()));
        std::string problem;
        if (found) {
            problem = advice(*found);
        } else if (disturbed) {
            problem = kDisturbed;
        }
        if (problem == intruder_) {
            continue;
        }
        intruder_ = problem;
        if (problem.empty()) {
            log_.info("nobody else writes Services into this kernel any more");
        } else {
            log_.error("somebody else writes Services into this kernel", {{"problem", problem}});
            telling_.node_event("ForeignServiceProxy", problem);
        }
    }
}

std::string ProxySide::trouble() const {
    if (!intruder_.empty()) {
        return intruder_;
    }
    if (!ready_ || failing_since_) {
        return "the kernel is not programmed" + (last_failure_.empty() ? "" : ": " + last_failure_);
    }
    return "";
}

awaitable<bool> ProxySide::forwarding_kept() {
    const auto found = co_await dataplane_->audit();
    co_return found.has_value() && !found->servable->empty();
}

void ProxySide::count() {
    if (!programs()) {
        return;
    }
    metrics_.set_counters(dataplane_->counters());
    metrics_.set_objects({{"services", planner_.proxied()}});
    for (const net::Family family : kFamilies) {
        metrics_.set_no_local_endpoints(
            family, effects_.without_local_internal(family), effects_.without_local_external(family)
        );
    }
}

}  // namespace steelyard::speaker
