#include "speaker/gossip/broadcast_queue.hpp"

#include <cmath>

namespace steelyard::gossip {

unsigned retransmit_limit(unsigned mult, std::size_t members) {
    return mult * static_cast<unsigned>(std::ceil(std::log10(static_cast<double>(members) + 1.0)));
}

void BroadcastQueue::push(const std::string& about, wire::Bytes message) {
    if (const auto old = keys_.find(about); old != keys_.end()) {
        messages_.erase(old->second);
    }
    const Rank rank{0, next_age_--};
    messages_.emplace(rank, Message{about, std::move(message)});
    keys_[about] = rank;
}

std::vector<wire::Bytes> BroadcastQueue::take(
    std::size_t overhead, std::size_t space, unsigned limit
) {
    std::vector<wire::Bytes> out;
    std::vector<std::pair<Rank, Message>> again;
    for (auto next = messages_.begin(); next != messages_.end() && space > overhead;) {
        const auto current = next++;
        const std::size_t cost = overhead + current->second.bytes.size();
        if (cost > space) {
            continue;
        }
        space -= cost;
        out.push_back(current->second.bytes);
        const Rank rank{current->first.first + 1, current->first.second};
        if (rank.first >= limit) {
            keys_.erase(current->second.about);
        } else {
            keys_[current->second.about] = rank;
            again.emplace_back(rank, std::move(current->second));
        }
        messages_.erase(current);
    }
    for (auto& [rank, message] : again) {
        messages_.emplace(rank, std::move(message));
    }
    return out;
}

}  // namespace steelyard::gossip
