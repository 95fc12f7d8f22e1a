#include "speaker/app/proxy/proxy_side.hpp"

#include <chrono>
#include <utility>

namespace steelyard::speaker {
namespace {

using namespace std::chrono_literals;

// How often the kernel is read back and repaired.
constexpr Duration kAuditInterval = 60s;

}  // namespace

ProxySide::ProxySide(
    const asio::any_io_executor& executor,
    const log::Logger& log,
    const proxy::ProxyConfig& config,
    Facts facts,
    Telling telling
)
    : log_(log),
      config_(config),
      facts_(std::move(facts)),
      telling_(std::move(telling)),
      reprogram_(executor),
      dataplane_(dataplane::make_ipvs_dataplane(executor, config)),
      planner_(proxy::Context()) {}

awaitable<Result<>> ProxySide::start() {
    co_return co_await dataplane_->start();
}

void ProxySide::spawn(rt::TaskGroup& tasks) {
    tasks.spawn("kernel", loop());
    tasks.spawn(
        "data plane",
        dataplane_->maintain(
            kAuditInterval, [this](const Result<dataplane::Report>& report) { note(report); }
        )
    );
}

void ProxySide::set_service(
    const kube::ObjectKey& key, std::shared_ptr<const kube::Service> service
) {
    planner_.set_service(key, std::move(service));
}

void ProxySide::set_slice(
    const kube::ObjectKey& key, std::shared_ptr<const kube::EndpointSlice> slice
) {
    planner_.set_slice(key, std::move(slice));
}

awaitable<void> ProxySide::loop() {
    for (;;) {
        co_await reprogram_.wait();
        co_await program();
    }
}

// What is refused is tried again by the data plane's own maintenance.
awaitable<void> ProxySide::program() {
    auto context = facts_();
    if (!context) {
        co_return;
    }
    if (!programs()) {
        become_ready();
        co_return;
    }
    planner_.set_context(std::move(*context));
    const auto tables = planner_.tables();
    if (tables == applied_) {
        co_return;
    }
    const auto report = co_await dataplane_->apply(tables);
    applied_ = tables;
    note(report);
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
    if (!report) {
        failure = to_string(report.error());
        if (!failing_since_) {
            failing_since_ = std::chrono::steady_clock::now();
        }
        telling_.on_serving();  // the node drains when this lasts
    } else {
        failing_since_.reset();
        incomplete_ = !report->failures.empty();
        if (servable_ != report->servable) {
            servable_ = report->servable;
            telling_.on_serving();
        }
        if (applied_) {
            become_ready();
        }
        if (incomplete_) {
            failure = report->failures.front().object + ": " + report->failures.front().reason;
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
    telling_.on_report();
}

awaitable<bool> ProxySide::forwarding_kept() {
    const auto found = co_await dataplane_->audit();
    co_return found.has_value() && !found->servable->empty();
}

std::shared_ptr<const proxy::Tables> ProxySide::refused() const {
    return incomplete_ ? applied_ : nullptr;
}

}  // namespace steelyard::speaker
