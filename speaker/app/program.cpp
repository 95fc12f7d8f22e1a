#include "speaker/app/speaker.hpp"
#include "speaker/app/view.hpp"

#include <malloc.h>

#include <utility>

// How the control thread and the service proxy are joined: what its plan is made from, and what
// follows from what the kernel took.
namespace steelyard::speaker {

void Speaker::follow_nodes() {
    zones_.clear();
    for (const auto& [key, node] : watches_.nodes()) {
        if (const auto zone = kube::zone_of(*node); !zone.empty()) {
            zones_.emplace(key.name, zone);
        }
    }
}

std::optional<ProxySide::Facts> Speaker::proxy_facts() const {
    if (!watches_.synced()) {
        return std::nullopt;
    }
    const auto node = watches_.node(options_.node_name);
    ProxySide::Facts facts;
    facts.node = node_facts(node.get());
    proxy::Context& context = facts.context;
    context.node_name = options_.node_name;
    context.node_zones = zones_;
    context.node_addresses = node_addresses(links_.snapshot());
    context.node_ips = primary_addresses(node.get(), context.node_addresses);
    context.config = options_.proxy;
    context.config.load_balancer_class = options_.load_balancer_class;
    if (node) {
        context.zone = kube::zone_of(*node);
        context.config.node_pod_cidrs = node->pod_cidrs;
        if (context.config.detect.kind == proxy::LocalDetection::Kind::NodeCidr) {
            context.config.detect.cidrs = node->pod_cidrs;
        }
    }
    if (options_.proxy.mode == proxy::Mode::Full) {
        context.service_cidrs = service_ranges(watches_.service_cidrs(), options_.service_cidrs);
    }
    if (sight_) {
        context.unreachable_nodes = dead_nodes(*sight_, options_.node_name);
    }
    return facts;
}

ProxySide::Telling Speaker::proxy_telling() {
    ProxySide::Telling telling;
    telling.on_serving = [this] {
        replan_.notify();
    };
    telling.on_ready = [this] {
        become_ready();
    };
    telling.on_report = [this] {
        note_kernel();
    };
    telling.service_event =
        [this](const kube::ObjectKey& service, std::string reason, std::string message) {
            record({service, true, std::move(reason), std::move(message)});
        };
    telling.node_event = [this](std::string reason, std::string message) {
        record_node(std::move(reason), std::move(message));
    };
    telling.refresh_metrics = [this] {
        return refresh_metrics();
    };
    return telling;
}

void Speaker::become_ready() {
    ready_ = true;
    ::malloc_trim(0);  // what the first lists and the first plan needed for a moment
    begin_settling();
    replan_.notify();  // routes waited for this
    log_.info("ready", {{"node", options_.node_name}});
}

void Speaker::note_kernel() {
    unservable_ = fingerprints(proxy_.unservable(), *announcements_);
    tell_.notify();
}

void Speaker::record_node(std::string reason, std::string message) {
    if (const auto node = watches_.node(options_.node_name)) {
        events_.record(
            kube::reference_to(*node),
            kube::EventType::Warning,
            std::move(reason),
            std::move(message)
        );
    }
}

}  // namespace steelyard::speaker
