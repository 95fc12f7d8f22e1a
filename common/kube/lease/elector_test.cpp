#include "common/kube/lease/elector_test_support.hpp"

#include <gtest/gtest.h>

namespace steelyard::kube {
namespace {

using std::chrono::microseconds;
using std::chrono::milliseconds;
using std::chrono::seconds;
using test::held_by;
using test::released;
using test::Script;

TEST(TimingsTest, Table) {
    struct Row {
        const char* name;
        ElectionTimings timings;
        bool right;
    };
    for (const Row& row : {
             Row{"defaults", {}, true},
             Row{"fast", {seconds(5), seconds(3), seconds(1)}, true},
             Row{"no whole seconds", {milliseconds(15'500), seconds(10), seconds(2)}, false},
             Row{"no lease duration", {seconds(0), seconds(10), seconds(2)}, false},
             Row{"deadline as long as the lease", {seconds(10), seconds(10), seconds(2)}, false},
             Row{"retry too long", {seconds(15), seconds(10), seconds(9)}, false},
             Row{"no retry", {seconds(15), seconds(10), seconds(0)}, false},
         }) {
        EXPECT_EQ(check(row.timings).has_value(), row.right) << row.name;
    }
}

TEST(ElectorTest, MakesTheLeaseWhenThereIsNone) {
    Script a;

    EXPECT_EQ(a.start(), "read");
    EXPECT_EQ(a.read_fails(Errc::NotFound), "holder nobody, create(a 0)");
    EXPECT_FALSE(a.leading());
    EXPECT_EQ(a.written("10"), "holder a, elected");
    EXPECT_TRUE(a.leading());
}

TEST(ElectorTest, WritesTheRecordThatClientGoWrites) {
    Script a;
    a.now.wall += std::chrono::nanoseconds(1'999);
    a.lead();

    EXPECT_EQ(a.sent.holder, "a");
    EXPECT_EQ(a.sent.duration, seconds(15));
    EXPECT_EQ(a.sent.acquire, WallTime(seconds(1'767'355'200)) + microseconds(1));
    EXPECT_EQ(a.sent.renew, a.sent.acquire);
    const auto acquired = a.sent.acquire;
    EXPECT_EQ(a.wait(), "update(a 0 @10)");
    EXPECT_EQ(a.sent.acquire, acquired);
    EXPECT_EQ(a.sent.renew, *acquired + seconds(2));
}

TEST(ElectorTest, RenewsOncePerRetryPeriod) {
    Script a;
    a.lead();
    const Instant start = a.now.instant;

    EXPECT_EQ(a.wait(), "update(a 0 @10)");
    EXPECT_EQ(a.now.instant, start + seconds(2));
    a.pass(milliseconds(300));
    EXPECT_EQ(a.written("11"), "");
    EXPECT_EQ(a.wait(), "update(a 0 @11)");
    EXPECT_EQ(a.now.instant, start + seconds(4));
}

TEST(ElectorTest, TakesAReleasedLeaseAtTheFirstSight) {
    Script b("b");
    b.start();
    EXPECT_EQ(b.read(held_by("a", "20")), "holder a");

    EXPECT_EQ(b.watched(released("21")), "holder nobody, update(b 5 @21)");
    EXPECT_EQ(b.written("22"), "holder b, elected");
}

TEST(ElectorTest, TakesALeaseThatDidNotChangeForItsDuration) {
    Script b("b");
    b.start();
    b.read(held_by("a", "20"));
    const Instant seen = b.now.instant;

    std::string said;
    while (said.empty() || said == "read") {
        if (said == "read") {
            EXPECT_EQ(b.read(held_by("a", "20")), "");
        }
        said = b.wait();
    }

    EXPECT_EQ(said, "update(b 5 @20)");
    EXPECT_EQ(b.now.instant, seen + seconds(15));
}

TEST(ElectorTest, EveryChangeOfTheRecordBeginsTheWaitAgain) {
    Script b("b");
    b.start();
    b.read(held_by("a", "20"));
    b.pass(seconds(14));
    EXPECT_EQ(b.watched(held_by("a", "21", 1)), "read");  // a look was due as well
    EXPECT_EQ(b.read(held_by("a", "21", 1)), "");
    b.pass(seconds(14));

    EXPECT_EQ(b.deadline(), "read");
    EXPECT_EQ(b.read(held_by("a", "21", 1)), "");
    b.pass(seconds(1));
    EXPECT_EQ(b.deadline(), "update(b 5 @21)");
}

TEST(ElectorTest, ChangeOutsideTheRecordDoesNot) {
    Script b("b");
    b.start();
    b.read(held_by("a", "20"));
    b.pass(seconds(14));
    Lease labelled = held_by("a", "21");
    labelled.meta.labels["x"] = "y";
    EXPECT_EQ(b.watched(labelled), "read");
    EXPECT_EQ(b.read(labelled), "");
    b.pass(seconds(1));

    EXPECT_EQ(b.deadline(), "update(b 5 @21)");
}

TEST(ElectorTest, ClockOfTheHolderCountsForNothing) {
    Script b("b");
    b.start();
    Lease future = held_by("a", "20");
    future.renew = b.now.wall + std::chrono::hours(24 * 365);
    b.read(future);
    b.pass(seconds(15));

    EXPECT_EQ(b.deadline(), "update(b 5 @20)");
}

TEST(ElectorTest, LeadsNoLongerThanTheDeadlineAfterSending) {
    Script a;
    a.start();
    a.read_fails(Errc::NotFound);
    a.pass(seconds(3));
    a.written("10");
    a.pass(milliseconds(6'999));
    EXPECT_TRUE(a.leading());
    a.pass(milliseconds(1));

    EXPECT_FALSE(a.leading());
    EXPECT_EQ(a.deadline().substr(0, 9), "lost late");
}

TEST(ElectorTest, AnswerThatComesAfterTheDeadlineElectsNobody) {
    Script a;
    a.start();
    a.read_fails(Errc::NotFound);
    a.pass(seconds(60));  // the process was stopped

    EXPECT_EQ(a.written("10"), "holder a, update(a 0 @10)");
    EXPECT_FALSE(a.leading());
    EXPECT_EQ(a.written("11"), "elected");
}

TEST(ElectorTest, LostAnswerOfARenewalIsRecognised) {
    Script a;
    a.lead();
    a.wait();
    const Lease happened = a.sent_as("11");
    a.pass(seconds(3));
    EXPECT_EQ(a.write_fails(Errc::Timeout), "update(a 0 @10)");
    EXPECT_EQ(a.write_fails(Errc::Conflict), "read");

    EXPECT_EQ(a.read(happened), "update(a 0 @11)");
    EXPECT_TRUE(a.leading());
    EXPECT_EQ(a.written("12"), "");
    EXPECT_TRUE(a.leading());
}

TEST(ElectorTest, RequestsEndSoonEnoughForThreeAttempts) {
    Script a;
    a.lead();
    const Instant renewed = a.now.instant;
    int attempts = 0;

    std::string said = a.wait();
    while (said == "update(a 0 @10)" && a.now.instant < renewed + seconds(10)) {
        ++attempts;
        EXPECT_LE(a.give_up, renewed + seconds(10));
        a.now.instant = a.give_up;
        said = a.write_fails(Errc::Timeout);
    }

    EXPECT_EQ(attempts, 3);
    EXPECT_EQ(a.now.instant, renewed + seconds(10));
}

TEST(ElectorTest, RefusedRenewalsAreTriedOncePerRetryPeriod) {
    Script a;
    a.lead();
    const Instant start = a.now.instant;
    for (int i = 1; i <= 4; ++i) {
        EXPECT_EQ(a.wait(), "update(a 0 @10)");
        EXPECT_EQ(a.now.instant, start + i * seconds(2));
        EXPECT_EQ(a.write_fails(Errc::Unavailable), "");
    }

    EXPECT_EQ(a.wait().substr(0, 9), "lost late");
    EXPECT_EQ(a.now.instant, start + seconds(10));
}

TEST(ElectorTest, LeaderReadsWhenAWatchShowsSomebodyElseAndGoesWhenItIsTrue) {
    Script a;
    a.lead();

    EXPECT_EQ(a.watched(held_by("b", "11")), "read");
    EXPECT_TRUE(a.leading());
    EXPECT_EQ(a.read(held_by("b", "11")), "lost taken, holder b");
    EXPECT_FALSE(a.leading());
}

TEST(ElectorTest, LeaderStaysWhenTheWatchWasLate) {
    Script a;
    a.lead();
    const Lease mine = a.sent_as("10");

    EXPECT_EQ(a.watched(held_by("b", "9")), "read");
    EXPECT_EQ(a.read(mine), "");
    EXPECT_TRUE(a.leading());
    EXPECT_EQ(a.wait(), "update(a 0 @10)");
}

TEST(ElectorTest, LeaderMakesADeletedLeaseAgain) {
    Script a;
    a.lead();

    EXPECT_EQ(a.watched(std::nullopt), "read");
    EXPECT_EQ(a.read_fails(Errc::NotFound), "holder nobody, create(a 0)");
    EXPECT_TRUE(a.leading());
    EXPECT_EQ(a.written("12"), "holder a");
    EXPECT_TRUE(a.leading());
}

TEST(ElectorTest, RenewalOfADeletedLeaseMakesItAgain) {
    Script a;
    a.lead();
    a.wait();

    EXPECT_EQ(a.write_fails(Errc::NotFound), "holder nobody, create(a 0)");
    EXPECT_TRUE(a.leading());
}

TEST(ElectorTest, DeletedLeaseBindsUntilItsLeaderMustHaveStopped) {
    Script b("b");
    b.start();
    b.read(held_by("a", "20"));
    b.pass(seconds(1));

    EXPECT_EQ(b.watched(std::nullopt), "holder nobody");
    b.pass(milliseconds(14'999));  // it may have been renewed just before
    EXPECT_EQ(b.deadline(), "read");
    EXPECT_EQ(b.read_fails(Errc::NotFound), "");
    b.pass(milliseconds(1));
    EXPECT_EQ(b.deadline(), "create(b 0)");
}

TEST(ElectorTest, HolderEmptiedByHandBindsToo) {
    Script b("b");
    b.start();
    b.read(held_by("a", "20"));
    Lease edited = held_by("", "21");

    EXPECT_EQ(b.watched(edited), "holder nobody");
    EXPECT_EQ(b.elector.next_deadline() < b.now.instant + seconds(15), true);
    b.pass(seconds(15));
    EXPECT_EQ(b.deadline(), "update(b 5 @21)");
}

TEST(ElectorTest, DurationShortenedByHandShortensNothing) {
    Script b("b");
    b.start();
    b.read(held_by("a", "20"));
    Lease edited = held_by("c", "21");
    edited.duration = seconds(1);
    b.watched(edited);
    b.pass(seconds(14));

    EXPECT_EQ(b.deadline(), "read");
}

TEST(ElectorTest, LeaseMadeByHandWithoutRecordIsFree) {
    Script a;
    a.start();
    Lease empty;
    empty.meta = held_by("", "7").meta;

    EXPECT_EQ(a.read(empty), "holder nobody, update(a 1 @7)");
}

TEST(ElectorTest, OwnNameIsNotEnoughToBeOurs) {
    Script a;
    a.start();

    EXPECT_EQ(a.read(held_by("a", "20")), "holder a");  // another process of that name
    EXPECT_FALSE(a.leading());
    a.pass(seconds(15));
    EXPECT_EQ(a.deadline(), "update(a 5 @20)");
}

TEST(ElectorTest, TwinWhoTakesTheLeaseEndsTheLeader) {
    Script a;
    a.lead();
    a.wait();

    EXPECT_EQ(a.write_fails(Errc::Conflict), "read");
    EXPECT_EQ(a.read(held_by("a", "11")), "lost taken");
}

TEST(ElectorTest, BothOfARaceTryAndOneWaits) {
    Script b("b");
    b.start();
    b.read(held_by("a", "20"));
    b.watched(released("21"));

    EXPECT_EQ(b.write_fails(Errc::Conflict), "read");
    EXPECT_EQ(b.read(held_by("c", "22")), "holder c");
    EXPECT_EQ(b.elector.next_deadline() > b.now.instant, true);
}

TEST(ElectorTest, EndlessConflictsDoNotSpin) {
    Script a;
    a.start();
    std::string said = a.read(released("7"));
    const Instant start = a.now.instant;
    int writes = 0;
    while (a.now.instant < start + seconds(20)) {
        if (said.find("update") != std::string::npos) {
            ++writes;
            said = a.write_fails(Errc::Conflict);
        } else if (said.find("read") != std::string::npos) {
            said = a.read(released("7"));
        } else {
            said = a.wait();
        }
    }

    EXPECT_LE(writes, 12);
}

TEST(ElectorTest, ReleaseStopsLeadingAtOnceAndKeepsTheTransitions) {
    Script a;
    a.lead();

    EXPECT_EQ(a.release(), "lost released, update(nobody 0 @10)");
    EXPECT_FALSE(a.leading());
    EXPECT_EQ(a.sent.duration, seconds(1));
    EXPECT_EQ(a.written("11"), "holder nobody, released");
    EXPECT_EQ(a.elector.next_deadline(), std::nullopt);
}

TEST(ElectorTest, ReleaseDuringARenewalWaitsForItsVersion) {
    Script a;
    a.lead();
    a.wait();

    EXPECT_EQ(a.release(), "lost released");
    EXPECT_EQ(a.written("11"), "update(nobody 0 @11)");
    EXPECT_EQ(a.written("12"), "holder nobody, released");
}

TEST(ElectorTest, ReleaseWhoseAnswerIsLostIsLookedAfter) {
    Script a;
    a.lead();
    a.release();

    EXPECT_EQ(a.write_fails(Errc::Timeout), "");
    EXPECT_EQ(a.wait(), "update(nobody 0 @10)");
    EXPECT_EQ(a.write_fails(Errc::Conflict), "read");
    EXPECT_EQ(a.read(released("11")), "holder nobody, released");
}

TEST(ElectorTest, ReleaseAfterALostAcquisitionLooksFirst) {
    Script a;
    a.start();
    a.read(released("7"));
    const Lease happened = a.sent_as("8");
    a.write_fails(Errc::Timeout);

    EXPECT_EQ(a.release(), "read");
    EXPECT_EQ(a.read(happened), "holder a, update(nobody 5 @8)");
}

TEST(ElectorTest, ReleaseByOneWhoDoesNotLeadIsImmediate) {
    Script b("b");
    b.start();
    EXPECT_EQ(b.release(), "released");  // even while it reads
    EXPECT_EQ(b.read(held_by("a", "20")), "");

    Script c("c");
    c.start();
    c.read(held_by("a", "20"));
    EXPECT_EQ(c.release(), "released");
}

TEST(ElectorTest, ClockOfTheDaySetBackStillRenewsVisibly) {
    Script a;
    a.lead();
    const auto first = a.sent.renew;
    a.pass(seconds(2));
    a.now.wall = *first;

    EXPECT_EQ(a.deadline(), "update(a 0 @10)");
    EXPECT_NE(a.sent.renew, first);
}

TEST(ElectorTest, TransitionsNeverOutgrowTheField) {
    Script a;
    a.start();
    Lease last = released("7");
    last.transitions = 2'147'483'647;

    EXPECT_EQ(a.read(last), "holder nobody, update(a 0 @7)");
}

TEST(ElectorTest, FailedLooksAreRepeatedWithJitter) {
    Script a;
    a.start();
    for (int i = 0; i < 20; ++i) {
        const Instant before = a.now.instant;
        EXPECT_EQ(a.read_fails(Errc::Unavailable), "");
        EXPECT_EQ(a.wait(), "read");
        EXPECT_GE(a.now.instant, before + seconds(2));
        EXPECT_LE(a.now.instant, before + milliseconds(4'400));
    }
}

TEST(ElectorTest, DemotedLeaderWhoseLeaseNobodyTookLeadsAgain) {
    Script a;
    a.lead();
    a.wait();
    a.pass(seconds(9));
    EXPECT_EQ(a.deadline(), "lost late");
    EXPECT_EQ(a.write_fails(Errc::Timeout), "");

    EXPECT_EQ(a.wait(), "update(a 0 @10)");
    EXPECT_EQ(a.written("11"), "elected");
}

}  // namespace
}  // namespace steelyard::kube
