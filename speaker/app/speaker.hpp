#pragma once

#include "common/config/config.hpp"
#include "common/kube/client/api.hpp"
#include "common/kube/client/event_recorder.hpp"
#include "common/log/log.hpp"
#include "common/metrics/metrics.hpp"
#include "common/rt/signal.hpp"
#include "common/rt/task_group.hpp"
#include "speaker/app/options.hpp"
#include "speaker/app/watches.hpp"
#include "speaker/app/wire_side.hpp"
#include "speaker/io/dataplane/dataplane.hpp"
#include "speaker/io/netlink/link_monitor.hpp"
#include "speaker/plan/plan.hpp"
#include "speaker/proxy/planner.hpp"

#include <cstdint>
#include <memory>
#include <optional>
#include <set>
#include <string>

// The control thread of the speaker: watches the API, keeps the kernel equal to the proxy's plan,
// and tells the wire thread what to announce. Everything is level-triggered: any change wakes two
// loops, which plan from what is known then: one programs the kernel, the other announces and never
// waits for it. Decisions live in speaker/proxy and speaker/plan.
namespace steelyard::speaker {

class Speaker {
public:
    // `api` and `registry` outlive it.
    Speaker(
        const asio::any_io_executor& executor,
        const Options& options,
        kube::KubeApi& api,
        const log::Logger& log,
        metrics::Registry& registry,
        std::uint64_t seed
    );

    // Prepares the node, then works until `stop` is notified or a task fails; hands over, leaves
    // the kernel as it is, and returns. An Error is what kept it from starting or running.
    awaitable<Result<>> run(rt::Signal& stop);

    // Why this node cannot serve yet, in one line; "" when it can.
    [[nodiscard]] std::string not_ready() const;
    awaitable<void> refresh_metrics();

private:
    awaitable<Result<>> prepare();
    void spawn_tasks();
    awaitable<void> hand_over();
    void wake();
    awaitable<void> plan_loop();
    awaitable<void> kernel_loop();
    awaitable<void> program_kernel();
    void become_ready();
    void announce();
    void load_config();
    void note(const Result<dataplane::Report>& report);
    void tell_services(const speaker_plan::Announcements& next);
    void follow_peers();
    [[nodiscard]] proxy::Context proxy_context() const;
    [[nodiscard]] speaker_plan::Snapshot snapshot() const;
    [[nodiscard]] WireSide::Callbacks wire_callbacks();
    [[nodiscard]] Result<WireConfig> wire_config() const;
    void on_task_end(const std::string& name, const std::exception_ptr& error);

    asio::any_io_executor executor_;
    Options options_;
    kube::KubeApi& api_;
    log::Logger log_;
    metrics::Registry& registry_;
    std::uint64_t seed_;

    rt::Signal replan_;
    rt::Signal reprogram_;
    rt::Signal* stop_ = nullptr;  // valid while run() runs
    std::optional<Error> failure_;
    kube::EventRecorder events_;
    netlink::LinkMonitor links_;
    std::unique_ptr<dataplane::Dataplane> dataplane_;
    proxy::Planner proxy_planner_;
    std::unique_ptr<WireSide> wire_;
    Watches watches_;

    config::LastGood config_;
    WireSide::Members members_;
    std::vector<net::IpAddress> peers_;
    std::shared_ptr<const proxy::Tables> applied_;      // last given to the data plane
    std::optional<std::set<net::IpAddress>> servable_;  // empty: nothing was programmed yet
    std::string last_failure_;                          // of the data plane, as logged
    speaker_plan::Announcements announcements_;
    bool announced_once_ = false;
    bool ready_ = false;
    bool leaving_ = false;  // others take over what we still answer for

    rt::TaskGroup tasks_;  // last: joined before anything its tasks use dies
};

}  // namespace steelyard::speaker
