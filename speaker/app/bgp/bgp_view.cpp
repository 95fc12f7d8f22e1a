#include "speaker/app/bgp/bgp_view.hpp"

#include <algorithm>
#include <utility>

namespace steelyard::speaker {
namespace {

bgp::RemoteAs remote_as(const config::RemoteAs& wanted) {
    bgp::RemoteAs remote;
    remote.asn = wanted.asn;
    switch (wanted.kind) {
        case config::RemoteAs::Kind::Exactly:
            remote.kind = bgp::RemoteAs::Kind::Exactly;
            break;
        case config::RemoteAs::Kind::Internal:
            remote.kind = bgp::RemoteAs::Kind::Internal;
            break;
        case config::RemoteAs::Kind::External:
            remote.kind = bgp::RemoteAs::Kind::External;
            break;
    }
    return remote;
}

bgp::PeerConfig wire_peer(const config::BgpPeer& peer, std::uint32_t router_id) {
    bgp::PeerConfig wire;
    wire.name = peer.name;
    wire.local_asn = peer.local_asn;
    wire.remote_as = remote_as(peer.remote_as);
    wire.address = peer.address;
    wire.interface = peer.interface;
    wire.port = peer.port;
    wire.source = peer.source;
    wire.vrf = peer.vrf;
    wire.router_id = peer.router_id.value_or(router_id);
    wire.hold_time = peer.hold_time;
    wire.keepalive_time = peer.keepalive_time;
    wire.connect_time = peer.connect_time;
    wire.password = peer.password;
    wire.passive = peer.passive;
    wire.multihop = peer.multihop;
    wire.ttl_security_hops = peer.ttl_security_hops;
    const bool both = peer.dual_stack || !peer.address;
    wire.v4 = both || peer.address->is_v4();
    wire.v6 = both || !peer.address->is_v4();
    wire.graceful_restart = peer.graceful_restart;
    wire.restart_time = peer.restart_time;
    if (peer.role) {
        wire.role = static_cast<bgp_wire::Role>(*peer.role);  // both are RFC 9234's numbers
    }
    wire.bfd = !peer.bfd_profile.empty();
    return wire;
}

bfd::Profile wire_profile(const config::BfdProfile& profile) {
    bfd::Profile wire;
    wire.receive = profile.receive_interval;
    wire.transmit = profile.transmit_interval;
    wire.multiplier = profile.detect_multiplier;
    wire.echo = profile.echo;
    wire.echo_interval = profile.echo_interval;
    wire.passive = profile.passive;
    wire.minimum_ttl = profile.minimum_ttl;
    return wire;
}

bgp_rib::Attributes rib_attributes(const speaker_plan::BgpAttributes& planned) {
    bgp_rib::Attributes attributes;
    attributes.local_pref = planned.local_pref;
    attributes.med = planned.med;
    attributes.prepend = planned.prepend;
    attributes.communities = planned.communities.standard;
    for (const config::LargeCommunity& large : planned.communities.large) {
        attributes.large.push_back({large.global, large.data1, large.data2});
    }
    for (const config::ExtendedCommunity& extended : planned.communities.extended) {
        attributes.extended.push_back({extended.bytes});
    }
    attributes.link_bandwidth_weight = planned.link_bandwidth_weight;
    return attributes;
}

}  // namespace

std::uint32_t default_router_id(const kube::Node& node) {
    for (const net::IpAddress& address : node.internal_ips) {
        if (address.is_v4()) {
            return address.v4_host_order();
        }
    }
    std::uint32_t hash = 2166136261U;  // FNV-1a
    for (const char letter : node.meta.key.name) {
        hash = (hash ^ static_cast<unsigned char>(letter)) * 16777619U;
    }
    return std::max(hash, 1U);
}

BgpPeers wire_peers(
    const std::vector<const config::BgpPeer*>& peers,
    const config::Config& config,
    std::uint32_t router_id
) {
    BgpPeers wire;
    for (const config::BgpPeer* peer : peers) {
        wire.peers.push_back(wire_peer(*peer, router_id));
        if (const auto* profile = config.find_bfd_profile(peer->bfd_profile)) {
            wire.profiles.emplace(peer->name, wire_profile(*profile));
        }
    }
    return wire;
}

bgp_rib::Changes rib_changes(const speaker_plan::BgpChanges& changes) {
    bgp_rib::Changes out;
    out.remove = changes.remove;
    out.upsert.reserve(changes.upsert.size());
    for (const speaker_plan::BgpChanges::Upsert& upsert : changes.upsert) {
        bgp_rib::Route route;
        route.prefix = upsert.prefix;
        for (const speaker_plan::BgpPath& path : *upsert.paths) {
            route.paths.push_back({path.peers, rib_attributes(path.attributes)});
        }
        out.upsert.push_back(std::move(route));
    }
    return out;
}

}  // namespace steelyard::speaker
