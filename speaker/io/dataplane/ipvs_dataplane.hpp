#pragma once

#include "common/rt/signal.hpp"
#include "speaker/io/dataplane/dataplane.hpp"
#include "speaker/io/dataplane/kernel.hpp"
#include "speaker/io/iptables/iptables.hpp"
#include "speaker/proxy/diff/diff.hpp"
#include "speaker/proxy/rules/rules.hpp"

#include <boost/asio/steady_timer.hpp>

#include <memory>
#include <optional>

namespace steelyard::dataplane {

// Keeps a mirror of what the kernel acknowledged, so that a change is compared in memory. The
// mirror is read from the kernel at the first apply, at every audit, and whenever an answer was
// lost.
class IpvsDataplane final : public Dataplane {
public:
    IpvsDataplane(const asio::any_io_executor& executor, const proxy::ProxyConfig& config);

    awaitable<Result<>> start() override;
    awaitable<Result<Report>> apply(std::shared_ptr<const proxy::Tables> tables) override;
    awaitable<Result<Report>> audit() override;
    awaitable<void> maintain(Duration audit_interval, OnReport on_report) override;
    awaitable<Result<std::vector<std::string>>> cleanup() override;
    [[nodiscard]] const Counters& counters() const override { return counters_; }

private:
    // Held while the kernel is being changed; the next in line goes when it is given back.
    class Turn {
    public:
        explicit Turn(IpvsDataplane& owner) : owner_(owner) {}
        Turn(const Turn&) = delete;
        Turn& operator=(const Turn&) = delete;
        ~Turn();

    private:
        IpvsDataplane& owner_;
    };
    awaitable<std::unique_ptr<Turn>> turn();

    awaitable<Result<>> ensure_rules();
    awaitable<Result<>> resync();
    awaitable<Result<Report>> reconcile(std::optional<proxy::Touched> touched);
    awaitable<Result<bool>> write(std::optional<proxy::Touched> touched, Report& report);
    awaitable<Result<Report>> expire_drains();
    [[nodiscard]] Addresses servable();
    void record(const std::vector<proxy::Op>& ops, const Outcome& outcome, Report& report);

    proxy::ProxyConfig config_;
    proxy::Names names_;
    Kernel kernel_;
    iptables::Iptables iptables_;
    proxy::Desired desired_;
    proxy::KernelTables observed_;
    proxy::Drains drains_;
    Addresses servable_;
    Counters counters_;
    bool synced_ = false;   // observed_ is what the kernel has
    bool applied_ = false;  // desired_ means something; before, nothing may be taken away
    // Some operation failed: look at everything next time, not only at what changed.
    bool incomplete_ = false;
    bool busy_ = false;
    rt::Signal idle_;
    asio::steady_timer wake_;  // of maintain(); cancelled when the drains change
};

}  // namespace steelyard::dataplane
