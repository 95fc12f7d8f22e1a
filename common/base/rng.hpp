#pragma once

#include <cstdint>

// A small seeded random generator (xoshiro256**, Blackman and Vigna). Cores get one injected, so a
// run can be replayed from its seed, which is printed wherever it was chosen.
namespace steelyard {

class Rng {
public:
    explicit Rng(std::uint64_t seed);

    [[nodiscard]] std::uint64_t seed() const { return seed_; }
    std::uint64_t next();
    // Uniform in [0, bound); bound must be positive.
    std::uint64_t below(std::uint64_t bound);
    // Uniform in [0, 1).
    double unit();

    // Satisfies UniformRandomBitGenerator, for std::shuffle and the like.
    using result_type = std::uint64_t;
    static constexpr result_type min() { return 0; }
    static constexpr result_type max() { return ~result_type{0}; }
    result_type operator()() { return next(); }

private:
    std::uint64_t seed_;
    std::uint64_t state_[4];
};

}  // namespace steelyard
