#include "controller/write/write_schedule.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <functional>
#include <set>
#include <string>
#include <utility>
#include <vector>

namespace steelyard::controller {
namespace {

using namespace std::chrono_literals;
using Kind = WriteOutcome::Kind;

constexpr Instant kStart = Instant{} + 1h;

kube::ObjectKey key(std::size_t number) {
    return {"default", "s" + std::to_string(number)};
}

// A server under a virtual clock: it answers a write after a latency, as it is told to.
class Server {
public:
    struct Answer {
        WriteOutcome outcome;
        Duration latency = 2ms;
    };
    // What it answers to a write that arrives now, `busy` others being served.
    using Policy = std::function<Answer(const kube::ObjectKey&, Instant now, std::size_t busy)>;

    Server(WriteSchedule& schedule, Policy policy)
        : schedule_(schedule), policy_(std::move(policy)) {}

    // Until nothing is left to do, or `until`.
    void run(Instant until = Instant::max()) {
        for (;;) {
            start_writes();
            std::optional<Instant> next = schedule_.next_deadline();
            if (!answers_.empty()) {
                const Instant first = answers_.begin()->first;
                next = next ? std::min(*next, first) : first;
            }
            if (!next || *next > until) {
                return;
            }
            now_ = std::max(now_, *next);
            deliver();
        }
    }

    [[nodiscard]] Instant now() const { return now_; }
    void advance_to(Instant instant) { now_ = instant; }
    [[nodiscard]] std::size_t requests() const { return requests_; }
    [[nodiscard]] const std::vector<kube::ObjectKey>& done() const { return done_; }
    [[nodiscard]] std::size_t most_in_flight() const { return most_in_flight_; }

    std::function<void(const kube::ObjectKey&)> on_start;
    std::function<void(const kube::ObjectKey&, const WriteOutcome&)> on_answer;

private:
    void start_writes() {
        while (const auto next = schedule_.next(now_)) {
            ++requests_;
            EXPECT_TRUE(in_flight_.insert(*next).second) << "two writes of " << to_string(*next);
            if (on_start) {
                on_start(*next);
            }
            const Answer answer = policy_(*next, now_, in_flight_.size() - 1);
            answers_.emplace(now_ + answer.latency, std::pair(*next, answer.outcome));
            most_in_flight_ = std::max(most_in_flight_, in_flight_.size());
        }
    }
    void deliver() {
        while (!answers_.empty() && answers_.begin()->first <= now_) {
            const auto [object, outcome] = answers_.begin()->second;
            answers_.erase(answers_.begin());
            in_flight_.erase(object);
            if (outcome.kind == Kind::Done) {
                done_.push_back(object);
            }
            if (on_answer) {
                on_answer(object, outcome);
            }
            schedule_.finished(object, outcome, now_);
        }
    }

