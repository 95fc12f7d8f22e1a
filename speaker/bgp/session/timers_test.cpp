#include "speaker/bgp/session/testing.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <vector>

namespace steelyard::bgp {
namespace {

using namespace std::chrono_literals;

// The session is kept alive by the peer while our side is observed.
void run_with_keepalives(Rig& rig, Duration span) {
    for (const Instant end = rig.now + span; rig.now < end;) {
        rig.feed(rig.dialled(), keepalive());
        rig.run_for(std::min<Duration>(20s, end - rig.now));
    }
}

std::size_t dials(const Rig& rig) {
    return all<Dial>(rig.log).size();
}

TEST(TimersTest, KeepalivesLeaveWithinAQuarterOfTheInterval) {
    Rig rig;
    rig.reach(State::Established);
    std::vector<Duration> gaps;
    Instant last = rig.now;
    while (gaps.size() < 500) {
        rig.feed(rig.dialled(), keepalive());
        if (story(rig.tick()) == "KEEPALIVE") {
            gaps.push_back(rig.now - last);
            last = rig.now;
        }
    }
    const auto [shortest, longest] = std::minmax_element(gaps.begin(), gaps.end());
    EXPECT_GE(*shortest, 22500ms);
    EXPECT_LT(*shortest, 24s);
    EXPECT_GT(*longest, 28500ms);
    EXPECT_LE(*longest, 30s);
}

TEST(TimersTest, RoutesStandInForKeepalives) {
    Rig rig;
    const ConnectionId id = rig.reach(State::Established);
    for (int i = 0; i < 100; ++i) {
        EXPECT_EQ(story(rig.run_for(10s)), "");
        rig.feed(id, keepalive());
        rig.peer.on_routes_sent(id, updates(2), rig.now);
        rig.peer.on_written(id, 46, rig.now);
    }
    EXPECT_EQ(rig.peer.counters().out.updates, 200U);
}

TEST(TimersTest, MarksOfARefreshAreNoUpdatesAndNoSignOfLife) {
    Rig rig;
    const ConnectionId id = rig.reach(State::Established);
    const Instant keepalive_due = rig.peer.next_deadline();
    const Counters& counters = rig.peer.counters();
    const std::uint64_t before = counters.out.bytes;
    rig.now += 5s;
    const wire::Bytes begin = message(bgp_wire::MessageType::RouteRefresh, from_hex("00010101"));
    wire::Bytes sent = begin;
    rig.peer.on_routes_sent(id, sent, rig.now);
    EXPECT_EQ(rig.peer.next_deadline(), keepalive_due);

    const wire::Bytes routes = updates(3);
    sent.insert(sent.end(), routes.begin(), routes.end());
    rig.peer.on_routes_sent(id, sent, rig.now);
    EXPECT_EQ(counters.out.route_refreshes, 2U);
    EXPECT_EQ(counters.out.updates, 3U);
    EXPECT_EQ(counters.out.bytes, before + 5 * 23);
}

TEST(TimersTest, WithoutAHoldTimeNoTimerRuns) {
    auto open = their_open();
    open.hold_seconds = 0;
    Rig rig;
    const ConnectionId id = rig.reach(State::Established, open);
    EXPECT_EQ(rig.peer.next_deadline(), Instant::max());
    rig.peer.on_routes_sent(id, updates(1), rig.now);
    EXPECT_EQ(rig.peer.next_deadline(), Instant::max());
}

TEST(TimersTest, WithoutAHoldTimeAPeerThatNeverConfirmsIsGivenUpToo) {
    auto open = their_open();
    open.hold_seconds = 0;
    Rig rig;
    rig.reach(State::OpenConfirm, open);
    EXPECT_EQ(story(rig.run_for(kOpenHoldTime)), "NOTIFICATION 4/0, flush");
    EXPECT_EQ(rig.trouble(), "nothing heard from the peer for 240 s");
}

TEST(TimersTest, ASilentPeerIsGivenUpAfterTheHoldTime) {
    Rig rig;
    rig.reach(State::Established);
    const Instant start = rig.now;
    while (rig.peer.state() == State::Established) {
        rig.tick();
    }
    EXPECT_EQ(rig.now - start, 90s);
    EXPECT_EQ(rig.trouble(), "nothing heard from the peer for 90 s");
    EXPECT_EQ(name_of(all<Send>(rig.log).back().bytes), "NOTIFICATION 4/0");
}

TEST(TimersTest, WhoWasAsleepGivesThePeerTimeToBeHeard) {
    Rig rig;
    const ConnectionId id = rig.reach(State::Established);
    rig.now += 200s;
    EXPECT_EQ(story(rig.deadline()), "KEEPALIVE");
    rig.feed(id, keepalive());  // it had been waiting in the socket
    EXPECT_EQ(story(rig.run_for(10s)), "");

    rig.now += 200s;
    rig.deadline();
    EXPECT_EQ(story(rig.run_for(kStallGrace)), "down, NOTIFICATION 4/0, flush");
}

TEST(TimersTest, APeerThatDoesNotReadIsGivenUpAfterTheSendHoldTime) {
    Rig rig;
    const ConnectionId id = rig.reach(State::Established);
    run_with_keepalives(rig, 20s);
    rig.reads = false;
    rig.peer.on_routes_sent(id, updates(500), rig.now);
    run_with_keepalives(rig, kSendHoldTime - 20s);
    EXPECT_EQ(rig.peer.state(), State::Established);
    run_with_keepalives(rig, 20s);
    EXPECT_EQ(rig.peer.trouble()->kind, Trouble::Kind::SendHoldTimerExpired);
    EXPECT_EQ(name_of(all<Send>(rig.log).back().bytes), "NOTIFICATION 8/0");
}

TEST(TimersTest, TheSendHoldTimeStartsAnewWithEachMessageTaken) {
    for (const std::size_t taken : {std::size_t{4096}, std::size_t{1}}) {
        Rig rig;
        const ConnectionId id = rig.reach(State::Established);
        rig.reads = false;
        rig.peer.on_routes_sent(id, updates(50'000), rig.now);
        for (int i = 0; i < 10; ++i) {
            run_with_keepalives(rig, 2min);
            rig.peer.on_written(id, taken, rig.now);
        }
        EXPECT_EQ(rig.peer.state() == State::Established, taken == 4096);
    }
}

TEST(TimersTest, AttemptsAreFewWhateverThePeerDoes) {
    struct Case {
        std::string name;
        std::function<void(Rig&)> answer;
        std::optional<Duration> connect_time;
        std::size_t most;  // attempts within an hour
    };
    const auto refuse = [](Rig& rig) {
        rig.fail();
    };
    const auto say_nothing = [](Rig&) {
    };
    const auto close_early = [](Rig& rig) {
        rig.connect();
        rig.close(rig.dialled());
    };
    const auto notify = [](Rig& rig) {
        rig.connect();
        rig.feed(rig.dialled(), bytes_of(bgp_wire::cease(bgp_wire::Cease::ConnectionRejected)));
    };
    const auto confirm_and_close = [](Rig& rig) {
        rig.reach(State::OpenConfirm);
        rig.close(rig.dialled());
    };
    const auto establish_and_close = [](Rig& rig) {
        rig.reach(State::Established);
        rig.close(rig.dialled());
    };
    const std::vector<Case> cases{
        {"TCP refused", refuse, {}, 165},
        {"TCP refused, connect time 10 s", refuse, 10s, 480},
        {"no answer", say_nothing, {}, 120},
        {"no answer, connect time 1 s", say_nothing, 1s, 360},
        {"closed early", close_early, {}, 50},
        {"closed early, connect time 1 s", close_early, 1s, 50},
        {"NOTIFICATION", notify, {}, 50},
        {"NOTIFICATION, connect time 1 s", notify, 1s, 50},
        {"closed in OpenConfirm", confirm_and_close, {}, 50},
        {"established and closed", establish_and_close, 1s, 50},
    };
    for (const Case& one : cases) {
        auto config = test_config();
        config.connect_time = one.connect_time;
        Rig rig(config);
        rig.start();
        const Instant end = rig.now + 1h;
        while (rig.now < end) {
            if (rig.peer.state() == State::Connect) {
                one.answer(rig);
            }
            rig.tick();
        }
        EXPECT_LE(dials(rig), one.most) << one.name;
        EXPECT_GE(dials(rig), 30U) << one.name;
    }
}

TEST(TimersTest, ASessionThatLastedForgivesOldFailures) {
    for (const bool lasting : {true, false}) {
        Rig rig;
        rig.start();
        for (int i = 0; i < 10; ++i) {
            rig.connect();
            rig.close(rig.dialled());
            rig.tick();
        }
        rig.reach(State::Established);
        run_with_keepalives(rig, lasting ? kStableAfter : kStableAfter - 1s);
        rig.close(rig.dialled());
        const Duration wait = rig.peer.next_deadline() - rig.now;
        EXPECT_EQ(wait <= kFirstIdleHold, lasting);
    }
}

TEST(TimersTest, InIdleHoldTheCallsOfThePeerAreRefusedForAMoment) {
    Rig rig;
    rig.start();
    for (int i = 0; i < 10; ++i) {
        rig.connect();
        rig.feed(rig.dialled(), bytes_of(bgp_wire::cease(bgp_wire::Cease::ConnectionRejected)));
        if (i < 9) {
            rig.tick();
        }
    }
    EXPECT_GT(rig.peer.next_deadline(), rig.now + kDeafToCalls);
    rig.accept();
    EXPECT_FALSE(rig.accepted);
    rig.now += kDeafToCalls;
    EXPECT_EQ(story(rig.accept()), "OPEN") << "it may have been repaired on its side";
}

TEST(TimersTest, BfdComingUpCutsAWaitForAnAnswerShort) {
    auto config = test_config();
    config.bfd = true;
    Rig rig(config);
    rig.start();
    for (int i = 0; i < 10; ++i) {
        rig.fail();
        rig.tick();
    }
    rig.fail();
    EXPECT_GT(rig.peer.next_deadline(), rig.now + 20s);
    rig.bfd(BfdState::Up);
    EXPECT_EQ(story(rig.run_for(0s)), "dial");
}

TEST(BackoffTest, DoublesUpToItsLongestWithJitter) {
    Rng rng(1);
    Backoff backoff(1s, 120s);
    Duration expected = 1s;
    for (int i = 0; i < 20; ++i) {
        const Duration wait = backoff.next(rng);
        EXPECT_GE(wait, expected * 3 / 4);
        EXPECT_LE(wait, expected);
        expected = std::min<Duration>(2 * expected, 120s);
    }
    backoff.reset();
    EXPECT_LE(backoff.next(rng), 1s);
}

}  // namespace
}  // namespace steelyard::bgp
