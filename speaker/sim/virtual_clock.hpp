#pragma once

#include "common/base/time.hpp"

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <tuple>
#include <utility>
#include <vector>

// Virtual time and what is to happen in it: work in the order of its time, then of its scheduling,
// so that a run depends on nothing but its seed. Work is whatever the owner's `run` understands.
namespace steelyard::sim {

template <class Work>
class VirtualClock {
public:
    [[nodiscard]] Instant now() const { return now_; }

    void schedule(Instant at, Work work) {
        events_.push_back({at, ++order_, std::move(work)});
        std::push_heap(events_.begin(), events_.end(), Later());
    }

    // Does what is due within `span`, also what that schedules; then the time is `span` later.
    template <class Run>
    void run_for(Duration span, const Run& run) {
        const Instant end = now_ + span;
        while (!events_.empty() && events_.front().at <= end) {
            std::pop_heap(events_.begin(), events_.end(), Later());
            Event event = std::move(events_.back());
            events_.pop_back();
            now_ = std::max(now_, event.at);
            run(event.work);
        }
        now_ = end;
    }

    // True as soon as the condition holds, tried once a `step`; false when `limit` has passed.
    template <class Condition, class Run>
    bool run_until(const Condition& condition, Duration limit, Duration step, const Run& run) {
        const Instant end = now_ + limit;
        while (!condition()) {
            if (now_ >= end) {
                return false;
            }
            run_for(step, run);
        }
        return true;
    }

private:
    struct Event {
        Instant at;
        std::uint64_t order = 0;
        Work work;
    };
    struct Later {
        bool operator()(const Event& a, const Event& b) const {
            return std::tie(a.at, a.order) > std::tie(b.at, b.order);
        }
    };

    Instant now_ = Instant() + std::chrono::hours(1);
    std::uint64_t order_ = 0;
    std::vector<Event> events_;  // a heap
};

}  // namespace steelyard::sim
