#include "e2e/apiserver/registry/timestamp.hpp"

#include <cstdio>

namespace steelyard::apiserver {

std::string format_time(WallTime time) {
    using namespace std::chrono;
    const auto seconds = floor<std::chrono::seconds>(time);
    const auto day = floor<days>(seconds);
    const year_month_day date(day);
    const hh_mm_ss clock(seconds - day);
    char text[40];
    std::snprintf(
        text,
        sizeof text,
        "%04d-%02u-%02uT%02d:%02d:%02dZ",
        static_cast<int>(date.year()),
        static_cast<unsigned>(date.month()),
        static_cast<unsigned>(date.day()),
        static_cast<int>(clock.hours().count()),
        static_cast<int>(clock.minutes().count()),
        static_cast<int>(clock.seconds().count())
    );
    return text;
}

std::optional<WallTime> parse_time(std::string_view text) {
    using namespace std::chrono;
    int y = 0;
    unsigned mo = 0;
    unsigned d = 0;
    int h = 0;
    int mi = 0;
    int s = 0;
    int used = 0;
    const std::string copy(text);
    if (std::sscanf(copy.c_str(), "%4d-%2u-%2uT%2d:%2d:%2d%n", &y, &mo, &d, &h, &mi, &s, &used) !=
        6) {
        return std::nullopt;
    }
    const year_month_day date{year(y), month(mo), day(d)};
    if (!date.ok()) {
        return std::nullopt;
    }
    const auto place = static_cast<std::size_t>(used);
    const std::size_t zone = copy.find_first_of("Zz+-", place);
    if (zone == std::string::npos) {
        return std::nullopt;
    }
    minutes offset{0};
    if (copy[zone] == '+' || copy[zone] == '-') {
        int oh = 0;
        int om = 0;
        if (std::sscanf(copy.c_str() + zone + 1, "%2d:%2d", &oh, &om) != 2) {
            return std::nullopt;
        }
        offset = hours(oh) + minutes(om);
        offset = copy[zone] == '-' ? -offset : offset;
    }
    return sys_days(date) + hours(h) + minutes(mi) + seconds(s) - offset;
}

std::string format_micro_time(WallTime time) {
    using namespace std::chrono;
    const auto micros = floor<microseconds>(time) - floor<std::chrono::seconds>(time);
    char fraction[16];
    std::snprintf(fraction, sizeof fraction, ".%06dZ", static_cast<int>(micros.count()));
    std::string text = format_time(time);
    text.pop_back();
    return text + fraction;
}

std::optional<WallTime> parse_micro_time(std::string_view text) {
    constexpr std::size_t kPoint = 19;  // after "2006-01-02T15:04:05"
    constexpr std::size_t kDigits = 6;
    const auto seconds = parse_time(text);
    if (!seconds || text.size() <= kPoint + kDigits + 1 || text[kPoint] != '.') {
        return std::nullopt;
    }
    int micros = 0;
    for (const char digit : text.substr(kPoint + 1, kDigits)) {
        if (digit < '0' || digit > '9') {
            return std::nullopt;
        }
        micros = micros * 10 + (digit - '0');
    }
    const char zone = text[kPoint + kDigits + 1];
    if (zone != 'Z' && zone != '+' && zone != '-') {
        return std::nullopt;
    }
    return *seconds + std::chrono::microseconds(micros);
}

}  // namespace steelyard::apiserver
