#include "speaker/app/speaker.hpp"
#include "speaker/app/view.hpp"

#include <chrono>
#include <utility>

// The kernel follows the plan of speaker/proxy, at its own pace.
namespace steelyard::speaker {

awaitable<void> Speaker::kernel_loop() {
    for (;;) {
        co_await reprogram_.wait();
        // Before every first list is in, a plan would take away what an earlier run had programmed.
        if (watches_.synced()) {
            co_await program_kernel();
        }
    }
}

proxy::Context Speaker::proxy_context() const {
    proxy::Context context;
    context.node_name = options_.node_name;
    context.node_addresses = node_addresses(links_.snapshot());
    if (sight_) {
        context.unreachable_nodes = dead_nodes(*sight_, options_.node_name);
    }
    context.config = options_.proxy;
    return context;
}

// What is refused is tried again by the data plane's own maintenance.
awaitable<void> Speaker::program_kernel() {
    if (options_.proxy.mode == proxy::Mode::AnnounceOnly) {
        become_ready();
        co_return;
    }
    auto context = proxy_context();
    if (context != proxy_planner_.context()) {
        proxy_planner_.set_context(std::move(context));
    }
    const auto tables = proxy_planner_.tables();
    if (tables == applied_) {
        co_return;
    }
    const auto report = co_await dataplane_->apply(tables);
    applied_ = tables;
    note(report);
}

// One entry that the kernel refuses must not keep the node from serving all others: every node
// would refuse it, and nobody be left. What cannot be served is left out address by address.
void Speaker::become_ready() {
    if (!ready_) {
        ready_ = true;
        begin_settling();
        replan_.notify();  // routes waited for this
        log_.info("ready", {{"node", options_.node_name}});
    }
}

void Speaker::note(const Result<dataplane::Report>& report) {
    std::string failure;
    if (!report) {
        failure = to_string(report.error());
        if (!failing_since_) {
            failing_since_ = std::chrono::steady_clock::now();
        }
        replan_.notify();  // it drains when this lasts
    } else {
        failing_since_.reset();
        unservable_.clear();
        if (applied_ && !report->failures.empty()) {
            unservable_ = unservable(*applied_, report->servable, *announcements_);
        }
        if (!servable_ || *servable_ != report->servable) {
            servable_ = std::make_shared<const std::set<net::IpAddress>>(report->servable);
            replan_.notify();
        }
        if (applied_) {
            become_ready();
        }
        if (!report->failures.empty()) {
            failure = report->failures.front();
        }
        if (report->ops > 0) {
            log_.debug(
                "kernel written",
                {{"ops", std::to_string(report->ops)}, {"sends", std::to_string(report->sends)}}
            );
        }
    }
    if (failure != last_failure_) {
        if (!failure.empty()) {
            log_.error("kernel refused", {{"error", failure}});
        }
        last_failure_ = failure;
    }
    tell_.notify();
}

}  // namespace steelyard::speaker
