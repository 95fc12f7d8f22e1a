#pragma once

#include "common/base/time.hpp"

#include <cstddef>
#include <vector>

// Two ways of not sending too much. Pure values; the time is a parameter.
namespace steelyard::l2 {

// No window of a second holds more than `per_second` packets. A token bucket does not promise that:
// after a silence its burst and its refill meet in the same second, and a switch that inspects ARP
// switches the port off. The window is a little longer than a second, because packets that left a
// second apart may arrive closer together. High rates are spread over shorter windows.
class SendWindow {
public:
    explicit SendWindow(unsigned per_second);

    // When the next packet may be sent.
    [[nodiscard]] Instant next() const { return sent_[oldest_] + span_; }
    [[nodiscard]] bool is_open(Instant now) const { return next() <= now; }
    void count(Instant now);

private:
    Duration span_;
    std::vector<Instant> sent_;  // the last ones, a ring
    std::size_t oldest_ = 0;
};

// So many a second on average, and so many at once.
class TokenBucket {
public:
    TokenBucket(double per_second, double burst)
        : per_second_(per_second), burst_(burst), tokens_(burst) {}

    // False when there is none left.
    bool take(Instant now);

private:
    double per_second_;
    double burst_;
    double tokens_;
    Instant filled_at_{};
};

}  // namespace steelyard::l2
