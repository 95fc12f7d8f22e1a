#include "speaker/bgp/rib/rib_out.hpp"

#include "common/base/check.hpp"
#include "speaker/bgp/rib/family_rib.hpp"
#include "speaker/bgp/rib/policies.hpp"
#include "speaker/bgp/wire/route_refresh.hpp"
#include "speaker/bgp/wire/update_pack.hpp"

#include <algorithm>
#include <array>
#include <utility>
#include <vector>

namespace steelyard::bgp_rib {
namespace {

constexpr std::array kFamilies{net::Family::V4, net::Family::V6};

std::size_t index_of(net::Family family) {
    return family == net::Family::V4 ? 0 : 1;
}

// The marks that surround a family's table on one session.
struct Marks {
    bool negotiated = false;
    std::optional<Unsendable> unsendable;
    bool initial_done = false;  // End-of-RIB was sent
    bool refresh_wanted = false;
    bool refreshing = false;  // the begin of a refresh was marked, its end not
};

struct PeerState {
    SessionView session;
    bool shutdown = false;
    bool withdrawn = false;
    std::uint64_t synced = 0;  // at least
    std::size_t first_family = 0;
    std::array<Marks, 2> marks;
};

// Consecutive routes mostly have one of few path lists: those of this call, found without a search
// by value. Views the changes.
class RecentPaths {
public:
    explicit RecentPaths(Policies& policies) : policies_(policies) {}
    RecentPaths(const RecentPaths&) = delete;
    RecentPaths& operator=(const RecentPaths&) = delete;
    ~RecentPaths() {
        for (const Entry& entry : entries_) {
            policies_.release(entry.list);
        }
    }

    std::uint32_t list_of(const std::vector<Path>& paths) {
        for (const Entry& entry : entries_) {
            if (entry.paths != nullptr && *entry.paths == paths) {
                return entry.list;
            }
        }
        Entry& entry = entries_[next_];
        next_ = (next_ + 1) % entries_.size();
        policies_.release(entry.list);
        entry = {&paths, policies_.add(paths)};
        return entry.list;
    }

private:
    struct Entry {
        const std::vector<Path>* paths = nullptr;
        std::uint32_t list = kWithdrawn;
    };
    Policies& policies_;
    std::array<Entry, 8> entries_;
    std::size_t next_ = 0;
};

}  // namespace

struct RibOut::State {
    Policies policies;
    std::array<FamilyRib, 2> families{
        FamilyRib(net::Family::V4, policies), FamilyRib(net::Family::V6, policies)};
    std::vector<std::unique_ptr<PeerState>> peers;  // by id
    std::uint64_t last_sequence = 0;
    bool held = true;
    bool shutdown = false;
    bool withdrawn = false;

