#include "speaker/app/log_limit.hpp"

#include <gtest/gtest.h>

namespace steelyard::speaker {
namespace {

TEST(LogLimitTest, OneLineInAnIntervalAndTheNextSaysHowManyWereHeldBack) {
    const Instant start{};
    LogLimit limit;

    EXPECT_EQ(limit.admit(start), 0U);
    EXPECT_EQ(limit.admit(start + std::chrono::seconds(1)), std::nullopt);
    EXPECT_EQ(limit.admit(start + std::chrono::seconds(9)), std::nullopt);
    EXPECT_EQ(limit.admit(start + LogLimit::kInterval), 2U);
    EXPECT_EQ(limit.admit(start + 2 * LogLimit::kInterval), 0U);
}

TEST(LogLimitTest, AsManyLinesAsAskedForThenSilence) {
    const Instant start{};
    LogLimit limit(2);

    EXPECT_EQ(limit.admit(start), 0U);
    EXPECT_EQ(limit.admit(start), 0U);
    EXPECT_EQ(limit.admit(start), std::nullopt);
    EXPECT_EQ(limit.admit(start + LogLimit::kInterval), 1U);
    EXPECT_EQ(limit.admit(start + LogLimit::kInterval), 0U);
    EXPECT_EQ(limit.admit(start + LogLimit::kInterval), std::nullopt);
}

}  // namespace
}  // namespace steelyard::speaker
