#pragma once

#include "common/base/rng.hpp"
#include "common/base/time.hpp"

#include <cstdint>

// When a periodic packet follows the last one: after 75 to 100 % of the interval, drawn anew for
// each (RFC 5880 6.8.7). Times lie on a grid of at most an eighth of the interval, and grids are
// multiples of each other, so that of many sessions several are due at the same wake-up. Clocks of
// different nodes have nothing to do with each other: nodes do not fall into step by it.
namespace steelyard::bfd {

// With a multiplier of 1 at most 90 %, or one late packet would be a failure.
[[nodiscard]] Instant next_transmission(
    Instant last, Duration interval, std::uint8_t multiplier, Rng& rng
);

}  // namespace steelyard::bfd
