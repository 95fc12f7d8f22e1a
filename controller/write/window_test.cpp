#include "controller/write/window.hpp"

#include <gtest/gtest.h>

#include <vector>

namespace steelyard::controller {
namespace {

using namespace std::chrono_literals;

constexpr Duration kRoundTrip = 2ms;

class WindowTest : public testing::Test {
protected:
    // Fills the window once and has every write answered after `round_trip`.
    void round(Window& window, Duration round_trip = kRoundTrip) {
        std::vector<Window::Ticket> tickets;
        while (window.open(now_)) {
            tickets.push_back(window.start(now_));
        }
        now_ += round_trip;
        for (const Window::Ticket& ticket : tickets) {
            window.answered(ticket, true, now_);
        }
    }
    void push(Window& window, Duration retry_after) {
        const Window::Ticket ticket = window.start(now_);
        window.pushed_back(ticket, retry_after, now_);
    }

    static WindowOptions options(unsigned first, unsigned most = 64) {
        WindowOptions made;
        made.first = first;
        made.most = most;
        return made;
    }

    Instant now_ = Instant{} + 1h;
};

TEST_F(WindowTest, NoMoreStartThanItsSize) {
    Window window(options(3), 1);
    for (int i = 0; i < 3; ++i) {
        EXPECT_TRUE(window.open(now_));
        (void)window.start(now_);
    }
    EXPECT_FALSE(window.open(now_));
    EXPECT_EQ(window.in_flight(), 3U);
}

TEST_F(WindowTest, DoublesWithEveryRoundUntilItsBound) {
    Window window(options(8, 50), 1);
    std::vector<unsigned> sizes;
    for (int i = 0; i < 5; ++i) {
        round(window);
        sizes.push_back(window.size());
    }
    EXPECT_EQ(sizes, (std::vector<unsigned>{16, 32, 50, 50, 50}));
}

TEST_F(WindowTest, DoesNotGrowWhileNobodyFillsIt) {
    Window window(options(8), 1);
    for (int i = 0; i < 100; ++i) {
        const Window::Ticket ticket = window.start(now_);
        window.answered(ticket, true, now_ + kRoundTrip);
    }
    EXPECT_EQ(window.size(), 8U);
}

TEST_F(WindowTest, APushBackHalvesItOnceForAllThatWereInFlight) {
    Window window(options(32), 1);
    std::vector<Window::Ticket> tickets;
    for (int i = 0; i < 32; ++i) {
        tickets.push_back(window.start(now_));
    }
    for (const Window::Ticket& ticket : tickets) {
        window.pushed_back(ticket, 1s, now_);
    }
    EXPECT_EQ(window.size(), 16U);
    EXPECT_EQ(window.in_flight(), 0U);
}

TEST_F(WindowTest, NeverFallsBelowItsLeast) {
    WindowOptions bounds = options(4);
    bounds.least = 2;
    Window window(bounds, 1);
    for (int i = 0; i < 5; ++i) {
        push(window, 1s);
    }
    EXPECT_EQ(window.size(), 2U);
}

TEST_F(WindowTest, NothingStartsBeforeTheTimeTheServerAsksFor) {
    Window window(options(8), 1);
    const Window::Ticket first = window.start(now_);
    const Window::Ticket second = window.start(now_);
    window.pushed_back(first, 1s, now_);
    EXPECT_FALSE(window.open(now_ + 999ms));
    EXPECT_TRUE(window.open(now_ + 1s));

    window.pushed_back(second, 3s, now_);
    EXPECT_FALSE(window.open(now_ + 2s));
    EXPECT_EQ(window.resume(), now_ + 3s);
}

TEST_F(WindowTest, WithoutATimeOfTheServerItBacksOffByItself) {
    Window window(options(8), 1);
    Duration before{};
    for (int i = 0; i < 20; ++i) {
        push(window, 0s);
        const Duration pause = window.resume() - now_;
        EXPECT_GE(pause, 50ms);
        EXPECT_LE(pause, 30s);
        if (i < 8) {
            EXPECT_GT(pause * 2, before);
        } else if (i > 9) {
            EXPECT_GE(pause, 15s);
        }
        before = pause;
        now_ = window.resume();
    }
}

TEST_F(WindowTest, AnAnswerEndsTheSeriesOfPushBacks) {
    Window window(options(8), 1);
    for (int i = 0; i < 10; ++i) {
        push(window, 0s);
        now_ = window.resume();
    }
    EXPECT_TRUE(window.pushed());
    const Window::Ticket ticket = window.start(now_);
    window.answered(ticket, true, now_ + kRoundTrip);
    EXPECT_FALSE(window.pushed());

    now_ += 1s;
    push(window, 0s);
    EXPECT_LE(window.resume() - now_, 100ms);
}

TEST_F(WindowTest, NearTheSizeThatWasTooMuchItGrowsByOneASecond) {
    Window window(options(40), 1);
    push(window, 1s);
    now_ = window.resume();
    for (int i = 0; i < 200; ++i) {  // 0.4 s
        round(window);
    }
    EXPECT_EQ(window.size(), 30U);  // of 40, three quarters by one a round

    for (int i = 0; i < 1000; ++i) {  // 2 s
        round(window);
    }
    EXPECT_EQ(window.size(), 32U);
}

TEST_F(WindowTest, AServerThatRefusedEverythingDoesNotMakeItTimid) {
    Window window(options(64), 1);
    for (int i = 0; i < 10; ++i) {
        push(window, 1s);
        now_ = window.resume();
    }
    EXPECT_EQ(window.size(), 1U);
    for (int i = 0; i < 60; ++i) {
        round(window);
    }
    EXPECT_EQ(window.size(), 48U);
}

TEST_F(WindowTest, DoesNotGrowWhileAnswersOnlyQueue) {
    Window window(options(8), 1);
    round(window, 2ms);
    EXPECT_EQ(window.size(), 16U);
    for (int i = 0; i < 100; ++i) {
        round(window, 5ms);
    }
    EXPECT_EQ(window.size(), 16U);
    round(window, 3ms);
    EXPECT_EQ(window.size(), 17U);
}

TEST_F(WindowTest, AServerThatBecameSlowerIsTheNewMeasure) {
    Window window(options(8), 1);
    round(window, 2ms);
    for (int i = 0; i < 2000; ++i) {  // 40 s
        round(window, 20ms);
    }
    EXPECT_GT(window.size(), 30U);
}

TEST_F(WindowTest, TheTimeOfSeveralRequestsTellsNothing) {
    Window window(options(8), 1);
    for (int i = 0; i < 3; ++i) {
        std::vector<Window::Ticket> tickets;
        while (window.open(now_)) {
            tickets.push_back(window.start(now_));
        }
        now_ += 2ms;
        window.answered(tickets.back(), true, now_);
        tickets.pop_back();
        now_ += 1s;
        for (const Window::Ticket& ticket : tickets) {
            window.answered(ticket, false, now_);
        }
    }
    EXPECT_EQ(window.size(), 64U);
}

}  // namespace
}  // namespace steelyard::controller
