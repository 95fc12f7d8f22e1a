#pragma once

#include "common/kube/model/core.hpp"
#include "common/log/log.hpp"
#include "common/rt/signal.hpp"
#include "common/rt/task_group.hpp"
#include "speaker/io/dataplane/dataplane.hpp"
#include "speaker/proxy/planner.hpp"

#include <functional>
#include <memory>
#include <optional>
#include <set>
#include <string>

// The node service proxy on the control thread: keeps the kernel equal to the plan of
// speaker/proxy, at its own pace, and tells what this node can serve. It knows the data plane by
// its interface only.
namespace steelyard::speaker {

class ProxySide {
public:
    struct Telling {
        // What this node serves, or whether its kernel takes anything at all, is another now.
        std::function<void()> on_serving;
        std::function<void()> on_ready;   // once: every table is in the kernel
        std::function<void()> on_report;  // after each write or audit
    };
    // What the plan is made from beside Services and slices; nothing before every first list is in:
    // such a plan would take away what an earlier run had programmed.
    using Facts = std::function<std::optional<proxy::Context>()>;

    // `log` outlives it.
    ProxySide(
        const asio::any_io_executor& executor,
        const log::Logger& log,
        const proxy::ProxyConfig& config,
        Facts facts,
        Telling telling
    );

    // Prepares the node; an Error names what it lacks.
    awaitable<Result<>> start();
    void spawn(rt::TaskGroup& tasks);
    // Plan and program soon.
    void wake() { reprogram_.notify(); }

    // Null: the object is gone.
    void set_service(const kube::ObjectKey& key, std::shared_ptr<const kube::Service> service);
    void set_slice(const kube::ObjectKey& key, std::shared_ptr<const kube::EndpointSlice> slice);

    // False in announce-only mode: another proxy forwards.
    [[nodiscard]] bool programs() const { return config_.mode != proxy::Mode::AnnounceOnly; }
    // Addresses this node's kernel forwards; null: nothing was programmed yet.
    [[nodiscard]] const std::shared_ptr<const std::set<net::IpAddress>>& servable() const {
        return servable_;
    }
    // What the kernel was last asked for, when it refused a part of that; else null.
    [[nodiscard]] std::shared_ptr<const proxy::Tables> refused() const;
    // Since when the kernel takes nothing.
    [[nodiscard]] std::optional<Instant> failing_since() const { return failing_since_; }
    [[nodiscard]] const std::string& last_failure() const { return last_failure_; }

    // Whether a former run left something in the kernel that serves.
    awaitable<bool> forwarding_kept();

private:
    awaitable<void> loop();
    awaitable<void> program();
    void note(const Result<dataplane::Report>& report);
    void become_ready();

    const log::Logger& log_;
    proxy::ProxyConfig config_;
    Facts facts_;
    Telling telling_;
    rt::Signal reprogram_;
    std::unique_ptr<dataplane::Dataplane> dataplane_;
    proxy::Planner planner_;

    std::shared_ptr<const proxy::Tables> applied_;  // last given to the data plane
    std::shared_ptr<const std::set<net::IpAddress>> servable_;
    std::optional<Instant> failing_since_;  // the data plane as a whole
    std::string last_failure_;              // as logged
    bool incomplete_ = false;               // the last report had failures
    bool ready_ = false;
};

}  // namespace steelyard::speaker
