#include "speaker/bfd/pace.hpp"

#include <gtest/gtest.h>

#include <set>

namespace steelyard::bfd {
namespace {

using namespace std::chrono_literals;

TEST(PaceTest, EveryGapIsFrom75To100PercentOfTheInterval) {
    Rng rng(11);
    for (const Duration interval :
         {Duration(1ms),
          Duration(10ms),
          Duration(50ms),
          Duration(300ms),
          Duration(1s),
          Duration(4294967296us)}) {
        for (const std::uint8_t multiplier : {std::uint8_t{1}, std::uint8_t{3}}) {
            Instant last = Instant(1000s) + Duration(rng.below(1000000000));
            for (int i = 0; i < 2000; ++i) {
                const Instant next = next_transmission(last, interval, multiplier, rng);
                EXPECT_GE(next - last, interval * 3 / 4);
                EXPECT_LE(next - last, multiplier == 1 ? interval * 9 / 10 : interval);
                last = next + Duration(rng.below(200000));  // nobody wakes on the dot
            }
        }
    }
}

TEST(PaceTest, GapsDiffer) {
    Rng rng(12);
    Instant last{1000s};
    std::set<Duration> gaps;
    for (int i = 0; i < 100; ++i) {
        const Instant next = next_transmission(last, 10ms, 3, rng);
        gaps.insert(next - last);
        last = next;
    }
    EXPECT_GE(gaps.size(), 2U);
}

TEST(PaceTest, ManySessionsShareTheirWakeUps) {
    Rng rng(13);
    std::set<Instant> wake_ups;
    for (int session = 0; session < 64; ++session) {
        const Duration interval = session % 2 == 0 ? 10ms : 20ms;
        Instant last = Instant(1000s) + Duration(rng.below(20000000));
        while (last < Instant(1001s)) {
            last = next_transmission(last, interval, 3, rng);
            wake_ups.insert(last);
        }
    }
    EXPECT_LE(wake_ups.size(), 1000U);  // of about 5000 packets
}

}  // namespace
}  // namespace steelyard::bfd
