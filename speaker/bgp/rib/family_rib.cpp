#include "speaker/bgp/rib/family_rib.hpp"

#include <algorithm>
#include <utility>

// Changes from the planner, and peers that come, go and want all of it again. What they lead to on
// the wire is in family_rib_write.cpp.
namespace steelyard::bgp_rib {

FamilyRib::Peer* FamilyRib::peer(std::uint32_t slot) const {
    return slot < peers_.size() ? peers_[slot].get() : nullptr;
}

FamilyRib::Place FamilyRib::place(const Peer& peer, std::uint32_t list) const {
    return {peer.withdrawn ? kNothing : policies_.attributes_for(list, peer.slot), list};
}

bool FamilyRib::has(const Peer& peer, std::uint32_t node) const {
    return peer.told.test(node) ||
           (peer.lagging != 0 && told_.find(table_[node].told, peer.slot) != kNothing);
}

// Whether the peer has to hear of this route, whose attributes for it these are.
bool FamilyRib::needs(const Peer& peer, std::uint32_t node, std::uint32_t attributes) const {
    if (attributes == kNothing) {
        return has(peer, node);
    }
    return !peer.told.test(node) || peer.stale.test(node) || peer.again.test(node);
}

void FamilyRib::upsert(const net::Prefix& prefix, std::uint32_t list, std::uint64_t sequence) {
    const std::uint32_t known = table_.find(prefix);
    if (known != kNone) {
        if (table_[known].list != list) {
            move(known, list, sequence);
        }
        return;
    }
    const std::uint32_t node = table_.insert(prefix);
    policies_.retain(list);
    table_[node].sequence = sequence;
    table_.append(node, list);
    for (const auto& peer : peers_) {
        if (peer) {
            arrive(*peer, node);
        }
    }
}

void FamilyRib::remove(const net::Prefix& prefix, std::uint64_t sequence) {
    const std::uint32_t node = table_.find(prefix);
    if (node != kNone && table_[node].list != kWithdrawn) {
        move(node, kWithdrawn, sequence);
        drop_if_unused(node);
    }
}

void FamilyRib::move(std::uint32_t node, std::uint32_t list, std::uint64_t sequence) {
    for (const auto& peer : peers_) {
        if (peer) {
            leave(*peer, node);
        }
    }
    const std::uint32_t before = table_[node].list;
    table_.unlink(node);
    table_.append(node, list);
    table_[node].sequence = sequence;
    tombstones_ += list == kWithdrawn ? 1U : 0U;
    tombstones_ -= before == kWithdrawn ? 1U : 0U;
    policies_.retain(list);
    for (const auto& peer : peers_) {
        if (peer) {
            arrive(*peer, node);
        }
    }
    policies_.release(before);
}

// A cursor on this node goes on to the next one of the list.
void FamilyRib::step_off(Peer& peer, std::uint32_t node) {
    if (peer.cursors.empty()) {
        return;
    }
    const auto cursor = peer.cursors.find(place(peer, table_[node].list));
    if (cursor == peer.cursors.end() || cursor->second != node) {
        return;
    }
    if (table_[node].next == kNone) {
        peer.cursors.erase(cursor);
    } else {
        cursor->second = table_[node].next;
    }
}

// Before a node changes its list: what the peer was told of it is now written down.
void FamilyRib::leave(Peer& peer, std::uint32_t node) {
    step_off(peer, node);
    if (peer.told.test(node)) {
        const std::uint32_t list = table_[node].list;
        told_.add(table_[node].told, peer.slot, policies_.attributes_for(list, peer.slot));
        peer.told.reset(node);
        ++peer.lagging;
    }
}

// A lagging peer that need not hear of the change after all, since it does not show on its session,
// no longer lags.
void FamilyRib::settle(Peer& peer, std::uint32_t node, std::uint32_t attributes) {
    if (peer.lagging == 0 || attributes == kNothing) {
        return;
    }
    const std::uint32_t before = told_.find(table_[node].told, peer.slot);
    if (before == kNothing) {
        return;
    }
    const bool shutdown = peer.shutdown && !peer.stale.test(node);
    const auto same = [&] {
        return same_on(
            *peer.session, policies_.attributes(before), policies_.attributes(attributes), shutdown
        );
    };
    if (before == attributes || same()) {
        (void)told_.remove(table_[node].told, peer.slot);
        peer.told.set(node, table_.capacity());
        --peer.lagging;
    }
}

// After a node came to its list.
void FamilyRib::arrive(Peer& peer, std::uint32_t node) {
    const std::uint32_t list = table_[node].list;
    settle(peer, node, policies_.attributes_for(list, peer.slot));
    const Place target = place(peer, list);
    if (needs(peer, node, target.attributes)) {
        peer.cursors.try_emplace(target, node);
    }
}

// A removed route stays only while a peer has it.
void FamilyRib::drop_if_unused(std::uint32_t node) {
    if (table_[node].list != kWithdrawn || table_[node].told != kNone) {
        return;
    }
    for (const auto& peer : peers_) {
        if (peer) {
            step_off(*peer, node);
        }
    }
    table_.unlink(node);
    table_.erase(node);
    --tombstones_;
}

void FamilyRib::start_over(Peer& peer) {
    peer.cursors.clear();
    for (std::uint32_t list = 0; list < table_.lists(); ++list) {
        const Place target = place(peer, list);
        const bool idle = target.attributes == kNothing && peer.had == 0;
        if (table_.first(list) != kNone && !idle) {
            peer.cursors.emplace(target, table_.first(list));
        }
    }
}

void FamilyRib::add_peer(
    std::uint32_t slot, const SessionView& session, NextHop next_hop, bool shutdown, bool withdrawn
) {
    peers_.resize(std::max<std::size_t>(peers_.size(), slot + std::size_t{1}));
    peers_[slot] = std::make_unique<Peer>();
    Peer& fresh = *peers_[slot];
    fresh.session = &session;
    fresh.next_hop = std::move(next_hop);
    fresh.slot = slot;
    fresh.shutdown = shutdown;
    fresh.withdrawn = withdrawn;
    start_over(fresh);
}

void FamilyRib::remove_peer(std::uint32_t slot) {
    if (peer(slot) == nullptr) {
        return;
    }
    const std::unique_ptr<Peer> gone = std::exchange(peers_[slot], nullptr);
    for (std::uint32_t list = 0; list < table_.lists() && gone->lagging != 0; ++list) {
        for (std::uint32_t node = table_.first(list); node != kNone && gone->lagging != 0;) {
            const std::uint32_t next = table_[node].next;
            if (told_.remove(table_[node].told, slot)) {
                --gone->lagging;
                drop_if_unused(node);
            }
            node = next;
        }
    }
}

void FamilyRib::refresh(std::uint32_t slot) {
    if (Peer* const found = peer(slot)) {
        found->again.set_all(table_.capacity());
        found->repeats = found->had;
        start_over(*found);
    }
}

void FamilyRib::set_next_hop(std::uint32_t slot, NextHop next_hop) {
    Peer* const found = peer(slot);
    if (found != nullptr && found->next_hop != next_hop) {
        found->next_hop = std::move(next_hop);
        refresh(slot);
    }
}

// Routes told one way become stale, those that went stale before are right again.
void FamilyRib::set_shutdown(std::uint32_t slot, bool on) {
    Peer* const found = peer(slot);
    if (found != nullptr && found->shutdown != on) {
        found->shutdown = on;
        found->stale.flip_all(table_.capacity());
        start_over(*found);
    }
}

void FamilyRib::set_withdrawn(std::uint32_t slot, bool on) {
    Peer* const found = peer(slot);
    if (found != nullptr && found->withdrawn != on) {
        found->withdrawn = on;
        start_over(*found);
    }
}

bool FamilyRib::pending(std::uint32_t slot) const {
    const Peer* const found = peer(slot);
    return found != nullptr && !found->cursors.empty();
}

bool FamilyRib::refreshed(std::uint32_t slot) const {
    const Peer* const found = peer(slot);
    return found == nullptr || found->repeats == 0;
}

std::optional<std::uint64_t> FamilyRib::earliest(std::uint32_t slot) const {
    std::optional<std::uint64_t> found;
    if (const Peer* const reader = peer(slot)) {
        for (const auto& [place, node] : reader->cursors) {
            found = std::min(found.value_or(table_[node].sequence), table_[node].sequence);
        }
    }
    return found;
}

std::size_t FamilyRib::prefixes(std::uint32_t slot) const {
    const Peer* const found = peer(slot);
    return found == nullptr ? 0 : found->had;
}

bool FamilyRib::announced(std::uint32_t slot, const net::Prefix& prefix) const {
    const Peer* const found = peer(slot);
    const std::uint32_t node = table_.find(prefix);
    return found != nullptr && node != kNone && has(*found, node);
}

std::uint64_t FamilyRib::too_long(std::uint32_t slot) const {
    const Peer* const found = peer(slot);
    return found == nullptr ? 0 : found->too_long;
}

std::size_t FamilyRib::peer_bytes() const {
    std::size_t bytes = 0;
    for (const auto& peer : peers_) {
        if (peer) {
            bytes += sizeof(Peer) + peer->told.bytes() + peer->stale.bytes() + peer->again.bytes();
        }
    }
    return bytes;
}

}  // namespace steelyard::bgp_rib
