#pragma once

#include "common/base/time.hpp"

#include <algorithm>
#include <chrono>

// When what changed is written: the first change after a silence at once, those that come in a
// storm together, every few milliseconds, so that they share UPDATEs. Pure.
namespace steelyard::io {

class Pacer {
public:
    // The moment from which a change that came now may be written.
    [[nodiscard]] Instant due(Instant now) const { return std::max(now, open_at_); }
    // Something was written now.
    void count(Instant now) {
        // Still within a window's length of the last one: the storm goes on.
        const bool storm = now < open_at_ + window_;
        window_ = storm ? std::min(window_ * 2, kLongest) : kShortest;
        open_at_ = now + window_;
    }

private:
    static constexpr Duration kShortest = std::chrono::milliseconds(4);
    static constexpr Duration kLongest = std::chrono::milliseconds(8);
    Duration window_ = kShortest;
    Instant open_at_{};
};

}  // namespace steelyard::io
