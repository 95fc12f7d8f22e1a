#include "controller/plan/waiters.hpp"

#include <gmock/gmock.h>

namespace steelyard::controller_plan {
namespace {

using ipam::Want;
using testing::ElementsAre;
using testing::IsEmpty;

Age age(int seconds, const std::string& name) {
    return {WallTime{} + std::chrono::seconds(seconds), "uid-" + name, {"default", name}};
}

Want room(std::uint32_t pool) {
    return {Want::Kind::Room4, pool, {}, {}};
}

// Calls everybody, `room_for` of whom leave the queue because they are served.
std::vector<std::string> call_all(Waiters& waiters, int room_for) {
    std::vector<std::string> called;
    const auto is_open = [&](const Want&) {
        return room_for > 0;
    };
    while (const Waiters::Call* next = waiters.next(is_open)) {
        const kube::ObjectKey service = next->age.service;
        waiters.called();
        waiters.erase(service);
        called.push_back(service.name);
        --room_for;
    }
    return called;
}

TEST(WaitersTest, OldestIsCalledFirstAndOnlyWhileThereIsRoom) {
    Waiters waiters;
    waiters.set(age(3, "c"), {room(0)});
    waiters.set(age(1, "a"), {room(0)});
    waiters.set(age(2, "b"), {room(0)});

    waiters.open({room(0)});

    EXPECT_THAT(call_all(waiters, 2), ElementsAre("a", "b"));
    EXPECT_EQ(waiters.size(), 1U);
}

TEST(WaitersTest, NobodyIsCalledForWhatHeDoesNotWant) {
    Waiters waiters;
    waiters.set(age(1, "a"), {room(0)});

    waiters.open({room(1)});

    EXPECT_THAT(call_all(waiters, 9), IsEmpty());
}

TEST(WaitersTest, SeveralQueuesAreMergedByAge) {
    Waiters waiters;
    waiters.set(age(4, "d"), {room(0)});
    waiters.set(age(1, "a"), {room(0)});
    waiters.set(age(3, "c"), {room(1)});
    waiters.set(age(2, "b"), {room(1), room(0)});

    waiters.open({room(0), room(1), room(0)});

    EXPECT_THAT(call_all(waiters, 9), ElementsAre("a", "b", "c", "d"));
}

TEST(WaitersTest, WhoIsCalledInVainLetsTheNextOneTry) {
    Waiters waiters;
    waiters.set(age(1, "a"), {room(0)});
    waiters.set(age(2, "b"), {room(0)});
    waiters.open({room(0)});
    const auto always = [](const Want&) {
        return true;
    };

    std::vector<std::string> called;
    while (const Waiters::Call* next = waiters.next(always)) {
        called.push_back(next->age.service.name);
        waiters.set(next->age, {room(0)});  // still waits
        waiters.called();
    }

    EXPECT_THAT(called, ElementsAre("a", "b"));
}

TEST(WaitersTest, ClosedWantCallsNobodyElse) {
    Waiters waiters;
    waiters.set(age(1, "a"), {room(0)});
    waiters.open({room(0)});

    waiters.close(room(0));

    EXPECT_THAT(call_all(waiters, 9), IsEmpty());
}

TEST(WaitersTest, WhoLeftBeforeHisTurnIsNotCalled) {
    Waiters waiters;
    waiters.set(age(1, "a"), {room(0)});
    waiters.set(age(2, "b"), {room(0)});
    waiters.open({room(0)});

    waiters.erase({"default", "a"});

    EXPECT_THAT(call_all(waiters, 9), ElementsAre("b"));
}

}  // namespace
}  // namespace steelyard::controller_plan
