#pragma once

#include "common/kube/model/core.hpp"
#include "common/log/log.hpp"
#include "common/metrics/metrics.hpp"
#include "common/rt/signal.hpp"
#include "common/rt/task_group.hpp"
#include "speaker/app/proxy/disturbance.hpp"
#include "speaker/app/proxy/side_effects.hpp"
#include "speaker/app/proxy_metrics/proxy_metrics.hpp"
#include "speaker/health/proxy_health.hpp"
#include "speaker/io/dataplane/dataplane.hpp"
#include "speaker/io/health/health_ports.hpp"
#include "speaker/io/health/proxy_port.hpp"
#include "speaker/options/options.hpp"
#include "speaker/proxy/planner.hpp"

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>

// The node service proxy on the control thread: keeps the kernel equal to the plan of
// speaker/proxy, at its own pace, tells what this node can serve, and is what kube-proxy is to
// others: health-check node ports, /healthz, /livez, /proxyMode and its metrics. It knows the data
// plane by its interface only.
namespace steelyard::speaker {

class ProxySide {
public:
    // What the plan is made from beside Services and slices.
    struct Facts {
        proxy::Context context;
        health::NodeFacts node;
    };
    // Nothing before every first list is in: such a plan would take away what an earlier run had
    // programmed.
    using FactsSource = std::function<std::optional<Facts>()>;

    struct Telling {
        // What this node serves, or whether its kernel takes anything at all, is another now.
        std::function<void()> on_serving;
        std::function<void()> on_ready;   // once: every table is in the kernel
        std::function<void()> on_report;  // after each write or audit
        // Warning Events.
        std::function<void(const kube::ObjectKey&, std::string reason, std::string message)>
            service_event;
        std::function<void(std::string reason, std::string message)> node_event;
        std::function<awaitable<void>()> refresh_metrics;
    };

    // `options`, `log` and `registry` outlive it.
    ProxySide(
        const asio::any_io_executor& executor,
        const Options& options,
        const log::Logger& log,
        metrics::Registry& registry,
        FactsSource facts,
        Telling telling
    );

    // Prepares the node; an Error names what it lacks, or that a kube-proxy runs here.
    awaitable<Result<>> start();
    void spawn(rt::TaskGroup& tasks);
    // Before this dies, when the tasks have ended.
    awaitable<void> close();
    // Plan and program soon.
    void wake() { reprogram_.notify(); }

    // Null: the object is gone.
    void set_service(const kube::ObjectKey& key, std::shared_ptr<const kube::Service> service);
    void set_slice(const kube::ObjectKey& key, std::shared_ptr<const kube::EndpointSlice> slice);

    // False in announce-only mode: another proxy forwards.
    [[nodiscard]] bool programs() const { return options_.proxy.mode != proxy::Mode::AnnounceOnly; }
    // Addresses this node's kernel forwards; null: nothing was programmed yet.
    [[nodiscard]] const dataplane::Addresses& servable() const { return servable_; }
    // Those that should be forwarded and, since the kernel refused something, are not.
    [[nodiscard]] const std::set<net::IpAddress>& unservable() const { return unservable_; }
    // Since when the kernel takes nothing.
    [[nodiscard]] std::optional<Instant> failing_since() const { return failing_since_; }
    // Why people should not rely on it, in one line; "" when they can.
    [[nodiscard]] std::string trouble() const;

    // What the kernel refuses at present, in one line; "" when nothing.
    [[nodiscard]] const std::string& refusal() const { return last_failure_; }

    // Whether a former run left something in the kernel that serves.
    awaitable<bool> forwarding_kept();
    // Brings the numbers of /metrics up to date.
    void count();

private:
    awaitable<void> loop();
    awaitable<void> program();
    awaitable<void> configure(const proxy::ProxyConfig& config);
    awaitable<void> watch_for_kube_proxy();
    void follow(const proxy::Changes& changes);
    void follow_node(const Facts& facts);
    void note_sync(bool done, Duration took);
    void note(const Result<dataplane::Report>& report);
    void note_success(const dataplane::Report& report);
    void queued(net::Family family);
    void become_ready();
    void open_ports();
    [[nodiscard]] health::Moment moment() const;

    asio::any_io_executor executor_;
    const Options& options_;
    const log::Logger& log_;
    metrics::Registry& registry_;
    FactsSource facts_;
    Telling telling_;
    rt::Signal reprogram_;
    std::unique_ptr<dataplane::Dataplane> dataplane_;
    proxy::Planner planner_;
    SideEffects effects_;
    ProxyMetrics metrics_;
    health::ProxyHealth health_;
    io_health::HealthPorts health_ports_;
    std::unique_ptr<io_health::ProxyPort> healthz_port_;  // null: switched off
    std::unique_ptr<io_health::ProxyPort> metrics_port_;

    proxy::ProxyConfig configured_;  // as the data plane has it
    std::map<net::Family, net::IpAddress> sources_;
    dataplane::Addresses servable_;
    std::set<net::IpAddress> unservable_;
    std::optional<Instant> failing_since_;  // the data plane as a whole
    std::string last_failure_;              // as logged
    Disturbance disturbance_;
    std::string intruder_;  // what is wrong when somebody else programs Services here; "": nobody
    bool applied_ = false;
    bool ready_ = false;
};

}  // namespace steelyard::speaker
