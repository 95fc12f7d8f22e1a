#include "speaker/io/dataplane/ipvs_dataplane.hpp"

#include <algorithm>
#include <chrono>
#include <utility>

namespace steelyard::dataplane {
namespace {

// How soon everything is read again after answers were lost; doubles up to the audit interval.
constexpr Duration kRetry = std::chrono::seconds{2};
// How often a virtual server is looked for: an IPVS flush has no notification.
constexpr Duration kLook = std::chrono::seconds{2};
// A first apply soon after an audit need not read everything once more.
constexpr Duration kFresh = std::chrono::seconds{10};

Instant clock_now() {
    return std::chrono::steady_clock::now();
}

}  // namespace

IpvsDataplane::IpvsDataplane(
    const asio::any_io_executor& executor, const proxy::ProxyConfig& config
)
    : config_(config),
      names_(proxy::names_for(config.mode)),
      kernel_(executor, config_, names_),
      port_(kernel_),
      mirror_(port_, config_, counters_),
      rules_(config_, counters_),
      idle_(executor),
      wake_(executor) {}

IpvsDataplane::Turn::~Turn() {
    owner_.busy_ = false;
    owner_.idle_.notify();
}

awaitable<std::unique_ptr<IpvsDataplane::Turn>> IpvsDataplane::turn() {
    while (busy_) {
        co_await idle_.wait();
    }
    busy_ = true;
    co_return std::make_unique<Turn>(*this);
}

awaitable<Result<>> IpvsDataplane::start() {
    if (config_.mode == proxy::Mode::AnnounceOnly) {
        co_return Result<>();
    }
    const auto mine = co_await turn();
    if (auto ready = co_await kernel_.prepare(); !ready) {
        co_return ready.error();
    }
    co_return co_await rules_.start();
}

std::vector<std::string> IpvsDataplane::warnings() const {
    std::vector<std::string> all = kernel_.warnings();
    all.insert(all.end(), rules_.warnings().begin(), rules_.warnings().end());
    return all;
}

awaitable<Result<>> IpvsDataplane::configure(const proxy::ProxyConfig& config) {
    const proxy::ProxyConfig next = config;  // the caller's may be gone when it is our turn
    if (config_.mode == proxy::Mode::AnnounceOnly) {
        co_return Result<>();
    }
    const auto mine = co_await turn();
    if (!rules_.reconfigure(next) || !applied_) {
        co_return Result<>();
    }
    co_await ensure_rules();
    if (refused_rules_) {
        wake_.cancel();  // for maintain() to try again
        co_return make_error(Errc::Unavailable, refused_rules_->reason);
    }
    co_return Result<>();
}

awaitable<Result<>> IpvsDataplane::reread() {
    if (auto ensured = co_await kernel_.ensure(); !ensured) {
        mirror_.doubt();
        co_return ensured.error();
    }
    auto done = co_await mirror_.read();
    if (done) {
        read_at_ = clock_now();
    }
    co_return done;
}

awaitable<Result<Report>> IpvsDataplane::apply(proxy::Changes changes) {
    if (config_.mode == proxy::Mode::AnnounceOnly) {
        co_return Report();
    }
    const auto mine = co_await turn();
    const Instant begun = clock_now();
    mirror_.update(changes);
    const bool first = !std::exchange(applied_, true);
    const bool fresh = mirror_.is_sure() && (!first || begun - read_at_ < kFresh);
    if (!fresh) {
        if (auto read = co_await reread(); !read) {
            wake_.cancel();  // for maintain() to try again
            co_return read.error();
        }
    }
    if (first) {
        counters_.adopted = mirror_.settled();
    }
    if (!rules_kept_) {
        co_await ensure_rules();  // what masquerades, before what it is needed for
    }
    co_return co_await write(begun);
}

awaitable<Result<Report>> IpvsDataplane::write(Instant begun) {
    Report report;
    auto written = co_await mirror_.write(report);
    wake_.cancel();
    if (!written) {
        co_return written.error();
    }
    if (!rules_kept_) {
        co_return make_error(
            Errc::Unavailable, refused_rules_->object + ": " + refused_rules_->reason
        );
    }
    ++counters_.syncs;
    report.duration = clock_now() - begun;
    if (refused_rules_) {
        report.failures.push_back(*refused_rules_);
    }
    co_return report;
}

awaitable<Result<Report>> IpvsDataplane::audit() {
    if (config_.mode == proxy::Mode::AnnounceOnly) {
        co_return Report();
    }
    const auto mine = co_await turn();
    const Instant begun = clock_now();
    ++counters_.audits;
    if (auto read = co_await reread(); !read) {
        wake_.cancel();
        co_return read.error();
    }
    if (!applied_) {  // what a former run left serves on until there is something to replace it
        Report found;
        mirror_.fill(found);
        co_return found;
    }
    // After the sets they name are known to exist.
    co_await ensure_rules();
    co_return co_await write(begun);
}

awaitable<void> IpvsDataplane::ensure_rules() {
    auto done = co_await rules_.ensure();
    if (done) {
        rules_kept_ = true;
        refused_rules_.reset();
        co_return;
    }
    if (!refused_rules_) {
        refused_rules_.emplace();
        refused_rules_->kind = "rules";
        refused_rules_->object = "packet filter rules";
        refused_rules_->attempts = 0;
    }
    ++refused_rules_->attempts;
    refused_rules_->reason = to_string(done.error());
}

awaitable<Result<Report>> IpvsDataplane::upkeep() {
    const auto mine = co_await turn();
    const Instant begun = clock_now();
    mirror_.prepare_due(begun);
    if (mirror_.has_refusals()) {  // the link or a set may have gone
        if (auto ensured = co_await kernel_.ensure(); !ensured) {
            mirror_.doubt();
            co_return ensured.error();
        }
    }
    co_return co_await write(begun);
}

awaitable<Result<bool>> IpvsDataplane::look() {
    const auto mine = co_await turn();
    co_return co_await mirror_.look();
}

Instant IpvsDataplane::next_wake(const Schedule& schedule) const {
    Instant next = schedule.audit;
    if (applied_ && mirror_.is_sure()) {
        next = std::min({next, schedule.look, mirror_.next_due().value_or(next)});
    }
    return next;
}

awaitable<void> IpvsDataplane::maintain(Duration audit_interval, OnReport on_report) {
    Schedule schedule;
    schedule.audit = clock_now() + audit_interval;
    schedule.look = clock_now() + kLook;
    schedule.retry = kRetry;
    for (;;) {
        const bool troubled = applied_ && (!mirror_.is_sure() || refused_rules_);
        if (troubled) {
            schedule.audit = std::min(schedule.audit, clock_now() + schedule.retry);
        } else {
            schedule.retry = kRetry;
        }
        wake_.expires_at(next_wake(schedule));
        co_await wake_.async_wait(kAwait);
        const Instant now = clock_now();
        bool flushed = false;
        if (applied_ && mirror_.is_sure() && now >= schedule.look) {
            schedule.look = now + kLook;
            const auto there = co_await look();
            flushed = there && !*there;
            counters_.alarms += flushed ? 1 : 0;
        }
        if (flushed || now >= schedule.audit) {
            if (troubled) {
                schedule.retry = std::min(schedule.retry * 2, audit_interval);
            }
            const auto report = co_await audit();
            on_report(report);
            schedule.audit = clock_now() + audit_interval;
        } else if (applied_ && mirror_.is_sure() && mirror_.next_due().value_or(now + kLook) <= now) {
            const auto report = co_await upkeep();
            on_report(report);
        }
    }
}

awaitable<Result<std::vector<std::string>>> IpvsDataplane::cleanup() {
    std::vector<std::string> removed;
    if (config_.mode == proxy::Mode::AnnounceOnly) {
        co_return removed;
    }
    const auto mine = co_await turn();
    applied_ = false;
    mirror_.doubt();
    auto tables = co_await kernel_.read();
    if (!tables) {
        co_return tables.error();
    }
    std::vector<proxy::Op> ops;
    // Servers first: in load-balancer mode their addresses tell that they are ours.
    for (const auto& [key, server] : tables->virtual_servers) {
        ops.emplace_back(proxy::RemoveVirtualServer{key});
    }
    for (const net::IpAddress& address : tables->addresses) {
        ops.emplace_back(proxy::RemoveAddress{address});
    }
    for (const net::IpAddress& address : tables->routes) {
        ops.emplace_back(proxy::RemoveRoute{address});
    }
    const Outcome outcome = co_await kernel_.execute(ops);
    if (!outcome.failures.empty()) {
        co_return make_error(Errc::Unavailable, outcome.failures.front().reason);
    }
    const auto count = [&removed](std::size_t number, const std::string& what) {
        if (number > 0) {
            removed.push_back(std::to_string(number) + " " + what);
        }
    };
    count(tables->addresses.size(), "addresses on " + names_.link);
    count(tables->routes.size(), "local routes");
    count(tables->virtual_servers.size(), "virtual servers");
    if (auto ready = co_await rules_.start(); !ready) {
        co_return ready.error();
    }
    auto rules = co_await rules_.remove();
    if (!rules) {
        co_return rules.error();
    }
    auto rest = co_await kernel_.remove();
    if (!rest) {
        co_return rest.error();
    }
    removed.insert(removed.end(), rules->begin(), rules->end());
    removed.insert(removed.end(), rest->begin(), rest->end());
    co_return removed;
}

std::unique_ptr<Dataplane> make_ipvs_dataplane(
    const asio::any_io_executor& executor, const proxy::ProxyConfig& config
) {
    return std::make_unique<IpvsDataplane>(executor, config);
}

}  // namespace steelyard::dataplane
