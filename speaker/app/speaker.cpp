#include "speaker/app/speaker.hpp"

#include <chrono>
#include <utility>

namespace steelyard::speaker {
namespace {

using namespace std::chrono_literals;

// The proxy's dummy link, in full and in load-balancer mode: it carries every virtual address and
// is no interface of the node.
const std::set<std::string> kDummyLinks{"kube-ipvs0", "steelyard0"};

}  // namespace

Speaker::Speaker(
    const asio::any_io_executor& executor,
    const Options& options,
    kube::KubeApi& api,
    const log::Logger& log,
    metrics::Registry& registry,
    std::uint64_t seed
)
    : executor_(executor),
      options_(options),
      api_(api),
      log_(log),
      registry_(registry),
      seed_(seed),
      replan_(executor),
      tell_(executor),
      events_(
          executor,
          api,
          "metallb-speaker",
          [] { return std::chrono::system_clock::now(); },
          [this](const Error& error) {
              log_.warn("event not posted", {{"error", to_string(error)}});
          }
      ),
      links_(
          executor,
          kDummyLinks,
          [this](const std::vector<net::Interface>& interfaces) {
              wire_->set_interfaces(interfaces);
              wake();
          }
      ),
      proxy_(
          executor, options_, log_, registry, [this] { return proxy_facts(); }, proxy_telling()
      ),
      bgp_(executor, api, log_, bgp_options(), bgp_wire(), bgp_telling()),
      watches_(
          api,
          log_,
          options.ns,
          options.gossip_labels,
          seed,
          {[this] { wake(); },
           [this](const kube::Change<kube::Service>& change) {
               proxy_.set_service(change.key, change.after);
               bgp_.set_service(change.key, change.after);
           },
           [this](const kube::Change<kube::EndpointSlice>& change) {
               proxy_.set_slice(change.key, change.after);
               bgp_.set_slice(change.key, change.after);
           },
           [this](const kube::Change<kube::Node>&) {
               follow_nodes();
           }}
      ),
      status_scope_{options.node_name, options.ns, std::nullopt},
      l2_statuses_(
          executor,
          api,
          log_,
          options.ns,
          "",  // of every node: what a dead one left behind is cleared away
          [this](const auto& observed) { return l2_statuses(observed); },
          seed + 16
      ),
      configuration_state_(
          executor,
          api,
          log_,
          config::state_key(state_of()),
          [this] { return known_state(); },
          [] { return std::chrono::system_clock::now(); },
          seed + 20
      ),
      announcements_(std::make_shared<const speaker_plan::Announcements>()),
      tasks_(executor, [this](const std::string& name, const std::exception_ptr& error) {
          on_task_end(name, error);
      }) {}

// A task that ends by itself takes the process along: Kubernetes starts a fresh one.
void Speaker::on_task_end(const std::string& name, const std::exception_ptr& error) {
    if (error != nullptr) {
        end(make_error(Errc::Internal, name + ": " + rt::describe(error)));
    }
}

void Speaker::end(const Error& error) {
    if (!failure_) {
        failure_ = error;
    }
    if (stop_ != nullptr) {
        stop_->notify();
    }
}

awaitable<Result<>> Speaker::run(rt::Signal& stop) {
    stop_ = &stop;
    const auto prepared = co_await prepare();
    if (!prepared) {
        if (wire_) {
            co_await wire_->stop(Duration::zero());
        }
        stop_ = nullptr;
        co_return prepared.error();
    }
    spawn_tasks();
    co_await stop.wait();
    co_await hand_over();
    stop_ = nullptr;
    if (failure_) {
        co_return *failure_;
    }
    co_return Result<>{};
}

awaitable<Result<>> Speaker::prepare() {
    auto config = wire_config();
    if (!config) {
        co_return config.error();
    }
    auto wire = WireSide::start(executor_, std::move(*config), wire_callbacks());
    if (!wire) {
        co_return wire.error();
    }
    wire_ = std::move(*wire);
    const auto linked = co_await links_.start();
    if (!linked) {
        co_return linked.error();
    }
    const auto started = co_await proxy_.start();
    if (!started) {
        co_return started.error();
    }
    const bool kept = co_await forwarding_kept();
    open_bgp(kept);
    wire_->set_interfaces(links_.snapshot());
    co_return Result<>{};
}

void Speaker::spawn_tasks() {
    tasks_.spawn("links", links_.run());
    tasks_.spawn("events", events_.run());
    tasks_.spawn("plan", plan_loop());
    tasks_.spawn("meta", meta_loop());
    tasks_.spawn("upkeep", upkeep_loop());
    proxy_.spawn(tasks_);
    watches_.spawn(tasks_);
    l2_statuses_.spawn(tasks_);
    configuration_state_.spawn(tasks_);
    bgp_.spawn(tasks_);
}

// The kernel first: what a pod's end costs its clients is decided there, and it takes less time.
void Speaker::wake() {
    proxy_.wake();
    replan_.notify();
    tell_.notify();
}

}  // namespace steelyard::speaker
