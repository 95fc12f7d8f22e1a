#include "speaker/proxy/select/select.hpp"

#include <algorithm>
#include <tuple>

namespace steelyard::proxy {
namespace {

bool serves_while_terminating(const Candidate& candidate) {
    return candidate.serving && candidate.terminating;
}

// Of two entries for one address and port the pod that has it now is the better one.
std::tuple<bool, bool, bool> rank(const Candidate& candidate) {
    return {!candidate.terminating, candidate.ready, candidate.serving};
}

bool names(const std::vector<std::string_view>& hints, std::string_view name) {
    return std::find(hints.begin(), hints.end(), name) != hints.end();
}

// What the hints of one kind (node or zone) say together.
struct Hints {
    bool on_every = true;
    bool meant_for_here = false;

    void add(const std::vector<std::string_view>& hints, std::string_view here) {
        on_every = on_every && !hints.empty();
        meant_for_here = meant_for_here || names(hints, here);
    }
    [[nodiscard]] bool decide() const { return on_every && meant_for_here; }
};

bool is_meant_for(const Candidate& candidate, Topology topology, const Place& place) {
    switch (topology) {
        case Topology::Everywhere:
            return true;
        case Topology::SameNode:
            return names(candidate.details->for_nodes(), place.node);
        case Topology::SameZone:
            return names(candidate.details->for_zones(), place.zone);
    }
    return true;
}

template <class Wanted>
std::vector<net::Endpoint> those(const Candidates& candidates, Wanted&& wanted) {
    std::vector<net::Endpoint> result;
    for (const auto& [endpoint, candidate] : candidates) {
        if (wanted(candidate)) {
            result.push_back(endpoint);
        }
    }
    return result;
}

std::vector<net::Endpoint> usable_anywhere(const Candidates& candidates, const Place& place) {
    const Topology mode = topology(candidates, place);
    auto chosen = those(candidates, [&](const Candidate& candidate) {
        return candidate.ready && is_meant_for(candidate, mode, place);
    });
    return chosen.empty() ? those(candidates, serves_while_terminating) : chosen;
}

std::vector<net::Endpoint> usable_here(const Candidates& candidates) {
    auto chosen = those(candidates, [](const Candidate& candidate) {
        return candidate.local && candidate.ready;
    });
    return !chosen.empty() ? chosen : those(candidates, [](const Candidate& candidate) {
        return candidate.local && serves_while_terminating(candidate);
    });
}

bool contains(const std::vector<net::Endpoint>& sorted, const net::Endpoint& endpoint) {
    return std::binary_search(sorted.begin(), sorted.end(), endpoint);
}

// What is listed and reachable, but not chosen.
template <class Wanted>
void fill_idle(const Candidates& candidates, Choice& choice, Wanted&& wanted) {
    for (const auto& [endpoint, candidate] : candidates) {
        if (candidate.reachable && wanted(candidate) && !contains(choice.usable, endpoint)) {
            choice.idle.push_back(endpoint);
        }
    }
}

}  // namespace

Candidates collect(
    std::span<const std::shared_ptr<const kube::EndpointSlice>> slices,
    net::Family family,
    const kube::ServicePort& port,
    std::string_view node,
    const std::set<std::string, std::less<>>& unreachable_nodes
) {
    Candidates candidates;
    for (const auto& slice : slices) {
        if (slice->family != family || slice->headless) {
            continue;
        }
        for (const kube::SlicePort& slice_port : slice->ports) {
            if (slice_port.name != port.name || slice_port.protocol != port.protocol ||
                slice_port.port == 0) {
                continue;
            }
            for (const kube::SliceEndpoint& endpoint : slice->endpoints) {
                if (!endpoint.address || endpoint.address->family() != family) {
                    continue;
                }
                const bool local = !node.empty() && endpoint.node_name == node;
                const Candidate candidate{
                    endpoint.ready,
                    endpoint.serving,
                    endpoint.terminating,
                    local,
                    local || !unreachable_nodes.contains(endpoint.node_name),
                    endpoint.node_name,
                    &endpoint.details};
                const net::Endpoint key{*endpoint.address, slice_port.port};
                const auto [found, added] = candidates.emplace(key, candidate);
                if (!added && rank(candidate) > rank(found->second)) {
                    found->second = candidate;
                }
            }
        }
    }
    return candidates;
}

Topology topology(const Candidates& candidates, const Place& place) {
    Hints node;
    Hints zone;
    for (const auto& [endpoint, candidate] : candidates) {
        if (candidate.ready) {
            node.add(candidate.details->for_nodes(), place.node);
            zone.add(candidate.details->for_zones(), place.zone);
        }
    }
    if (node.decide()) {
        return Topology::SameNode;
    }
    return zone.decide() ? Topology::SameZone : Topology::Everywhere;
}

Selection select(const Candidates& candidates, const Place& place) {
    const bool all_reachable =
        std::all_of(candidates.begin(), candidates.end(), [](const auto& entry) {
            return entry.second.reachable;
        });
    Selection selection;
    if (all_reachable) {
        selection.cluster.usable = usable_anywhere(candidates, place);
    } else {
        Candidates reachable = candidates;
        std::erase_if(reachable, [](const auto& entry) { return !entry.second.reachable; });
        selection.cluster.usable = usable_anywhere(reachable, place);
        if (selection.cluster.usable.empty()) {  // better a node that may live after all
            selection.cluster.usable = usable_anywhere(candidates, place);
        }
    }
    selection.local.usable = usable_here(candidates);
    selection.anywhere = !selection.cluster.usable.empty();
    fill_idle(candidates, selection.cluster, [](const Candidate&) { return true; });
    fill_idle(candidates, selection.local, [](const Candidate& candidate) {
        return candidate.local;
    });
    return selection;
}

}  // namespace steelyard::proxy
