#include "controller/app/replica.hpp"

#include "common/kube/client/leader.hpp"
#include "controller/app/memberlist_secret.hpp"

#include <cstdio>
#include <utility>

namespace steelyard::controller {
namespace {

using namespace std::chrono_literals;

// A clean stop: what was decided is written, then the Lease is given back.
constexpr Duration kDrainLimit = 3s;

std::string hexadecimal(std::uint64_t number) {
    char text[17];
    std::snprintf(text, sizeof text, "%016llx", static_cast<unsigned long long>(number));
    return text;
}

Settings settings_of(const Options& options, std::uint64_t seed) {
    Settings settings;
    settings.ns = options.ns;
    settings.load_balancer_class = options.load_balancer_class;
    settings.ip_mode = options.ip_mode;
    settings.seed = seed;
    return settings;
}

}  // namespace

Replica::Term::Term(Replica& replica, std::uint64_t number)
    : controller(
          replica.executor_,
          replica.apis_.objects,
          replica.config_,
          replica.logger_,
          replica.registry_,
          settings_of(replica.options_, replica.seed_ + 1000 * number),
          replica.wall_clock_,
          [&replica] { return replica.may_write(); }
      ),
      state(
          replica.executor_,
          replica.apis_.objects,
          replica.logger_,
          config::state_key(replica.state_of()),
          [&replica] { return replica.known_state(); },
          replica.wall_clock_,
          replica.seed_ + 1000 * number + 900
      ),
      tasks(
          replica.executor_,
          [&replica](const std::string& name, const std::exception_ptr& error) {
              if (error != nullptr) {
                  replica.on_failure_(name, error);
              }
          }
      ) {}

Replica::Replica(
    const asio::any_io_executor& executor,
    Apis apis,
    const log::Logger& logger,
    metrics::Registry& registry,
    const Options& options,
    std::uint64_t seed,
    std::function<WallTime()> wall_clock,
    OnFailure on_failure
)
    : executor_(executor),
      apis_(apis),
      logger_(logger.with_component("controller")),
      registry_(registry),
      options_(options),
      seed_(seed),
      wall_clock_(std::move(wall_clock)),
      on_failure_(std::move(on_failure)),
      leading_gauge_(registry.gauge(
          "steelyard_controller_leading", "1 while this replica hands out addresses."
      )),
      terms_(registry.counter(
          "steelyard_controller_terms_total", "Times this replica became the leader."
      )),
      wake_(executor),
      gone_(executor),
      config_(apis.objects, logger_, registry, options.ns, seed, [this] { wake_.notify(); }) {
    if (options.webhook.mode != WebhookMode::Disabled) {
        webhook_ = std::make_unique<webhook::Webhook>(
            executor,
            apis.objects,
            logger,
            webhook_options(),
            [this] { return config_.snapshot(); },
            wall_clock_
        );
    }
    if (options.election.enabled && options.webhook.mode != WebhookMode::OnlyWebhook) {
        election_ = std::make_unique<kube::LeaderElection>(
            executor, apis.lease, leader_callbacks(), leader_options()
        );
    }
}

Replica::~Replica() = default;

webhook::Options Replica::webhook_options() const {
    webhook::Options options;
    options.port = options_.webhook.port;
    options.ns = options_.ns;
    options.secret = options_.webhook.secret;
    options.service = options_.webhook.service;
    options.disable_cert_rotation = !options_.webhook.rotate;
    options.cert_dir = options_.webhook.certificates;
    options.seed = seed_ + 800;
    return options;
}

kube::LeaderOptions Replica::leader_options() const {
    kube::LeaderOptions options;
    options.lease = {options_.ns, options_.election.lease};
    options.identity = options_.pod_name + "_" + hexadecimal(seed_);
    options.timings = options_.election.timings;
    options.seed = seed_ + 801;
    options.wall_clock = wall_clock_;
    return options;
}

kube::LeaderCallbacks Replica::leader_callbacks() {
    kube::LeaderCallbacks callbacks;
    callbacks.on_elected = [this] {
        elected_ = true;
        wake_.notify();
    };
    callbacks.on_lost = [this](kube::LostReason reason) {
        logger_.info("leads no more", {{"reason", std::string(to_string(reason))}});
        elected_ = false;
        if (term_) {
            term_->over = true;
            term_->tasks.cancel();
        }
        wake_.notify();
    };
    callbacks.on_holder = [this](const std::string& holder) {
        holder_ = holder;
        logger_.info("the Lease is held", {{"by", holder.empty() ? "nobody" : holder}});
    };
    callbacks.on_error = [this](const Error* error) {
        if (error != nullptr) {
            logger_.warn("the election cannot reach the API", {{"error", to_string(*error)}});
        } else {
            logger_.info("the election reaches the API again");
        }
    };
    return callbacks;
}

void Replica::start(rt::TaskGroup& tasks) {
    config_.spawn(tasks);
    if (webhook_) {
        webhook_->start(tasks);
    }
    if (election_) {
        tasks.spawn("election", election_->run());
    }
    // One replica alone, or one that does nothing but the webhook, waits for no election.
    elected_ = !election_ && options_.webhook.mode != WebhookMode::OnlyWebhook;
    if (webhook_ && options_.webhook.mode == WebhookMode::OnlyWebhook) {
        webhook_->set_leading(true);  // nobody else looks after the certificate
    }
    tasks.spawn("replica", run());
    wake_.notify();
}

awaitable<void> Replica::run() {
    try {
        co_await lead();
    } catch (...) {
        gone_.notify();
        throw;
    }
    gone_.notify();
}

// The only one who begins and ends terms until it returns, so that none is ended twice. Terms
// follow what the election tells, not what its clock says: a renewal that is answered late may
// still count, and then nobody is elected anew.
awaitable<void> Replica::lead() {
    for (;;) {
        co_await wake_.wait();
        if (!stopping_ && term_ && term_->over) {
            co_await end_term();
        }
        if (stopping_) {
            co_return;
        }
        config_.load();
        if (elected_ && !term_) {
            begin_term();
        } else if (term_) {
            term_->controller.wake();
            term_->state.wake();
        }
    }
}

bool Replica::may_write() const {
    return !election_ || election_->leading();
}

void Replica::begin_term() {
    logger_.info("leads from now on");
    terms_.add();
    term_ = std::make_unique<Term>(*this, ++term_number_);
    term_->controller.start(term_->tasks);
    term_->state.spawn(term_->tasks);
    if (!options_.memberlist_secret_name.empty()) {
        MemberlistSecret secret{options_.ns, options_.memberlist_secret_name, options_.deployment};
        term_->tasks.spawn(
            "gossip secret",
            ensure_memberlist_secret(
                apis_.objects, logger_.with_component("secret"), std::move(secret)
            )
        );
    }
    if (webhook_) {
        webhook_->set_leading(true);
    }
}

config::StateOf Replica::state_of() const {
    return {options_.ns, ""};
}

std::optional<daemon::ConfigurationStateWriter::Known> Replica::known_state() const {
    config::StateInput input = config_.state();
    if (!input.known) {
        return std::nullopt;
    }
    return daemon::ConfigurationStateWriter::Known{state_of(), std::move(input)};
}

awaitable<void> Replica::end_term() {
    if (webhook_) {
        webhook_->set_leading(false);
    }
    term_->tasks.cancel();
    co_await term_->tasks.join();
    term_.reset();
}

awaitable<void> Replica::hand_over() {
    stopping_ = true;
    wake_.notify();
    co_await gone_.wait();
    co_await give_up();
}

// The next leader may begin as soon as the Lease is free, so nothing is written after that.
awaitable<void> Replica::give_up() {
    if (term_) {
        const Instant deadline = std::chrono::steady_clock::now() + kDrainLimit;
        if (!term_->over) {
            co_await term_->controller.drain(deadline);
        }
        co_await end_term();
    }
    if (election_) {
        const bool released = co_await election_->release();
        if (!released) {
            logger_.warn("the Lease could not be given back; it runs out by itself");
        }
    }
}

// A standby that answers the webhook is ready before it knows the configuration: BGPPeers stored in
// an old version can only be listed with the help of a ready replica, which converts them.
std::string Replica::not_ready() const {
    if (term_ && !term_->controller.ready()) {
        return "leads, but the first lists are not complete";
    }
    if (webhook_) {
        return webhook_->not_ready();
    }
    return config_.synced() ? "" : "the configuration is not known yet";
}

http_server::Response Replica::explain(const http_server::Request& request) const {
    const std::string asked(request.query_value("service"));
    const std::size_t slash = asked.find('/');
    if (slash == 0 || slash == std::string::npos || slash + 1 == asked.size()) {
        return http_server::text_response(400, "give /explain?service=NAMESPACE/NAME\n");
    }
    if (!term_ || !term_->controller.ready()) {
        const std::string leader = holder_.empty() ? "nobody yet" : holder_;
        return http_server::text_response(
            503, "this replica does not lead; the one to ask is " + leader + "\n"
        );
    }
    const kube::ObjectKey key{asked.substr(0, slash), asked.substr(slash + 1)};
    const controller_plan::Explanation explanation = term_->controller.explain(key);
    std::string text;
    for (const std::string& line : to_lines(explanation)) {
        text += line + "\n";
    }
    return http_server::text_response(explanation.known ? 200 : 404, text);
}

void Replica::update_gauges() {
    config_.update_gauges();
    leading_gauge_.set(term_ ? 1 : 0);
    if (term_) {
        term_->controller.update_gauges();
    }
}

}  // namespace steelyard::controller
