#pragma once

#include "common/config/bgp.hpp"
#include "common/kube/model/bgp.hpp"
#include "common/kube/model/metallb.hpp"
#include "common/kube/model/resource.hpp"
#include "common/kube/model/steelyard.hpp"
#include "common/net/prefix.hpp"

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

// The user's configuration as both daemons use it: all metallb.io objects together, validated, with
// references resolved. Every object in a Config is right; parse() lists every mistake in the
// others. Immutable: daemons share it as shared_ptr<const Config>.
namespace steelyard::config {

struct Pool {
    std::string name;
    kube::Labels labels;
    std::vector<net::Range> ranges;  // in the order written; no two overlap, here or across pools
    bool auto_assign = true;
    bool avoid_buggy_ips = false;
    std::optional<kube::ServiceAllocation> service_allocation;  // set: the pool is pinned

    [[nodiscard]] bool contains(const net::IpAddress& address) const;
    friend bool operator==(const Pool&, const Pool&) = default;
};

// Whether a Service may get an address of this pool at all: its namespace is listed or selected
// (no namespace rule admits all), and its labels match a service selector (no selector admits all).
[[nodiscard]] bool admits(
    const Pool& pool,
    const std::string& service_namespace,
    const kube::Labels& namespace_labels,
    const kube::Labels& service_labels
);

struct L2Advertisement {
    std::string name;
    std::vector<std::string> pools;                   // resolved from names and selectors, sorted
    std::vector<kube::LabelSelector> node_selectors;  // OR; empty: all nodes
    std::vector<std::string> interfaces;              // empty: all interfaces
    std::vector<kube::LabelSelector> service_selectors;
    std::vector<kube::L2Advertisement::PreferredNodes> preferred_nodes;  // weights 1..100
    friend bool operator==(const L2Advertisement&, const L2Advertisement&) = default;
};

using Quota = kube::AllocationPolicy::Quota;  // `addresses` is 0 or more

// Whether the quota counts the addresses of this namespace (no namespace rule counts all).
[[nodiscard]] bool applies(
    const Quota& quota, const std::string& service_namespace, const kube::Labels& namespace_labels
);

// Every policy that names a pool holds for it: exclusions add up, each quota has to be kept.
struct AllocationPolicy {
    std::string name;
    std::vector<std::string> pools;  // resolved from names and selectors, sorted
    std::vector<net::Range>
        exclude;  // in the order written; may overlap, and lie outside the pools
    std::vector<Quota> quotas;
    // Absent: says nothing. No two policies of one pool differ in it.
    std::optional<std::chrono::seconds> keep_after_delete;
    [[nodiscard]] bool covers(const std::string& pool) const;
    friend bool operator==(const AllocationPolicy&, const AllocationPolicy&) = default;
};

struct Config {
    std::vector<Pool> pools;                         // by name
    std::vector<AllocationPolicy> policies;          // by name
    std::vector<L2Advertisement> l2_advertisements;  // by name
    // With a Scope in the Objects, only those that select its node.
    std::vector<BgpPeer> bgp_peers;                    // by name
    std::vector<BgpAdvertisement> bgp_advertisements;  // by name
    std::vector<BfdProfile> bfd_profiles;              // by name
    // Named by BGPAdvertisements that select other nodes only; sorted.
    std::vector<std::string> pools_advertised_elsewhere;

    [[nodiscard]] const Pool* find_pool(const std::string& name) const;
    [[nodiscard]] const BgpPeer* find_bgp_peer(const std::string& name) const;
    [[nodiscard]] const BfdProfile* find_bfd_profile(const std::string& name) const;
    [[nodiscard]] const Pool* pool_of(const net::IpAddress& address) const;
    // How long an address of the pool is kept for a deleted Service; absent: not at all.
    [[nodiscard]] std::optional<std::chrono::seconds> keep_after_delete(const std::string& pool
    ) const;
    friend bool operator==(const Config&, const Config&) = default;
};

// The node a speaker parses for: BGPPeers and BGPAdvertisements that do not select it are not its
// business, right or wrong.
struct Scope {
    std::string node;
    kube::Labels labels;
    friend bool operator==(const Scope&, const Scope&) = default;
};

// The objects of the daemon's own namespace, in any order.
struct Objects {
    std::vector<kube::IpAddressPool> pools = {};
    std::vector<kube::L2Advertisement> l2_advertisements = {};
    std::vector<kube::BgpPeer> bgp_peers = {};
    std::vector<kube::BgpAdvertisement> bgp_advertisements = {};
    std::vector<kube::Community> communities = {};
    std::vector<kube::BfdProfile> bfd_profiles = {};
    std::vector<kube::AllocationPolicy> allocation_policies = {};  // the controller's business
    // Only validate() looks at them: a wrong reservation keeps nothing, and that is all it does.
    std::vector<kube::AddressReservation> address_reservations = {};
    // Absent: not known here. Without a scope (the controller) a passwordSecret is then neither
    // looked up nor judged and the peer's password stays empty; a speaker, which would leave its
    // session open to anybody, has a problem.
    std::optional<std::vector<kube::Secret>> secrets = std::nullopt;
    std::optional<Scope> scope = std::nullopt;
};

enum class Kind : std::uint8_t {
    IpAddressPool,
    L2Advertisement,
    BgpPeer,
    BgpAdvertisement,
    Community,
    BfdProfile,
    AllocationPolicy,
    AddressReservation
};
[[nodiscard]] const kube::ResourceType& resource_type(Kind kind);
[[nodiscard]] std::string_view to_string(Kind kind);  // as in the manifest: "IPAddressPool"

// One mistake: where it stands, what stands there and what would be accepted.
struct Problem {
    Kind kind = Kind::IpAddressPool;
    kube::ObjectKey key;
    std::string field;  // "spec.addresses[2]"
    std::string value;
    std::string accepted;
    friend bool operator==(const Problem&, const Problem&) = default;
};
// One line: IPAddressPool metallb-system/a: spec.addresses[0]: "10.0.0.1": give a CIDR ...
[[nodiscard]] std::string to_string(const Problem& problem);

struct ParseResult {
    std::shared_ptr<const Config> config;  // null when there is a problem
    // Set when all problems are of BGP: without the objects that have one and those that refer to
    // them. Pools and L2Advertisements are complete, or there is none: nodes must elect alike.
    std::shared_ptr<const Config> partial;
    std::vector<Problem> problems;  // in the order of the objects' names
};

[[nodiscard]] ParseResult parse(const Objects& objects);

// What a daemon runs with: the last configuration that was right. A wrong one changes nothing but
// problems() and stale(). Layer 2 does not wait for BGP, though, since a mistake there may be one
// on some nodes only; and before everything was right for the first time (a node that restarts),
// wrong objects of BGP are left out.
class LastGood {
public:
    // Returns true when current() is now a different configuration.
    bool update(ParseResult result);

    [[nodiscard]] const std::shared_ptr<const Config>& current() const { return current_; }
    [[nodiscard]] bool loaded() const { return current_ != nullptr; }
    [[nodiscard]] bool stale() const { return !problems_.empty(); }
    // current() lacks the objects that are wrong, rather than having them as they were.
    [[nodiscard]] bool partial() const { return loaded() && !was_right_; }
    [[nodiscard]] const std::vector<Problem>& problems() const { return problems_; }

private:
    std::shared_ptr<const Config> current_;
    bool was_right_ = false;  // everything, once
    std::vector<Problem> problems_;
};

}  // namespace steelyard::config
