#include "speaker/app/view.hpp"

#include "speaker/app/node_meta/node_meta.hpp"

namespace steelyard::speaker {
namespace {

speaker_plan::MemberState state_of(gossip::MemberState state) {
    switch (state) {
        case gossip::MemberState::Alive:
            return speaker_plan::MemberState::Alive;
        case gossip::MemberState::Suspect:
            return speaker_plan::MemberState::Suspect;
        case gossip::MemberState::Dead:
        case gossip::MemberState::Left:
            return speaker_plan::MemberState::Left;
    }
    return speaker_plan::MemberState::Left;
}

}  // namespace

std::vector<speaker_plan::MemberView> member_views(const std::vector<gossip::Member>& members) {
    std::vector<speaker_plan::MemberView> views;
    for (const gossip::Member& member : members) {
        speaker_plan::MemberView view;
        view.name = member.name;
        view.state = state_of(member.state);
        if (const auto meta = decode_node_meta(member.meta)) {
            view.steelyard_capable = true;
            view.ready = meta->ready;
        }
        views.push_back(std::move(view));
    }
    return views;
}

std::set<std::string, std::less<>> dead_nodes(const std::vector<gossip::Member>& members) {
    std::set<std::string, std::less<>> nodes;
    std::size_t live = 0;  // this node included
    for (const gossip::Member& member : members) {
        live += member.is_live() ? 1U : 0U;
        if (member.state == gossip::MemberState::Dead) {
            nodes.insert(member.name);
        }
    }
    if (live <= 1 && nodes.size() > 1) {
        nodes.clear();
    }
    return nodes;
}

std::vector<speaker_plan::LocalInterface> local_interfaces(
    const std::vector<net::Interface>& interfaces, const l2::NameExclusions& exclusions
) {
    std::vector<speaker_plan::LocalInterface> out;
    for (const l2::Port& port : l2::eligible_ports(interfaces, exclusions)) {
        out.push_back({port.name, port.arp, port.ndp});
    }
    return out;
}

std::vector<net::IpAddress> node_addresses(const std::vector<net::Interface>& interfaces) {
    std::vector<net::IpAddress> out;
    for (const net::Interface& interface : interfaces) {
        for (const net::Interface::Address& address : interface.addresses) {
            if (!address.ip.is_loopback() && !address.ip.is_link_local()) {
                out.push_back(address.ip);
            }
        }
    }
    return out;
}

l2::Announcements announced_here(const speaker_plan::Announcements& plan) {
    l2::Announcements out;
    for (const auto& [address, entry] : plan.addresses) {
        if (entry.announced_here) {
            out.emplace(address, l2::Announcement{entry.interfaces});
        }
    }
    return out;
}

std::vector<net::IpAddress> gossip_peers(
    const speaker_plan::Objects<kube::Pod>& pods, const net::IpAddress& self
) {
    std::set<net::IpAddress> peers;
    for (const auto& [key, pod] : pods) {
        for (const net::IpAddress& address : pod->pod_ips) {
            // One address a pod: the one of the family we gossip over.
            if (address.family() == self.family() && address != self) {
                peers.insert(address);
                break;
            }
        }
    }
    return {peers.begin(), peers.end()};
}

}  // namespace steelyard::speaker
