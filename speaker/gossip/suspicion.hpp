#pragma once

#include "common/base/time.hpp"

#include <cstddef>
#include <string>
#include <vector>

// When a suspect is declared dead (Lifeguard, "Local Health Aware Suspicion"): at once `max` after
// the first accusation, sooner with each further member that accuses it independently, and `min`
// after the first accusation when k of them do.
namespace steelyard::gossip {

// suspicion_mult * max(1, log10 n) * interval.
[[nodiscard]] Duration suspicion_timeout(unsigned mult, std::size_t members, Duration interval);

class Suspicion {
public:
    // `from` accused first and does not count as a confirmation; k = 0 expects none.
    Suspicion(const std::string& from, unsigned k, Duration min, Duration max, Instant now);

    // True when this is news: a new accuser while more were wanted.
    bool confirm(const std::string& from);
    // For time in which this process did not run: nobody could have refuted to us.
    void postpone(Duration by) { start_ += by, deadline_ += by; }
    [[nodiscard]] Instant deadline() const { return deadline_; }
    [[nodiscard]] unsigned confirmations() const { return confirmed_; }

private:
    [[nodiscard]] Instant compute_deadline() const;

    unsigned k_;
    unsigned confirmed_ = 0;
    Duration min_;
    Duration max_;
    Instant start_;
    Instant deadline_;
    std::vector<std::string> accusers_;  // at most k + 1
};

}  // namespace steelyard::gossip
