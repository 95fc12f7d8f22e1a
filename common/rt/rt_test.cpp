#include "common/rt/signal.hpp"
#include "common/rt/sleep.hpp"
#include "common/rt/task_group.hpp"

#include <boost/asio/experimental/awaitable_operators.hpp>
#include <boost/asio/io_context.hpp>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <stdexcept>
#include <string>
#include <vector>

namespace steelyard::rt {
namespace {

using asio::experimental::awaitable_operators::operator||;
using testing::ElementsAre;
using testing::UnorderedElementsAre;
using namespace std::chrono_literals;

awaitable<void> forever() {
    co_await sleep_for(1h);
}

awaitable<void> count_signals(Signal& signal, int& count) {
    for (;;) {
        co_await signal.wait();
        ++count;
    }
}

awaitable<void> fail() {
    co_await sleep_for(0ms);
    throw std::runtime_error("broken");
}

class TaskGroupTest : public testing::Test {
protected:
    asio::io_context ioc_{1};
    std::vector<std::string> ended_;
    TaskGroup group_{
        ioc_.get_executor(), [this](const std::string& name, std::exception_ptr error) {
            ended_.push_back(name + ": " + describe(error));
        }};
};

TEST_F(TaskGroupTest, CancelEndsEveryTaskCleanlyAndRunReturns) {
    Signal signal(ioc_.get_executor());
    int count = 0;
    group_.spawn("sleeper", forever());
    group_.spawn("waiter", count_signals(signal, count));
    ioc_.poll();

    group_.cancel();
    ioc_.restart();
    ioc_.run();

    EXPECT_THAT(ended_, UnorderedElementsAre("sleeper: ended", "waiter: ended"));
    EXPECT_EQ(group_.size(), 0U);
}

TEST_F(TaskGroupTest, CancelOfATaskThatWaitsForEitherOfTwoIsClean) {
    Signal signal(ioc_.get_executor());
    const auto either = [](Signal& wake) -> awaitable<void> {
        co_await (wake.wait() || forever());
    };
    group_.spawn("either", either(signal));
    ioc_.poll();

    group_.cancel();
    ioc_.restart();
    ioc_.run();

    EXPECT_THAT(ended_, ElementsAre("either: ended"));
}

TEST_F(TaskGroupTest, AnExceptionReachesTheOwner) {
    group_.spawn("broken", fail());

    ioc_.run();

    EXPECT_THAT(ended_, ElementsAre("broken: broken"));
}

TEST_F(TaskGroupTest, JoinReturnsWhenTheLastTaskEnded) {
    TaskGroup joiners(
        ioc_.get_executor(),
        [this](const std::string& name, const std::exception_ptr&) { ended_.push_back(name); }
    );
    group_.spawn("broken", fail());
    joiners.spawn("joined", group_.join());

    ioc_.run();

    EXPECT_THAT(ended_, ElementsAre("broken: broken", "joined"));
}

TEST_F(TaskGroupTest, SignalRemembersAndCollapses) {
    Signal signal(ioc_.get_executor());
    int count = 0;
    signal.notify();
    signal.notify();
    group_.spawn("waiter", count_signals(signal, count));
    ioc_.poll();
    EXPECT_EQ(count, 1);

    signal.notify();
    ioc_.restart();
    ioc_.poll();
    EXPECT_EQ(count, 2);

    group_.cancel();
    ioc_.restart();
    ioc_.run();
}

}  // namespace
}  // namespace steelyard::rt
