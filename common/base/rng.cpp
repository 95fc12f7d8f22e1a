#include "common/base/rng.hpp"

#include "common/base/check.hpp"

#include <bit>

namespace steelyard {
namespace {

// SplitMix64: spreads a seed over the generator's state, so that seeds 1, 2, 3 give unrelated runs.
std::uint64_t split_mix(std::uint64_t& state) {
    state += 0x9e3779b97f4a7c15ULL;
    std::uint64_t mixed = state;
    mixed = (mixed ^ (mixed >> 30U)) * 0xbf58476d1ce4e5b9ULL;
    mixed = (mixed ^ (mixed >> 27U)) * 0x94d049bb133111ebULL;
    return mixed ^ (mixed >> 31U);
}

}  // namespace

Rng::Rng(std::uint64_t seed) : seed_(seed), state_{} {
    std::uint64_t spread = seed;
    for (std::uint64_t& word : state_) {
        word = split_mix(spread);
    }
}

std::uint64_t Rng::next() {
    const std::uint64_t result = std::rotl(state_[1] * 5, 7) * 9;
    const std::uint64_t shifted = state_[1] << 17U;
    state_[2] ^= state_[0];
    state_[3] ^= state_[1];
    state_[1] ^= state_[2];
    state_[0] ^= state_[3];
    state_[2] ^= shifted;
    state_[3] = std::rotl(state_[3], 45);
    return result;
}

std::uint64_t Rng::below(std::uint64_t bound) {
    SY_CHECK(bound > 0, "a bound of zero has no value below it");
    // Rejecting the lowest 2^64 mod bound values makes every remainder equally likely.
    const std::uint64_t threshold = (0 - bound) % bound;
    for (;;) {
        const std::uint64_t value = next();
        if (value >= threshold) {
            return value % bound;
        }
    }
}

double Rng::unit() {
    return static_cast<double>(next() >> 11U) * 0x1.0p-53;
}

}  // namespace steelyard
