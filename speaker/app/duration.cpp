#include "speaker/app/duration.hpp"

#include <chrono>
#include <cstdint>

namespace steelyard::speaker {
namespace {

constexpr std::int64_t kMostMilliseconds = std::int64_t{30} * 24 * 3600 * 1000;

// Takes a run of digits off the front; nothing when there is none, or far too many.
std::optional<std::int64_t> take_number(std::string_view& text) {
    constexpr std::size_t kMostDigits = 12;
    std::size_t digits = 0;
    std::int64_t value = 0;
    while (digits < text.size() && text[digits] >= '0' && text[digits] <= '9') {
        value = value * 10 + (text[digits] - '0');
        if (++digits > kMostDigits) {
            return std::nullopt;
        }
    }
    text.remove_prefix(digits);
    return digits == 0 ? std::nullopt : std::optional(value);
}

// Milliseconds in the unit at the front, which is taken off.
std::optional<std::int64_t> take_unit(std::string_view& text) {
    struct Unit {
        std::string_view name;
        std::int64_t milliseconds;
    };
    constexpr Unit kUnits[] = {{"ms", 1}, {"s", 1000}, {"m", 60'000}, {"h", 3'600'000}};
    for (const Unit& unit : kUnits) {
        if (text.substr(0, unit.name.size()) == unit.name) {
            text.remove_prefix(unit.name.size());
            return unit.milliseconds;
        }
    }
    return std::nullopt;
}

}  // namespace

std::optional<Duration> parse_duration(std::string_view text) {
    if (text == "0") {
        return Duration::zero();
    }
    if (text.empty()) {
        return std::nullopt;
    }
    std::int64_t total = 0;
    while (!text.empty()) {
        const auto number = take_number(text);
        const auto unit = number ? take_unit(text) : std::nullopt;
        if (!unit || *number > kMostMilliseconds) {
            return std::nullopt;
        }
        total += *number * *unit;
        if (total > kMostMilliseconds) {
            return std::nullopt;
        }
    }
    return std::chrono::milliseconds(total);
}

}  // namespace steelyard::speaker
