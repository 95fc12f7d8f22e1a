#include "common/base/duration.hpp"

#include <chrono>
#include <cstdint>

namespace steelyard {
namespace {

constexpr std::int64_t kMost = std::int64_t{30} * 24 * 3600 * 1'000'000'000;  // ns

// Takes the digits off the front.
std::string_view take_digits(std::string_view& text) {
    std::size_t count = 0;
    while (count < text.size() && text[count] >= '0' && text[count] <= '9') {
        ++count;
    }
    const std::string_view digits = text.substr(0, count);
    text.remove_prefix(count);
    return digits;
}

// Nanoseconds in the unit at the front, which is taken off.
std::optional<std::int64_t> take_unit(std::string_view& text) {
    struct Unit {
        std::string_view name;
        std::int64_t nanoseconds;
    };
    // The micro sign and the Greek letter both mean micro; "ms" comes before "m".
    constexpr Unit kUnits[] = {
        {"ns", 1},
        {"us", 1'000},
        {"\u00b5s", 1'000},
        {"\u03bcs", 1'000},
        {"ms", 1'000'000},
        {"s", 1'000'000'000},
        {"m", 60'000'000'000},
        {"h", 3'600'000'000'000},
    };
    for (const Unit& unit : kUnits) {
        if (text.substr(0, unit.name.size()) == unit.name) {
            text.remove_prefix(unit.name.size());
            return unit.nanoseconds;
        }
    }
    return std::nullopt;
}

// whole.part units in nanoseconds; nothing beyond kMost.
std::optional<std::int64_t> scaled(
    std::string_view whole, std::string_view part, std::int64_t unit
) {
    std::int64_t total = 0;
    for (const char digit : whole) {
        total = total * 10 + (digit - '0');
        if (total > kMost / unit) {
            return std::nullopt;
        }
    }
    total *= unit;
    for (const char digit : part) {
        unit /= 10;
        total += (digit - '0') * unit;
    }
    return total;
}

// One "1.5s" off the front.
std::optional<std::int64_t> take_span(std::string_view& text) {
    const std::string_view whole = take_digits(text);
    std::string_view part;
    if (!text.empty() && text.front() == '.') {
        text.remove_prefix(1);
        part = take_digits(text);
    }
    const auto unit = take_unit(text);
    if ((whole.empty() && part.empty()) || !unit) {
        return std::nullopt;
    }
    return scaled(whole, part, *unit);
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
        const auto span = take_span(text);
        if (!span || *span > kMost - total) {
            return std::nullopt;
        }
        total += *span;
    }
    return std::chrono::nanoseconds(total);
}

}  // namespace steelyard
