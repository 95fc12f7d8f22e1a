#include "speaker/bgp/session/damping.hpp"

#include <algorithm>

namespace steelyard::bgp {

Duration jittered(Duration duration, Rng& rng) {
    const double factor = 0.75 + 0.25 * rng.unit();
    return Duration(static_cast<Duration::rep>(static_cast<double>(duration.count()) * factor));
}

Duration Backoff::next(Rng& rng) {
    const Duration wait = next_;
    next_ = std::min(2 * next_, longest_);
    return jittered(wait, rng);
}

}  // namespace steelyard::bgp
