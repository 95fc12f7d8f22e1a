#include "speaker/ring/lease.hpp"
#include "speaker/ring/ring_order.hpp"
#include "speaker/ring/verdicts.hpp"
#include "speaker/ring/watching.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <string>

namespace steelyard::ring {
namespace {

using namespace std::chrono_literals;

const Timing kTiming(100ms);
const Instant kStart = Instant() + 1h;
constexpr NodeId kSubject{1};
constexpr NodeId kSelf{2};
constexpr NodeId kFellow{3};
constexpr NodeId kOther{4};

WatcherSet set_of(std::vector<NodeId> ids) {
    WatcherSet out;
    out.count = static_cast<std::uint8_t>(ids.size());
    std::copy(ids.begin(), ids.end(), out.ids.begin());
    return out;
}

Watching watching() {
    Watching out(kSubject, kSelf, kStart);
    out.set_watchers(set_of({kSelf, kFellow, kOther}));
    return out;
}

TEST(WatchingTest, SilenceIsAskedAboutThenAccused) {
    const Watching one = watching();
    EXPECT_EQ(one.due(kTiming, kStart + 219ms), Watching::Due::Nothing);
    EXPECT_EQ(one.due(kTiming, kStart + 220ms), Watching::Due::Probe);
    EXPECT_EQ(one.due(kTiming, kStart + 279ms), Watching::Due::Probe);
    EXPECT_EQ(one.due(kTiming, kStart + 280ms), Watching::Due::Accuse);
}

TEST(WatchingTest, AnAnswerStartsTheSilenceAnew) {
    Watching one = watching();
    one.probed(kTiming, kStart + 220ms);
    EXPECT_EQ(one.due(kTiming, kStart + 231ms), Watching::Due::Nothing);
    EXPECT_FALSE(one.on_heard(kTiming, kStart + 231ms));
    EXPECT_EQ(one.due(kTiming, kStart + 450ms), Watching::Due::Nothing);
    EXPECT_EQ(one.due(kTiming, kStart + 451ms), Watching::Due::Probe);
}

TEST(WatchingTest, TwoOfThreeCondemnAndAStaleAccusationDoesNotCount) {
    Watching one = watching();
    one.on_opinion(kFellow, true, 1, kStart);
    EXPECT_FALSE(one.condemned(kTiming, kStart));  // we hear it
    one.accuse(kStart + 280ms);
    EXPECT_TRUE(one.condemned(kTiming, kStart + 280ms));
    EXPECT_FALSE(one.condemned(kTiming, kStart + 1200ms));
}

TEST(WatchingTest, StrangersAndOldNewsCountForNothing) {
    Watching one = watching();
    one.accuse(kStart);
    one.on_opinion(NodeId{99}, true, 1, kStart);
    EXPECT_FALSE(one.condemned(kTiming, kStart));
    one.on_opinion(kFellow, false, 5, kStart);
    one.on_opinion(kFellow, true, 4, kStart);
    EXPECT_FALSE(one.condemned(kTiming, kStart));
}

TEST(WatchingTest, AFellowThatFellSilentAcquitsNobodyButOneThatHearsDoes) {
    Watching one = watching();
    one.accuse(kStart);
    one.on_opinion(kFellow, true, 1, kStart);
    EXPECT_FALSE(one.acquitted());  // however old that opinion gets
    one.on_opinion(kFellow, false, 2, kStart + 10s);
    EXPECT_TRUE(one.acquitted());
}

TEST(WatchingTest, AnAccusedNodeMustBeHeardForAWhile) {
    Watching one = watching();
    one.accuse(kStart);
    EXPECT_FALSE(one.on_heard(kTiming, kStart + 1s));
    EXPECT_FALSE(one.on_heard(kTiming, kStart + 1100ms));
    EXPECT_FALSE(one.on_heard(kTiming, kStart + 1400ms));  // a gap: from the start again
    EXPECT_FALSE(one.on_heard(kTiming, kStart + 1500ms));
    EXPECT_TRUE(one.on_heard(kTiming, kStart + 1600ms));
    EXPECT_FALSE(one.accused());
}

TEST(WatchingTest, NewsIsToldThreeTimesAndAnAccusationAgainAndAgain) {
    Watching one = watching();
    Instant now = kStart;
    one.accuse(now);
    for (const Duration pause : {20ms, 20ms, 500ms, 500ms}) {
        ASSERT_TRUE(one.must_tell(now));
        one.told(kTiming, now);
        EXPECT_FALSE(one.must_tell(now + pause - 1ms));
        now += pause;
    }
}

TEST(WatchingTest, OpinionsOfWatchersThatStayAreKept) {
    Watching one = watching();
    one.accuse(kStart);
    one.on_opinion(kOther, true, 1, kStart);
    one.set_watchers(set_of({kOther, NodeId{7}, kSelf}));
    EXPECT_TRUE(one.condemned(kTiming, kStart));
    one.set_watchers(set_of({NodeId{7}, kSelf, kFellow}));
    EXPECT_FALSE(one.condemned(kTiming, kStart));
}

TEST(LeaseTest, ItEndsBeforeAnybodyMayAccuse) {
    Lease lease;
    EXPECT_EQ(lease.until(), Instant::max());
    lease.limit(kTiming, kStart);
    lease.on_heartbeat(kTiming, kStart + 10ms);
    EXPECT_EQ(lease.until(), kStart + 10ms + kTiming.lease);
    EXPECT_LT(kTiming.lease, kTiming.accuse_after);
    EXPECT_FALSE(lease.ran_out(kStart + 280ms));
    EXPECT_TRUE(lease.ran_out(kStart + 281ms));
}

Lease asking(unsigned watchers) {
    Lease lease;
    std::vector<NodeId> ids;
    for (unsigned i = 0; i < watchers; ++i) {
        ids.push_back(NodeId{10 + i});
    }
    lease.set_watchers(set_of(ids));
    lease.limit(kTiming, kStart);
    lease.begin_asking(7, kStart + 5s);
    return lease;
}

TEST(LeaseTest, SoManyMustAnswerThatOneOfAnyQuorumIsAmongThem) {
    const std::vector<unsigned> enough = {0, 1, 1, 2, 2, 3};
    for (unsigned watchers = 1; watchers <= 5; ++watchers) {
        Lease lease = asking(watchers);
        const Instant now = kStart + 5s;
        for (unsigned i = 0; i < enough[watchers]; ++i) {
            EXPECT_FALSE(lease.decide(kTiming, false, now)) << watchers;
            lease.on_answer(NodeId{10 + i}, 7, View::Heard, now);
        }
        EXPECT_TRUE(lease.decide(kTiming, false, now)) << watchers;
        EXPECT_EQ(lease.until(), now + kTiming.lease);
    }
}

TEST(LeaseTest, HeartbeatsDoNotExtendItWhileWeAsk) {
    Lease lease = asking(3);
    lease.on_heartbeat(kTiming, kStart + 5s);
    EXPECT_LT(lease.until(), kStart + 5s);
}

TEST(LeaseTest, AnswersToOlderQuestionsAndOfStrangersDoNotCount) {
    Lease lease = asking(2);
    lease.on_answer(NodeId{10}, 6, View::Heard, kStart + 5s);
    lease.on_answer(NodeId{99}, 7, View::Heard, kStart + 5s);
    EXPECT_FALSE(lease.decide(kTiming, false, kStart + 5s));
}

TEST(LeaseTest, OneBadWordHoldsItBackUntilItIsTakenBack) {
    Lease lease = asking(3);
    const Instant now = kStart + 5s;
    lease.on_answer(NodeId{10}, 7, View::Heard, now);
    lease.on_answer(NodeId{11}, 7, View::Unreachable, now);
    lease.on_answer(NodeId{12}, 7, View::Heard, now);
    EXPECT_FALSE(lease.decide(kTiming, false, now));
    lease.on_answer(NodeId{11}, 7, View::Heard, now + 200ms);
    EXPECT_FALSE(lease.decide(kTiming, true, now + 200ms));  // a verdict is still in force
    EXPECT_TRUE(lease.decide(kTiming, false, now + 200ms));
}

TEST(LeaseTest, WithoutABadWordForASecondItGoesOnAlone) {
    Lease lease = asking(3);
    const Instant now = kStart + 5s;
    lease.on_answer(NodeId{11}, 7, View::Silent, now + 500ms);
    EXPECT_FALSE(lease.decide(kTiming, true, now + 1499ms));
    EXPECT_TRUE(lease.decide(kTiming, true, now + 1500ms));
}

TEST(VerdictsTest, ASubjectIsUnreachableAsLongAsOneJudgeHoldsIt) {
    Verdicts verdicts;
    EXPECT_TRUE(verdicts.hold(kSubject, kSelf, Instant::max()));
    EXPECT_FALSE(verdicts.hold(kSubject, kFellow, kStart + 3s));
    EXPECT_FALSE(verdicts.lift(kSubject, kSelf));
    EXPECT_TRUE(verdicts.unreachable(kSubject));
    EXPECT_EQ(verdicts.deadline(), kStart + 3s);
    EXPECT_TRUE(verdicts.lift(kSubject, kFellow));
    EXPECT_FALSE(verdicts.lift(kSubject, kFellow));
    EXPECT_FALSE(verdicts.unreachable(kSubject));
}

TEST(VerdictsTest, WhatNobodyRenewsIsForgotten) {
    Verdicts verdicts;
    verdicts.hold(kSubject, kSelf, kStart + 1s);
    verdicts.hold(kSubject, kSelf, kStart + 2s);
    EXPECT_TRUE(verdicts.expire(kStart + 1999ms).empty());
    EXPECT_EQ(verdicts.expire(kStart + 2s), std::vector{kSubject});
    EXPECT_EQ(verdicts.deadline(), Instant::max());
}

TEST(RingOrderTest, SuccessorsFollowGoingRoundWhateverTheOrder) {
    std::vector<Place> places;
    for (int i = 0; i < 20; ++i) {
        places.push_back(place("node-" + std::to_string(i), 1));
    }
    auto sorted = places;
    std::sort(sorted.begin(), sorted.end(), [](const Place& a, const Place& b) {
        return a.position < b.position;
    });
    for (std::size_t i = 0; i < sorted.size(); ++i) {
        Successors next(sorted[i], 3);
        for (const Place& one : places) {
            next.consider(one);
        }
        std::vector<NodeId> expected;
        for (std::size_t step = 1; step <= 3; ++step) {
            expected.push_back(sorted[(i + step) % sorted.size()].id);
        }
        EXPECT_EQ(next.ids(), expected);
    }
}

TEST(RingOrderTest, ARestartMovesNobodyButIsAnotherNode) {
    EXPECT_EQ(place("a", 1).position, place("a", 2).position);
    EXPECT_NE(place("a", 1).id, place("a", 2).id);
}

}  // namespace
}  // namespace steelyard::ring