    WriteSchedule& schedule_;
    Policy policy_;
    Instant now_ = kStart;
    std::multimap<Instant, std::pair<kube::ObjectKey, WriteOutcome>> answers_;
    std::set<kube::ObjectKey> in_flight_;
    std::vector<kube::ObjectKey> done_;
    std::size_t requests_ = 0;
    std::size_t most_in_flight_ = 0;
};

WriteOutcome outcome(Kind kind, Duration retry_after = {}) {
    WriteOutcome made;
    made.kind = kind;
    made.retry_after = retry_after;
    return made;
}

Server::Answer done(const kube::ObjectKey&, Instant, std::size_t) {
    return {};
}

void put_all(WriteSchedule& schedule, std::size_t count) {
    for (std::size_t i = 0; i < count; ++i) {
        schedule.put(key(i));
    }
}

double seconds(Duration duration) {
    return std::chrono::duration<double>(duration).count();
}

TEST(WriteScheduleTest, TenThousandAtOnceKeepTheWindowFull) {
    WriteSchedule schedule({}, 1);
    Server server(schedule, done);
    put_all(schedule, 10'000);

    server.run();

    EXPECT_EQ(server.requests(), 10'000U);
    EXPECT_EQ(server.most_in_flight(), 64U);
    const double rate = 10'000 / seconds(server.now() - kStart);
    EXPECT_GE(rate, 0.9 * 64 / 0.002);
}

TEST(WriteScheduleTest, ObjectsAreWrittenInTheOrderTheyCame) {
    WriteSchedule schedule({}, 1);
    Server server(schedule, done);
    put_all(schedule, 500);
    schedule.put(key(0));  // already waiting: keeps its place

    server.run();

    ASSERT_EQ(server.done().size(), 500U);
    for (std::size_t i = 0; i < 500; ++i) {
        EXPECT_EQ(server.done()[i], key(i));
    }
}

TEST(WriteScheduleTest, AServerWithFewSeatsIsFilledWithoutBeingStormed) {
    constexpr std::size_t kSeats = 20;
    WriteSchedule schedule({}, 1);
    Server server(schedule, [](const kube::ObjectKey&, Instant, std::size_t busy) {
        Server::Answer answer;
        if (busy >= kSeats) {
            answer.outcome = outcome(Kind::PushedBack, 1s);
            answer.latency = 1ms;
        }
        return answer;
    });
    put_all(schedule, 100'000);

    server.run();

    EXPECT_EQ(server.done().size(), 100'000U);
    EXPECT_LE(server.requests(), 100'100U);
    const double rate = 100'000 / seconds(server.now() - kStart);
    EXPECT_GE(rate, 0.6 * kSeats / 0.002);
}

TEST(WriteScheduleTest, AStormOf429CostsOneRequestASecondAndIsOverAtOnce) {
    constexpr auto kStorm = 600s;
    WriteSchedule schedule({}, 1);
    Server server(schedule, [&](const kube::ObjectKey&, Instant now, std::size_t) {
        Server::Answer answer;
        if (now < kStart + kStorm) {
            answer.outcome = outcome(Kind::PushedBack, 1s);
        }
        return answer;
    });
    put_all(schedule, 10'000);

    server.run();

    EXPECT_EQ(server.done().size(), 10'000U);
    EXPECT_LE(server.requests(), 10'000U + 600U + 50U);
    EXPECT_LE(server.now(), kStart + kStorm + 5s);
}

TEST(WriteScheduleTest, AServerThatIsGoneIsAskedSeldomAndThenFilledAgain) {
    constexpr auto kOutage = 600s;
    WriteSchedule schedule({}, 1);
    Server server(schedule, [&](const kube::ObjectKey&, Instant now, std::size_t) {
        Server::Answer answer;
        if (now < kStart + kOutage) {
            answer.outcome = outcome(Kind::PushedBack);
            answer.latency = 100us;  // connection refused
        }
        return answer;
    });
    put_all(schedule, 10'000);

    server.run();

    EXPECT_LE(server.requests(), 10'000U + 80U);
    EXPECT_LE(server.now(), kStart + kOutage + 31s);
}

TEST(WriteScheduleTest, ARefusedObjectHoldsUpNoOther) {
    WriteSchedule schedule({}, 1);
    Server server(schedule, [](const kube::ObjectKey& object, Instant, std::size_t) {
        Server::Answer answer;
        if (object == key(0)) {
            answer.outcome = outcome(Kind::Refused);
        }
        return answer;
    });
    put_all(schedule, 1000);

    server.run(kStart + 1h);

    EXPECT_EQ(server.done().size(), 999U);
    // It goes on with 100 ms, then ever slower, half a minute at most.
    const std::size_t attempts = server.requests() - 999;
    EXPECT_GE(attempts, 120U);
    EXPECT_LE(attempts, 260U);
    EXPECT_EQ(schedule.waiting(), 1U);
    EXPECT_TRUE(schedule.idle());
}

TEST(WriteScheduleTest, AnObjectThatAlwaysTimesOutLetsOthersGoFirst) {
    WriteSchedule schedule({}, 1);
    Server server(schedule, [](const kube::ObjectKey& object, Instant, std::size_t) {
        Server::Answer answer;
        if (object == key(0)) {
            answer.outcome = outcome(Kind::TimedOut);
            answer.latency = 30s;
        }
        return answer;
    });
    put_all(schedule, 1000);

    server.run(kStart + 29s);

    EXPECT_EQ(server.done().size(), 999U);
}

TEST(WriteScheduleTest, SomethingNewForARefusedObjectIsTriedAtOnce) {
    WriteSchedule schedule({}, 1);
    schedule.put(key(0));
    ASSERT_TRUE(schedule.next(kStart));
    schedule.finished(key(0), outcome(Kind::Refused), kStart);
    EXPECT_FALSE(schedule.next(kStart));

    schedule.put(key(0));

    EXPECT_EQ(schedule.next(kStart), key(0));
}

TEST(WriteScheduleTest, AForgottenObjectIsNotWritten) {
    WriteSchedule schedule({}, 1);
    put_all(schedule, 4);
    ASSERT_EQ(schedule.next(kStart), key(0));
    ASSERT_EQ(schedule.next(kStart), key(1));
    schedule.finished(key(1), outcome(Kind::Refused), kStart);

    for (std::size_t i = 0; i < 3; ++i) {  // in flight, refused, waiting
        schedule.forget(key(i));
    }
    schedule.forget(key(9));
    schedule.finished(key(0), outcome(Kind::Refused), kStart);

    EXPECT_EQ(schedule.next(kStart + 1h), key(3));
    EXPECT_FALSE(schedule.next(kStart + 1h));
    EXPECT_EQ(schedule.waiting(), 0U);
}

TEST(WriteScheduleTest, AnObjectThatCameBackWhileInFlightIsWrittenAgain) {
    WriteSchedule schedule({}, 1);
    schedule.put(key(0));
    ASSERT_TRUE(schedule.next(kStart));
    schedule.forget(key(0));
    schedule.put(key(0));

    schedule.finished(key(0), {}, kStart);

    EXPECT_EQ(schedule.next(kStart), key(0));
}

TEST(WriteScheduleTest, NothingToDoHasNoDeadline) {
    WriteSchedule schedule({}, 1);
    EXPECT_FALSE(schedule.next_deadline());
    schedule.put(key(0));
    ASSERT_TRUE(schedule.next(kStart));
    EXPECT_FALSE(schedule.next_deadline());
    EXPECT_FALSE(schedule.idle());
    schedule.finished(key(0), {}, kStart);
    EXPECT_FALSE(schedule.next_deadline());
    EXPECT_TRUE(schedule.idle());
}

// Whatever the server answers and whenever something new comes: the last wish for each object is
// what stands at the end, and its writes never overlap (the Server checks that).
TEST(WriteSchedulePropertyTest, TheLastWishOfEachObjectStandsAtTheEnd) {
    for (std::uint64_t seed = 1; seed <= 200; ++seed) {
        SCOPED_TRACE("seed " + std::to_string(seed));
        Rng rng(seed);
        WriteSchedule schedule({}, seed);
        std::map<kube::ObjectKey, unsigned> wanted;
        std::map<kube::ObjectKey, unsigned> carried;  // by the write in flight
        std::map<kube::ObjectKey, unsigned> stored;
        const auto put_some = [&] {
            for (std::uint64_t i = rng.below(4); i > 0; --i) {
                const kube::ObjectKey object = key(rng.below(20));
                ++wanted[object];
                schedule.put(object);
            }
        };
        std::size_t troubles = 500;
        Server server(schedule, [&](const kube::ObjectKey&, Instant, std::size_t) {
            Server::Answer answer;
            answer.latency = std::chrono::microseconds(1 + rng.below(5000));
            if (troubles > 0 && rng.below(3) == 0) {
                --troubles;
                constexpr Kind kKinds[] = {Kind::Refused, Kind::PushedBack, Kind::TimedOut};
                answer.outcome = outcome(kKinds[rng.below(3)], std::chrono::seconds(rng.below(2)));
            }
            return answer;
        });
        server.on_start = [&](const kube::ObjectKey& object) {
            carried[object] = wanted[object];
        };
        server.on_answer = [&](const kube::ObjectKey& object, const WriteOutcome& result) {
            if (result.kind == Kind::Done) {
                stored[object] = carried[object];
            }
        };

        for (int step = 0; step < 300; ++step) {
            put_some();
            server.run(server.now() + 10ms);
            server.advance_to(server.now() + std::chrono::milliseconds(rng.below(10)));
        }
        server.run();

        EXPECT_EQ(stored, wanted);
        EXPECT_TRUE(schedule.idle());
        EXPECT_EQ(schedule.waiting(), 0U);
    }
}

}  // namespace
}  // namespace steelyard::controller
