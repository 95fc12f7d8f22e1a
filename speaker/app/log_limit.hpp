#pragma once

#include "common/base/time.hpp"

#include <cstdint>
#include <optional>

// A few log lines in ten seconds for something that anybody on the network can cause as often as
// they like; what is held back is counted into the next line. Pure.
namespace steelyard::speaker {

class LogLimit {
public:
    static constexpr Duration kInterval = std::chrono::seconds(10);

    explicit LogLimit(std::uint64_t lines = 1) : lines_(lines) {}

    // How many lines were held back before this one; nothing when this one is held back too.
    std::optional<std::uint64_t> admit(Instant now) {
        if (!next_ || now >= *next_) {
            next_ = now + kInterval;
            admitted_ = 0;
        }
        if (admitted_ == lines_) {
            ++held_back_;
            return std::nullopt;
        }
        ++admitted_;
        const std::uint64_t before = held_back_;
        held_back_ = 0;
        return before;
    }

private:
    std::uint64_t lines_;
    std::uint64_t admitted_ = 0;   // since the interval began
    std::optional<Instant> next_;  // interval
    std::uint64_t held_back_ = 0;
};

}  // namespace steelyard::speaker
