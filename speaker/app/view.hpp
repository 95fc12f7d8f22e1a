#pragma once

#include "common/net/interface.hpp"
#include "speaker/app/node_meta/node_meta.hpp"
#include "speaker/app/wire_side.hpp"
#include "speaker/gossip/member.hpp"
#include "speaker/health/proxy_health.hpp"
#include "speaker/l2/announcements.hpp"
#include "speaker/l2/eligibility.hpp"
#include "speaker/plan/plan.hpp"
#include "speaker/plan/snapshot.hpp"
#include "speaker/ring/config.hpp"

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

// Conversions between what the rooms of the speaker say about the same thing; pure. Sibling rooms
// do not know each other, so they meet here.
namespace steelyard::speaker {

// Members as election sees them.
[[nodiscard]] std::vector<speaker_plan::MemberView> member_views(const Sight& sight);
// Nodes whose endpoints leave rotation: those that gossip has declared dead or whose watchers say
// that they are unreachable. None when several are gone and nobody else is left: then it is this
// node, or gossip itself, that is cut off.
[[nodiscard]] std::set<std::string, std::less<>> dead_nodes(
    const Sight& sight, const std::string& self
);
// What this node says of itself, as the others see it now; nothing before gossip told.
[[nodiscard]] std::optional<NodeMeta> told_of(const Sight& sight, const std::string& name);
// Whether gossip knows a live member beside `self`.
[[nodiscard]] bool has_company(const Sight& sight, const std::string& self);
// Whether anybody but `self` is settled for longer than a moment, and so has addresses to keep.
[[nodiscard]] bool has_keepers(const Sight& sight, const std::string& self);
// The live members that take part in the watch ring, but for `self`; by name.
[[nodiscard]] std::vector<ring::Peer> ring_peers(
    const std::vector<gossip::Member>& members, const std::string& self
);
// The interfaces of this node that announce when they are up, for its own meta.
[[nodiscard]] std::vector<NodeMeta::Interface> told_interfaces(
    const std::vector<net::Interface>& interfaces, const l2::NameExclusions& exclusions
);
// Fingerprints, sorted, of those addresses that the plan announces somewhere.
[[nodiscard]] std::vector<std::uint32_t> fingerprints(
    const std::set<net::IpAddress>& addresses, const speaker_plan::Announcements& plan
);
// What decides whether load balancers may send this node traffic; null: there is no such Node.
[[nodiscard]] health::NodeFacts node_facts(const kube::Node* node);
// The node's first address of each family: its InternalIPs, else ExternalIPs, else any; only those
// that its interfaces have.
[[nodiscard]] std::map<net::Family, net::IpAddress> primary_addresses(
    const kube::Node* node, const std::vector<net::IpAddress>& present
);
// Where ClusterIPs come from: the ServiceCIDRs that are ready and those of the command line.
[[nodiscard]] std::vector<net::Prefix> service_ranges(
    const speaker_plan::Objects<kube::ServiceCidr>& objects, const std::vector<net::Prefix>& more
);
// Interfaces an address may be announced on.
[[nodiscard]] std::vector<speaker_plan::LocalInterface> local_interfaces(
    const std::vector<net::Interface>& interfaces, const l2::NameExclusions& exclusions
);
// Addresses on which NodePorts answer: every address of the node but loopback and link-local ones.
[[nodiscard]] std::vector<net::IpAddress> node_addresses(
    const std::vector<net::Interface>& interfaces
);
// What this node answers ARP and NDP for. An address that was answered for and is another live
// node's now goes on being answered for until that node is heard (l2::Role::Yield).
// `last` and `before`: the plan that was in force, and what it came to here. What one of the `live`
// other nodes owned then is taken over gently (l2::Announcement::relieves).
[[nodiscard]] l2::Announcements announced_here(
    const speaker_plan::Announcements& plan,
    const speaker_plan::Announcements& last,
    const l2::Announcements& before,
    const std::set<std::string, std::less<>>& live,
    bool echo
);
// The other nodes that answer, as far as anybody knows.
[[nodiscard]] std::set<std::string, std::less<>> live_others(
    const Sight& sight, const std::string& self
);
// Where the other speakers' pods are: whom to gossip with.
[[nodiscard]] std::vector<net::Endpoint> gossip_peers(
    const speaker_plan::Objects<kube::Pod>& pods, const net::IpAddress& self, std::uint16_t port
);

}  // namespace steelyard::speaker
