#include "speaker/sim/network.hpp"

#include "common/base/check.hpp"

#include <algorithm>
#include <charconv>
#include <map>
#include <utility>

namespace steelyard::sim {

using namespace std::chrono_literals;
using gossip::Actions;
using gossip::Membership;
using gossip::StreamId;

struct GossipNetwork::Node {
    std::unique_ptr<Membership> core;
    bool running = true;
    std::uint64_t life = 0;  // what was under way for an earlier life is dropped
    int group = 0;
    Instant stalled_until{};
    std::optional<Instant> armed;
    bool leave_finished = false;
    // Accepted streams: where the answer goes.
    std::map<StreamId, std::pair<std::size_t, StreamId>> inbound;
};

namespace {

constexpr std::string_view kName = "node-";

net::Endpoint address_of(std::size_t node) {
    return {net::IpAddress::v4(0x0a000001U + static_cast<std::uint32_t>(node)), 7946};
}

std::uint32_t number_of(std::string_view name) {
    std::uint32_t number = 0;
    const std::string_view digits = name.substr(kName.size());
    std::from_chars(digits.data(), digits.data() + digits.size(), number);
    return number;
}

gossip_wire::RandomBytes seeded_bytes(std::uint64_t seed) {
    return [rng = Rng(seed)](std::span<std::byte> out) mutable {
        for (std::byte& byte : out) {
            byte = static_cast<std::byte>(rng.next() & 0xffU);
        }
    };
}

}  // namespace

GossipNetwork::GossipNetwork(const NetworkConfig& config) : config_(config), rng_(config.seed) {}

GossipNetwork::~GossipNetwork() = default;

std::string GossipNetwork::name_of(std::size_t node) {
    return std::string(kName) + std::to_string(node);
}

Membership& GossipNetwork::core(std::size_t node) {
    return *nodes_[node]->core;
}

bool GossipNetwork::leave_finished(std::size_t node) const {
    return nodes_[node]->leave_finished;
}

void GossipNetwork::run_for(Duration span) {
    clock_.run_for(span, [](const Work& work) { work(); });
}

bool GossipNetwork::run_until(const std::function<bool()>& condition, Duration limit) {
    return clock_.run_until(condition, limit, 10ms, [](const Work& work) { work(); });
}

void GossipNetwork::boot(std::size_t node) {
    Node& state = *nodes_[node];
    gossip::Config config;
    config.name = name_of(node);
    config.address = address_of(node);
    config.timing = config_.timing;
    config.envelope.compress = false;  // its cost is time only
    config.envelope.keys = config_.keys;
    const Rng rng(rng_.next());
    state.core =
        std::make_unique<Membership>(std::move(config), rng, seeded_bytes(rng.seed()), now());
    ++state.life;
    state.running = true;
    state.armed.reset();
    state.inbound.clear();
    state.leave_finished = false;
    arm(node);
}

std::size_t GossipNetwork::start() {
    nodes_.push_back(std::make_unique<Node>());
    boot(nodes_.size() - 1);
    return nodes_.size() - 1;
}

bool GossipNetwork::start_cluster(std::size_t nodes, Duration within, Duration limit) {
    const std::size_t first = start();
    for (std::size_t i = 1; i < nodes; ++i) {
        const std::size_t node = start();
        const auto share = rng_.below(static_cast<std::uint64_t>(within.count()) + 1);
        clock_.schedule(now() + Duration(static_cast<Duration::rep>(share)), [this, node, first] {
            join(node, first);
        });
    }
    return run_until([this] { return converged(); }, limit);
}

void GossipNetwork::start_known(std::size_t nodes) {
    std::vector<gossip::Member> members(nodes);
    for (std::size_t i = 0; i < nodes; ++i) {
        members[i].name = name_of(i);
        members[i].address = address_of(i);
        members[i].incarnation = 1;
    }
    for (std::size_t i = 0; i < nodes; ++i) {
        core(start()).know(members, now());
    }
}

void GossipNetwork::introduce_all() {
    std::vector<net::Endpoint> peers;
    for (std::size_t i = 0; i < nodes_.size(); ++i) {
        peers.push_back(address_of(i));
    }
    for (std::size_t i = 0; i < nodes_.size(); ++i) {
        drive(i, [this, peers](Membership& core, Actions&) { core.set_peers(peers, now()); });
    }
}

void GossipNetwork::clear_observations() {
    observations_.clear();
    counts_ = {};
}

bool GossipNetwork::is_running(std::size_t node) const {
    return nodes_[node]->running;
}

void GossipNetwork::join(std::size_t node, std::size_t peer) {
    drive(node, [this, peer](Membership& core, Actions& out) {
        const net::Endpoint address = address_of(peer);
        core.join(std::span(&address, 1), now(), out);
    });
}

void GossipNetwork::leave(std::size_t node) {
    drive(node, [this](Membership& core, Actions& out) { core.leave(now(), out); });
}

void GossipNetwork::crash(std::size_t node) {
    nodes_[node]->running = false;
    ++nodes_[node]->life;
}

void GossipNetwork::restart(std::size_t node) {
    boot(node);
}

void GossipNetwork::stall(std::size_t node, Duration span) {
    nodes_[node]->stalled_until = now() + span;
}

void GossipNetwork::partition(const std::vector<std::set<std::size_t>>& groups) {
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

bool GossipNetwork::connected(std::size_t a, std::size_t b) const {
    return nodes_[a]->group == nodes_[b]->group;
}

std::optional<std::size_t> GossipNetwork::node_at(const net::Endpoint& address) const {
    const std::uint32_t value = address.address.v4_host_order() - 0x0a000001U;
    if (value >= nodes_.size()) {
        return std::nullopt;
    }
    return value;
}

Duration GossipNetwork::delay() {
    const auto span = static_cast<std::uint64_t>((config_.delay_max - config_.delay_min).count());
    return config_.delay_min + Duration(static_cast<Duration::rep>(rng_.below(span + 1)));
}

void GossipNetwork::arm(std::size_t node) {
    Node& state = *nodes_[node];
    const auto due = state.core->next_deadline();
    if (!due || (state.armed && *state.armed <= *due)) {
        return;
    }
    state.armed = std::max(*due, now());
    clock_.schedule(*state.armed, [this, node, life = state.life, at = *state.armed] {
        Node& woken = *nodes_[node];
        if (woken.life == life && woken.armed == at) {
            woken.armed.reset();
            wake(node);
        }
    });
}

void GossipNetwork::wake(std::size_t node) {
    drive(node, [this](Membership& core, Actions& out) { core.on_deadline(now(), out); });
}

void GossipNetwork::drive(std::size_t node, std::function<void(Membership&, Actions&)> input) {
    Node& state = *nodes_[node];
    if (!state.running) {
        return;
    }
    if (state.stalled_until > now()) {
        clock_.schedule(
            state.stalled_until,
            [this, node, life = state.life, input = std::move(input)]() mutable {
                if (nodes_[node]->life == life) {
                    drive(node, std::move(input));
                }
            }
        );
        return;
    }
    Actions actions;
    input(*state.core, actions);
    carry_out(node, actions);
    arm(node);
}

void GossipNetwork::carry_out(std::size_t node, Actions& actions) {
    Node& state = *nodes_[node];
    for (gossip::Action& action : actions) {
        if (auto* packet = std::get_if<gossip::SendPacket>(&action)) {
            carry_out(node, *packet);
        } else if (auto* stream = std::get_if<gossip::OpenStream>(&action)) {
            carry_out(node, *stream);
        } else if (auto* reply = std::get_if<gossip::SendStream>(&action)) {
            const auto back = state.inbound.find(reply->id);
            if (back != state.inbound.end() && connected(node, back->second.first)) {
                const auto [opener, id] = back->second;
                clock_.schedule(
                    now() + delay(),
                    [this, opener = opener, id = id, bytes = std::move(reply->bytes)] {
                        drive(opener, [this, id, &bytes](Membership& core, Actions& out) {
                            core.on_stream_data(id, bytes, now(), out);
                        });
                    }
                );
            }
        } else if (const auto* close = std::get_if<gossip::CloseStream>(&action)) {
            state.inbound.erase(close->id);
        } else if (const auto* changed = std::get_if<gossip::Changed>(&action)) {
            ++counts_[static_cast<std::size_t>(changed->kind)];
            observations_.push_back(
                {now(),
                 static_cast<std::uint32_t>(node),
                 number_of(changed->member.name),
                 changed->kind}
            );
        } else if (std::holds_alternative<gossip::LeaveFinished>(action)) {
            state.leave_finished = true;
        }
    }
}

void GossipNetwork::carry_out(std::size_t node, gossip::SendPacket& packet) {
    const auto to = node_at(packet.to);
    ++packets_;
    if (!to || !connected(node, *to) || rng_.unit() < config_.loss) {
        return;
    }
    const int copies = rng_.unit() < config_.duplication ? 2 : 1;
    const auto bytes = std::make_shared<const wire::Bytes>(std::move(packet.bytes));
    for (int copy = 0; copy < copies; ++copy) {
        clock_.schedule(now() + delay(), [this, node, to = *to, life = nodes_[*to]->life, bytes] {
            if (nodes_[to]->life == life) {
                drive(to, [this, node, bytes](Membership& core, Actions& out) {
                    core.on_packet(address_of(node), *bytes, now(), out);
                });
            }
        });
    }
}

void GossipNetwork::carry_out(std::size_t node, gossip::OpenStream& stream) {
    const auto to = node_at(stream.to);
    const StreamId id = stream.id;
    ++streams_;
    if (to && nodes_[*to]->running && connected(node, *to)) {
        clock_.schedule(
            now() + delay(),
            [this, node, id, to = *to, request = std::move(stream.request)] {
                open_inbound(node, id, to, request);
            }
        );
    }
    // Whatever became of it, the opener forgets it at its deadline.
    clock_.schedule(stream.deadline, [this, node, id, life = nodes_[node]->life] {
        if (nodes_[node]->life == life) {
            drive(node, [id](Membership& core, Actions&) { core.on_stream_closed(id); });
        }
    });
}

void GossipNetwork::open_inbound(
    std::size_t from, StreamId id, std::size_t to, const wire::Bytes& request
) {
    drive(to, [this, from, id, to, request](Membership& core, Actions& out) {
        const auto accepted = core.on_stream_accepted(address_of(from));
        if (accepted) {
            nodes_[to]->inbound[*accepted] = {from, id};
            core.on_stream_data(*accepted, request, now(), out);
        }
    });
}

bool GossipNetwork::all_see(const std::set<std::size_t>& alive) const {
    std::vector<bool> wanted(nodes_.size());
    for (const std::size_t node : alive) {
        wanted[node] = true;
    }
    for (const auto& observer : nodes_) {
        if (!observer->running || observer->core->self().state == gossip::MemberState::Left) {
            continue;
        }
        std::size_t seen = 0;
        for (const gossip::Member& member : observer->core->table().all()) {
            if (member.state == gossip::MemberState::Alive) {
                ++seen;
                if (!wanted[number_of(member.name)]) {
                    return false;
                }
            }
        }
        if (seen != alive.size()) {
            return false;
        }
    }
    return true;
}

bool GossipNetwork::converged() const {
    std::set<std::size_t> running;
    for (std::size_t i = 0; i < nodes_.size(); ++i) {
        if (nodes_[i]->running && nodes_[i]->core->self().state == gossip::MemberState::Alive) {
            running.insert(i);
        }
    }
    return all_see(running);
}

}  // namespace steelyard::sim
