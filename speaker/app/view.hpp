#pragma once

#include "common/net/interface.hpp"
#include "speaker/app/options.hpp"
#include "speaker/gossip/member.hpp"
#include "speaker/l2/announcements.hpp"
#include "speaker/l2/eligibility.hpp"
#include "speaker/plan/plan.hpp"
#include "speaker/plan/snapshot.hpp"

#include <set>
#include <string>
#include <vector>

// Conversions between what the rooms of the speaker say about the same thing; pure. Sibling rooms
// do not know each other, so they meet here.
namespace steelyard::speaker {

// Members as election sees them.
[[nodiscard]] std::vector<speaker_plan::MemberView> member_views(
    const std::vector<gossip::Member>& members
);
// Nodes whose speaker gossip has declared dead: their endpoints leave rotation. None when several
// are dead and nobody else is left: then it is this node, or gossip itself, that is cut off.
[[nodiscard]] std::set<std::string, std::less<>> dead_nodes(
    const std::vector<gossip::Member>& members
);
// Interfaces an address may be announced on.
[[nodiscard]] std::vector<speaker_plan::LocalInterface> local_interfaces(
    const std::vector<net::Interface>& interfaces, const l2::NameExclusions& exclusions
);
// Addresses on which NodePorts answer: every address of the node but loopback and link-local ones.
[[nodiscard]] std::vector<net::IpAddress> node_addresses(
    const std::vector<net::Interface>& interfaces
);
// What this node answers ARP and NDP for.
[[nodiscard]] l2::Announcements announced_here(const speaker_plan::Announcements& plan);
// Addresses of the other speakers' pods: whom to gossip with.
[[nodiscard]] std::vector<net::IpAddress> gossip_peers(
    const speaker_plan::Objects<kube::Pod>& pods, const net::IpAddress& self
);

}  // namespace steelyard::speaker
