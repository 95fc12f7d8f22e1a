#pragma once

#include "common/base/time.hpp"

#include <algorithm>

// Lifeguard's local health: 0 is healthy; failed probes, missing nacks and having to refute raise
// it, good probes lower it. A sick node gives others more time before it accuses them.
namespace steelyard::gossip {

class Awareness {
public:
    explicit Awareness(unsigned max) : max_(static_cast<int>(max)) {}
    void apply(int delta) { score_ = std::clamp(score_ + delta, 0, max_ - 1); }
    [[nodiscard]] int score() const { return score_; }
    [[nodiscard]] Duration scale(Duration timeout) const { return timeout * (score_ + 1); }

private:
    int max_;
    int score_ = 0;
};

}  // namespace steelyard::gossip
