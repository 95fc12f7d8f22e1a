#pragma once

#include "common/net/prefix.hpp"
#include "common/wire/writer.hpp"
#include "speaker/bgp/rib/bits.hpp"
#include "speaker/bgp/rib/policies.hpp"
#include "speaker/bgp/rib/session_view.hpp"
#include "speaker/bgp/rib/table.hpp"
#include "speaker/bgp/rib/told.hpp"

#include <compare>
#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <vector>

// The routes of one family and how far each peer is with them. What a peer was told of a route:
// - its bit in `told` is set: the route's present attributes, as far as they show on its session;
// - the route's chain in Told has it: other attributes;
// - neither: nothing.
// A cursor stands on the first route of a path list that may have to be told; lists where nothing
// is left have none, so a peer in sync has no cursors and a change costs it a bit and a look-up.
namespace steelyard::bgp_rib {

class FamilyRib {
public:
    FamilyRib(net::Family family, Policies& policies) : policies_(policies), table_(family) {}

    // `list` of Policies; the route holds a reference of its own.
    void upsert(const net::Prefix& prefix, std::uint32_t list, std::uint64_t sequence);
    void remove(const net::Prefix& prefix, std::uint64_t sequence);

    // Every slot must be in Policies meanwhile; `session` outlives the peer.
    void add_peer(
        std::uint32_t slot,
        const SessionView& session,
        NextHop next_hop,
        bool shutdown,
        bool withdrawn
    );
    void remove_peer(std::uint32_t slot);
    // The calls below mean nothing for a slot that was not added.
    void refresh(std::uint32_t slot);
    // Another one makes everything told go out again.
    void set_next_hop(std::uint32_t slot, NextHop next_hop);
    void set_shutdown(std::uint32_t slot, bool on);
    void set_withdrawn(std::uint32_t slot, bool on);

    [[nodiscard]] bool pending(std::uint32_t slot) const;
    // Whether all that refresh asked for was repeated.
    [[nodiscard]] bool refreshed(std::uint32_t slot) const;
    // The sequence of the earliest change that may have to be told.
    [[nodiscard]] std::optional<std::uint64_t> earliest(std::uint32_t slot) const;
    // Appends messages until `out` has `limit` bytes, or more, or nothing is pending.
    void write(std::uint32_t slot, wire::Writer& out, std::size_t limit);

    [[nodiscard]] std::size_t prefixes(std::uint32_t slot) const;
    [[nodiscard]] bool announced(std::uint32_t slot, const net::Prefix& prefix) const;
    [[nodiscard]] std::uint64_t too_long(std::uint32_t slot) const;
    [[nodiscard]] std::size_t routes() const { return table_.size() - tombstones_; }
    [[nodiscard]] std::size_t tombstones() const { return tombstones_; }
    [[nodiscard]] std::size_t shared_bytes() const { return table_.bytes() + told_.bytes(); }
    [[nodiscard]] std::size_t peer_bytes() const;

private:
    // Lists that make the same attributes are neighbours; what is to be withdrawn comes first.
    struct Place {
        std::uint32_t attributes = kNothing;
        std::uint32_t list = kWithdrawn;
        friend auto operator<=>(const Place&, const Place&) = default;
    };
    struct Peer {
        const SessionView* session = nullptr;
        NextHop next_hop;
        std::uint32_t slot = 0;
        bool shutdown = false;
        bool withdrawn = false;
        std::map<Place, std::uint32_t> cursors;
        std::uint32_t turn = kNothing;  // attributes to go on with
        Bits told;
        Bits stale;               // told when `shutdown` was the other way
        Bits again;               // to be repeated whatever was told
        std::size_t had = 0;      // routes it was told in whatever form
        std::size_t repeats = 0;  // of them, those in `again`
        std::size_t lagging = 0;  // of them, those in chains
        std::uint64_t too_long = 0;
    };

    [[nodiscard]] Peer* peer(std::uint32_t slot) const;
    [[nodiscard]] Place place(const Peer& peer, std::uint32_t list) const;
    [[nodiscard]] bool has(const Peer& peer, std::uint32_t node) const;
    [[nodiscard]] bool needs(const Peer& peer, std::uint32_t node, std::uint32_t attributes) const;

    void move(std::uint32_t node, std::uint32_t list, std::uint64_t sequence);
    void step_off(Peer& peer, std::uint32_t node);
    void leave(Peer& peer, std::uint32_t node);
    void settle(Peer& peer, std::uint32_t node, std::uint32_t attributes);
    void arrive(Peer& peer, std::uint32_t node);
    void drop_if_unused(std::uint32_t node);
    void start_over(Peer& peer);

    void heard(Peer& peer, std::uint32_t node);
    void tell(Peer& peer, std::uint32_t node);
    void untell(Peer& peer, std::uint32_t node);
    struct Output {
        wire::Writer& out;
        std::size_t limit;  // of its size; the message that passes it is the last
    };
    void announce(Peer& peer, std::uint32_t attributes, Output output);
    void withdraw(Peer& peer, std::uint32_t attributes, Output output);
    template <class Packer, class Wanted, class Sent>
    void pack(
        Peer& peer,
        std::uint32_t attributes,
        Packer& packer,
        Output output,
        const Wanted& wanted,
        const Sent& sent
    );

    Policies& policies_;
    Table table_;
    Told told_{policies_};
    std::vector<std::unique_ptr<Peer>> peers_;  // by slot
    std::size_t tombstones_ = 0;
};

}  // namespace steelyard::bgp_rib
