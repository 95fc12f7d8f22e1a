#pragma once

#include "common/daemon/configuration_state.hpp"
#include "common/http/server/server.hpp"
#include "common/kube/client/leader.hpp"
#include "common/log/log.hpp"
#include "common/metrics/metrics.hpp"
#include "common/rt/signal.hpp"
#include "common/rt/task_group.hpp"
#include "controller/app/config_side.hpp"
#include "controller/app/controller.hpp"
#include "controller/app/options.hpp"
#include "controller/webhook/webhook.hpp"

#include <cstdint>
#include <exception>
#include <functional>
#include <memory>
#include <optional>
#include <string>

// One replica of the controller. Every replica watches the configuration, answers the webhook and
// takes part in the election; the leader has a Controller besides, for as long as its term lasts.
// A lost Lease ends the term, not the process. The owner joins the tasks before this object dies.
namespace steelyard::controller {

class Replica {
public:
    // The election has a connection of its own, which bulk work cannot delay. All outlive this.
    struct Apis {
        kube::KubeApi& objects;
        kube::KubeApi& lease;
    };
    using OnFailure = std::function<void(const std::string& task, const std::exception_ptr& error)>;

    Replica(
        const asio::any_io_executor& executor,
        Apis apis,
        const log::Logger& logger,
        metrics::Registry& registry,
        const Options& options,
        std::uint64_t seed,
        std::function<WallTime()> wall_clock,
        OnFailure on_failure  // a task of a term ended with an exception
    );

    ~Replica();
    Replica(const Replica&) = delete;
    Replica& operator=(const Replica&) = delete;

    void start(rt::TaskGroup& tasks);
    // Finishes what is being written, gives the Lease back and ends the term: after it the owner
    // cancels the tasks, never before. Bounded in time.
    awaitable<void> hand_over();

    [[nodiscard]] bool leading() const { return term_ != nullptr; }
    // Why this replica is not ready, in one line; "" when it is.
    [[nodiscard]] std::string not_ready() const;
    void update_gauges();
    // The page /explain?service=NAMESPACE/NAME.
    [[nodiscard]] http_server::Response explain(const http_server::Request& request) const;
    [[nodiscard]] std::uint16_t webhook_port() const { return webhook_ ? webhook_->port() : 0; }

private:
    // From election to loss.
    struct Term {
        Term(Replica& replica, std::uint64_t number);
        Controller controller;
        daemon::ConfigurationStateWriter state;
        rt::TaskGroup tasks;
        bool over = false;  // the Lease was lost
    };

    awaitable<void> run();
    awaitable<void> lead();
    [[nodiscard]] bool may_write() const;
    void begin_term();
    awaitable<void> end_term();
    awaitable<void> give_up();
    [[nodiscard]] config::StateOf state_of() const;
    [[nodiscard]] std::optional<daemon::ConfigurationStateWriter::Known> known_state() const;
    [[nodiscard]] kube::LeaderOptions leader_options() const;
    [[nodiscard]] kube::LeaderCallbacks leader_callbacks();
    [[nodiscard]] webhook::Options webhook_options() const;

    asio::any_io_executor executor_;
    Apis apis_;
    log::Logger logger_;
    metrics::Registry& registry_;
    Options options_;
    std::uint64_t seed_;
    std::function<WallTime()> wall_clock_;
    OnFailure on_failure_;
    metrics::GaugeFamily& leading_gauge_;
    metrics::CounterFamily& terms_;
    rt::Signal wake_;
    rt::Signal gone_;  // the end of run()
    ConfigSide config_;
    std::unique_ptr<webhook::Webhook> webhook_;       // null: disabled
    std::unique_ptr<kube::LeaderElection> election_;  // null: the only replica
    std::string holder_;                              // of the Lease, as last seen
    bool elected_ = false;                            // between on_elected and on_lost
    bool stopping_ = false;
    std::uint64_t term_number_ = 0;
    std::unique_ptr<Term> term_;
};

}  // namespace steelyard::controller
