#include "speaker/io/bgp/driver_impl.hpp"

#include <utility>
#include <variant>

namespace steelyard::io {
namespace {

std::string families(const bgp::Negotiated& negotiated) {
    if (negotiated.v4 && negotiated.v6) {
        return "IPv4 and IPv6";
    }
    return negotiated.v4 ? "IPv4" : "IPv6";
}

}  // namespace

// `actions` is what one event led to. Links that got something to send send it afterwards, when the
// peer's own bookkeeping is done.
void BgpDriver::Impl::obey(const BgpPeerPtr& peer, bgp::Actions& actions) {
    for (const bgp::Action& action : actions) {
        std::visit([&](const auto& order) { on_action(*peer, order); }, action);
    }
    for (const auto& [id, link] : snapshot(peer->links)) {
        pump(link);
    }
    rearm();
}

void BgpDriver::Impl::on_action(BgpPeer& peer, const bgp::Dial& order) {
    const auto link = std::make_shared<Link>(executor_, order.id, &peer);
    peer.links.emplace(order.id, link);
    tasks_.spawn("bgp dial", dial(link, order.remote));
}

void BgpDriver::Impl::on_action(BgpPeer& peer, const bgp::Send& order) {
    if (const auto found = peer.links.find(order.id); found != peer.links.end()) {
        Link& link = *found->second;
        link.out.insert(link.out.end(), order.bytes.begin(), order.bytes.end());
    }
}

void BgpDriver::Impl::on_action(BgpPeer& peer, const bgp::Close& order) {
    if (const auto found = peer.links.find(order.id); found != peer.links.end()) {
        release(snapshot(found->second), order.flush);
    }
}

void BgpDriver::Impl::on_action(BgpPeer& peer, const bgp::Established& news) {
    const auto found = peer.links.find(news.id);
    if (found == peer.links.end()) {
        return;
    }
    peer.session = found->second;
    peer.ends = news.endpoints;
    join_rib(peer);
    const bgp::PeerConfig& config = peer.core.config();
    if (!config.address) {
        neighbours_.set_in_use(config.interface, true);
    }
    log(Level::Info,
        "peer " + config.name + ": established with " + to_string(news.endpoints.remote) + ", AS " +
            std::to_string(news.negotiated.remote_asn) + ", " + families(news.negotiated));
    status_changed();
}

void BgpDriver::Impl::on_action(BgpPeer& peer, const bgp::Down& news) {
    if (peer.session && peer.session->id == news.id) {
        drop_routes(*peer.session);
        leave_rib(peer);
        peer.session.reset();
        peer.ends.reset();
        if (!peer.core.config().address) {
            neighbours_.set_in_use(peer.core.config().interface, false);
        }
    }
    status_changed();
}

void BgpDriver::Impl::on_action(BgpPeer& peer, const bgp::Refresh& order) {
    if (peer.rib) {
        rib_.refresh(*peer.rib, order.family);
    }
}

void BgpDriver::Impl::on_action(BgpPeer& peer, const bgp::StateChanged& news) {
    (void)news;
    peer.since = bgp_clock_now();
    status_changed();
}

void BgpDriver::Impl::on_action(BgpPeer& peer, const bgp::TroubleChanged& news) {
    if (news.news && news.trouble) {
        log(Level::Warning, "peer " + peer.core.config().name + ": " + news.trouble->text);
    }
    status_changed();
}

void BgpDriver::Impl::on_action(BgpPeer& peer, const bgp::Notice& news) {
    log(Level::Info, "peer " + peer.core.config().name + ": " + news.text);
}

void BgpDriver::Impl::join_rib(BgpPeer& peer) {
    const bgp::Negotiated* negotiated = peer.core.negotiated();
    if (negotiated == nullptr || !peer.ends) {
        return;
    }
    const bgp::PeerConfig& config = peer.core.config();
    peer.hops = next_hops(
        peer.ends->local.address,
        peer.ends->remote.address,
        config.interface,
        config.multihop,
        *negotiated,
        interfaces_
    );
    bgp_rib::SessionView view;
    view.peer = config.name;
    view.ibgp = negotiated->ibgp;
    view.local_asn = negotiated->local_asn;
    view.as4 = negotiated->as4;
    view.v4 = negotiated->v4;
    view.v6 = negotiated->v6;
    view.v4_over_v6 = negotiated->v4_over_v6;
    view.enhanced_refresh = negotiated->enhanced_refresh;
    view.max_message = negotiated->max_message();
    view.next_hop_v4 = peer.hops.v4;
    view.next_hop_v6 = peer.hops.v6;
    view.next_hop_link_local = peer.hops.link_local;
    view.default_local_pref = options_.default_local_pref;
    view.role = negotiated->role;
    peer.rib = rib_.add_peer(std::move(view));
    peer.in_sync = false;
}

void BgpDriver::Impl::leave_rib(BgpPeer& peer) {
    if (peer.rib) {
        rib_.remove_peer(*peer.rib);
        peer.rib.reset();
    }
    peer.in_sync = false;
    peer.synced = 0;
    peer.hops = {};
}

// Rather than wait for the hold time to pass.
void BgpDriver::Impl::end_if_cut_off(
    const BgpPeerPtr& peer, const std::vector<net::Interface>& before
) {
    const bgp::Negotiated* negotiated = peer->core.negotiated();
    if (negotiated == nullptr || !peer->session || !peer->ends || stopping_) {
        return;
    }
    const std::string why =
        cut_off(peer->core.config(), *peer->ends, negotiated->ibgp, before, interfaces_);
    if (!why.empty()) {
        lose(snapshot(peer->session), why);
    }
}

void BgpDriver::Impl::review_next_hops(const BgpPeerPtr& peer) {
    const bgp::Negotiated* negotiated = peer->core.negotiated();
    if (!peer->rib || !peer->ends || negotiated == nullptr || stopping_) {
        return;
    }
    const bgp::PeerConfig& config = peer->core.config();
    const NextHops next = next_hops(
        peer->ends->local.address,
        peer->ends->remote.address,
        config.interface,
        config.multihop,
        *negotiated,
        interfaces_
    );
    if (next != peer->hops) {
        rib_.set_next_hops(*peer->rib, next.v4, next.v6, next.link_local);
        peer->hops = next;
        status_changed();
        pump(snapshot(peer->session));
    }
}

// What is in the buffer yet, the socket was not handed.
std::uint64_t BgpDriver::Impl::sent_up_to(const BgpPeer& peer) const {
    const bool all_left = peer.session && peer.session->out.empty();
    return all_left && peer.rib ? rib_.synced(*peer.rib) : peer.synced;
}

void BgpDriver::Impl::note_sync(BgpPeer& peer) {
    if (!peer.rib || !peer.session || !planned_) {
        return;
    }
    const bool in_sync = peer.session->out.empty() && !rib_.pending(*peer.rib);
    const std::uint64_t synced = sent_up_to(peer);
    if (in_sync != peer.in_sync || (in_sync && (peer.told_more || synced != peer.synced))) {
        peer.told_more = !in_sync;
        peer.in_sync = in_sync;
        peer.synced = synced;
        if (in_sync) {
            // All we know is told: from here on a lost session is an ordinary one (RFC 4724 4.1).
            peer.core.restart_done();
        }
        status_changed();
        stop_timer_.cancel();
    }
}

}  // namespace steelyard::io
