#include "speaker/gossip/probe_schedule.hpp"

#include "common/base/check.hpp"

#include <algorithm>
#include <utility>

namespace steelyard::gossip {

void ProbeSchedule::insert(const std::string& name, Rng& rng) {
    order_.push_back(name);
    std::swap(order_[rng.below(order_.size())], order_.back());
}

void ProbeSchedule::remove(const std::vector<std::string>& names) {
    for (const std::string& name : names) {
        const auto found = std::find(order_.begin(), order_.end(), name);
        if (found == order_.end()) {
            continue;
        }
        if (static_cast<std::size_t>(found - order_.begin()) < next_) {
            --next_;
        }
        order_.erase(found);
    }
}

void ProbeSchedule::hasten(const std::string& name) {
    if (round_over()) {
        return;
    }
    const auto next = order_.begin() + static_cast<std::ptrdiff_t>(next_);
    const auto found = std::find(next, order_.end(), name);
    if (found != order_.end()) {
        std::iter_swap(next, found);
    }
}

void ProbeSchedule::start_round(Rng& rng) {
    std::shuffle(order_.begin(), order_.end(), rng);
    next_ = 0;
}

const std::string& ProbeSchedule::take() {
    SY_CHECK(!round_over(), "the round has no member left");
    return order_[next_++];
}

}  // namespace steelyard::gossip
