#pragma once

#include "common/kube/model/core.hpp"
#include "common/net/ip.hpp"

#include <cstddef>
#include <functional>
#include <map>
#include <memory>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <vector>

// Which endpoints of a Service port get its traffic here. Pure. For each policy: the ready ones;
// with none ready those that still serve while they terminate (KEP-1669); without a Local policy
// only those that topology hints mean for this node or zone. Endpoints on nodes that are known to
// be dead are passed over while others remain.
namespace steelyard::proxy {

// Where the traffic is: this node's name and its topology.kubernetes.io/zone.
struct Place {
    std::string_view node;
    std::string_view zone;
};

// One address and port behind a Service port, with what decides its use. Views the slice.
struct Candidate {
    bool ready = false;
    bool serving = false;
    bool terminating = false;
    bool local = false;
    bool reachable = true;
    std::string_view node;
    const kube::EndpointDetails* details = nullptr;
};
using Candidates = std::map<net::Endpoint, Candidate>;

// Those of a Service port's slices: of its family and with a port of its name and protocol. Of two
// entries for one address and port, one that is not terminating wins, then one that is ready: a
// pod's address can be given to another while the first is still listed.
[[nodiscard]] Candidates collect(
    std::span<const std::shared_ptr<const kube::EndpointSlice>> slices,
    net::Family family,
    const kube::ServicePort& port,
    std::string_view node,
    const std::set<std::string, std::less<>>& unreachable_nodes
);

enum class Topology { Everywhere, SameNode, SameZone };
// All or nothing: a mode needs a hint on every ready endpoint and one that is meant for here.
[[nodiscard]] Topology topology(const Candidates& candidates, const Place& place);

struct Choice {
    std::vector<net::Endpoint> usable;
    // Listed, but not for new connections: terminating, not ready, or meant for somewhere else.
    // Those on dead nodes are not among them: as if they had vanished, what is open to them has a
    // grace. It may be the node's speaker alone that is dead.
    std::vector<net::Endpoint> idle;
};

struct Selection {
    Choice cluster;
    Choice local;
    bool anywhere = false;  // something is ready, or serves while it terminates
};
[[nodiscard]] Selection select(const Candidates& candidates, const Place& place);

}  // namespace steelyard::proxy
