#include "speaker/bfd/pace.hpp"

#include <algorithm>
#include <bit>
#include <chrono>

namespace steelyard::bfd {
namespace {

constexpr Duration::rep kCoarsestGrid = Duration::rep{1} << 24;  // 17 ms
constexpr double kLeast = 0.75;
constexpr double kMost = 1.0;
constexpr double kMostAlone = 0.90;

// A power of two of nanoseconds.
Duration grid_of(Duration interval) {
    const auto eighth =
        static_cast<std::uint64_t>(std::max<Duration::rep>(interval.count() / 8, 1));
    return Duration(std::min(static_cast<Duration::rep>(std::bit_floor(eighth)), kCoarsestGrid));
}

}  // namespace

Instant next_transmission(Instant last, Duration interval, std::uint8_t multiplier, Rng& rng) {
    const auto part = [&](double share) {
        return std::chrono::duration_cast<Duration>(
            std::chrono::duration<double, Duration::period>(interval) * share
        );
    };
    const double most = multiplier == 1 ? kMostAlone : kMost;
    const Instant drawn = last + part(kLeast + (most - kLeast) * rng.unit());
    const Duration grid = grid_of(interval);
    const Duration over = drawn.time_since_epoch() % grid;
    const Instant later = over == Duration::zero() ? drawn : drawn + (grid - over);
    // The window is wider than the grid: if the next line is beyond it, the one before is not.
    return later <= last + part(most) ? later : drawn - over;
}

}  // namespace steelyard::bfd
