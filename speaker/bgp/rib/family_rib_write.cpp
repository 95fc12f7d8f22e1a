#include "speaker/bgp/rib/family_rib.hpp"
#include "speaker/bgp/wire/update_pack.hpp"

// From cursors to messages: all that is pending with one set of attributes goes out together, so
// only the last message of a set is not full, whatever the limits of the single writes.
namespace steelyard::bgp_rib {

// The peer heard of the route again, in whatever way.
void FamilyRib::heard(Peer& peer, std::uint32_t node) {
    peer.repeats -= peer.again.test(node) ? 1U : 0U;
    peer.again.reset(node);
    peer.stale.reset(node);
}

void FamilyRib::tell(Peer& peer, std::uint32_t node) {
    if (peer.told.test(node)) {
        heard(peer, node);
        return;
    }
    if (peer.lagging != 0 && told_.remove(table_[node].told, peer.slot)) {
        --peer.lagging;
        heard(peer, node);
    } else {
        ++peer.had;
        peer.again.reset(node);
        peer.stale.reset(node);
    }
    peer.told.set(node, table_.capacity());
}

void FamilyRib::untell(Peer& peer, std::uint32_t node) {
    if (peer.told.test(node)) {
        peer.told.reset(node);
    } else {
        (void)told_.remove(table_[node].told, peer.slot);
        --peer.lagging;
    }
    --peer.had;
    heard(peer, node);
    drop_if_unused(node);
}

// Feeds the packer from every cursor of these attributes. A cursor is taken away while its list is
// walked, since a node that goes moves the cursors that stand on it.
template <class Packer, class Wanted, class Sent>
void FamilyRib::pack(
    Peer& peer,
    std::uint32_t attributes,
    Packer& packer,
    Output output,
    const Wanted& wanted,
    const Sent& sent
) {
    auto cursor = peer.cursors.lower_bound({attributes, 0});
    while (cursor != peer.cursors.end() && cursor->first.attributes == attributes) {
        const Place at = cursor->first;
        std::uint32_t node = cursor->second;
        cursor = peer.cursors.erase(cursor);
        while (node != kNone) {
            const std::uint32_t next = table_[node].next;
            if (wanted(node)) {
                const net::Prefix prefix = table_.prefix(node);
                if (!packer.add(prefix)) {
                    packer.finish(output.out);
                    if (output.out.size() >= output.limit) {
                        peer.cursors.emplace(at, node);
                        return;
                    }
                    (void)packer.add(prefix);
                }
                sent(node);
            }
            node = next;
        }
    }
    if (!packer.empty()) {
        packer.finish(output.out);
    }
}

void FamilyRib::announce(Peer& peer, std::uint32_t attributes, Output output) {
    bgp_wire::UpdatePacker packer(
        table_.family(),
        make_attributes(
            policies_.attributes(attributes), *peer.session, peer.next_hop, peer.shutdown
        ),
        peer.next_hop.nlri,
        peer.session->max_message
    );
    if (!packer.usable()) {
        ++peer.too_long;
        withdraw(peer, attributes, output);
        return;
    }
    pack(
        peer,
        attributes,
        packer,
        output,
        [&](std::uint32_t node) {
            settle(peer, node, attributes);
            return needs(peer, node, attributes);
        },
        [&](std::uint32_t node) { tell(peer, node); }
    );
}

// Whatever the peer has of the routes with these attributes, mostly none.
void FamilyRib::withdraw(Peer& peer, std::uint32_t attributes, Output output) {
    bgp_wire::WithdrawalPacker packer(
        table_.family(), peer.next_hop.nlri, peer.session->max_message
    );
    pack(
        peer,
        attributes,
        packer,
        output,
        [&](std::uint32_t node) { return has(peer, node); },
        [&](std::uint32_t node) { untell(peer, node); }
    );
}

void FamilyRib::write(std::uint32_t slot, wire::Writer& out, std::size_t limit) {
    Peer* const reader = peer(slot);
    if (reader == nullptr) {
        return;
    }
    while (!reader->cursors.empty() && out.size() < limit) {
        auto cursor = reader->cursors.begin();
        if (cursor->first.attributes == kNothing) {
            withdraw(*reader, kNothing, {out, limit});
            continue;
        }
        // Sets take turns, so one that changes all the time does not starve the others.
        cursor = reader->cursors.lower_bound({reader->turn, 0});
        const std::uint32_t attributes =
            (cursor == reader->cursors.end() ? reader->cursors.begin() : cursor)->first.attributes;
        announce(*reader, attributes, {out, limit});
        reader->turn = out.size() < limit ? attributes + 1 : attributes;
    }
    if (reader->cursors.empty()) {
        reader->stale.free();
        reader->again.free();
    }
}

}  // namespace steelyard::bgp_rib