    FamilyRib& family(const net::Prefix& prefix) {
        return families[index_of(prefix.address().family())];
    }
    PeerState& peer(PeerId id) const {
        const auto slot = static_cast<std::uint32_t>(id);
        SY_CHECK(slot < peers.size() && peers[slot], "no such peer");
        return *peers[slot];
    }
    std::uint64_t synced(std::uint32_t slot) const {
        std::uint64_t found = last_sequence;
        for (const FamilyRib& family : families) {
            if (const auto earliest = family.earliest(slot)) {
                found = std::min(found, *earliest == 0 ? 0 : *earliest - 1);
            }
        }
        return std::max(found, peers[slot]->synced);
    }
    void settle_modes(std::uint32_t slot) {
        PeerState& peer = *peers[slot];
        peer.synced = synced(slot);
        for (std::size_t family = 0; family < families.size(); ++family) {
            const bool unsendable = peer.marks[family].unsendable.has_value();
            families[family].set_shutdown(slot, shutdown || peer.shutdown);
            families[family].set_withdrawn(slot, withdrawn || peer.withdrawn || unsendable);
        }
    }
    void settle_modes() {
        for (std::uint32_t slot = 0; slot < peers.size(); ++slot) {
            if (peers[slot]) {
                settle_modes(slot);
            }
        }
    }
    void begin_refresh(std::uint32_t slot, std::size_t family, wire::Writer& out);
    void end_marks(std::uint32_t slot, std::size_t family, wire::Writer& out);
};

// A refresh waits for the initial table's end, so begin and end marks never surround part of it.
void RibOut::State::begin_refresh(std::uint32_t slot, std::size_t family, wire::Writer& out) {
    PeerState& peer = *peers[slot];
    Marks& marks = peer.marks[family];
    if (!marks.refresh_wanted || !marks.initial_done) {
        return;
    }
    marks.refresh_wanted = false;
    peer.synced = synced(slot);
    families[family].refresh(slot);
    if (peer.session.enhanced_refresh) {
        using Kind = bgp_wire::RouteRefresh::Kind;
        bgp_wire::encode_route_refresh(out, {kFamilies[family], Kind::Begin});
        marks.refreshing = true;
    }
}

void RibOut::State::end_marks(std::uint32_t slot, std::size_t family, wire::Writer& out) {
    Marks& marks = peers[slot]->marks[family];
    // Not before routes that changed meanwhile went out too: the peer drops what it then has not
    // heard again (RFC 4724 4.1, RFC 7313 4).
    if (!marks.initial_done && !families[family].pending(slot)) {
        bgp_wire::encode_end_of_rib(out, kFamilies[family]);
        marks.initial_done = true;
    }
    if (marks.refreshing && families[family].refreshed(slot)) {
        using Kind = bgp_wire::RouteRefresh::Kind;
        bgp_wire::encode_route_refresh(out, {kFamilies[family], Kind::End});
        marks.refreshing = false;
    }
}

RibOut::RibOut() : state_(std::make_unique<State>()) {}
RibOut::~RibOut() = default;

void RibOut::apply(const Changes& changes, std::uint64_t sequence) {
    state_->last_sequence = std::max(state_->last_sequence, sequence);
    for (const net::Prefix& prefix : changes.remove) {
        state_->family(prefix).remove(prefix, state_->last_sequence);
    }
    RecentPaths recent(state_->policies);
    for (const Route& route : changes.upsert) {
        FamilyRib& family = state_->family(route.prefix);
        if (route.paths.empty()) {
            family.remove(route.prefix, state_->last_sequence);
        } else {
            family.upsert(route.prefix, recent.list_of(route.paths), state_->last_sequence);
        }
    }
}

void RibOut::hold() {
    state_->held = true;
}

void RibOut::release() {
    state_->held = false;
}

PeerId RibOut::add_peer(SessionView session) {
    State& state = *state_;
    const auto free = std::find(state.peers.begin(), state.peers.end(), nullptr);
    const auto slot = static_cast<std::uint32_t>(free - state.peers.begin());
    if (free == state.peers.end()) {
        state.peers.emplace_back();
    }
    state.peers[slot] = std::make_unique<PeerState>();
    PeerState& peer = *state.peers[slot];
    peer.session = std::move(session);
    state.policies.add_peer(slot, peer.session.peer);
    for (std::size_t family = 0; family < kFamilies.size(); ++family) {
        Marks& marks = peer.marks[family];
        auto choice = choose_next_hop(peer.session, kFamilies[family]);
        NextHop next_hop{{}, {}, bgp_wire::Nlri::Multiprotocol};
        if (const auto* const reason = std::get_if<Unsendable>(&choice)) {
            marks.unsendable = *reason;
        } else {
            next_hop = std::get<NextHop>(std::move(choice));
        }
        marks.negotiated = marks.unsendable != Unsendable::NotNegotiated;
        if (marks.negotiated) {
            // Without a next hop nothing is announced until set_next_hops brings one.
            const bool withdrawn = state.withdrawn || marks.unsendable;
            state.families[family].add_peer(
                slot, peer.session, std::move(next_hop), state.shutdown, withdrawn
            );
        }
    }
    return PeerId{slot};
}

void RibOut::set_next_hops(
    PeerId peer,
    std::optional<net::IpAddress> v4,
    std::optional<net::IpAddress> v6,
    std::optional<net::IpAddress> link_local
) {
    PeerState& reader = state_->peer(peer);
    const auto slot = static_cast<std::uint32_t>(peer);
    reader.synced = state_->synced(slot);
    reader.session.next_hop_v4 = v4;
    reader.session.next_hop_v6 = v6;
    reader.session.next_hop_link_local = link_local;
    for (std::size_t family = 0; family < kFamilies.size(); ++family) {
        Marks& marks = reader.marks[family];
        auto choice = choose_next_hop(reader.session, kFamilies[family]);
        marks.unsendable.reset();
        if (const auto* const reason = std::get_if<Unsendable>(&choice)) {
            marks.unsendable = *reason;  // the last next hop stays: withdrawals look like it
        } else {
            state_->families[family].set_next_hop(slot, std::get<NextHop>(std::move(choice)));
        }
    }
    state_->settle_modes(slot);
}

void RibOut::remove_peer(PeerId peer) {
    (void)state_->peer(peer);
    const auto slot = static_cast<std::uint32_t>(peer);
    for (FamilyRib& family : state_->families) {
        family.remove_peer(slot);
    }
    state_->policies.remove_peer(slot);
    state_->peers[slot].reset();
}

bool RibOut::pending(PeerId peer) const {
    const PeerState& reader = state_->peer(peer);
    const auto slot = static_cast<std::uint32_t>(peer);
    for (std::size_t family = 0; !state_->held && family < kFamilies.size(); ++family) {
        const Marks& marks = reader.marks[family];
        if (marks.negotiated && (state_->families[family].pending(slot) || !marks.initial_done ||
                                 marks.refresh_wanted || marks.refreshing)) {
            return true;
        }
    }
    return false;
}

std::size_t RibOut::write(PeerId peer, wire::Writer& out, std::size_t soft_limit) {
    PeerState& reader = state_->peer(peer);
    const auto slot = static_cast<std::uint32_t>(peer);
    const std::size_t start = out.size();
    const std::size_t limit = start + std::min(soft_limit, ~start);
    const std::size_t first = reader.first_family;
    for (std::size_t turn = 0; !state_->held && turn < kFamilies.size(); ++turn) {
        const std::size_t family = (first + turn) % kFamilies.size();
        const Marks& marks = reader.marks[family];
        if (!marks.negotiated) {
            continue;
        }
        do {
            state_->begin_refresh(slot, family, out);
            state_->families[family].write(slot, out, limit);
            state_->end_marks(slot, family, out);
        } while (marks.refresh_wanted && marks.initial_done && out.size() < limit);
        if (out.size() >= limit) {  // the other family begins next time
            reader.first_family = (family + 1) % kFamilies.size();
            break;
        }
    }
    reader.synced = state_->synced(slot);
    return out.size() - start;
}

void RibOut::refresh(PeerId peer, net::Family family) {
    state_->peer(peer).marks[index_of(family)].refresh_wanted = true;
}

void RibOut::set_graceful_shutdown(bool on) {
    state_->shutdown = on;
    state_->settle_modes();
}

void RibOut::set_graceful_shutdown(PeerId peer, bool on) {
    state_->peer(peer).shutdown = on;
    state_->settle_modes(static_cast<std::uint32_t>(peer));
}

void RibOut::withdraw_all() {
    state_->withdrawn = true;
    state_->settle_modes();
}

void RibOut::withdraw_all(PeerId peer) {
    state_->peer(peer).withdrawn = true;
    state_->settle_modes(static_cast<std::uint32_t>(peer));
}

void RibOut::resume() {
    state_->withdrawn = false;
    for (const auto& peer : state_->peers) {
        if (peer) {
            peer->withdrawn = false;
        }
    }
    state_->settle_modes();
}

void RibOut::resume(PeerId peer) {
    state_->peer(peer).withdrawn = false;
    state_->settle_modes(static_cast<std::uint32_t>(peer));
}

std::uint64_t RibOut::synced(PeerId peer) const {
    (void)state_->peer(peer);
    return state_->synced(static_cast<std::uint32_t>(peer));
}

std::size_t RibOut::prefixes(PeerId peer) const {
    return prefixes(peer, net::Family::V4) + prefixes(peer, net::Family::V6);
}

std::size_t RibOut::prefixes(PeerId peer, net::Family family) const {
    (void)state_->peer(peer);
    return state_->families[index_of(family)].prefixes(static_cast<std::uint32_t>(peer));
}

bool RibOut::announced(PeerId peer, const net::Prefix& prefix) const {
    (void)state_->peer(peer);
    return state_->family(prefix).announced(static_cast<std::uint32_t>(peer), prefix);
}

std::optional<Unsendable> RibOut::unsendable(PeerId peer, net::Family family) const {
    return state_->peer(peer).marks[index_of(family)].unsendable;
}

std::uint64_t RibOut::too_long(PeerId peer) const {
    (void)state_->peer(peer);
    std::uint64_t times = 0;
    for (const FamilyRib& family : state_->families) {
        times += family.too_long(static_cast<std::uint32_t>(peer));
    }
    return times;
}

RibOut::Figures RibOut::figures() const {
    Figures out;
    out.attribute_sets = state_->policies.attribute_sets();
    for (const FamilyRib& family : state_->families) {
        out.routes += family.routes();
        out.tombstones += family.tombstones();
        out.shared_bytes += family.shared_bytes();
        out.peer_bytes += family.peer_bytes();
    }
    return out;
}

}  // namespace steelyard::bgp_rib
