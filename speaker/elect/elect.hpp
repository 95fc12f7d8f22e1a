#pragma once

#include "common/net/ip.hpp"

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

// Which node announces an address. Pure and total: every node that sees the same facts names the
// same winner, whatever order it lists them in. Nodes are referred to by their position in the
// span of NodeFacts the caller gave. There is no coordination, no term and no state.
namespace steelyard::elect {

using NodeIndex = std::uint32_t;

// What is true of a node whatever the address.
struct NodeFacts {
    std::string name;
    bool alive = false;      // SWIM: alive or suspect
    bool reachable = false;  // the watch ring has not declared it unreachable
    bool ready = false;      // it says it can serve (kernel programmed)
    bool network_unavailable = false;
    bool excluded_by_label = false;
    friend bool operator==(const NodeFacts&, const NodeFacts&) = default;
};

// How a node suits one address.
struct Fit {
    bool selected = true;               // some advertisement of the address includes the node
    bool has_local_endpoint = true;     // a serving endpoint runs there
    std::optional<bool> has_interface;  // unknown for other nodes unless they told us
    std::int32_t preference = 0;        // sum of matching preferredNodeSelectors weights
    friend bool operator==(const Fit&, const Fit&) = default;
};

enum class Policy : std::uint8_t { Cluster, Local };  // externalTrafficPolicy

struct Question {
    net::IpAddress address;
    Policy policy = Policy::Cluster;
    // MetalLB hashes the Service's first address for all of its addresses; set it in a mixed ring.
    std::optional<net::IpAddress> metallb_key;
    std::vector<Fit> fits;  // one a node, in the order of the NodeFacts
    friend bool operator==(const Question&, const Question&) = default;
};

enum class Order : std::uint8_t {
    MetalLb,     // SHA-256(node + "#" + ip), lowest first: agrees with MetalLB speakers
    Rendezvous,  // 64-bit rendezvous hash with bounded load
};

enum class Reason : std::uint8_t {
    NotAlive,
    Unreachable,
    NotReady,
    NetworkUnavailable,
    ExcludedByLabel,
    NotSelected,
    NoLocalEndpoint,
    NoInterface,
};
[[nodiscard]] std::string_view to_string(Reason reason);  // "notAlive"
[[nodiscard]] std::string_view sentence(Reason reason);   // "it is not a live member of the ring"

struct Exclusion {
    NodeIndex node = 0;
    Reason reason = Reason::NotAlive;
    friend bool operator==(const Exclusion&, const Exclusion&) = default;
};

struct Verdict {
    std::optional<NodeIndex> winner;
    std::vector<NodeIndex> candidates;  // the winner, then who would follow, best first
    std::vector<Exclusion> excluded;    // in the order of the NodeFacts
    friend bool operator==(const Verdict&, const Verdict&) = default;
};

// Why a node is no candidate; nothing when it is one. The first rule that applies wins.
[[nodiscard]] std::optional<Reason> exclusion(const NodeFacts& node, const Fit& fit, Policy policy);

// The winner of each question. With Order::Rendezvous, addresses that have the same best
// candidates are spread over them so that none owns more than max(ceil(mean), floor(1.25 mean)):
// a winner therefore depends on the whole set. Each address may be asked about once.
[[nodiscard]] std::vector<std::optional<NodeIndex>> elect_all(
    std::span<const Question> questions, std::span<const NodeFacts> nodes, Order order
);

// The full verdict for one question whose winner elect_all() has named.
[[nodiscard]] Verdict explain(
    const Question& question,
    std::span<const NodeFacts> nodes,
    Order order,
    std::optional<NodeIndex> winner
);

// elect_all() and explain() for an address that stands alone.
[[nodiscard]] Verdict elect(
    const Question& question, std::span<const NodeFacts> nodes, Order order
);

// The most addresses one of `nodes` equal candidates may own out of `addresses`.
[[nodiscard]] std::size_t load_limit(std::size_t addresses, std::size_t nodes);

}  // namespace steelyard::elect
