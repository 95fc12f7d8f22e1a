#include "bench/failover/timeline.hpp"

#include <gtest/gtest.h>

namespace steelyard::failover {
namespace {

constexpr Mac kA{2, 0, 0, 0, 0, 1};
constexpr Mac kB{2, 0, 0, 0, 0, 2};

void answers(Timeline& timeline, const Mac& mac, int from, int to) {
    for (int at = from; at <= to; ++at) {
        timeline.answer(mac, at);
    }
}

TEST(Timeline, TheGapIsTheLongestTimeBetweenTwoAnswersOfAnybody) {
    Timeline timeline;
    timeline.begin(0);
    answers(timeline, kA, 1, 100);
    answers(timeline, kB, 350, 400);
    EXPECT_DOUBLE_EQ(timeline.gap(), 250);
    EXPECT_DOUBLE_EQ(timeline.gap_at(), 100);
}

TEST(Timeline, ASilenceAtTheEndCounts) {
    Timeline timeline;
    timeline.begin(0);
    answers(timeline, kA, 1, 100);
    timeline.silence_until(500);
    EXPECT_DOUBLE_EQ(timeline.gap(), 400);
}

TEST(Timeline, OneOwnerAfterTheOtherIsNoOverlap) {
    Timeline timeline;
    answers(timeline, kA, 1, 100);
    answers(timeline, kB, 101, 200);
    EXPECT_TRUE(timeline.two_owners().empty());
}

TEST(Timeline, TwoThatAnswerAtTheSameTimeAreAWindow) {
    Timeline timeline;
    for (int at = 0; at <= 100; ++at) {
        if (at <= 60) {
            timeline.answer(kA, at);
        }
        if (at >= 40) {
            timeline.answer(kB, at);
        }
    }
    const auto windows = timeline.two_owners();
    ASSERT_EQ(windows.size(), 1U);
    EXPECT_DOUBLE_EQ(windows[0].from, 40);
    EXPECT_DOUBLE_EQ(windows[0].to, 60);
}

TEST(Timeline, ASingleForeignAnswerIsAWindowOfNoLength) {
    Timeline timeline;
    answers(timeline, kA, 1, 50);
    timeline.answer(kB, 50);
    answers(timeline, kA, 51, 100);
    const auto windows = timeline.two_owners();
    ASSERT_EQ(windows.size(), 1U);
    EXPECT_DOUBLE_EQ(windows[0].to - windows[0].from, 0);
}

TEST(Timeline, AMachineThatReturnsAfterAPauseStartsANewRun) {
    Timeline timeline;
    answers(timeline, kA, 1, 50);
    answers(timeline, kB, 51, 300);
    answers(timeline, kA, 301, 320);
    EXPECT_TRUE(timeline.two_owners().empty());
    EXPECT_EQ(timeline.runs().at(kA).size(), 2U);
    EXPECT_EQ(timeline.answering(320).size(), 2U);  // B's last answer is 20 ms old
    EXPECT_EQ(timeline.answering(360).size(), 1U);
}

}  // namespace
}  // namespace steelyard::failover
