#include "speaker/app/duration.hpp"

#include <gtest/gtest.h>

#include <chrono>

namespace steelyard::speaker {
namespace {

using namespace std::chrono_literals;

TEST(DurationTest, PeopleWriteSpansWithUnits) {
    EXPECT_EQ(parse_duration("100ms"), Duration(100ms));
    EXPECT_EQ(parse_duration("2s"), Duration(2s));
    EXPECT_EQ(parse_duration("5m"), Duration(5min));
    EXPECT_EQ(parse_duration("1h"), Duration(1h));
    EXPECT_EQ(parse_duration("1m30s"), Duration(90s));
    EXPECT_EQ(parse_duration("0"), Duration(0s));
    EXPECT_EQ(parse_duration("0s"), Duration(0s));
}

TEST(DurationTest, AnythingElseIsNone) {
    for (const char* text :
         {"",
          "5",
          "s",
          "-1s",
          "1.5s",
          "1s ",
          " 1s",
          "1d",
          "1sm",
          "99999999999999999999s",
          "800h"}) {
        EXPECT_EQ(parse_duration(text), std::nullopt) << text;
    }
}

}  // namespace
}  // namespace steelyard::speaker
