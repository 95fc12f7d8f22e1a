#include "speaker/bfd/deadlines.hpp"

#include <algorithm>

namespace steelyard::bfd {
namespace {

constexpr std::size_t kSpare = 64;

constexpr auto kLater = [](const auto& one, const auto& other) {
    return one.at > other.at;
};

}  // namespace

void Deadlines::set(SessionId id, Instant at) {
    const auto [queued, fresh] = queued_.try_emplace(id, Instant::max());
    if (at < queued->second) {
        queued->second = at;
        push({at, id});
    }
}

void Deadlines::remove(SessionId id) {
    queued_.erase(id);
}

Instant Deadlines::next() const {
    return heap_.empty() ? Instant::max() : heap_.front().at;
}

std::optional<SessionId> Deadlines::pop(Instant now) {
    while (!heap_.empty() && heap_.front().at <= now) {
        const Entry entry = heap_.front();
        pop_front();
        const auto queued = queued_.find(entry.id);
        if (queued != queued_.end() && queued->second == entry.at) {
            queued->second = Instant::max();
            return entry.id;
        }
    }
    return std::nullopt;
}

void Deadlines::push(Entry entry) {
    if (heap_.size() >= kSpare + 2 * queued_.size()) {
        forget_what_no_longer_counts();
    }
    heap_.push_back(entry);
    std::push_heap(heap_.begin(), heap_.end(), kLater);
}

// Else a peer that asks for ever shorter intervals would make it grow without end.
void Deadlines::forget_what_no_longer_counts() {
    const auto outdated = [this](const Entry& entry) {
        const auto queued = queued_.find(entry.id);
        return queued == queued_.end() || queued->second != entry.at;
    };
    heap_.erase(std::remove_if(heap_.begin(), heap_.end(), outdated), heap_.end());
    std::make_heap(heap_.begin(), heap_.end(), kLater);
}

void Deadlines::pop_front() {
    std::pop_heap(heap_.begin(), heap_.end(), kLater);
    heap_.pop_back();
}

}  // namespace steelyard::bfd
