#pragma once

#include <cstdint>

// Whether somebody keeps changing what we keep repairing. Once may be a person, or the end of a
// repair that took two looks; at three looks in a row it is a program. Pure.
namespace steelyard::speaker {

class Disturbance {
public:
    // `changes`: total of foreign changes found so far. The first look takes it as the beginning,
    // since what was there at the start is nobody's doing now.
    bool look(std::uint64_t changes) {
        in_a_row_ = looked_ && changes != seen_ ? in_a_row_ + 1 : 0;
        looked_ = true;
        seen_ = changes;
        return in_a_row_ >= kTooOften;
    }

private:
    static constexpr unsigned kTooOften = 3;
    std::uint64_t seen_ = 0;
    unsigned in_a_row_ = 0;
    bool looked_ = false;
};

}  // namespace steelyard::speaker
