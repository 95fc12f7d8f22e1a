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

}  // namespace steelyard::apiserver
