#include "common/kube/watch/retry_after.hpp"

#include <gtest/gtest.h>

namespace steelyard::kube {
namespace {

constexpr const char* kNow = "Sun, 06 Nov 1994 08:49:37 GMT";

TEST(RetryAfterTest, ADateIsMeasuredFromTheServersOwnClock) {
    struct Row {
        const char* retry_after;
        const char* date;
        const char* seconds;
    };
    for (const Row& row : {
             Row{"7", kNow, "7"},
             Row{"", kNow, ""},
             Row{"soon", kNow, "soon"},
             Row{"Sun, 06 Nov 1994 08:50:07 GMT", kNow, "30"},
             Row{"Mon, 07 Nov 1994 00:00:00 GMT", kNow, "54623"},
             Row{"Sun, 06 Nov 1994 08:50:07 GMT", "", ""},
             Row{kNow, kNow, ""},
             Row{"Sun, 06 Nov 1994 08:00:00 GMT", kNow, ""},
         }) {
        EXPECT_EQ(retry_after_seconds(row.retry_after, row.date), row.seconds) << row.retry_after;
    }
}

TEST(RetryAfterTest, WhatIsNoDateIsNone) {
    EXPECT_TRUE(parse_http_date(kNow));
    for (const char* text :
         {"",
          "Sun, 06 Nov 1994 08:49:37 UTC",
          "Sun, 31 Feb 1994 08:49:37 GMT",
          "Sun, 06 Nix 1994 08:49:37 GMT",
          "Sun, 06 Nov 1994 24:49:37 GMT",
          "Sun, 06 Nov 1994 08:60:37 GMT",
          "Sun, 06 Nov 1994 08:49:61 GMT",
          "Sun, -6 Nov 1994 08:49:37 GMT",
          "Sun, 06 Nov 19x4 08:49:37 GMT",
          "Sunday, 06-Nov-94 08:49:37 GMT"}) {
        EXPECT_FALSE(parse_http_date(text)) << text;
    }
}

}  // namespace
}  // namespace steelyard::kube
