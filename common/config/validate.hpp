#pragma once

#include "common/config/config.hpp"

#include <vector>

// What is to be said about a set of objects before it is in use: by the admission webhook and by
// the command `steelyard-controller validate`. The daemons call parse(), and tell of the same
// problems.
namespace steelyard::config {

struct Findings {
    // What parse() finds, and wrong AddressReservations.
    std::vector<Problem> problems;
    // Nothing is refused for these, but they are hardly what was meant: references to nothing,
    // pools that nobody advertises, rules that can never hold. `accepted` says what follows.
    std::vector<Problem> warnings;
};

// Pure, and the same whatever the order of the objects.
[[nodiscard]] Findings validate(const Objects& objects);

}  // namespace steelyard::config
