#include "speaker/elect/elect.hpp"

#include "common/base/check.hpp"
#include "speaker/elect/bounded.hpp"
#include "speaker/elect/order.hpp"

#include <algorithm>
#include <map>

namespace steelyard::elect {
namespace {

// The candidates with the highest preference: only among them does the hash decide.
void collect_best(
    const Question& question, std::span<const NodeFacts> nodes, std::vector<NodeIndex>& best
) {
    best.clear();
    std::int32_t top = 0;
    for (NodeIndex i = 0; i < nodes.size(); ++i) {
        const Fit& fit = question.fits[i];
        if (exclusion(nodes[i], fit, question.policy)) {
            continue;
        }
        if (best.empty() || fit.preference > top) {
            best.clear();
            top = fit.preference;
        }
        if (fit.preference == top) {
            best.push_back(i);
        }
    }
}

std::optional<NodeIndex> first_in_metallb_order(
    const Question& question,
    std::span<const NodeFacts> nodes,
    const std::vector<NodeIndex>& best,
    MetalLbHash& hash
) {
    const std::string text = to_string(question.metallb_key.value_or(question.address));
    std::optional<NodeIndex> winner;
    MetalLbHash::Digest lowest{};
    for (const NodeIndex i : best) {
        const MetalLbHash::Digest digest = hash(nodes[i].name, text);
        if (!winner || digest < lowest) {
            winner = i;
            lowest = digest;
        }
    }
    return winner;
}

// Node positions by name, so that a tie of two 64-bit scores does not depend on the input order.
std::vector<NodeIndex> ranks_by_name(std::span<const NodeFacts> nodes) {
    std::vector<NodeIndex> by_name(nodes.size());
    for (NodeIndex i = 0; i < nodes.size(); ++i) {
        by_name[i] = i;
    }
    std::sort(by_name.begin(), by_name.end(), [&](NodeIndex a, NodeIndex b) {
        return nodes[a].name < nodes[b].name;
    });
    std::vector<NodeIndex> ranks(nodes.size());
    for (NodeIndex rank = 0; rank < by_name.size(); ++rank) {
        ranks[by_name[rank]] = rank;
    }
    return ranks;
}

void elect_bounded(
    std::span<const Question> questions,
    std::span<const NodeFacts> nodes,
    std::vector<std::optional<NodeIndex>>& winners
) {
    // Addresses compete for room only with those that have the very same choice, so that a change
    // of one pool's selectors or of one Local Service's endpoints moves nothing else.
    std::map<std::vector<NodeIndex>, std::vector<std::uint32_t>> groups;
    auto last = groups.end();
    std::vector<NodeIndex> best;
    for (std::uint32_t q = 0; q < questions.size(); ++q) {
        collect_best(questions[q], nodes, best);
        if (best.empty()) {
            continue;
        }
        if (last == groups.end() || last->first != best) {
            last = groups.try_emplace(best).first;
        }
        last->second.push_back(q);
    }
    const std::vector<NodeIndex> ranks = ranks_by_name(nodes);
    for (const auto& [candidates, members] : groups) {
        std::vector<Choice> choices;
        choices.reserve(candidates.size());
        for (const NodeIndex i : candidates) {
            choices.push_back({node_seed(nodes[i].name), ranks[i]});
        }
        std::vector<net::IpAddress> addresses;
        addresses.reserve(members.size());
        for (const std::uint32_t q : members) {
            addresses.push_back(questions[q].address);
        }
        const auto limit = load_limit(addresses.size(), choices.size());
        const std::vector<std::uint32_t> placed = place_bounded(addresses, choices, limit);
        for (std::size_t i = 0; i < members.size(); ++i) {
            winners[members[i]] = candidates[placed[i]];
        }
    }
}

}  // namespace

std::optional<Reason> exclusion(const NodeFacts& node, const Fit& fit, Policy policy) {
    if (!fit.selected) {
        return Reason::NotSelected;
    }
    if (node.excluded_by_label) {
        return Reason::ExcludedByLabel;
    }
    if (!node.alive) {
        return Reason::NotAlive;
    }
    if (node.network_unavailable) {
        return Reason::NetworkUnavailable;
    }
    if (!node.reachable) {
        return Reason::Unreachable;
    }
    if (!node.ready) {
        return Reason::NotReady;
    }
    if (policy == Policy::Local && !fit.has_local_endpoint) {
        return Reason::NoLocalEndpoint;
    }
    if (!fit.has_interface.value_or(true)) {
        return Reason::NoInterface;
    }
    return std::nullopt;
}

std::size_t load_limit(std::size_t addresses, std::size_t nodes) {
    const std::size_t ceil_of_mean = (addresses + nodes - 1) / nodes;
    const std::size_t quarter_above = addresses * 5 / (nodes * 4);
    return std::max(ceil_of_mean, quarter_above);
}

std::vector<std::optional<NodeIndex>> elect_all(
    std::span<const Question> questions, std::span<const NodeFacts> nodes, Order order
) {
    std::vector<std::optional<NodeIndex>> winners(questions.size());
    for (const Question& question : questions) {
        SY_CHECK(question.fits.size() == nodes.size(), "a question has one Fit a node");
    }
    if (order == Order::Rendezvous) {
        elect_bounded(questions, nodes, winners);
        return winners;
    }
    MetalLbHash hash;
    std::vector<NodeIndex> best;
    for (std::size_t q = 0; q < questions.size(); ++q) {
        collect_best(questions[q], nodes, best);
        winners[q] = first_in_metallb_order(questions[q], nodes, best, hash);
    }
    return winners;
}

Verdict explain(
    const Question& question,
    std::span<const NodeFacts> nodes,
    Order order,
    std::optional<NodeIndex> winner
) {
    struct Ranked {
        std::int32_t preference = 0;
        MetalLbHash::Digest digest{};
        std::uint64_t score = 0;
        NodeIndex node = 0;
    };
    Verdict verdict;
    verdict.winner = winner;
    MetalLbHash hash;
    const std::string text = to_string(question.metallb_key.value_or(question.address));
    const std::uint64_t seed = address_seed(question.address);
    std::vector<Ranked> ranked;
    for (NodeIndex i = 0; i < nodes.size(); ++i) {
        const Fit& fit = question.fits[i];
        if (const auto reason = exclusion(nodes[i], fit, question.policy)) {
            verdict.excluded.push_back({i, *reason});
        } else if (order == Order::MetalLb) {
            ranked.push_back({fit.preference, hash(nodes[i].name, text), 0, i});
        } else {
            ranked.push_back({fit.preference, {}, score(node_seed(nodes[i].name), seed), i});
        }
    }
    std::sort(ranked.begin(), ranked.end(), [&](const Ranked& a, const Ranked& b) {
        if ((a.node == winner) != (b.node == winner)) {
            return a.node == winner;
        }
        if (a.preference != b.preference) {
            return a.preference > b.preference;
        }
        if (a.digest != b.digest) {
            return a.digest < b.digest;
        }
        return a.score != b.score ? a.score > b.score : nodes[a.node].name < nodes[b.node].name;
    });
    for (const Ranked& entry : ranked) {
        verdict.candidates.push_back(entry.node);
    }
    return verdict;
}

Verdict elect(const Question& question, std::span<const NodeFacts> nodes, Order order) {
    const auto winners = elect_all(std::span(&question, 1), nodes, order);
    return explain(question, nodes, order, winners.front());
}

}  // namespace steelyard::elect
