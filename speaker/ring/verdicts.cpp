#include "speaker/ring/verdicts.hpp"

#include <algorithm>

namespace steelyard::ring {

bool Verdicts::hold(NodeId subject, NodeId judge, Instant until) {
    const auto [entry, is_new] = held_.try_emplace(subject);
    for (Held& held : entry->second) {
        if (held.judge == judge) {
            held.until = until;
            return false;
        }
    }
    entry->second.push_back({judge, until});
    return is_new;
}

bool Verdicts::lift(NodeId subject, NodeId judge) {
    const auto entry = held_.find(subject);
    if (entry == held_.end()) {
        return false;
    }
    std::erase_if(entry->second, [&](const Held& held) { return held.judge == judge; });
    if (!entry->second.empty()) {
        return false;
    }
    held_.erase(entry);
    return true;
}

void Verdicts::drop(NodeId subject) {
    held_.erase(subject);
}

bool Verdicts::held(NodeId subject, NodeId judge) const {
    const auto entry = held_.find(subject);
    return entry != held_.end() &&
           std::any_of(entry->second.begin(), entry->second.end(), [&](const Held& held) {
               return held.judge == judge;
           });
}

std::vector<NodeId> Verdicts::expire(Instant now) {
    std::vector<NodeId> reachable;
    for (auto entry = held_.begin(); entry != held_.end();) {
        std::erase_if(entry->second, [&](const Held& held) { return held.until <= now; });
        if (entry->second.empty()) {
            reachable.push_back(entry->first);
            entry = held_.erase(entry);
        } else {
            ++entry;
        }
    }
    return reachable;
}

Instant Verdicts::deadline() const {
    Instant out = Instant::max();
    for (const auto& [subject, list] : held_) {
        for (const Held& held : list) {
            out = std::min(out, held.until);
        }
    }
    return out;
}

}  // namespace steelyard::ring
