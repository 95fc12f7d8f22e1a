#include "speaker/l2/pace.hpp"

#include "common/base/check.hpp"

#include <algorithm>

namespace steelyard::l2 {
namespace {

constexpr std::size_t kLongestRing = 64;
constexpr Duration kSecondAndMargin = std::chrono::milliseconds(1020);

}  // namespace

SendWindow::SendWindow(unsigned per_second) {
    SY_CHECK(per_second > 0, "a paced port still sends");
    const std::size_t ring = std::min<std::size_t>(per_second, kLongestRing);
    span_ = kSecondAndMargin * static_cast<Duration::rep>(ring) / per_second;
    sent_.assign(ring, Instant::min());
}

void SendWindow::count(Instant now) {
    sent_[oldest_] = now;
    oldest_ = (oldest_ + 1) % sent_.size();
}

bool TokenBucket::take(Instant now) {
    if (now > filled_at_) {
        const double seconds = std::chrono::duration<double>(now - filled_at_).count();
        tokens_ = std::min(burst_, tokens_ + seconds * per_second_);
        filled_at_ = now;
    }
    if (tokens_ < 1.0) {
        return false;
    }
    tokens_ -= 1.0;
    return true;
}

}  // namespace steelyard::l2
