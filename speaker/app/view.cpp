#include "speaker/app/view.hpp"

#include <algorithm>
#include <utility>

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

std::vector<speaker_plan::MemberView> member_views(const Sight& sight) {
    std::vector<speaker_plan::MemberView> views;
    views.reserve(sight.members.size());
    for (const gossip::Member& member : sight.members) {
        speaker_plan::MemberView view;
        view.name = member.name;
        view.state = state_of(member.state);
        if (member.is_live() && sight.unreachable.contains(member.name)) {
            view.state = speaker_plan::MemberState::Unreachable;
        }
        if (auto meta = decode_node_meta(member.meta)) {
            view.steelyard_capable = true;
            view.ready = meta->ready;
            view.draining = meta->draining;
            view.settling = meta->settling;
            view.unservable = std::move(meta->unservable);
            view.unservable_overflow = meta->unservable_overflow;
            if (meta->interfaces) {
                view.interfaces.emplace();
                for (NodeMeta::Interface& interface : *meta->interfaces) {
                    view.interfaces->push_back(
                        {std::move(interface.name), interface.arp, interface.ndp, interface.up}
                    );
                }
            }
        }
        views.push_back(std::move(view));
    }
    return views;
}

std::set<std::string, std::less<>> dead_nodes(const Sight& sight, const std::string& self) {
    std::set<std::string, std::less<>> nodes;
    std::size_t live = 0;  // this node included
    for (const gossip::Member& member : sight.members) {
        const bool unreachable =
            member.is_live() && member.name != self && sight.unreachable.contains(member.name);
        if (unreachable || member.state == gossip::MemberState::Dead) {
            nodes.insert(member.name);
        } else if (member.is_live()) {
            ++live;
        }
    }
    if (live <= 1 && nodes.size() > 1) {
        nodes.clear();
    }
    return nodes;
}

std::optional<NodeMeta> told_of(const Sight& sight, const std::string& name) {
    for (const gossip::Member& member : sight.members) {
        if (member.name == name) {
            return decode_node_meta(member.meta);
        }
    }
    return std::nullopt;
}

bool has_company(const Sight& sight, const std::string& self) {
    return std::any_of(
        sight.members.begin(),
        sight.members.end(),
        [&](const gossip::Member& member) { return member.is_live() && member.name != self; }
    );
}

bool has_keepers(const Sight& sight, const std::string& self) {
    return std::any_of(
        sight.members.begin(),
        sight.members.end(),
        [&](const gossip::Member& member) {
            const auto meta = decode_node_meta(member.meta);
            return member.is_live() && member.name != self && meta && meta->ready &&
                   !meta->draining && !meta->settling && !meta->founder;
        }
    );
}

std::vector<ring::Peer> ring_peers(
    const std::vector<gossip::Member>& members, const std::string& self
) {
    std::vector<ring::Peer> peers;
    for (const gossip::Member& member : members) {
        if (!member.is_live() || member.name == self) {
            continue;
        }
        const auto meta = decode_node_meta(member.meta);
        if (meta && meta->ring) {
            peers.push_back(
                {member.name, {member.address.address, meta->ring->port}, meta->ring->epoch}
            );
        }
    }
    std::sort(peers.begin(), peers.end(), [](const ring::Peer& a, const ring::Peer& b) {
        return a.name < b.name;
    });
    return peers;
}

std::vector<NodeMeta::Interface> told_interfaces(
    const std::vector<net::Interface>& interfaces, const l2::NameExclusions& exclusions
) {
    std::vector<NodeMeta::Interface> out;
    for (const net::Interface& interface : interfaces) {
        net::Interface as_if_up = interface;
        as_if_up.up = as_if_up.running = true;
        const l2::Eligibility eligible = l2::eligibility(as_if_up, exclusions);
        if (eligible.arp || eligible.ndp) {
            out.push_back(
                {interface.name, eligible.arp, eligible.ndp, interface.up && interface.running}
            );
        }
    }
    return out;
}

std::vector<std::uint32_t> fingerprints(
    const std::set<net::IpAddress>& addresses, const speaker_plan::Announcements& plan
) {
    std::set<std::uint32_t> found;
    for (const net::IpAddress& address : addresses) {
        if (plan.addresses.contains(address)) {
            found.insert(speaker_plan::address_fingerprint(address));
        }
    }
    return {found.begin(), found.end()};
}

health::NodeFacts node_facts(const kube::Node* node) {
    health::NodeFacts facts;
    if (node != nullptr) {
        facts.known = true;
        facts.deleting = node->meta.deletion_timestamp.has_value();
        for (const kube::Taint& taint : node->taints) {
            facts.taint_keys.push_back(taint.key);
        }
    }
    return facts;
}

std::map<net::Family, net::IpAddress> primary_addresses(
    const kube::Node* node, const std::vector<net::IpAddress>& present
) {
    std::map<net::Family, net::IpAddress> primary;
    // One that a router translates is no source for the node's own packets.
    const auto take = [&](const std::vector<net::IpAddress>& addresses) {
        for (const net::IpAddress& address : addresses) {
            if (std::ranges::find(present, address) != present.end()) {
                primary.emplace(address.family(), address);  // the first one stays
            }
        }
    };
    if (node != nullptr) {
        take(node->internal_ips);
        take(node->external_ips);
    }
    take(present);
    return primary;
}

std::vector<net::Prefix> service_ranges(
    const speaker_plan::Objects<kube::ServiceCidr>& objects, const std::vector<net::Prefix>& more
) {
    std::set<net::Prefix> ranges(more.begin(), more.end());
    for (const auto& [key, object] : objects) {
        if (object->ready) {
            ranges.insert(object->cidrs.begin(), object->cidrs.end());
        }
    }
    return {ranges.begin(), ranges.end()};
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

std::set<std::string, std::less<>> live_others(const Sight& sight, const std::string& self) {
    std::set<std::string, std::less<>> names;
    for (const gossip::Member& member : sight.members) {
        if (member.is_live() && member.name != self && !sight.unreachable.contains(member.name)) {
            names.insert(member.name);
        }
    }
    return names;
}

l2::Announcements announced_here(
    const speaker_plan::Announcements& plan,
    const speaker_plan::Announcements& last,
    const l2::Announcements& before,
    const std::set<std::string, std::less<>>& live,
    bool echo
) {
    l2::Announcements out;
    for (const auto& [address, entry] : plan.addresses) {
        const auto held = before.find(address);
        if (entry.announced_here) {
            l2::Announcement announced{entry.interfaces, l2::Role::Announce, echo};
            if (held != before.end() && held->second.role == l2::Role::Announce) {
                announced.relieves = held->second.relieves;
            } else if (const auto was = last.addresses.find(address);
                       held == before.end() && was != last.addresses.end()) {
                announced.relieves = was->second.owner.value_or("");
            }
            if (!live.contains(announced.relieves)) {
                announced.relieves.clear();
            }
            out.emplace(address, std::move(announced));
        } else if (entry.owner && !entry.mine) {
            if (held != before.end()) {
                l2::Announcement yielded = held->second;
                yielded.role = l2::Role::Yield;
                yielded.relieves.clear();
                out.emplace(address, std::move(yielded));
            }
        }
    }
    return out;
}

std::vector<net::Endpoint> gossip_peers(
    const speaker_plan::Objects<kube::Pod>& pods, const net::IpAddress& self, std::uint16_t port
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
    std::vector<net::Endpoint> endpoints;
    for (const net::IpAddress& peer : peers) {
        endpoints.push_back({peer, port});
    }
    return endpoints;
}

}  // namespace steelyard::speaker
