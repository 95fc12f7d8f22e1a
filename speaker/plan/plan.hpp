#pragma once

#include "common/net/mac.hpp"
#include "speaker/elect/elect.hpp"
#include "speaker/plan/snapshot.hpp"

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

// Which addresses this node announces by ARP and NDP, on which interfaces, and why the others are
// not announced. MetalLB's rules, applied per address instead of per Service: the families of a
// dual-stack Service may live on two nodes, and Services that share an address agree by
// construction. Every node computes the owner of every address from the same facts.
namespace steelyard::speaker_plan {

// Why an address is announced by nobody, or not by the node that owns it.
enum class WhyNot : std::uint8_t {
    NoConfig,         // no valid configuration was read yet
    NoAddress,        // the Service has no address
    NotInPool,        // no IPAddressPool contains it
    NoAdvertisement,  // no L2Advertisement covers its pool and Service
    OnlyBgp,          // the same, but a BGPAdvertisement does: bgp.hpp tells the rest
    NoEndpoints,      // nothing serves it anywhere
    NoCandidate,      // no node may announce it; Reasons has the nodes' reasons
    NotServable,      // this node owns it, but its kernel does not forward it yet
    NoInterface,      // this node owns it, but no allowed interface is usable here
};
[[nodiscard]] std::string_view to_string(WhyNot why_not);  // "noEndpoints"

struct Reasons {
    WhyNot why_not = WhyNot::NoAddress;
    std::map<elect::Reason, std::size_t> excluded;  // NoCandidate: nodes by reason
    friend bool operator==(const Reasons&, const Reasons&) = default;
};
// One sentence for people.
[[nodiscard]] std::string to_string(const Reasons& reasons);

struct AddressPlan {
    std::vector<kube::ObjectKey> services;  // that have this address, in key order
    // Those among them that share it without being announced: no serving endpoint of its family,
    // or no advertisement of their own.
    std::vector<kube::ObjectKey> passengers;
    std::optional<std::string> owner;     // the node elected to announce it
    bool mine = false;                    // this node is the owner
    bool announced_here = false;          // mine, servable, and an interface is there
    std::vector<std::string> interfaces;  // of this node, allowed and usable; sorted
    bool every_interface = false;         // mine, and no advertisement restricts the interfaces
    std::optional<Reasons> reasons;       // set when the owner does not, or nobody announces it

    // Whether the Service is announced by this address, rather than a passenger of it.
    [[nodiscard]] bool carries(const kube::ObjectKey& service) const;
    friend bool operator==(const AddressPlan&, const AddressPlan&) = default;
};

struct Announcements {
    elect::Order order = elect::Order::MetalLb;
    std::map<net::IpAddress, AddressPlan> addresses;
    // Our Services none of whose addresses is announced, as far as this node knows. Those that are
    // only for BGP are not among them.
    std::map<kube::ObjectKey, Reasons> silent;
    friend bool operator==(const Announcements&, const Announcements&) = default;
};

[[nodiscard]] Announcements plan(const Snapshot& snapshot);

// Who may announce one address, in order, and why every other node may not.
struct Explanation {
    struct Excluded {
        std::string node;
        elect::Reason reason = elect::Reason::NotAlive;
        friend bool operator==(const Excluded&, const Excluded&) = default;
    };
    net::IpAddress address;
    elect::Order order = elect::Order::MetalLb;
    AddressPlan plan;
    std::vector<std::string> candidates;  // the owner, then who would follow, best first
    std::vector<Excluded> excluded;       // by node name
    std::string bgp;                      // what explain_bgp() says; "" where nobody configured BGP
    friend bool operator==(const Explanation&, const Explanation&) = default;
};
// Nothing when no Service of ours has the address.
[[nodiscard]] std::optional<Explanation> explain(
    const Snapshot& snapshot, const net::IpAddress& address
);
// Lines of text, each ended by "\n".
[[nodiscard]] std::string to_string(const Explanation& explanation);

// MetalLB's event reasons, and one of ours.
inline constexpr std::string_view kNodeAssigned = "nodeAssigned";
inline constexpr std::string_view kAnnounceFailed = "announceFailed";
inline constexpr std::string_view kAddressConflict = "addressConflict";

struct Event {
    kube::ObjectKey service;
    bool warning = false;
    std::string reason;
    std::string message;
    friend bool operator==(const Event&, const Event&) = default;
};
// What to say about the Services whose announcement from this node is new or newly fails (once a
// Service, whatever its number of addresses), and about those that no node announces because the
// configuration lacks something.
[[nodiscard]] std::vector<Event> events_between(
    const std::string& node_name, const Announcements& before, const Announcements& after
);

// Another machine that answers for an address which this node announces. How long one that is
// heard no more counts is the caller's decision.
struct Conflict {
    net::IpAddress ip;
    net::MacAddress mac;
    friend auto operator<=>(const Conflict&, const Conflict&) = default;
};
// One warning for each new conflict and each Service announced here by that address.
[[nodiscard]] std::vector<Event> conflict_events(
    const std::string& node_name,
    const Announcements& plan,
    const std::set<Conflict>& before,
    const std::set<Conflict>& after
);

}  // namespace steelyard::speaker_plan
