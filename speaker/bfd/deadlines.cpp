#include "speaker/bfd/deadlines.hpp"

#include <algorithm>

namespace steelyard::bfd {
namespace {

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
    heap_.push_back(entry);
    std::push_heap(heap_.begin(), heap_.end(), kLater);
}

void Deadlines::pop_front() {
    std::pop_heap(heap_.begin(), heap_.end(), kLater);
    heap_.pop_back();
}

}  // namespace steelyard::bfd
