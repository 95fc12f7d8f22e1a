#pragma once

#include "common/rt/signal.hpp"
#include "speaker/io/dataplane/dataplane.hpp"
#include "speaker/io/dataplane/kernel.hpp"
#include "speaker/io/dataplane/kernel_port.hpp"
#include "speaker/io/dataplane/mirror.hpp"
#include "speaker/io/dataplane/rule_keeper.hpp"

#include <boost/asio/steady_timer.hpp>

#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace steelyard::dataplane {

// The mirror, the rules and their upkeep, one at a time. The kernel is read at the first apply, at
// every audit, and whenever answers were lost.
class IpvsDataplane final : public Dataplane {
public:
    IpvsDataplane(const asio::any_io_executor& executor, const proxy::ProxyConfig& config);

    awaitable<Result<>> start() override;
    [[nodiscard]] std::vector<std::string> warnings() const override;
    awaitable<Result<>> configure(const proxy::ProxyConfig& config) override;
    awaitable<Result<Report>> apply(proxy::Changes changes) override;
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
    // The kernel as the mirror sees it.
    class Port final : public KernelPort {
    public:
        explicit Port(Kernel& kernel) : kernel_(kernel) {}
        awaitable<Result<>> ensure() override { return kernel_.ensure(); }
        awaitable<Result<>> read(Observer& observer) override { return kernel_.read(observer); }
        awaitable<Result<std::optional<proxy::VirtualServer>>> read_server(
            const proxy::VirtualServerKey& key
        ) override {
            return kernel_.read_server(key);
        }
        awaitable<Result<bool>> has(const proxy::VirtualServerKey& key) override {
            return kernel_.has(key);
        }
        awaitable<Outcome> execute(const std::vector<proxy::Op>& ops) override {
            return kernel_.execute(ops);
        }
        awaitable<Result<std::size_t>> purge_flows(const conntrack::Frontends& frontends) override {
            return kernel_.purge_flows(frontends);
        }

    private:
        Kernel& kernel_;
    };
    // When maintain() does what next.
    struct Schedule {
        Instant audit;
        Instant look;
        Duration retry{};  // of an audit, while the mirror is unsure or rules are refused
    };

    awaitable<std::unique_ptr<Turn>> turn();
    awaitable<Result<>> reread();
    awaitable<Result<Report>> write(Instant begun);
    awaitable<Result<Report>> upkeep();
    awaitable<Result<bool>> look();
    awaitable<void> ensure_rules();
    [[nodiscard]] Instant next_wake(const Schedule& schedule) const;

    proxy::ProxyConfig config_;
    proxy::Names names_;
    Counters counters_;
    Kernel kernel_;
    Port port_;
    Mirror mirror_;
    RuleKeeper rules_;
    std::optional<Failure> refused_rules_;
    bool rules_kept_ = false;  // they have been in place; before, nobody may rely on this node
    bool applied_ = false;     // something is wanted; before, nothing may be taken away
    Instant read_at_{};        // of the last whole reading
    bool busy_ = false;
    rt::Signal idle_;
    asio::steady_timer wake_;  // of maintain(); cancelled when there may be something sooner
};

}  // namespace steelyard::dataplane
