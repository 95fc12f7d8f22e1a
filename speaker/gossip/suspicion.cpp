#include "speaker/gossip/suspicion.hpp"

#include <algorithm>
#include <cmath>

namespace steelyard::gossip {
namespace {

Duration scaled(Duration duration, double factor) {
    return std::chrono::duration_cast<Duration>(
        std::chrono::duration<double, Duration::period>(duration) * factor
    );
}

}  // namespace

Duration suspicion_timeout(unsigned mult, std::size_t members, Duration interval) {
    const double scale = std::max(1.0, std::log10(std::max(1.0, static_cast<double>(members))));
    return scaled(interval, mult * scale);
}

Suspicion::Suspicion(const std::string& from, unsigned k, Duration min, Duration max, Instant now)
    : k_(k), min_(min), max_(max), start_(now), accusers_{from} {
    deadline_ = compute_deadline();
}

bool Suspicion::confirm(const std::string& from) {
    if (confirmed_ >= k_ ||
        std::find(accusers_.begin(), accusers_.end(), from) != accusers_.end()) {
        return false;
    }
    accusers_.push_back(from);
    ++confirmed_;
    deadline_ = compute_deadline();
    return true;
}

Instant Suspicion::compute_deadline() const {
    if (k_ == 0) {
        return start_ + min_;
    }
    const double fraction = std::log(confirmed_ + 1.0) / std::log(k_ + 1.0);
    return start_ + std::max(min_, max_ - scaled(max_ - min_, fraction));
}

}  // namespace steelyard::gossip
