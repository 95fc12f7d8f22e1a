#include "common/kube/watch/backoff.hpp"

#include <algorithm>

namespace steelyard::kube {

Duration Backoff::next(Instant now, Rng& rng) {
    constexpr Duration kFirst = std::chrono::milliseconds(800);
    constexpr Duration kMost = std::chrono::seconds(30);
    constexpr Duration kHealthy = std::chrono::minutes(2);
    if (!last_failure_ || now - *last_failure_ > kHealthy) {
        base_ = kFirst;
    } else {
        base_ = std::min(base_ * 2, kMost);
    }
    last_failure_ = now;
    return base_ + std::chrono::duration_cast<Duration>(base_ * rng.unit());
}

}  // namespace steelyard::kube
