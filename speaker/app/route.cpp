#include "speaker/app/speaker.hpp"

#include <chrono>
#include <thread>
#include <utility>

// How the control thread and BGP are joined: what its plan is made from, and where its orders and
// news go.
namespace steelyard::speaker {

using namespace std::chrono_literals;

namespace {

// A node that has been up for less has restarted, not just its speaker: nothing was forwarded.
constexpr Duration kBooting = 120s;

}  // namespace

// Whether traffic for our routes went on being served while no speaker ran. Only then may peers
// that keep our routes through a graceful restart go on using them (RFC 4724 4.1).
awaitable<bool> Speaker::forwarding_kept() {
    if (!proxy_.programs()) {
        co_return std::chrono::steady_clock::now().time_since_epoch() > kBooting;
    }
    co_return co_await proxy_.forwarding_kept();
}

void Speaker::open_bgp(bool forwarding_kept) {
    io::BgpDriver::Options options;
    options.listen_port = options_.bgp_listen_port;
    options.restarting = forwarding_kept;
    options.default_local_pref = options_.bgp_default_local_pref;
    options.drain_wait = options_.bgp_drain_wait;
    bgp_.set_restarted(forwarding_kept);
    wire_->open_bgp(options);
}

BgpSide::Options Speaker::bgp_options() const {
    BgpSide::Options options;
    options.node_name = options_.node_name;
    options.load_balancer_class = options_.load_balancer_class;
    options.ignore_exclude_label = options_.ignore_exclude_label;
    options.ns = options_.ns;
    options.seed = seed_ + 32;
    return options;
}

BgpSide::Wire Speaker::bgp_wire() {
    BgpSide::Wire wire;
    wire.set_peers = [this](BgpPeers peers) {
        wire_->set_bgp_peers(std::move(peers));
    };
    wire.apply = [this](bgp_rib::Changes changes, std::uint64_t sequence) {
        wire_->apply_routes(std::move(changes), sequence);
        // The kernel likes to wake the wire thread on this core, where it would wait until the plan
        // for layer 2 and whatever else follows are done: milliseconds.
        std::this_thread::yield();
    };
    wire.set_draining = [this](bool draining) {
        wire_->set_bgp_draining(draining);
    };
    return wire;
}

BgpSide::Telling Speaker::bgp_telling() {
    BgpSide::Telling telling;
    telling.service_event = [this](const speaker_plan::Event& event) {
        record(event);
    };
    telling.peer_event = [this](const std::string& peer, bool warning, auto reason, auto text) {
        record_peer(peer, warning, std::move(reason), std::move(text));
    };
    return telling;
}

void Speaker::record_peer(
    const std::string& peer, bool warning, std::string reason, std::string text
) {
    const kube::ObjectKey key{options_.ns, peer};
    if (auto found = watches_.config().find(config::Kind::BgpPeer, key)) {
        const auto type = warning ? kube::EventType::Warning : kube::EventType::Normal;
        events_.record(std::move(*found), type, std::move(reason), std::move(text));
    }
}

void Speaker::route() {
    BgpSide::Facts facts;
    facts.config = config_.current();
    facts.node = watches_.node(options_.node_name);
    facts.servable = proxy_.programs() ? proxy_.servable() : nullptr;
    facts.complete =
        ready_ && facts.config != nullptr && (!proxy_.programs() || facts.servable != nullptr);
    // A speaker that leaves settles its sessions by itself (hand_over.cpp).
    facts.draining = told_to_drain();
    bgp_.plan(facts);
}

}  // namespace steelyard::speaker
