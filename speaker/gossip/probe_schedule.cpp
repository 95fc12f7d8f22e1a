#include "speaker/gossip/probe_schedule.hpp"

#include "common/base/check.hpp"

#include <algorithm>
#include <set>
#include <string_view>
#include <utility>

namespace steelyard::gossip {

void ProbeSchedule::insert(const std::string& name, Rng& rng) {
    order_.push_back(name);
    std::swap(order_[rng.below(order_.size())], order_.back());
}

void ProbeSchedule::remove(const std::vector<std::string>& names) {
    if (names.empty()) {
        return;
    }
    const std::set<std::string_view> gone(names.begin(), names.end());
    std::size_t kept = 0;
    std::size_t next = next_;
    for (std::size_t i = 0; i < order_.size(); ++i) {
        if (gone.count(order_[i]) > 0) {
            next -= i < next_ ? 1 : 0;
            continue;
        }
        if (kept != i) {
            order_[kept] = std::move(order_[i]);
        }
        ++kept;
    }
    order_.resize(kept);
    next_ = next;
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
