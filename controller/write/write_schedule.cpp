#include "controller/write/write_schedule.hpp"

#include <algorithm>
#include <utility>

namespace steelyard::controller {
namespace {

constexpr Duration kFirstDelay = std::chrono::milliseconds(100);
constexpr Duration kLongestDelay = std::chrono::seconds(30);
constexpr unsigned kMostDoublings = 10;

}  // namespace

WriteSchedule::WriteSchedule(const WindowOptions& window, std::uint64_t seed)
    : window_(window, seed), rng_(seed + 1) {}

void WriteSchedule::put(const kube::ObjectKey& key) {
    const auto [found, added] = entries_.try_emplace(key);
    Entry& entry = found->second;
    if (entry.in_flight) {
        entry.again = true;
        entry.forgotten = false;
        return;
    }
    if (entry.place) {
        return;
    }
    if (!added) {
        later_.erase(entry.due);
    }
    make_ready(found);
}

void WriteSchedule::forget(const kube::ObjectKey& key) {
    const auto found = entries_.find(key);
    if (found == entries_.end()) {
        return;
    }
    Entry& entry = found->second;
    if (entry.in_flight) {
        entry.again = false;
        entry.forgotten = true;
        return;
    }
    if (entry.place) {
        ready_.erase(*entry.place);
    } else {
        later_.erase(entry.due);
    }
    entries_.erase(found);
}

std::optional<kube::ObjectKey> WriteSchedule::next(Instant now) {
    while (!later_.empty() && later_.begin()->first <= now) {
        const auto entry = later_.begin()->second;
        later_.erase(later_.begin());
        make_ready(entry);
    }
    if (ready_.empty() || !window_.open(now)) {
        return std::nullopt;
    }
    const auto entry = ready_.begin()->second;
    ready_.erase(ready_.begin());
    entry->second.place.reset();
    entry->second.in_flight = true;
    entry->second.ticket = window_.start(now);
    return entry->first;
}

void WriteSchedule::finished(const kube::ObjectKey& key, const WriteOutcome& outcome, Instant now) {
    const auto found = entries_.find(key);
    Entry& entry = found->second;
    entry.in_flight = false;
    const bool again = std::exchange(entry.again, false);
    const bool server = outcome.kind == WriteOutcome::Kind::PushedBack ||
                        outcome.kind == WriteOutcome::Kind::TimedOut;
    if (server) {
        window_.pushed_back(entry.ticket, outcome.retry_after, now);
    } else {
        window_.answered(entry.ticket, outcome.whole, now);
    }
    if (entry.forgotten || (outcome.kind == WriteOutcome::Kind::Done && !again)) {
        entries_.erase(found);
        return;
    }
    if (outcome.kind == WriteOutcome::Kind::Done ||
        outcome.kind == WriteOutcome::Kind::PushedBack) {
        entry.failures = 0;
        make_ready(found);
        return;
    }
    const Duration delay = backoff(entry.failures++);
    if (again) {
        make_ready(found);  // something new: the server may like it better
    } else {
        wait_until(found, now + delay);
    }
}

std::optional<Instant> WriteSchedule::next_deadline() const {
    std::optional<Instant> deadline;
    if (!later_.empty()) {
        deadline = later_.begin()->first;
    }
    // While the window is full, the end of a write is what comes next.
    if (!ready_.empty() && window_.in_flight() < window_.size()) {
        deadline = deadline ? std::min(*deadline, window_.resume()) : window_.resume();
    }
    return deadline;
}

void WriteSchedule::make_ready(Entries::iterator entry) {
    entry->second.place = places_;
    ready_.emplace(places_++, entry);
}

void WriteSchedule::wait_until(Entries::iterator entry, Instant due) {
    entry->second.due = later_.emplace(due, entry);
}

Duration WriteSchedule::backoff(unsigned failures) {
    const unsigned doublings = std::min(failures, kMostDoublings);
    const Duration delay = std::min<Duration>(kFirstDelay * (1U << doublings), kLongestDelay);
    return std::chrono::duration_cast<Duration>(delay * (0.5 + rng_.unit() / 2));
}

}  // namespace steelyard::controller
