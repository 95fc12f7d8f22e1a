#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <map>
#include <vector>

// Who answered for one address, and when. Fed with answers in order of time; tells the longest
// silence and every window in which two machines answered. Times are milliseconds of any one clock.
namespace steelyard::failover {

using Mac = std::array<std::uint8_t, 6>;

// From one answer of a machine to the last before it paused.
struct Run {
    double first = 0;
    double last = 0;
    long answers = 0;
};

struct TwoOwners {
    Mac one{};
    Mac other{};
    double from = 0;
    double to = 0;
};

class Timeline {
public:
    // Without an answer for this long, a machine no longer counts as answering.
    static constexpr double kPause = 50;

    void begin(double now) { last_answer_ = gap_at_ = now; }

    void answer(const Mac& mac, double now) {
        silence_until(now);
        last_answer_ = now;
        auto& runs = runs_[mac];
        if (runs.empty() || now - runs.back().last > kPause) {
            runs.push_back({now, now, 0});
        }
        runs.back().last = now;
        ++runs.back().answers;
    }

    // Also takes the silence before `now` into account, once nothing more will come.
    void silence_until(double now) {
        if (now - last_answer_ > gap_) {
            gap_ = now - last_answer_;
            gap_at_ = last_answer_;
        }
    }

    [[nodiscard]] std::vector<Mac> answering(double now) const {
        std::vector<Mac> macs;
        for (const auto& [mac, runs] : runs_) {
            if (now - runs.back().last <= kPause) {
                macs.push_back(mac);
            }
        }
        return macs;
    }

    // Every overlap of two machines' runs, ordered by time. One answer within another's run counts.
    [[nodiscard]] std::vector<TwoOwners> two_owners() const {
        std::vector<TwoOwners> found;
        for (auto one = runs_.begin(); one != runs_.end(); ++one) {
            for (auto other = std::next(one); other != runs_.end(); ++other) {
                add_overlaps(*one, *other, found);
            }
        }
        std::sort(found.begin(), found.end(), [](const TwoOwners& a, const TwoOwners& b) {
            return a.from < b.from;
        });
        return found;
    }

    [[nodiscard]] double gap() const { return gap_; }
    [[nodiscard]] double gap_at() const { return gap_at_; }
    [[nodiscard]] const std::map<Mac, std::vector<Run>>& runs() const { return runs_; }

private:
    using Entry = std::map<Mac, std::vector<Run>>::value_type;

    static void add_overlaps(const Entry& a, const Entry& b, std::vector<TwoOwners>& found) {
        auto x = a.second.begin();
        auto y = b.second.begin();
        while (x != a.second.end() && y != b.second.end()) {
            const double from = std::max(x->first, y->first);
            const double to = std::min(x->last, y->last);
            if (from <= to) {
                found.push_back({a.first, b.first, from, to});
            }
            (x->last < y->last ? x : y)++;
        }
    }

    double last_answer_ = 0;
    double gap_ = 0;
    double gap_at_ = 0;
    std::map<Mac, std::vector<Run>> runs_;
};

}  // namespace steelyard::failover
