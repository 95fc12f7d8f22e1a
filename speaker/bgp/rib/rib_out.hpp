#pragma once

#include "common/net/prefix.hpp"
#include "common/wire/writer.hpp"
#include "speaker/bgp/rib/route.hpp"
#include "speaker/bgp/rib/session_view.hpp"

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>

// Adj-RIB-Out of all peers in one: every route once, and one bit a route for each peer. Pull only:
// the driver asks for messages when a socket can take bytes, so what changes meanwhile is coalesced
// and a slow peer costs nothing. A peer is told only what differs from what it was told: no repeat
// of an identical route, no withdrawal of what it never had. README.md tells how it is kept.
//
// A RibOut starts held. Between sessions a peer is removed; each session is a new PeerId. Sequences
// are the caller's, not falling.
namespace steelyard::bgp_rib {

enum class PeerId : std::uint32_t {};

class RibOut {
public:
    RibOut();
    ~RibOut();
    RibOut(const RibOut&) = delete;
    RibOut& operator=(const RibOut&) = delete;

    void apply(const Changes& changes, std::uint64_t sequence);

    // While held nothing goes out, End-of-RIB neither. Release after the first complete plan.
    void hold();
    void release();

    [[nodiscard]] PeerId add_peer(SessionView session);
    void remove_peer(PeerId peer);
    // Our addresses on a session changed while it lives; meanings as in SessionView. A family whose
    // next hop is another one goes out again, one that lost it is withdrawn, one that got its first
    // is announced.
    void set_next_hops(
        PeerId peer,
        std::optional<net::IpAddress> v4,
        std::optional<net::IpAddress> v6,
        std::optional<net::IpAddress> link_local
    );

    // Whether write may have bytes for this peer. It may turn out to have none (routes that need
    // not be told after all); then this is false afterwards.
    [[nodiscard]] bool pending(PeerId peer) const;
    // Appends whole messages until soft_limit bytes are passed by the last of them or the peer is
    // in sync; returns the bytes appended. What is appended counts as sent. With each family's
    // initial table done follows End-of-RIB (RFC 4724), also for a family that was negotiated but
    // cannot be sent.
    std::size_t write(PeerId peer, wire::Writer& out, std::size_t soft_limit);

    // Everything of the family again (RFC 2918), between begin and end marks where negotiated
    // (7313).
    void refresh(PeerId peer, net::Family family);
    // Marks all routes for graceful shutdown (RFC 8326), or no longer; each goes out once more. For
    // all peers, later ones too, or for one. Either suffices.
    void set_graceful_shutdown(bool on);
    void set_graceful_shutdown(PeerId peer, bool on);
    // Withdraws what was announced and announces nothing more until `resume`. For all peers or for
    // one; resume() takes back both.
    void withdraw_all();
    void withdraw_all(PeerId peer);
    void resume();
    void resume(PeerId peer);

    // All changes up to this sequence were written or replaced by later ones. Never falls.
    [[nodiscard]] std::uint64_t synced(PeerId peer) const;
    // Prefixes the peer has from us.
    [[nodiscard]] std::size_t prefixes(PeerId peer) const;
    [[nodiscard]] std::size_t prefixes(PeerId peer, net::Family family) const;
    [[nodiscard]] bool announced(PeerId peer, const net::Prefix& prefix) const;
    [[nodiscard]] std::optional<Unsendable> unsendable(PeerId peer, net::Family family) const;
    // Times a set of attributes came up that alone fills a message, so its routes are not sent.
    [[nodiscard]] std::uint64_t too_long(PeerId peer) const;

    struct Figures {
        std::size_t routes = 0;
        std::size_t tombstones = 0;      // removed, but not every peer was told
        std::size_t attribute_sets = 0;  // distinct
        std::size_t shared_bytes = 0;    // routes, index, what lagging peers were told
        std::size_t peer_bytes = 0;      // bits of all peers
    };
    [[nodiscard]] Figures figures() const;

private:
    struct State;
    std::unique_ptr<State> state_;
};

}  // namespace steelyard::bgp_rib
