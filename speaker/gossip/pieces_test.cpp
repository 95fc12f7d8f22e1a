#include "speaker/gossip/awareness.hpp"
#include "speaker/gossip/broadcast_queue.hpp"
#include "speaker/gossip/config.hpp"
#include "speaker/gossip/member_table.hpp"
#include "speaker/gossip/probe_schedule.hpp"
#include "speaker/gossip/suspicion.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>

namespace steelyard::gossip {
namespace {

using namespace std::chrono_literals;
using testing::ElementsAre;

wire::Bytes message(std::size_t size, char fill) {
    return wire::Bytes(size, static_cast<std::byte>(fill));
}

TEST(SuspicionTest, TheTimeoutGrowsWithTheLogarithmOfTheCluster) {
    const struct {
        std::size_t members;
        Duration expected;
    } cases[] = {{1, 4s}, {3, 4s}, {10, 4s}, {100, 8s}, {1000, 12s}};
    for (const auto& [members, expected] : cases) {
        const Duration got = suspicion_timeout(4, members, 1s);
        EXPECT_LT(std::chrono::abs(got - expected), 1ms) << members;
    }
}

TEST(SuspicionTest, ConfirmationsShortenItFromMaxToMin) {
    const Instant start = Instant() + 100s;
    Suspicion suspicion("a", 2, 2s, 12s, start);
    EXPECT_EQ(suspicion.deadline(), start + 12s);

    EXPECT_FALSE(suspicion.confirm("a"));
    EXPECT_TRUE(suspicion.confirm("b"));
    EXPECT_FALSE(suspicion.confirm("b"));
    EXPECT_LT(suspicion.deadline(), start + 6s);
    EXPECT_GT(suspicion.deadline(), start + 5s);

    EXPECT_TRUE(suspicion.confirm("c"));
    EXPECT_EQ(suspicion.deadline(), start + 2s);
    EXPECT_FALSE(suspicion.confirm("d"));
}

TEST(SuspicionTest, WithNobodyToAskItIsTheMinimum) {
    const Instant start = Instant() + 100s;

    EXPECT_EQ(Suspicion("a", 0, 2s, 12s, start).deadline(), start + 2s);
}

TEST(AwarenessTest, StaysWithinItsBoundsAndScales) {
    Awareness awareness(8);
    awareness.apply(-1);
    EXPECT_EQ(awareness.score(), 0);
    EXPECT_EQ(awareness.scale(1s), 1s);

    awareness.apply(100);
    EXPECT_EQ(awareness.score(), 7);
    EXPECT_EQ(awareness.scale(1s), 8s);
}

TEST(BroadcastQueueTest, ANewerMessageReplacesTheOlderAboutTheSame) {
    BroadcastQueue queue;
    queue.push("a", message(10, '1'));
    queue.push("a", message(10, '2'));

    EXPECT_THAT(queue.take(2, 100, 4), ElementsAre(message(10, '2')));
}

TEST(BroadcastQueueTest, AMessageIsDroppedAtItsLimit) {
    BroadcastQueue queue;
    queue.push("a", message(10, '1'));
    for (int i = 0; i < 3; ++i) {
        EXPECT_EQ(queue.take(2, 100, 3).size(), 1U);
    }

    EXPECT_TRUE(queue.empty());
    EXPECT_FALSE(queue.contains("a"));
}

TEST(BroadcastQueueTest, TheLeastSentAndThenTheNewestGoFirst) {
    BroadcastQueue queue;
    queue.push("a", message(10, 'a'));
    queue.push("b", message(10, 'b'));
    EXPECT_THAT(queue.take(2, 12, 9), ElementsAre(message(10, 'b')));
    EXPECT_THAT(queue.take(2, 12, 9), ElementsAre(message(10, 'a')));
    queue.push("c", message(10, 'c'));

    EXPECT_THAT(
        queue.take(2, 100, 9), ElementsAre(message(10, 'c'), message(10, 'b'), message(10, 'a'))
    );
}

TEST(BroadcastQueueTest, WhatDoesNotFitIsPassedOver) {
    BroadcastQueue queue;
    queue.push("small", message(5, 's'));
    queue.push("large", message(50, 'l'));

    EXPECT_THAT(queue.take(2, 20, 9), ElementsAre(message(5, 's')));
    EXPECT_EQ(queue.size(), 2U);
}

TEST(BroadcastQueueTest, TheLimitIsMemberlists) {
    EXPECT_EQ(retransmit_limit(4, 0), 0U);
    EXPECT_EQ(retransmit_limit(4, 3), 4U);
    EXPECT_EQ(retransmit_limit(4, 9), 4U);
    EXPECT_EQ(retransmit_limit(4, 99), 8U);
    EXPECT_EQ(retransmit_limit(4, 1000), 16U);
}

TEST(ProbeScheduleTest, EachRoundHasEveryMemberOnce) {
    Rng rng(1);
    ProbeSchedule schedule;
    std::set<std::string> all;
    for (int i = 0; i < 20; ++i) {
        all.insert("node-" + std::to_string(i));
        schedule.insert("node-" + std::to_string(i), rng);
    }
    for (int round = 0; round < 5; ++round) {
        schedule.start_round(rng);
        std::set<std::string> seen;
        while (!schedule.round_over()) {
            EXPECT_TRUE(seen.insert(schedule.take()).second);
        }
        EXPECT_EQ(seen, all);
    }
}

TEST(ProbeScheduleTest, RemovalKeepsThePlaceInTheRound) {
    Rng rng(1);
    ProbeSchedule schedule;
    for (const char* name : {"a", "b", "c"}) {
        schedule.insert(name, rng);
    }
    schedule.start_round(rng);
    const std::string first = schedule.take();
    schedule.remove({first});

    std::set<std::string> rest;
    while (!schedule.round_over()) {
        rest.insert(schedule.take());
    }
    EXPECT_EQ(rest.size(), 2U);
    EXPECT_EQ(rest.count(first), 0U);
}

TEST(ProbeScheduleTest, AHastenedMemberIsNext) {
    Rng rng(1);
    ProbeSchedule schedule;
    for (const char* name : {"a", "b", "c", "d"}) {
        schedule.insert(name, rng);
    }
    schedule.start_round(rng);
    const std::string first = schedule.take();
    const std::string wanted = first == "c" ? "d" : "c";
    schedule.hasten(wanted);

    EXPECT_EQ(schedule.take(), wanted);
    schedule.hasten(wanted);  // had its turn already
    EXPECT_NE(schedule.take(), wanted);
}

TEST(MemberTableTest, ForgettingKeepsTheIndexRight) {
    MemberTable table;
    for (const char* name : {"a", "b", "c", "d"}) {
        Member member;
        member.name = name;
        table.add(member);
    }

    const auto gone = table.forget([](const Member& m) { return m.name == "a" || m.name == "d"; });

    EXPECT_THAT(gone, testing::UnorderedElementsAre("a", "d"));
    EXPECT_EQ(table.size(), 2U);
    EXPECT_EQ(table.find("a"), nullptr);
    ASSERT_NE(table.find("b"), nullptr);
    EXPECT_EQ(table.find("b")->name, "b");
    EXPECT_EQ(table.find("c")->name, "c");
}

TEST(MemberTableTest, PicksDifferentMembersOnly) {
    MemberTable table;
    for (int i = 0; i < 6; ++i) {
        Member member;
        member.name = std::to_string(i);
        table.add(member);
    }
    Rng rng(3);

    const auto picked = table.pick(4, rng, [](const Member& m) { return m.name != "0"; });

    std::set<std::string> names;
    for (const Member* member : picked) {
        names.insert(member->name);
    }
    EXPECT_EQ(names.size(), 4U);
    EXPECT_EQ(names.count("0"), 0U);
    EXPECT_EQ(table.pick(9, rng, [](const Member&) { return true; }).size(), 6U);
}

TEST(GossipConfigTest, ProfilesAreKnownByName) {
    EXPECT_EQ(parse_profile("wan").value(), Profile::Wan);
    EXPECT_EQ(
        parse_profile("slow").error().context,
        "gossip profile \"slow\": accepted are fast, lan, wan"
    );
    EXPECT_EQ(timing(Profile::Lan).probe_interval, 1s);
    EXPECT_EQ(timing(Profile::Lan).suspicion_mult, 4U);
    EXPECT_EQ(timing(Profile::Wan).probe_timeout, 3s);
}

TEST(GossipConfigTest, WhatCannotWorkIsRefused) {
    Config good;
    good.name = "a";
    good.address = {net::IpAddress::v4(0x7f000001), 7946};
    EXPECT_TRUE(validate(good).has_value());

    Config no_name = good;
    no_name.name = "";
    Config no_address = good;
    no_address.address.address = net::IpAddress();
    Config big_meta = good;
    big_meta.meta.resize(513);
    Config slow_timeout = good;
    slow_timeout.timing.probe_timeout = slow_timeout.timing.probe_interval;
    for (const Config& bad : {no_name, no_address, big_meta, slow_timeout}) {
        EXPECT_FALSE(validate(bad).has_value());
    }
}

}  // namespace
}  // namespace steelyard::gossip
