#include "speaker/elect/candidates.hpp"

#include <algorithm>

namespace steelyard::elect {
namespace {

// How many Local Services of the address the node serves; 0: it is none of theirs.
std::uint32_t local_services(const Question& question, NodeIndex node) {
    const auto& local = *question.local;
    const auto found = std::lower_bound(
        local.begin(), local.end(), node, [](const LocalNode& a, NodeIndex b) { return a.node < b; }
    );
    return found != local.end() && found->node == node ? found->services : 0;
}

bool is_unservable(const Question& question, NodeIndex node) {
    const auto& list = question.unservable;
    return !list.empty() && std::binary_search(list.begin(), list.end(), node);
}

// The rules that only our own speakers know enough for. `lenient`: but for those that leave a node
// as a last resort.
std::optional<Reason> own_exclusion(
    const Facts& facts, const Question& question, NodeIndex node, bool lenient
) {
    const NodeFacts& facts_of_node = facts.nodes[node];
    if (!facts_of_node.reachable && !lenient) {
        return Reason::Unreachable;
    }
    if (!facts_of_node.ready) {
        return Reason::NotReady;
    }
    if ((!facts_of_node.forwards && !lenient) || is_unservable(question, node)) {
        return Reason::NotServable;
    }
    switch (facts.fits[question.fits][node].link) {
        case Link::None:
            return Reason::NoInterface;
        case Link::Down:
            return Reason::LinkDown;
        case Link::Unknown:
        case Link::Up:
            break;
    }
    return std::nullopt;
}

int rank_of(Standing standing) {
    switch (standing) {
        case Standing::Settled:
            return 2;
        case Standing::Settling:
            return 1;
        case Standing::Draining:
            return 0;
    }
    return 0;
}

}  // namespace

std::optional<Reason> metallb_exclusion(
    const Facts& facts, const Question& question, NodeIndex node
) {
    const NodeFacts& facts_of_node = facts.nodes[node];
    if (!facts.fits[question.fits][node].selected) {
        return Reason::NotSelected;
    }
    if (facts_of_node.excluded_by_label) {
        return Reason::ExcludedByLabel;
    }
    if (!facts_of_node.alive) {
        return Reason::NotAlive;
    }
    if (facts_of_node.network_unavailable) {
        return Reason::NetworkUnavailable;
    }
    if (question.local && local_services(question, node) == 0) {
        return Reason::NoLocalEndpoint;
    }
    return std::nullopt;
}

std::optional<Reason> exclusion(const Facts& facts, const Question& question, NodeIndex node) {
    const auto reason = metallb_exclusion(facts, question, node);
    return reason ? reason : own_exclusion(facts, question, node, false);
}

Merit merit_of(const Facts& facts, const Question& question, NodeIndex node) {
    Merit merit;
    merit.local_services = question.local ? local_services(question, node) : 0;
    merit.standing = facts.order == Order::MetalLb ? 0 : rank_of(facts.nodes[node].standing);
    merit.preference = facts.fits[question.fits][node].preference;
    return merit;
}

bool is_last_resort(const Facts& facts, const Question& question, NodeIndex node) {
    const NodeFacts& facts_of_node = facts.nodes[node];
    if (facts_of_node.reachable && facts_of_node.forwards) {
        return false;
    }
    return !metallb_exclusion(facts, question, node) && !own_exclusion(facts, question, node, true);
}

BestCandidates::BestCandidates(const Facts& facts) : facts_(facts), common_(facts.fits.size()) {}

void BestCandidates::offer(const Question& question, NodeIndex node, bool last_resort) {
    const bool stands =
        last_resort ? is_last_resort(facts_, question, node) : !exclusion(facts_, question, node);
    if (!stands) {
        return;
    }
    const Merit merit = merit_of(facts_, question, node);
    if (best_.empty() || top_ < merit) {
        best_.clear();
        top_ = merit;
    }
    if (merit == top_) {
        best_.push_back(node);
    }
}

void BestCandidates::offer_all(const Question& question) {
    best_.clear();
    for (const bool last_resort : {false, true}) {
        if (question.local) {
            for (const LocalNode& entry : *question.local) {
                offer(question, entry.node, last_resort);
            }
        } else {
            for (NodeIndex i = 0; i < facts_.nodes.size(); ++i) {
                offer(question, i, last_resort);
            }
        }
        if (!best_.empty()) {
            return;
        }
    }
}

const std::vector<NodeIndex>& BestCandidates::common(const Question& question) {
    auto& known = common_[question.fits];
    if (!known) {
        Question plain;
        plain.fits = question.fits;
        offer_all(plain);
        known = best_;
    }
    return *known;
}

const std::vector<NodeIndex>& BestCandidates::of(const Question& question) {
    if (question.local) {
        offer_all(question);
        return best_;
    }
    const std::vector<NodeIndex>& usual = common(question);
    const auto& unservable = question.unservable;
    if (std::none_of(unservable.begin(), unservable.end(), [&](NodeIndex i) {
            return std::binary_search(usual.begin(), usual.end(), i);
        })) {
        return usual;
    }
    offer_all(question);
    return best_;
}

}  // namespace steelyard::elect
