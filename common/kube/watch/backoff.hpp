#pragma once

#include "common/base/rng.hpp"
#include "common/base/time.hpp"

#include <optional>

// client-go's reflector backoff: 0.8 s doubling up to 30 s, each multiplied by 1..2 at random, back
// to the start when the last failure is more than two minutes ago.
namespace steelyard::kube {

class Backoff {
public:
    // How long to wait after a failure at `now`.
    Duration next(Instant now, Rng& rng);

private:
    std::optional<Instant> last_failure_;
    Duration base_{};
};

}  // namespace steelyard::kube
