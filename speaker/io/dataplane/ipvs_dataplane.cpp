#include "speaker/io/dataplane/ipvs_dataplane.hpp"

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <utility>

namespace steelyard::dataplane {
namespace {

using proxy::Op;

// How soon a refused write is tried again; doubles up to the audit interval while that lasts.
constexpr Duration kRetry = std::chrono::seconds{2};

// A kernel booted without IPv6 has no ip6tables to speak of.
std::vector<net::Family> families() {
    std::vector<net::Family> present;
    present.push_back(net::Family::V4);
    if (std::filesystem::exists("/proc/net/if_inet6")) {
        present.push_back(net::Family::V6);
    }
    return present;
}

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
    if (auto ready = co_await iptables_.start(); !ready) {
        co_return ready.error();
    }
    co_return co_await ensure_rules();
}

awaitable<Result<>> IpvsDataplane::ensure_rules() {
    for (const net::Family family : families()) {
        const auto rules = proxy::static_rules(config_, family);
        auto saved = co_await iptables_.save(family);
        if (!saved) {
            co_return saved.error();
        }
        auto missing = proxy::missing_rules(rules, *saved);
        if (!missing) {
            continue;
        }
        if (auto done = co_await iptables_.restore(family, std::move(*missing)); !done) {
            co_return done.error();
        }
    }
    co_return Result<>();
}

awaitable<Result<Report>> IpvsDataplane::apply(std::shared_ptr<const proxy::Tables> tables) {
    if (config_.mode == proxy::Mode::AnnounceOnly) {
        co_return Report();
    }
    const auto mine = co_await turn();
    std::optional<proxy::Touched> touched = desired_.update(std::move(tables));
    applied_ = true;
    co_return co_await reconcile(std::move(touched));
}

awaitable<Result<Report>> IpvsDataplane::audit() {
    if (config_.mode == proxy::Mode::AnnounceOnly) {
        co_return Report();
    }
    const auto mine = co_await turn();
    synced_ = false;
    if (!applied_) {  // what a former run left serves on until there is something to replace it
        if (auto read = co_await resync(); !read) {
            co_return read.error();
        }
        Report found;
        found.servable = servable();
        synced_ = false;  // so that the first apply compares everything
        co_return found;
    }
    // Rules are repaired after the sets they name are known to exist: reconcile() reads those.
    auto report = co_await reconcile(std::nullopt);
    if (!report) {
        co_return report;
    }
    if (auto ready = co_await ensure_rules(); !ready) {
        co_return ready.error();
    }
    co_return report;
}

awaitable<Result<>> IpvsDataplane::resync() {
    if (auto ready = co_await kernel_.ensure(); !ready) {
        co_return ready;
    }
    auto tables = co_await kernel_.read();
    if (!tables) {
        co_return tables.error();
    }
    observed_ = std::move(*tables);
    if (applied_) {
        drains_.adopt(desired_.tables(), observed_, clock_now(), config_.drain_grace);
        wake_.cancel();
    }
    synced_ = true;
    co_return Result<>();
}

awaitable<Result<Report>> IpvsDataplane::reconcile(std::optional<proxy::Touched> touched) {
    Report report;
    auto settled = co_await write(std::move(touched), report);
    if (settled && !*settled) {  // once more, on what is really there
        synced_ = false;
        report.failures.clear();
        settled = co_await write(std::nullopt, report);
    }
    if (!settled) {
        synced_ = false;  // nobody knows how far the kernel got
        wake_.cancel();   // for maintain() to try again
        co_return settled.error();
    }
    report.servable = servable();
    co_return report;
}

// False when the kernel turned out to differ from the mirror. Without `touched`, or after a
// failure, everything is compared.
awaitable<Result<bool>> IpvsDataplane::write(
    std::optional<proxy::Touched> touched, Report& report
) {
    if (!synced_) {
        if (auto read = co_await resync(); !read) {
            co_return read.error();
        }
        touched.reset();
    }
    std::vector<Op> ops;
    if (touched && !incomplete_) {
        ops = proxy::diff(desired_.tables(), observed_, drains_, clock_now(), *touched);
    } else {
        ops = proxy::diff(desired_.tables(), observed_, drains_, clock_now());
    }
    incomplete_ = false;
    if (ops.empty()) {
        co_return true;
    }
    auto outcome = co_await kernel_.execute(ops);
    record(ops, outcome, report);
    co_return !outcome.must_read_again();
}

void IpvsDataplane::record(const std::vector<Op>& ops, const Outcome& outcome, Report& report) {
    const Instant now = clock_now();
    report.sends += outcome.sends;
    auto failed = outcome.failures.begin();
    for (std::size_t i = 0; i < ops.size(); ++i) {
        if (failed != outcome.failures.end() && failed->op == i) {
            Failure failure;
            failure.object = proxy::to_string(ops[i]);
            failure.reason = failed->reason;
            report.failures.push_back(std::move(failure));
            incomplete_ = true;
            ++failed;
            continue;
        }
        proxy::apply(ops[i], observed_);
        drains_.on_applied(ops[i], now, config_.drain_grace);
        ++report.ops;
    }
    wake_.cancel();
}

awaitable<Result<Report>> IpvsDataplane::expire_drains() {
    const auto mine = co_await turn();
    std::optional<proxy::Touched> touched = drains_.due(clock_now());
    co_return co_await reconcile(std::move(touched));
}

awaitable<void> IpvsDataplane::maintain(Duration audit_interval, OnReport on_report) {
    Instant next_audit = clock_now() + audit_interval;
    Duration retry = kRetry;
    for (;;) {
        const bool troubled = applied_ && (incomplete_ || !synced_);
        if (troubled) {
            next_audit = std::min(next_audit, clock_now() + retry);
        } else {
            retry = kRetry;
        }
        // A drain whose end the kernel refused waits for the audit: it stays due.
        const auto drain = applied_ && !troubled ? drains_.next_deadline() : std::nullopt;
        wake_.expires_at(std::min(next_audit, drain.value_or(next_audit)));
        co_await wake_.async_wait(kAwait);
        const Instant now = clock_now();
        if (now >= next_audit) {
            if (troubled) {
                retry = std::min(retry * 2, audit_interval);
            }
            const auto report = co_await audit();
            on_report(report);
            next_audit = clock_now() + audit_interval;
        } else if (drain && now >= *drain) {
            const auto report = co_await expire_drains();
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
    desired_.update(std::make_shared<const proxy::Tables>());
    applied_ = true;
    synced_ = false;
    auto emptied = co_await reconcile(std::nullopt);
    if (!emptied) {
        co_return emptied.error();
    }
    for (const net::Family family : families()) {
        auto saved = co_await iptables_.save(family);
        if (!saved) {
            co_return saved.error();
        }
        std::string text = proxy::removal(proxy::static_rules(config_, family), *saved);
        if (text.empty()) {
            continue;
        }
        if (auto done = co_await iptables_.restore(family, std::move(text)); !done) {
            co_return done.error();
        }
    }
    synced_ = false;
    if (auto done = co_await kernel_.remove(); !done) {
        co_return done.error();
    }
    removed.push_back("link " + names_.link + ", sets and rules of " + names_.prefix);
    co_return removed;
}

Addresses IpvsDataplane::servable() {
    auto now = proxy::servable_addresses(observed_);
    if (!servable_ || *servable_ != now) {
        servable_ = std::make_shared<const std::set<net::IpAddress>>(std::move(now));
    }
    return servable_;
}

std::unique_ptr<Dataplane> make_ipvs_dataplane(
    const asio::any_io_executor& executor, const proxy::ProxyConfig& config
) {
    return std::make_unique<IpvsDataplane>(executor, config);
}

}  // namespace steelyard::dataplane
