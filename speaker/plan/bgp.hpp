#pragma once

#include "speaker/plan/plan.hpp"
#include "speaker/plan/snapshot.hpp"

#include <compare>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

// Which routes this node announces by BGP, to which of its peers with which attributes, and for
// each address without a route why. Every node decides for itself: there is no election. MetalLB's
// rules (bgp_controller.go): an advertisement of the address's pool includes this node and the
// Service, something serves it (with policy Local: on this node), and nothing keeps the node out.
namespace steelyard::speaker_plan {

// What nobody sets is absent.
struct BgpAttributes {
    std::optional<std::uint32_t> local_pref;
    std::optional<std::uint32_t> med;
    std::uint32_t prepend = 0;  // times the own AS number is added in front
    config::Communities communities;
    // Local ready endpoints of the Services behind the prefix, at least 1; absent: not asked for.
    std::optional<std::uint32_t> link_bandwidth_weight;
    friend auto operator<=>(const BgpAttributes&, const BgpAttributes&) = default;
};

struct BgpPath {
    std::vector<std::string> peers;  // sorted; empty: every peer that no path before this one names
    BgpAttributes attributes;
    friend bool operator==(const BgpPath&, const BgpPath&) = default;
};
using BgpPaths = std::vector<BgpPath>;  // the one for all peers is the last

// Where a prefix goes, and since when.
class BgpRoute {
public:
    // `paths` is never null. As of the BgpChanges::sequence.
    BgpRoute(std::shared_ptr<const BgpPaths> paths, std::uint64_t sequence);
    void set(std::shared_ptr<const BgpPaths> paths, std::uint64_t sequence);

    // Shared by all routes that are announced alike.
    [[nodiscard]] const std::shared_ptr<const BgpPaths>& paths() const { return paths_; }
    [[nodiscard]] bool goes_to(const std::string& peer) const;
    // The sequence of the change that sent the prefix to this peer, which it goes to; what has been
    // said of it there since does not count.
    [[nodiscard]] std::uint64_t since(const std::string& peer) const;

    // The same to the same peers; since when does not count.
    friend bool operator==(const BgpRoute& a, const BgpRoute& b) { return *a.paths_ == *b.paths_; }

private:
    std::shared_ptr<const BgpPaths> paths_;
    std::uint64_t since_;
    std::vector<std::pair<std::string, std::uint64_t>> longer_;  // who had it before `since_`
};

// Why an address has no route from this node, in the order of asking.
enum class BgpWhyNot : std::uint8_t {
    NoConfig,            // no valid configuration was read yet
    NoAddress,           // the Service has no address
    NotInPool,           // no IPAddressPool contains it
    NoAdvertisement,     // no BGPAdvertisement covers its pool and Service
    NotSelected,         // those that do select other nodes
    NoPeer,              // no BGPPeer runs on this node that they name
    NetworkUnavailable,  // the node's condition
    ExcludedByLabel,     // node.kubernetes.io/exclude-from-external-load-balancers
    NoEndpoints,         // nothing serves it anywhere
    NoLocalEndpoints,    // policy Local, and nothing on this node serves it
    NotServable,         // this node's kernel does not forward it (yet)
    Conflict,            // its advertisements contradict each other for one prefix and peer
};
[[nodiscard]] std::string_view to_string(BgpWhyNot why_not);  // "noLocalEndpoints", as MetalLB's
[[nodiscard]] std::string_view sentence(BgpWhyNot why_not);

struct BgpAddress {
    net::IpAddress address;
    std::vector<net::Prefix> prefixes;  // the routes it is part of, sorted
    std::optional<BgpWhyNot> why_not;   // set when there are none
    friend bool operator==(const BgpAddress&, const BgpAddress&) = default;
};

// Two advertisements that tell one peer different things of one prefix: a mistake of the user,
// found at run time because serviceSelectors decide who meets whom.
struct BgpConflict {
    net::Prefix prefix;
    std::string attribute;  // localPref, med or asPathPrepend
    std::string first;      // BGPAdvertisements, by name
    std::string second;
    friend bool operator==(const BgpConflict&, const BgpConflict&) = default;
};
[[nodiscard]] std::string to_string(const BgpConflict& conflict);

// What the plan says of one Service of ours.
struct BgpService {
    std::vector<BgpAddress> addresses;   // sorted; none: the Service has none
    std::vector<BgpConflict> conflicts;  // prefixes withheld

    [[nodiscard]] bool announced() const;  // any address has a route
    friend bool operator==(const BgpService&, const BgpService&) = default;
};
using BgpServiceRef = std::shared_ptr<const BgpService>;

struct BgpPlan {
    std::map<net::Prefix, BgpRoute> routes;
    std::map<kube::ObjectKey, BgpServiceRef> services;  // never null
    std::vector<std::string> peers;                     // active on this node, sorted
    bool draining = false;  // routes stay, as worse ones; the BGP driver sees to it
};

// What became different. The first changes of a planner hold the whole plan.
struct BgpChanges {
    struct Upsert {
        net::Prefix prefix;
        std::shared_ptr<const BgpPaths> paths;
    };
    struct Service {  // null: was or is none of ours
        kube::ObjectKey key;
        BgpServiceRef before;
        BgpServiceRef after;
    };
    std::uint64_t sequence = 0;  // counts the updates that changed routes; from 1
    std::vector<Upsert> upsert;
    std::vector<net::Prefix> remove;
    std::vector<Service> services;

    [[nodiscard]] bool changes_routes() const { return !upsert.empty() || !remove.empty(); }
};

[[nodiscard]] BgpPlan bgp_plan(const Snapshot& snapshot);
// The difference as RIB changes; `services` stays empty.
[[nodiscard]] BgpChanges diff(const BgpPlan& before, const BgpPlan& after);

// The configured peers whose node selectors match this node; they live as long as the
// configuration. None while the node is unknown.
[[nodiscard]] std::vector<const config::BgpPeer*> active_peers(const Snapshot& snapshot);

// What to say on the Services whose routes came, or that a mistake keeps without: MetalLB's
// nodeAssigned with protocol "bgp" and announceFailed, only on change.
[[nodiscard]] std::vector<Event> bgp_events(
    const std::string& node_name, const BgpChanges& changes
);

// Nothing when no Service of ours has the address. Lines of text, each ended by "\n".
[[nodiscard]] std::optional<std::string> explain_bgp(
    const BgpPlan& plan, const net::IpAddress& address
);

}  // namespace steelyard::speaker_plan
