#pragma once

#include "common/base/rng.hpp"
#include "common/base/time.hpp"

// How long to wait before the next attempt: doubling from `first` to `longest` with every failure,
// each time shortened by up to a quarter at random (RFC 4271 10), so that many nodes that lost one
// router do not come back in step.
namespace steelyard::bgp {

// A duration times a random factor in [0.75, 1).
[[nodiscard]] Duration jittered(Duration duration, Rng& rng);

class Backoff {
public:
    Backoff(Duration first, Duration longest) : first_(first), longest_(longest), next_(first) {}

    // The wait after one more failure.
    [[nodiscard]] Duration next(Rng& rng);
    void reset() { next_ = first_; }

private:
    Duration first_;
    Duration longest_;
    Duration next_;
};

}  // namespace steelyard::bgp
