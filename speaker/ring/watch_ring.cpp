#include "speaker/ring/watch_ring.hpp"

#include <algorithm>
#include <utility>

namespace steelyard::ring {
namespace {

// Sessions of peers that are gone, kept in case they come back in the same life.
constexpr std::size_t kMaxRetired = 4096;

std::vector<Secret> masters_of(const gossip_wire::KeyRing& keys) {
    std::vector<Secret> out;
    for (const gossip_wire::Key& key : keys.keys()) {
        out.push_back(extract(key));
    }
    if (out.empty()) {
        out.push_back(extract({}));
    }
    return out;
}

WatcherSet set_of(std::span<const NodeId> ids) {
    WatcherSet out;
    out.count = static_cast<std::uint8_t>(ids.size());
    std::copy(ids.begin(), ids.end(), out.ids.begin());
    return out;
}

}  // namespace

WatchRing::WatchRing(Config config, Rng rng, Instant now)
    : config_(std::move(config)),
      timing_(config_.interval),
      rng_(rng),
      self_(node_id(config_.name, config_.epoch)),
      place_(place(config_.name, config_.epoch)),
      masters_(masters_of(config_.keys)),
      last_input_(now) {
    // Nodes that start together do not beat together.
    const auto phase = rng_.below(static_cast<std::uint64_t>(timing_.interval.count()));
    heartbeat_at_ = now + Duration(static_cast<Duration::rep>(phase));
}

void WatchRing::set_keys(const gossip_wire::KeyRing& keys) {
    config_.keys = keys;
    masters_ = masters_of(keys);
    for (auto& [id, peer] : peers_) {
        peer.seal_key.reset();
        peer.open_keys.clear();
    }
}

void WatchRing::set_peers(const std::vector<Peer>& peers, Instant now, Actions& out) {
    notice_time(now, out);
    std::unordered_map<NodeId, const Peer*> wanted;
    for (const Peer& peer : peers) {
        if (peer.name != config_.name) {
            wanted.emplace(node_id(peer.name, peer.epoch), &peer);
        }
    }
    std::vector<NodeId> gone;
    for (const auto& [id, peer] : peers_) {
        if (!wanted.contains(id)) {
            gone.push_back(id);
        }
    }
    for (const NodeId id : gone) {
        remove_peer(id, out);
    }
    for (const auto& [id, peer] : wanted) {
        add_peer(id, *peer);
    }
    reorder(now, out);
    tell_verdicts(now, out);
}

void WatchRing::add_peer(NodeId id, const Peer& peer) {
    const auto [entry, is_new] = peers_.try_emplace(id);
    PeerState& state = entry->second;
    state.peer = peer;
    if (!is_new) {
        return;
    }
    state.place = place(peer.name, peer.epoch);
    state.session.sent = counter_floor_;
    if (const auto before = retired_.find(id); before != retired_.end()) {
        state.session = before->second;
        retired_.erase(before);
    }
}

void WatchRing::remove_peer(NodeId id, Actions& out) {
    PeerState* peer = find(id);
    if (watchers_.contains(id)) {
        send(*peer, Released{}, out);  // it may live and only be lost to our gossip
    }
    // The others hear of it from their own gossip: no verdict is lifted, or they would trust a dead
    // node until then.
    std::erase_if(watched_, [&](const Watching& watching) { return watching.subject() == id; });
    std::erase_if(bulletins_, [&](const Bulletin& bulletin) { return bulletin.subject == id; });
    std::erase_if(goodbyes_, [&](const Goodbye& goodbye) { return goodbye.to == id; });
    if (verdicts_.unreachable(id)) {
        verdicts_.drop(id);
        changed(id, true, out);
    }
    retired_[id] = peer->session;
    if (retired_.size() > kMaxRetired) {
        // Whoever it was may come back: no counter it saw may be used again.
        counter_floor_ = std::max(counter_floor_, retired_.begin()->second.sent);
        retired_.erase(retired_.begin());
    }
    peers_.erase(id);
}

// Who watches us follows from who is there. Whom we watch is for them to say.
void WatchRing::reorder(Instant now, Actions& out) {
    Successors next(place_, config_.watchers);
    for (const auto& [id, peer] : peers_) {
        if (!peer.leaving) {
            next.consider(peer.place);
        }
    }
    const WatcherSet before = watchers_;
    watchers_ = set_of(next.ids());
    if (watchers_ == before) {
        return;
    }
    for (const NodeId id : before.all()) {
        if (!watchers_.contains(id) && peers_.contains(id)) {
            goodbyes_.push_back({id, kCopies, now});
        }
    }
    std::erase_if(goodbyes_, [&](const Goodbye& goodbye) {
        return watchers_.contains(goodbye.to);
    });
    lease_.set_watchers(watchers_);
    if (watchers_.count == 0) {
        lease_.unlimited();
        return;
    }
    lease_.limit(timing_, now);
    say_goodbyes(now, out);
    if (before.count > 0) {
        // A node that dies in the next moment is missed by its new watchers only if they know it.
        send_heartbeats(now, out);
    } else {
        heartbeat_at_ = std::min(std::max(heartbeat_at_, now), now + timing_.interval);
    }
}

void WatchRing::stop_watching(NodeId id, Instant now, Actions& out) {
    const auto count =
        std::erase_if(watched_, [&](const Watching& watching) { return watching.subject() == id; });
    if (count > 0 && issued(id)) {
        set_bulletin(id, false, now, out);
    }
}

void WatchRing::leave(Instant now, Actions& out) {
    notice_time(now, out);
    leaving_ = true;
    std::set<NodeId> told(watchers_.all().begin(), watchers_.all().end());
    for (const Watching& watching : watched_) {
        told.insert(watching.subject());
    }
    for (const NodeId id : told) {
        send(id, Leaving{}, out);
        send(id, Leaving{}, out);
    }
    // What we held against others is theirs to judge now.
    for (const Bulletin& bulletin : bulletins_) {
        if (bulletin.unreachable) {
            verdicts_.hold(bulletin.subject, self_, now + timing_.verdict_life);
        }
    }
    watched_.clear();
    bulletins_.clear();
    goodbyes_.clear();
    heartbeat_at_ = now + timing_.repeat;
}

void WatchRing::send(NodeId to, const Message& message, Actions& out) {
    if (PeerState* peer = find(to)) {
        send(*peer, message, out);
    }
}

void WatchRing::send(PeerState& to, const Message& message, Actions& out) {
    if (!to.seal_key) {
        to.seal_key = pair_key(
            masters_.front(), {config_.name, config_.epoch}, {to.peer.name, to.peer.epoch}
        );
    }
    std::array<std::byte, kMaxBody> body;
    const std::size_t size = encode(Body{view_of(to.place.id), message}, body);
    wire::Bytes packet(kHeader + size + kTag);
    ++to.session.sent;
    encode(Header{self_, to.session.sent}, std::span(packet).first<kHeader>());
    cipher_.seal(*to.seal_key, to.session.sent, std::span(body).first(size), packet);
    out.emplace_back(SendPacket{to.peer.address, std::move(packet)});
    ++counters_.packets_sent;
}

View WatchRing::view_of(NodeId id) const {
    for (const Watching& watching : watched_) {
        if (watching.subject() == id) {
            if (!watching.accused()) {
                return View::Heard;
            }
            return issued(id) ? View::Unreachable : View::Silent;
        }
    }
    return View::None;
}

bool WatchRing::issued(NodeId subject) const {
    return std::any_of(bulletins_.begin(), bulletins_.end(), [&](const Bulletin& bulletin) {
        return bulletin.subject == subject && bulletin.unreachable;
    });
}

void WatchRing::changed(NodeId subject, bool reachable, Actions& out) {
    const PeerState* peer = find(subject);
    const std::string& name = peer == nullptr ? config_.name : peer->peer.name;
    if (reachable) {
        unreachable_.erase(name);
    } else {
        unreachable_.insert(name);
    }
    out.emplace_back(Changed{name, reachable});
}

void WatchRing::refuse(const net::Endpoint& from, std::string_view why, Actions& out) {
    out.emplace_back(Refused{from, std::string(why)});
}

PeerState* WatchRing::find(NodeId id) {
    const auto entry = peers_.find(id);
    return entry == peers_.end() ? nullptr : &entry->second;
}

const PeerState* WatchRing::find(NodeId id) const {
    const auto entry = peers_.find(id);
    return entry == peers_.end() ? nullptr : &entry->second;
}

Watching* WatchRing::find_watching(NodeId id) {
    const auto entry = std::find_if(watched_.begin(), watched_.end(), [&](const Watching& one) {
        return one.subject() == id;
    });
    return entry == watched_.end() ? nullptr : &*entry;
}

std::vector<std::string> WatchRing::watchers() const {
    std::vector<std::string> out;
    for (const NodeId id : watchers_.all()) {
        out.push_back(find(id)->peer.name);
    }
    return out;
}

std::vector<std::string> WatchRing::watched() const {
    std::vector<std::string> out;
    for (const Watching& watching : watched_) {
        out.push_back(find(watching.subject())->peer.name);
    }
    return out;
}

}  // namespace steelyard::ring
