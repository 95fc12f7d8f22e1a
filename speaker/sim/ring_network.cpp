#include "speaker/sim/ring_network.hpp"

#include <algorithm>
#include <deque>
#include <tuple>
#include <utility>

namespace steelyard::sim {

using namespace std::chrono_literals;
using ring::Actions;
using ring::WatchRing;

namespace {

constexpr std::size_t kSocketBuffer = 2000;  // packets that wait for a stalled process
constexpr std::uint32_t kFirstAddress = 0x0a000001U;

net::Endpoint address_of(std::size_t node) {
    return {net::IpAddress::v4(kFirstAddress + static_cast<std::uint32_t>(node)), 7947};
}

}  // namespace

struct RingNetwork::Node {
    std::unique_ptr<WatchRing> core;
    std::uint64_t epoch = 0;
    bool running = true;
    std::uint64_t life = 0;  // what was under way for an earlier life is dropped
    int group = 0;
    Instant stalled_until{};
    Instant woke_at{};
    Instant last_beat{};
    std::optional<Instant> armed;
    std::deque<std::pair<std::size_t, Packet>> inbox;  // while stalled
    std::vector<Input> postponed;                      // likewise
};

RingNetwork::RingNetwork(const RingNetworkConfig& config, std::size_t nodes)
    : config_(config), rng_(config.seed) {
    std::set<std::size_t> all;
    for (std::size_t i = 0; i < nodes; ++i) {
        all.insert(start());
    }
    set_members(all);
}

RingNetwork::~RingNetwork() = default;

std::string RingNetwork::name_of(std::size_t node) {
    return "node-" + std::to_string(node);
}

std::size_t RingNetwork::number_of(const std::string& name) {
    return std::stoul(name.substr(5));
}

bool RingNetwork::running(std::size_t node) const {
    return nodes_[node]->running;
}

bool RingNetwork::stalled(std::size_t node) const {
    return nodes_[node]->stalled_until > now();
}

Instant RingNetwork::woke_at(std::size_t node) const {
    return nodes_[node]->woke_at;
}

Instant RingNetwork::last_beat(std::size_t node) const {
    return nodes_[node]->last_beat;
}

const WatchRing& RingNetwork::core(std::size_t node) const {
    return *nodes_[node]->core;
}

std::vector<std::size_t> RingNetwork::watchers_of(std::size_t node) const {
    std::vector<std::size_t> out;
    for (const std::string& name : core(node).watchers()) {
        out.push_back(number_of(name));
    }
    return out;
}

Duration RingNetwork::up_to(Duration span) {
    const auto ticks = static_cast<std::uint64_t>(span.count());
    return Duration(static_cast<Duration::rep>(rng_.below(ticks + 1)));
}

void RingNetwork::schedule_packet(std::size_t from, std::size_t to, const Packet& packet) {
    const Instant at = now() + config_.delay_min + up_to(config_.delay_max - config_.delay_min);
    clock_.schedule(at, Delivery{from, to, nodes_[to]->life, packet});
}

void RingNetwork::run(const Work& work) {
    if (const auto* delivery = std::get_if<Delivery>(&work)) {
        deliver(*delivery);
    } else {
        std::get<std::function<void()>>(work)();
    }
}

void RingNetwork::run_for(Duration span) {
    clock_.run_for(span, [this](const Work& work) { run(work); });
}

bool RingNetwork::run_until(const std::function<bool()>& condition, Duration limit) {
    return clock_.run_until(condition, limit, 1ms, [this](const Work& work) { run(work); });
}

void RingNetwork::boot(std::size_t node) {
    Node& state = *nodes_[node];
    ring::Config config;
    config.name = name_of(node);
    config.epoch = state.epoch = rng_.next();
    config.interval = config_.interval;
    config.keys = config_.keys;
    state.core = std::make_unique<WatchRing>(std::move(config), Rng(rng_.next()), now());
    ++state.life;
    state.running = true;
    state.armed.reset();
    state.inbox.clear();
    state.postponed.clear();
    state.stalled_until = {};
}

std::size_t RingNetwork::start() {
    nodes_.push_back(std::make_unique<Node>());
    boot(nodes_.size() - 1);
    return nodes_.size() - 1;
}

ring::Peer RingNetwork::peer(std::size_t node) const {
    return {name_of(node), address_of(node), nodes_[node]->epoch};
}

void RingNetwork::set_members(const std::set<std::size_t>& members, Duration spread) {
    for (std::size_t node = 0; node < nodes_.size(); ++node) {
        if (spread == Duration()) {
            tell_members(node, members);
        } else {
            clock_.schedule(now() + up_to(spread), [this, node, members] {
                tell_members(node, members);
            });
        }
    }
}

void RingNetwork::tell_members(std::size_t node, const std::set<std::size_t>& members) {
    std::vector<ring::Peer> peers;
    for (const std::size_t member : members) {
        if (member != node) {
            peers.push_back(peer(member));
        }
    }
    drive(node, [this, peers = std::move(peers)](WatchRing& core, Actions& out) {
        core.set_peers(peers, now(), out);
    });
}

void RingNetwork::set_keys(std::size_t node, const gossip_wire::KeyRing& keys) {
    drive(node, [keys](WatchRing& core, Actions&) { core.set_keys(keys); });
}

void RingNetwork::leave(std::size_t node) {
    drive(node, [this](WatchRing& core, Actions& out) { core.leave(now(), out); });
}

void RingNetwork::crash(std::size_t node) {
    nodes_[node]->running = false;
    ++nodes_[node]->life;
}

void RingNetwork::restart(std::size_t node) {
    boot(node);
}

void RingNetwork::stall(std::size_t node, Duration span) {
    Node& state = *nodes_[node];
    state.stalled_until = now() + span;
    clock_.schedule(state.stalled_until, [this, node, life = state.life] {
        if (nodes_[node]->life == life && !stalled(node)) {
            wake(node);
        }
    });
}

void RingNetwork::partition(const std::vector<std::set<std::size_t>>& groups) {
    for (const auto& node : nodes_) {
        node->group = 0;
    }
    int number = 0;
    for (const auto& group : groups) {
        ++number;
        for (const std::size_t node : group) {
            nodes_[node]->group = number;
        }
    }
}

void RingNetwork::arm(std::size_t node) {
    Node& state = *nodes_[node];
    const Instant due = state.core->next_deadline();
    if (due == Instant::max() || (state.armed && *state.armed <= due)) {
        return;
    }
    state.armed = std::max(due, now());
    clock_.schedule(
        *state.armed + up_to(config_.timer_slack),
        [this, node, life = state.life, at = *state.armed] {
            if (nodes_[node]->life == life && nodes_[node]->armed == at) {
                on_timer(node);
            }
        }
    );
}

void RingNetwork::on_timer(std::size_t node) {
    if (stalled(node)) {
        return;  // wake() makes good for it
    }
    nodes_[node]->armed.reset();
    drive(node, [this](WatchRing& core, Actions& out) { core.on_deadline(now(), out); });
}

// The process runs again: it finds its timer expired and its socket full, in either order.
void RingNetwork::wake(std::size_t node) {
    Node& state = *nodes_[node];
    state.woke_at = now();
    const bool timer_first = rng_.below(2) == 0;
    if (timer_first) {
        on_timer(node);
    }
    const auto postponed = std::exchange(state.postponed, {});
    for (const Input& input : postponed) {
        drive(node, input);
    }
    const auto inbox = std::exchange(state.inbox, {});
    for (const auto& [from, packet] : inbox) {
        receive(node, from, *packet);
    }
    on_timer(node);
}

void RingNetwork::drive(std::size_t node, const Input& input) {
    Node& state = *nodes_[node];
    if (!state.running) {
        return;
    }
    if (stalled(node)) {
        state.postponed.push_back(input);
        return;
    }
    const std::uint64_t beats = state.core->counters().heartbeats_sent;
    actions_.clear();
    input(*state.core, actions_);
    if (state.core->counters().heartbeats_sent != beats) {
        state.last_beat = now();
    }
    carry_out(node);
    arm(node);
}

void RingNetwork::carry_out(std::size_t node) {
    for (ring::Action& action : actions_) {
        if (auto* packet = std::get_if<ring::SendPacket>(&action)) {
            carry_out(node, *packet);
        } else if (const auto* changed = std::get_if<ring::Changed>(&action)) {
            observations_.push_back({now(), node, changed->name, changed->reachable});
        }
    }
}

void RingNetwork::carry_out(std::size_t node, ring::SendPacket& packet) {
    const std::size_t to = packet.to.address.v4_host_order() - kFirstAddress;
    ++packets_;
    bytes_ += packet.bytes.size();
    if (tap_) {
        tap_(node, to, packet.bytes);
    }
    const bool connected = to < nodes_.size() && nodes_[node]->group == nodes_[to]->group;
    if (!connected || (drop_ && drop_(node, to, packet.bytes.size())) ||
        rng_.unit() < config_.loss) {
        return;
    }
    const auto bytes = std::make_shared<const wire::Bytes>(std::move(packet.bytes));
    schedule_packet(node, to, bytes);
    if (rng_.unit() < config_.duplication) {
        schedule_packet(node, to, bytes);
    }
}

void RingNetwork::deliver(const Delivery& delivery) {
    Node& state = *nodes_[delivery.to];
    if (state.life != delivery.life || !state.running) {
        return;
    }
    if (!stalled(delivery.to)) {
        receive(delivery.to, delivery.from, *delivery.packet);
    } else if (state.inbox.size() < kSocketBuffer) {
        state.inbox.emplace_back(delivery.from, delivery.packet);
    }
}

void RingNetwork::receive(std::size_t node, std::size_t from, const wire::Bytes& bytes) {
    drive(node, [&](WatchRing& core, Actions& out) {
        core.on_packet(address_of(from), bytes, now(), out);
    });
}

void RingNetwork::inject(std::size_t from, std::size_t to, const wire::Bytes& bytes) {
    receive(to, from, bytes);
}

bool RingNetwork::all_hold(std::size_t subject, bool unreachable) const {
    const std::string name = name_of(subject);
    for (std::size_t node = 0; node < nodes_.size(); ++node) {
        if (node != subject && running(node) && !stalled(node) &&
            core(node).unreachable().contains(name) != unreachable) {
            return false;
        }
    }
    return true;
}

}  // namespace steelyard::sim
