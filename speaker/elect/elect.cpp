#include "speaker/elect/elect.hpp"

#include "common/base/check.hpp"
#include "speaker/elect/bounded.hpp"
#include "speaker/elect/candidates.hpp"
#include "speaker/elect/order.hpp"

#include <algorithm>
#include <map>
#include <tuple>

namespace steelyard::elect {
namespace {

void check(const Facts& facts, std::span<const Question> questions) {
    for (const Fits& fits : facts.fits) {
        SY_CHECK(fits.size() == facts.nodes.size(), "there is one Fit a node");
    }
    for (const Question& question : questions) {
        SY_CHECK(question.fits < facts.fits.size(), "a question refers to fits");
    }
}

// So that a tie of two 64-bit scores does not depend on the input order.
std::vector<NodeIndex> by_name(
    const std::vector<NodeFacts>& nodes, std::vector<NodeIndex> candidates
) {
    std::sort(candidates.begin(), candidates.end(), [&](NodeIndex a, NodeIndex b) {
        return nodes[a].name < nodes[b].name;
    });
    return candidates;
}

using Winners = std::vector<std::optional<NodeIndex>>;

void elect_bounded(const Facts& facts, std::span<const Question> questions, Winners& winners) {
    // Addresses compete for room only with those that have the very same choice, so that a change
    // of one pool's selectors or of one Local Service's endpoints moves nothing else.
    std::map<std::vector<NodeIndex>, std::vector<std::uint32_t>> groups;
    auto last = groups.end();
    BestCandidates best(facts);
    for (std::uint32_t q = 0; q < questions.size(); ++q) {
        const std::vector<NodeIndex>& choice = best.of(questions[q]);
        if (choice.empty()) {
            continue;
        }
        if (last == groups.end() || last->first != choice) {
            last = groups.try_emplace(choice).first;
        }
        last->second.push_back(q);
    }
    std::vector<net::IpAddress> addresses;
    std::vector<std::uint64_t> seeds;
    for (const auto& [candidates, members] : groups) {
        const std::vector<NodeIndex> ordered = by_name(facts.nodes, candidates);
        seeds.clear();
        for (const NodeIndex i : ordered) {
            seeds.push_back(node_seed(facts.nodes[i].name));
        }
        addresses.clear();
        for (const std::uint32_t q : members) {
            addresses.push_back(questions[q].address);
        }
        const auto limit = load_limit(addresses.size(), seeds.size());
        const std::vector<std::uint32_t> placed = place_bounded(addresses, seeds, limit);
        for (std::size_t i = 0; i < members.size(); ++i) {
            winners[members[i]] = ordered[placed[i]];
        }
    }
}

// Among all nodes that `may` be, the first by MetalLB's comparison.
template <class May>
std::optional<NodeIndex> first_in_metallb_order(
    const Facts& facts, const Question& question, MetalLbHash& hash, const May& may
) {
    const std::string text = to_string(question.metallb_key.value_or(question.address));
    std::optional<NodeIndex> winner;
    std::optional<MetalLbHash::Digest> lowest;  // of the winner; computed when it is contested
    Merit top;
    for (NodeIndex i = 0; i < facts.nodes.size(); ++i) {
        if (!may(i)) {
            continue;
        }
        const Merit merit = merit_of(facts, question, i);
        if (winner && merit < top) {
            continue;
        }
        if (!winner || top < merit) {
            winner = i;
            top = merit;
            lowest.reset();
            continue;
        }
        if (!lowest) {
            lowest = hash(facts.nodes[*winner].name, text);
        }
        const MetalLbHash::Digest digest = hash(facts.nodes[i].name, text);
        if (digest < *lowest) {
            winner = i;
            lowest = digest;
        }
    }
    return winner;
}

// The node every MetalLB speaker believes in.
std::optional<NodeIndex> metallb_winner(
    const Facts& facts, const Question& question, MetalLbHash& hash
) {
    return first_in_metallb_order(facts, question, hash, [&](NodeIndex i) {
        return !metallb_exclusion(facts, question, i);
    });
}

std::optional<NodeIndex> elect_with_metallb(
    const Facts& facts, const Question& question, MetalLbHash& hash
) {
    const auto first = metallb_winner(facts, question, hash);
    if (!first || !exclusion(facts, question, *first)) {
        return first;
    }
    return first_in_metallb_order(facts, question, hash, [&](NodeIndex i) {
        return !facts.nodes[i].foreign && !exclusion(facts, question, i);
    });
}

// Whether MetalLB's winner is out, so that one of our own stands in and foreign nodes stay silent.
bool foreigners_defer(const Facts& facts, const Question& question, MetalLbHash& hash) {
    if (facts.order != Order::MetalLb) {
        return false;
    }
    const auto first = metallb_winner(facts, question, hash);
    return first && exclusion(facts, question, *first);
}

struct Ranked {
    Merit merit;
    MetalLbHash::Digest digest{};
    std::uint64_t score = 0;
    NodeIndex node = 0;
};

}  // namespace

std::size_t load_limit(std::size_t addresses, std::size_t nodes) {
    const std::size_t ceil_of_mean = (addresses + nodes - 1) / nodes;
    const std::size_t quarter_above = addresses * 5 / (nodes * 4);
    return std::max(ceil_of_mean, quarter_above);
}

std::vector<std::optional<NodeIndex>> elect_all(
    const Facts& facts, std::span<const Question> questions
) {
    check(facts, questions);
    Winners winners(questions.size());
    if (facts.order == Order::Rendezvous) {
        elect_bounded(facts, questions, winners);
        return winners;
    }
    MetalLbHash hash;
    for (std::size_t q = 0; q < questions.size(); ++q) {
        winners[q] = elect_with_metallb(facts, questions[q], hash);
    }
    return winners;
}

Verdict explain(const Facts& facts, const Question& question, std::optional<NodeIndex> winner) {
    check(facts, std::span(&question, 1));
    Verdict verdict;
    verdict.winner = winner;
    MetalLbHash hash;
    const bool defer = foreigners_defer(facts, question, hash);
    const std::string text = to_string(question.metallb_key.value_or(question.address));
    const std::uint64_t seed = address_seed(question.address);
    std::vector<Ranked> ranked;
    for (NodeIndex i = 0; i < facts.nodes.size(); ++i) {
        // A last resort that won is no candidate, but for want of any.
        if (const auto reason = exclusion(facts, question, i); reason && i != winner) {
            verdict.excluded.push_back({i, *reason});
            continue;
        }
        if (defer && facts.nodes[i].foreign) {
            verdict.excluded.push_back({i, Reason::ForeignDefers});
            continue;
        }
        Ranked entry{merit_of(facts, question, i), {}, 0, i};
        if (facts.order == Order::MetalLb) {
            entry.digest = hash(facts.nodes[i].name, text);
        } else {
            entry.score = score(node_seed(facts.nodes[i].name), seed);
        }
        ranked.push_back(entry);
    }
    std::sort(ranked.begin(), ranked.end(), [&](const Ranked& a, const Ranked& b) {
        if ((a.node == winner) != (b.node == winner)) {
            return a.node == winner;
        }
        if (a.merit != b.merit) {
            return b.merit < a.merit;
        }
        // Lowest digest, highest score, lowest name.
        return std::tie(a.digest, b.score, facts.nodes[a.node].name) <
               std::tie(b.digest, a.score, facts.nodes[b.node].name);
    });
    for (const Ranked& entry : ranked) {
        verdict.candidates.push_back(entry.node);
    }
    return verdict;
}

Verdict elect(const Facts& facts, const Question& question) {
    const auto winners = elect_all(facts, std::span(&question, 1));
    return explain(facts, question, winners.front());
}

}  // namespace steelyard::elect
