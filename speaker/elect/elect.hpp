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
// same winner, whatever order it lists them in. Nodes are referred to by their position in
// Facts::nodes. There is no coordination, no term and no state. Facts that many addresses share
// are said once, so that 10 000 questions about 1000 nodes stay small.
namespace steelyard::elect {

using NodeIndex = std::uint32_t;

// Whether a node should be given addresses. Only the best standing present among the candidates
// counts, so a lone draining node goes on serving.
enum class Standing : std::uint8_t {
    Settled,
    Settling,  // came back a moment ago: others keep what they have
    Draining,  // leaves soon, or was asked to give everything away
};

// What is true of a node whatever the address.
struct NodeFacts {
    std::string name;
    bool alive = false;      // SWIM: alive or suspect
    bool reachable = false;  // the watch ring has not declared it unreachable
    bool ready = false;      // it says it can serve (kernel programmed)
    bool network_unavailable = false;
    bool excluded_by_label = false;
    bool foreign = false;  // its speaker is MetalLB's, which knows less and decides by it
    bool forwards = true;  // false: its kernel refused more addresses than it could tell
    Standing standing = Standing::Settled;
    friend bool operator==(const NodeFacts&, const NodeFacts&) = default;
};

// The node's best interface for an address: allowed, and able to do its family.
enum class Link : std::uint8_t { Unknown, None, Down, Up };  // Unknown: the node did not tell

// How a node suits the addresses that have the same advertisements and family.
struct Fit {
    bool selected = true;  // some advertisement includes the node
    Link link = Link::Unknown;
    std::int32_t preference = 0;  // sum of matching preferredNodeSelectors weights
    friend bool operator==(const Fit&, const Fit&) = default;
};
using Fits = std::vector<Fit>;  // one a node, in the order of Facts::nodes

enum class Order : std::uint8_t {
    MetalLb,     // SHA-256(node + "#" + ip), lowest first: agrees with MetalLB speakers
    Rendezvous,  // 64-bit rendezvous hash with bounded load
};

struct Facts {
    Order order = Order::Rendezvous;
    std::vector<NodeFacts> nodes;
    std::vector<Fits> fits;
};

// A node with serving endpoints of Services of policy Local.
struct LocalNode {
    NodeIndex node = 0;
    std::uint32_t services = 1;  // how many of the Local Services that share the address
    friend bool operator==(const LocalNode&, const LocalNode&) = default;
};

struct Question {
    net::IpAddress address;
    std::uint32_t fits = 0;  // position in Facts::fits
    // externalTrafficPolicy Local: only these nodes, by index. Absent: any node.
    std::optional<std::vector<LocalNode>> local;
    std::vector<NodeIndex> unservable;  // whose kernel does not forward the address; ascending
    // MetalLB hashes the Service's first address for all of its addresses; set it in a mixed ring.
    std::optional<net::IpAddress> metallb_key;
    friend bool operator==(const Question&, const Question&) = default;
};

// In the order they are looked for. MetalLB knows the first five; see elect_all().
enum class Reason : std::uint8_t {
    NotSelected,
    ExcludedByLabel,
    NotAlive,
    NetworkUnavailable,
    NoLocalEndpoint,
    Unreachable,
    NotReady,
    NotServable,
    NoInterface,
    LinkDown,
    ForeignDefers,
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
    std::vector<Exclusion> excluded;    // in the order of the nodes
    friend bool operator==(const Verdict&, const Verdict&) = default;
};

// Why a node by itself is no candidate; nothing when it is one. The first rule that applies.
[[nodiscard]] std::optional<Reason> exclusion(
    const Facts& facts, const Question& question, NodeIndex node
);

// The winner of each question. Each address may be asked about once. Candidates compare by the
// number of Local Services they serve, then standing, then preference, then the order's hash.
//
// Order::Rendezvous: addresses that have the same best candidates are spread over them so that
// none owns more than load_limit(): a winner therefore depends on the whole set. An address without
// candidates goes to one of those that are only Unreachable or do not forward everything.
//
// Order::MetalLb: standing and load do not count. The node MetalLB would name, by the facts it
// knows, owns the address. When that node is ours and cannot serve for a reason MetalLB does not
// know, the next of our own nodes stands in: all MetalLB speakers stay silent, since they believe
// the first one announces, so at most one node announces whatever they know.
[[nodiscard]] std::vector<std::optional<NodeIndex>> elect_all(
    const Facts& facts, std::span<const Question> questions
);

// The full verdict for one question whose winner elect_all() has named.
[[nodiscard]] Verdict explain(
    const Facts& facts, const Question& question, std::optional<NodeIndex> winner
);

// elect_all() and explain() for an address that stands alone.
[[nodiscard]] Verdict elect(const Facts& facts, const Question& question);

// The most addresses one of `nodes` equal candidates may own out of `addresses`.
[[nodiscard]] std::size_t load_limit(std::size_t addresses, std::size_t nodes);

}  // namespace steelyard::elect
