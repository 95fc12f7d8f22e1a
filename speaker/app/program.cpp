#include "speaker/app/speaker.hpp"
#include "speaker/app/view.hpp"

#include <utility>

// How the control thread and the service proxy are joined: what its plan is made from, and what
// follows from what the kernel took.
namespace steelyard::speaker {

std::optional<proxy::Context> Speaker::proxy_context() const {
    if (!watches_.synced()) {
        return std::nullopt;
    }
    proxy::Context context;
    context.node_name = options_.node_name;
    context.node_addresses = node_addresses(links_.snapshot());
    if (sight_) {
        context.unreachable_nodes = dead_nodes(*sight_, options_.node_name);
    }
    context.config = options_.proxy;
    return context;
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
    return telling;
}

void Speaker::become_ready() {
    ready_ = true;
    begin_settling();
    replan_.notify();  // routes waited for this
    log_.info("ready", {{"node", options_.node_name}});
}

void Speaker::note_kernel() {
    unservable_.clear();
    if (const auto refused = proxy_.refused()) {
        unservable_ = unservable(*refused, *proxy_.servable(), *announcements_);
    }
    tell_.notify();
}

}  // namespace steelyard::speaker
