#pragma once

#include "common/base/rng.hpp"

#include <cstddef>
#include <string>
#include <vector>

// Whom to probe next: every member once in each round, in an order shuffled anew for each round
// (SWIM 4.3), so that the time to the first probe of a dead member is bounded.
namespace steelyard::gossip {

class ProbeSchedule {
public:
    // At a random place, so that a newcomer is as likely probed soon as late.
    void insert(const std::string& name, Rng& rng);
    void reserve(std::size_t members) { order_.reserve(members); }
    void remove(const std::vector<std::string>& names);
    // Makes this member the next one; its old place is taken by who was next.
    void hasten(const std::string& name);

    [[nodiscard]] bool round_over() const { return next_ >= order_.size(); }
    void start_round(Rng& rng);
    // Only when the round is not over.
    const std::string& take();
    [[nodiscard]] std::size_t size() const { return order_.size(); }

private:
    std::vector<std::string> order_;
    std::size_t next_ = 0;
};

}  // namespace steelyard::gossip
