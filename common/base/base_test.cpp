#include "common/base/error.hpp"
#include "common/base/rng.hpp"

#include <gtest/gtest.h>

#include <array>
#include <cerrno>

namespace steelyard {
namespace {

TEST(ErrorTest, KindSurvivesTheContext) {
    const Error error = make_error(Errc::Conflict, "services/web: changed meanwhile");

    EXPECT_TRUE(is(error, Errc::Conflict));
    EXPECT_FALSE(is(error, Errc::Expired));
    EXPECT_EQ(to_string(error), "services/web: changed meanwhile");
}

TEST(ErrorTest, ErrnoNamesWhatWasTried) {
    EXPECT_EQ(to_string(errno_error(EACCES, "open /x")), "open /x: Permission denied");
}

TEST(ErrorTest, WithoutContextTheCodeSpeaks) {
    EXPECT_EQ(to_string(make_error(Errc::Timeout, "")), "timed out");
}

TEST(RngTest, SameSeedSameRun) {
    Rng first(7);
    Rng second(7);
    Rng other(8);

    EXPECT_EQ(first.next(), second.next());
    EXPECT_NE(first.next(), other.next());
}

TEST(RngTest, BelowStaysBelowAndReachesAll) {
    Rng rng(1);
    std::array<int, 5> seen{};
    for (int i = 0; i < 1000; ++i) {
        ++seen.at(rng.below(5));
    }
    for (const int count : seen) {
        EXPECT_GT(count, 100);
    }
}

TEST(RngTest, UnitIsInRange) {
    Rng rng(3);
    for (int i = 0; i < 1000; ++i) {
        const double value = rng.unit();
        EXPECT_GE(value, 0.0);
        EXPECT_LT(value, 1.0);
    }
}

}  // namespace
}  // namespace steelyard
