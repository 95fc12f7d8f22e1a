#include "speaker/app/speaker.hpp"

#include "speaker/app/gossip_key.hpp"
#include "speaker/app/kube_proxy.hpp"
#include "speaker/app/node_meta.hpp"
#include "speaker/app/view.hpp"

#include <algorithm>
#include <chrono>
#include <unordered_set>
#include <utility>

namespace steelyard::speaker {
namespace {

using namespace std::chrono_literals;

// How often the kernel is read back and repaired.
constexpr Duration kAuditInterval = 60s;
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
      reprogram_(executor),
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
      dataplane_(dataplane::make_ipvs_dataplane(executor, options.proxy)),
      proxy_planner_(proxy::Context{options.node_name, {}, {}, options.proxy}),
      watches_(
          api,
          log_,
          options.ns,
          options.gossip_labels,
          seed,
          {[this] { wake(); },
           [this](const kube::Change<kube::Service>& change) {
               proxy_planner_.set_service(change.key, change.after);
           },
           [this](const kube::Change<kube::EndpointSlice>& change) {
               proxy_planner_.set_slice(change.key, change.after);
           }}
      ),
      tasks_(executor, [this](const std::string& name, const std::exception_ptr& error) {
          on_task_end(name, error);
      }) {}

// A task that ends by itself takes the process along: Kubernetes starts a fresh one.
void Speaker::on_task_end(const std::string& name, const std::exception_ptr& error) {
    if (error == nullptr) {
        return;
    }
    if (!failure_) {
        failure_ = make_error(Errc::Internal, name + ": " + rt::describe(error));
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
            co_await wire_->stop();
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
    if (options_.proxy.mode == proxy::Mode::Full) {
        if (const auto mode = co_await running_kube_proxy()) {
            co_return make_error(
                Errc::Invalid,
                "--proxy-mode=full: kube-proxy (" + *mode +
                    ") runs on this node; remove it, or choose --proxy-mode=load-balancer"
            );
        }
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
    wire_->set_interfaces(links_.snapshot());
    co_return co_await dataplane_->start();
}

void Speaker::spawn_tasks() {
    tasks_.spawn("links", links_.run());
    tasks_.spawn("events", events_.run());
    tasks_.spawn("plan", plan_loop());
    tasks_.spawn("kernel", kernel_loop());
    tasks_.spawn(
        "data plane",
        dataplane_->maintain(
            kAuditInterval, [this](const Result<dataplane::Report>& report) { note(report); }
        )
    );
    watches_.spawn(tasks_);
}

// The other speakers learn that this node may own nothing any more and announce what it had, while
// it still answers and forwards; then it says good-bye and falls silent. The kernel keeps its
// tables, so what still arrives is still served.
awaitable<void> Speaker::hand_over() {
    leaving_ = true;
    tasks_.cancel();
    co_await tasks_.join();
    wire_->set_ready(false);
    co_await wire_->stop();
}

Result<WireConfig> Speaker::wire_config() const {
    WireConfig wire;
    wire.seed = seed_;
    if (!options_.gossip_address) {
        log_.warn(
            "gossip is off: every node counts as alive", {{"because", "--ml-bindaddr is empty"}}
        );
        return wire;
    }
    gossip::Config config;
    config.name = options_.node_name;
    config.address = {*options_.gossip_address, options_.gossip_port};
    config.meta = encode(NodeMeta{});
    config.timing = gossip::timing(options_.gossip_profile);
    if (options_.gossip_key_path.empty()) {
        log_.warn("gossip is not encrypted", {{"because", "--ml-secret-key-path is empty"}});
    } else {
        auto keys = load_gossip_keys(options_.gossip_key_path);
        if (!keys) {
            return keys.error();
        }
        config.envelope.keys = std::move(*keys);
    }
    wire.gossip = std::move(config);
    return wire;
}

WireSide::Callbacks Speaker::wire_callbacks() {
    WireSide::Callbacks callbacks;
    callbacks.on_members = [this](const WireSide::Members& members) {
        members_ = members;
        wake();
    };
    callbacks.on_conflict = [this](const l2::Conflict& conflict) {
        const auto planned = announcements_.addresses.find(conflict.address);
        if (leaving_ || planned == announcements_.addresses.end() ||
            !planned->second.announced_here) {
            return;  // the node that takes over
        }
        log_.warn(
            "somebody else answers for an address of ours",
            {{"ip", to_string(conflict.address)}, {"mac", to_string(conflict.claimant)}}
        );
    };
    callbacks.on_error = [this](const Error& error) {
        log_.warn("wire", {{"error", to_string(error)}});
    };
    return callbacks;
}

void Speaker::wake() {
    replan_.notify();
    reprogram_.notify();
}

// Apart from kernel_loop(): when a node dies, its addresses do not wait for a large write.
awaitable<void> Speaker::plan_loop() {
    for (;;) {
        co_await replan_.wait();
        follow_peers();
        if (watches_.synced()) {
            load_config();
            announce();
        }
    }
}

awaitable<void> Speaker::kernel_loop() {
    for (;;) {
        co_await reprogram_.wait();
        // Before every first list is in, a plan would take away what an earlier run had programmed.
        if (watches_.synced()) {
            co_await program_kernel();
        }
    }
}

void Speaker::follow_peers() {
    if (!options_.gossip_address) {
        return;
    }
    auto peers = gossip_peers(watches_.pods(), *options_.gossip_address);
    if (peers != peers_) {
        peers_ = peers;
        wire_->set_peers(std::move(peers));
    }
}

void Speaker::load_config() {
    config::Objects objects;
    for (const auto& [key, pool] : watches_.pools()) {
        objects.pools.push_back(*pool);
    }
    for (const auto& [key, advertisement] : watches_.advertisements()) {
        objects.l2_advertisements.push_back(*advertisement);
    }
    const std::vector<config::Problem> before = config_.problems();
    config_.update(config::parse(objects));
    if (config_.problems() == before) {
        return;
    }
    for (const config::Problem& problem : config_.problems()) {
        log_.error(
            "configuration refused; the last good one stays", {{"problem", to_string(problem)}}
        );
    }
    if (!config_.stale()) {
        log_.info("configuration is right again");
    }
}

proxy::Context Speaker::proxy_context() const {
    proxy::Context context;
    context.node_name = options_.node_name;
    context.node_addresses = node_addresses(links_.snapshot());
    if (members_) {
        context.unreachable_nodes = dead_nodes(*members_);
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
        wire_->set_ready(true);
        log_.info("ready", {{"node", options_.node_name}});
    }
}

void Speaker::note(const Result<dataplane::Report>& report) {
    std::string failure;
    if (!report) {
        failure = to_string(report.error());
    } else {
        if (servable_ != report->servable) {
            servable_ = report->servable;
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
}

speaker_plan::Snapshot Speaker::snapshot() const {
    speaker_plan::Snapshot snapshot;
    snapshot.node_name = options_.node_name;
    snapshot.load_balancer_class = options_.load_balancer_class;
    snapshot.ignore_exclude_label = options_.ignore_exclude_label;
    snapshot.config = config_.current();
    snapshot.services = watches_.services();
    snapshot.slices = watches_.slices();
    snapshot.nodes = watches_.nodes();
    if (options_.gossip_address) {
        snapshot.members =
            members_ ? member_views(*members_) : std::vector<speaker_plan::MemberView>{};
    }
    snapshot.interfaces = local_interfaces(links_.snapshot(), l2::NameExclusions::standard());
    if (options_.proxy.mode != proxy::Mode::AnnounceOnly) {
        snapshot.servable.emplace();
        if (servable_) {
            snapshot.servable->insert(servable_->begin(), servable_->end());
        }
    }
    return snapshot;
}

void Speaker::announce() {
    speaker_plan::Announcements next = speaker_plan::plan(snapshot());
    if (announced_once_ && next == announcements_) {
        return;
    }
    wire_->set_announcements(std::make_shared<const l2::Announcements>(announced_here(next)));
    tell_services(next);
    announcements_ = std::move(next);
    announced_once_ = true;
}

void Speaker::tell_services(const speaker_plan::Announcements& next) {
    for (const auto& event :
         speaker_plan::events_between(options_.node_name, announcements_, next)) {
        const auto found = watches_.services().find(event.service);
        if (found != watches_.services().end()) {
            const auto type = event.warning ? kube::EventType::Warning : kube::EventType::Normal;
            events_.record(kube::reference_to(*found->second), type, event.reason, event.message);
        }
    }
    for (const auto& [address, entry] : next.addresses) {
        const auto before = announcements_.addresses.find(address);
        const bool was = before != announcements_.addresses.end() && before->second.announced_here;
        if (entry.announced_here != was) {
            log_.info(
                entry.announced_here ? "announcing" : "no longer announcing",
                {{"ip", to_string(address)},
                 {"owner", entry.owner.value_or("")},
                 {"why", entry.reasons ? to_string(*entry.reasons) : ""}}
            );
        }
    }
    for (const auto& [service, reasons] : next.silent) {
        const auto before = announcements_.silent.find(service);
        if (before == announcements_.silent.end() || before->second != reasons) {
            log_.info(
                "announced by nobody",
                {{"service", to_string(service)}, {"why", to_string(reasons)}}
            );
        }
    }
    for (const auto& [address, entry] : announcements_.addresses) {
        if (entry.announced_here && !next.addresses.contains(address)) {
            log_.info("no longer announcing", {{"ip", to_string(address)}, {"why", "released"}});
        }
    }
}

std::string Speaker::not_ready() const {
    if (!watches_.synced()) {
        return "the first lists are not complete";
    }
    if (ready_) {
        return "";
    }
    return "the kernel is not programmed" + (last_failure_.empty() ? "" : ": " + last_failure_);
}

awaitable<void> Speaker::refresh_metrics() {
    std::map<metrics::Labels, double> announced;
    for (const auto& [address, entry] : announcements_.addresses) {
        for (const kube::ObjectKey& service : entry.services) {
            if (entry.announced_here) {
                announced.emplace(
                    metrics::Labels{
                        {"service", to_string(service)},
                        {"protocol", "layer2"},
                        {"node", options_.node_name},
                        {"ip", to_string(address)}},
                    1.0
                );
            }
        }
    }
    registry_.gauge("metallb_speaker_announced", "Addresses announced from this node.")
        .replace(announced);
    registry_.gauge("metallb_k8s_client_config_loaded_bool", "1 once a configuration was right.")
        .set(config_.loaded() ? 1 : 0);
    registry_
        .gauge("metallb_k8s_client_config_stale_bool", "1 while an older configuration is in use.")
        .set(config_.stale() ? 1 : 0);
    if (!wire_) {
        co_return;
    }
    const WireSide::Counters counters = co_await wire_->counters();
    std::map<metrics::Labels, double> received;
    std::map<metrics::Labels, double> sent;
    std::map<metrics::Labels, double> gratuitous;
    for (const auto& [address, count] : counters) {
        const metrics::Labels labels{{"ip", to_string(address)}};
        received[labels] = static_cast<double>(count.requests_received);
        sent[labels] = static_cast<double>(count.responses_sent);
        gratuitous[labels] = static_cast<double>(count.gratuitous_sent);
    }
    registry_.counter("metallb_layer2_requests_received", "ARP and NDP requests for our addresses.")
        .replace(received);
    registry_.counter("metallb_layer2_responses_sent", "Answers to them.").replace(sent);
    registry_.counter("metallb_layer2_gratuitous_sent", "Unsolicited announcements.")
        .replace(gratuitous);
}

}  // namespace steelyard::speaker
