#include "common/kube/model/encode.hpp"

#include <chrono>
#include <cstdio>

namespace steelyard::kube {
namespace {

using std::chrono::days;
using std::chrono::hours;
using std::chrono::microseconds;
using std::chrono::minutes;
using std::chrono::nanoseconds;
using std::chrono::seconds;
using std::chrono::sys_days;

// Reads fixed-width digits and punctuation from the front of a text; once something does not fit,
// everything after it fails too.
class Scanner {
public:
    explicit Scanner(std::string_view text) : rest_(text) {}

    int digits(std::size_t count) {
        int value = 0;
        for (std::size_t i = 0; i < count; ++i) {
            if (rest_.empty() || rest_.front() < '0' || rest_.front() > '9') {
                ok_ = false;
                return 0;
            }
            value = value * 10 + (rest_.front() - '0');
            rest_.remove_prefix(1);
        }
        return value;
    }
    bool accept(std::string_view any_of) {
        if (rest_.empty() || any_of.find(rest_.front()) == std::string_view::npos) {
            return false;
        }
        rest_.remove_prefix(1);
        return true;
    }
    void expect(std::string_view any_of) { ok_ = accept(any_of) && ok_; }
    [[nodiscard]] char front() const { return rest_.empty() ? '\0' : rest_.front(); }
    [[nodiscard]] bool ok() const { return ok_; }
    [[nodiscard]] bool finished() const { return ok_ && rest_.empty(); }

private:
    std::string_view rest_;
    bool ok_ = true;
};

nanoseconds fraction(Scanner& scanner) {
    nanoseconds value{0};
    nanoseconds unit = std::chrono::milliseconds(100);
    do {
        value += scanner.digits(1) * unit;
        unit /= 10;  // digits beyond nanoseconds count nothing
    } while (scanner.ok() && scanner.front() >= '0' && scanner.front() <= '9');
    return value;
}

std::string format(WallTime time, bool with_micros) {
    const auto second = std::chrono::floor<seconds>(time);
    const auto day = std::chrono::floor<days>(second);
    const std::chrono::year_month_day date(day);
    const std::chrono::hh_mm_ss clock(second - day);
    const auto micros = std::chrono::floor<microseconds>(time - second).count();
    char text[64];
    const int length = std::snprintf(
        text,
        sizeof text,
        "%04d-%02u-%02uT%02d:%02d:%02d",
        static_cast<int>(date.year()),
        static_cast<unsigned>(date.month()),
        static_cast<unsigned>(date.day()),
        static_cast<int>(clock.hours().count()),
        static_cast<int>(clock.minutes().count()),
        static_cast<int>(clock.seconds().count())
    );
    std::string result(text, static_cast<std::size_t>(length));
    if (with_micros) {
        std::snprintf(text, sizeof text, ".%06d", static_cast<int>(micros));
        result += text;
    }
    return result + "Z";
}

}  // namespace

std::optional<WallTime> parse_rfc3339(std::string_view text) {
    Scanner scanner(text);
    const int year = scanner.digits(4);
    scanner.expect("-");
    const int month = scanner.digits(2);
    scanner.expect("-");
    const int day = scanner.digits(2);
    scanner.expect("Tt");
    const int hour = scanner.digits(2);
    scanner.expect(":");
    const int minute = scanner.digits(2);
    scanner.expect(":");
    const int second = scanner.digits(2);
    const nanoseconds part = scanner.accept(".") ? fraction(scanner) : nanoseconds{0};

    minutes offset{0};
    if (!scanner.accept("Zz")) {
        const bool west = scanner.front() == '-';
        scanner.expect("+-");
        const int offset_hours = scanner.digits(2);
        scanner.expect(":");
        const int offset_minutes = scanner.digits(2);
        offset = hours(offset_hours) + minutes(offset_minutes);
        if (offset_hours > 23 || offset_minutes > 59) {
            return std::nullopt;
        }
        offset = west ? -offset : offset;
    }
    const std::chrono::year_month_day date(
        std::chrono::year(year),
        std::chrono::month(static_cast<unsigned>(month)),
        std::chrono::day(static_cast<unsigned>(day))
    );
    // The clock counts nanoseconds in 64 bits: 1678..2261 fit. 60 is a leap second (RFC 3339 5.6).
    if (!scanner.finished() || !date.ok() || year < 1680 || year > 2260 || hour > 23 ||
        minute > 59 || second > 60) {
        return std::nullopt;
    }
    return WallTime(sys_days(date)) + hours(hour) + minutes(minute) + seconds(second) + part -
           offset;
}

std::string format_rfc3339(WallTime time) {
    return format(time, false);
}

std::string format_rfc3339_micro(WallTime time) {
    return format(time, true);
}

}  // namespace steelyard::kube
