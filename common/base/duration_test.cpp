#include "common/base/duration.hpp"

#include <gtest/gtest.h>

#include <chrono>

namespace steelyard {
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

TEST(DurationTest, KubernetesPrintsMoreThanThat) {
    EXPECT_EQ(parse_duration("1h0m0s"), Duration(1h));
    EXPECT_EQ(parse_duration("1.5s"), Duration(1500ms));
    EXPECT_EQ(parse_duration(".5h"), Duration(30min));
    EXPECT_EQ(parse_duration("2.s"), Duration(2s));
    EXPECT_EQ(parse_duration("0.0000000001s"), Duration(0s));
    EXPECT_EQ(parse_duration("7us"), Duration(7us));
    EXPECT_EQ(parse_duration("7\u00b5s"), Duration(7us));
    EXPECT_EQ(parse_duration("7\u03bcs"), Duration(7us));
    EXPECT_EQ(parse_duration("9ns"), 9ns);
    EXPECT_EQ(parse_duration("720h"), Duration(720h));
}

TEST(DurationTest, AnythingElseIsNone) {
    for (const char* text :
         {"",
          "5",
          "s",
          ".s",
          "-1s",
          "+1s",
          "1..5s",
          "1s ",
          " 1s",
          "1d",
          "1sm",
          "99999999999999999999s",
          "99999999999999999999999999999ns",
          "720h1ns",
          "800h"}) {
        EXPECT_EQ(parse_duration(text), std::nullopt) << text;
    }
}

}  // namespace
}  // namespace steelyard
