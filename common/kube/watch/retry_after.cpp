#include "common/kube/watch/retry_after.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <chrono>

namespace steelyard::kube {
namespace {

std::optional<unsigned> digits(std::string_view text) {
    unsigned value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    const bool whole = error == std::errc{} && end == text.data() + text.size();
    return whole ? std::optional(value) : std::nullopt;
}

std::optional<unsigned> month(std::string_view text) {
    constexpr std::array<std::string_view, 12> kMonths = {
        "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
    const auto found = std::find(kMonths.begin(), kMonths.end(), text);
    return found == kMonths.end()
               ? std::nullopt
               : std::optional(static_cast<unsigned>(found - kMonths.begin()) + 1);
}

}  // namespace

std::optional<WallTime> parse_http_date(std::string_view text) {
    constexpr std::string_view kShape = "Sun, 06 Nov 1994 08:49:37 GMT";
    if (text.size() != kShape.size()) {
        return std::nullopt;
    }
    for (const std::size_t mark : {3U, 4U, 7U, 11U, 16U, 19U, 22U, 25U, 26U, 27U, 28U}) {
        if (text[mark] != kShape[mark]) {
            return std::nullopt;
        }
    }
    const auto day_number = digits(text.substr(5, 2));
    const auto month_number = month(text.substr(8, 3));
    const auto year_number = digits(text.substr(12, 4));
    const auto hour = digits(text.substr(17, 2));
    const auto minute = digits(text.substr(20, 2));
    const auto second = digits(text.substr(23, 2));
    if (!day_number || !month_number || !year_number || !hour || !minute || !second) {
        return std::nullopt;
    }
    const std::chrono::year_month_day date(
        std::chrono::year(static_cast<int>(*year_number)),
        std::chrono::month(*month_number),
        std::chrono::day(*day_number)
    );
    constexpr unsigned kLeapSecond = 60;
    if (!date.ok() || *hour > 23 || *minute > 59 || *second > kLeapSecond) {
        return std::nullopt;
    }
    return std::chrono::sys_days(date) + std::chrono::hours(*hour) + std::chrono::minutes(*minute) +
           std::chrono::seconds(*second);
}

std::string retry_after_seconds(std::string_view retry_after, std::string_view date) {
    const auto until = parse_http_date(retry_after);
    if (!until) {
        return std::string(retry_after);
    }
    const auto from = parse_http_date(date);
    if (!from || *until <= *from) {
        return {};
    }
    return std::to_string(std::chrono::duration_cast<std::chrono::seconds>(*until - *from).count());
}

}  // namespace steelyard::kube
