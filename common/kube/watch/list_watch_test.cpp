#include "common/kube/watch/line_splitter.hpp"
#include "common/kube/watch/list_watch_fixture.hpp"
#include "common/kube/watch/status.hpp"

namespace steelyard::kube {
namespace {

using namespace list_watch_test;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;

class ListWatchTest : public ListWatchFixture {};

TEST_F(ListWatchTest, StartsWithAWatchListAndGoesOnWithTheSameStream) {
    const std::string target = opened();
    EXPECT_THAT(target, HasSubstr("sendInitialEvents=true"));
    EXPECT_THAT(target, HasSubstr("resourceVersionMatch=NotOlderThan"));
    EXPECT_THAT(target, HasSubstr("allowWatchBookmarks=true"));
    EXPECT_THAT(target, HasSubstr("labelSelector=a%3Db"));
    EXPECT_THAT(target, Not(HasSubstr("resourceVersion=")));

    respond(200);
    bytes(event("ADDED", "a", "3") + event("ADDED", "b", "4"));
    EXPECT_EQ(core_.resource_version(), "");
    bytes(event("DELETED", "b", "5") + initial_end("9") + event("MODIFIED", "a", "11"));

    EXPECT_THAT(words(), ElementsAre("begin", "add a", "add b", "remove b", "end", "put a"));
    EXPECT_EQ(core_.resource_version(), "11");
}

TEST_F(ListWatchTest, EventsMayBeCutAnywhere) {
    opened();
    respond(200);
    for (const char c : event("ADDED", "a", "3") + initial_end("9")) {
        bytes(std::string(1, c));
    }
    EXPECT_THAT(words(), ElementsAre("begin", "add a", "end"));
}

TEST_F(ListWatchTest, ACleanEndResumesAtOnceFromTheNewestVersion) {
    synced();
    bytes(event("ADDED", "a", "12") + event("BOOKMARK", "", "15"));
    now_ += 5min;
    closed();

    const std::string target = opened();
    EXPECT_THAT(target, HasSubstr("resourceVersion=15&"));
    EXPECT_THAT(target, Not(HasSubstr("sendInitialEvents")));
    EXPECT_THAT(words(), ElementsAre("put a"));
}

TEST_F(ListWatchTest, AServerWithoutWatchListIsAskedForAListAtOnceAndForGood) {
    opened();
    refuse(422, R"({"kind":"Status","code":422,"reason":"Invalid"})");

    EXPECT_EQ(opened(), "/api/v1/services?labelSelector=a%3Db&limit=500");
    respond(200);
    bytes(R"({"metadata":{"resourceVersion":"20"},"items":[{"metadata":{"name":"a"}}]})");
    closed();
    EXPECT_THAT(words(), ElementsAre("begin", "add a", "end"));
    EXPECT_THAT(opened(), HasSubstr("resourceVersion=20"));

    respond(200);
    bytes(error_event(410, "Expired"));
    words();
    waited();
    EXPECT_EQ(
        opened(),
        "/api/v1/services?labelSelector=a%3Db&resourceVersion=20"
        "&resourceVersionMatch=NotOlderThan"
    );
}

TEST_F(ListWatchTest, ABrokenWatchListFallsBackToAListOnce) {
    opened();
    respond(200);
    bytes(event("ADDED", "a", "3"));
    broken();
    EXPECT_THAT(words(), ElementsAre("begin", "add a", "failed: unavailable"));

    waited();
    EXPECT_THAT(opened(), Not(HasSubstr("watch=true")));
    respond(200);
    bytes(R"({"metadata":{"resourceVersion":"20"},"items":null})");
    closed();
    EXPECT_THAT(words(), ElementsAre("begin", "end", "recovered"));
}

TEST_F(ListWatchTest, AnUnreachableServerIsRetriedTheSameWay) {
    opened();
    broken();
    EXPECT_GE(waited(), 800ms);
    EXPECT_THAT(opened(), HasSubstr("sendInitialEvents=true"));
}

TEST_F(ListWatchTest, AnExpiredWatchRelistsNotOlderThanWhatItHadAndThenTheNewest) {
    synced();
    bytes(error_event(410, "Expired"));
    EXPECT_THAT(words(), ElementsAre("failed: expired"));

    waited();
    EXPECT_THAT(opened(), HasSubstr("resourceVersion=10&"));
    refuse(410, R"({"kind":"Status","code":410,"reason":"Expired"})");
    EXPECT_THAT(words(), IsEmpty());
    EXPECT_THAT(opened(), Not(HasSubstr("resourceVersion=")));  // at once
    respond(200);
    bytes(initial_end("30"));
    EXPECT_THAT(words(), ElementsAre("begin", "end", "recovered"));
}

TEST_F(ListWatchTest, AVersionTheServerHasNotReachedIsDroppedAtOnce) {
    synced();
    bytes(error_event(410, "Expired"));
    waited();
    opened();
    refuse(504, too_large());
    EXPECT_THAT(opened(), Not(HasSubstr("resourceVersion=")));
}

TEST_F(ListWatchTest, TooManyRequestsWaitsAsToldWithoutARelist) {
    synced();
    now_ += 1min;
    closed();
    opened();
    refuse(429, "", "7");

    EXPECT_EQ(waited(), 7s);
    EXPECT_THAT(opened(), HasSubstr("resourceVersion=10&"));
}

TEST_F(ListWatchTest, RetryAfterIsNotObeyedForEver) {
    synced();
    now_ += 1min;
    closed();
    Duration total{};
    for (int i = 0; i < 20; ++i) {
        opened();
        refuse(429, "", "1");
        total += waited();
    }
    EXPECT_GT(total, 10s + 60s);
}

TEST_F(ListWatchTest, ServerFailuresResumeAFewTimesAndThenRelist) {
    synced();
    now_ += 1min;
    closed();
    for (int i = 0; i < 6; ++i) {
        EXPECT_THAT(opened(), Not(HasSubstr("sendInitialEvents"))) << i;
        refuse(500, "boom");
        waited();
    }
    EXPECT_THAT(opened(), HasSubstr("sendInitialEvents=true"));
}

TEST_F(ListWatchTest, ANetworkBreakResumesFromTheNewestVersion) {
    synced();
    broken();
    waited();
    EXPECT_THAT(opened(), HasSubstr("resourceVersion=10&"));
}

TEST_F(ListWatchTest, AWatchThatEndsAtOnceIsAnError) {
    synced();
    now_ += 1min;
    closed();
    opened();
    respond(200);
    closed();
    EXPECT_THAT(words(), ElementsAre("failed: unavailable"));
    EXPECT_GE(waited(), 800ms);
}

TEST_F(ListWatchTest, AnEndInsideAnEventIsAnError) {
    synced();
    now_ += 1min;
    bytes(R"({"type":"ADDED","obj)");
    closed();
    EXPECT_THAT(words(), ElementsAre("failed: unavailable"));
}

TEST_F(ListWatchTest, WhatIsNotAKubernetesAnswerIsAnErrorAndNeverAState) {
    struct Row {
        const char* name;
        const char* type;
        const char* body;
    };
    for (const Row& row : {
             Row{"HTML", "text/html", "<html>\n"},
             Row{"text", "application/json", "hello\n"},
             Row{"no type", "application/json", "{\"object\":{}}\n"},
             Row{"no object", "application/json", "{\"type\":\"ADDED\"}\n"},
             Row{"number", "application/json", "1\n"},
         }) {
        ListWatch core(kPath, {}, Rng(1));
        WatchActions actions;
        static_cast<void>(core.next(now_));
        ResponseHead head;
        head.status = 200;
        head.content_type = row.type;
        core.on_response(std::move(head), now_, actions);
        core.on_bytes(row.body, now_, actions);
        EXPECT_TRUE(core.closed()) << row.name;
        ASSERT_FALSE(actions.empty()) << row.name;
        EXPECT_TRUE(std::holds_alternative<Failed>(actions.back())) << row.name;
    }
}

TEST_F(ListWatchTest, UnknownEventTypesAreSkipped) {
    synced();
    bytes(event("SPARKLED", "a", "11"));
    EXPECT_THAT(words(), IsEmpty());
    EXPECT_FALSE(core_.closed());
}

TEST_F(ListWatchTest, BackoffGrowsToHalfAMinuteAndRestartsAfterTwoHealthyMinutes) {
    opened();
    broken();
    EXPECT_LT(waited(), 1600ms);
    for (int i = 0; i < 8; ++i) {
        opened();
        broken();
        waited();
    }
    opened();
    broken();
    const Duration longest = waited();
    EXPECT_GE(longest, 30s);
    EXPECT_LT(longest, 60s);

    now_ += 3min;
    opened();
    broken();
    EXPECT_LT(waited(), 1600ms);
}

TEST(StatusTest, AnswersBecomeErrorsWithTheServersWords) {
    struct Row {
        unsigned code;
        const char* body;
        Errc errc;
        const char* text;
    };
    for (const Row& row : {
             Row{409,
                 R"({"kind":"Status","reason":"Conflict","message":"changed"})",
                 Errc::Conflict,
                 "PUT x: changed (HTTP 409)"},
             Row{404,
                 R"({"kind":"Status","reason":"NotFound"})",
                 Errc::NotFound,
                 "PUT x: NotFound (HTTP 404)"},
             Row{403, "", Errc::Unauthorized, "PUT x: the server refused (HTTP 403)"},
             Row{503, "<html>\nbusy", Errc::Unavailable, "PUT x: <html> busy (HTTP 503)"},
             Row{410, "{}", Errc::Expired, "PUT x: {} (HTTP 410)"},
             Row{429, "[1]", Errc::TooManyRequests, "PUT x: [1] (HTTP 429)"},
             Row{422,
                 R"({"kind":"Status","message":"bad","code":"x","details":7})",
                 Errc::Invalid,
                 "PUT x: bad (HTTP 422)"},
         }) {
        const Error error = to_error(parse_status(row.code, "", row.body), "PUT x");
        EXPECT_TRUE(is(error, row.errc)) << row.text;
        EXPECT_EQ(error.context, row.text);
    }
}

TEST(StatusTest, RetryAfterComesFromTheHeaderOrTheBody) {
    const char* body = R"({"kind":"Status","details":{"retryAfterSeconds":3}})";
    EXPECT_EQ(parse_status(429, "", body).retry_after, 3s);
    EXPECT_EQ(parse_status(429, "5", body).retry_after, 5s);
    EXPECT_EQ(parse_status(429, "Wed, 21 Oct 2015 07:28:00 GMT", "").retry_after, 0s);
    EXPECT_EQ(parse_status(429, "-4", "").retry_after, 0s);
    EXPECT_EQ(parse_status(429, "99999999", "").retry_after, 600s);
}

TEST(StatusTest, AnErrorKeepsTheServersRetryAfterBesideItsKind) {
    struct Row {
        unsigned code;
        const char* header;
        Errc errc;
        Duration wait;
    };
    for (const Row& row : {
             Row{429, "5", Errc::TooManyRequests, 5s},
             Row{429, "", Errc::TooManyRequests, 0s},
             Row{503, "7", Errc::Unavailable, 7s},
             Row{504, "1", Errc::Timeout, 1s},
             Row{409, "3", Errc::Conflict, 0s},
         }) {
        const Error error = to_error(parse_status(row.code, row.header, ""), "PUT x");
        EXPECT_TRUE(is(error, row.errc)) << row.code;
        EXPECT_FALSE(is(error, Errc::Internal)) << row.code;
        EXPECT_EQ(retry_after(error), row.wait) << row.code;
    }
    EXPECT_EQ(retry_after(make_error(Errc::TooManyRequests, "x")), 0s);
}

TEST(LineSplitterTest, ALineOverTheLimitTurnsItOff) {
    LineSplitter lines(4);
    lines.push("abcd\nabcde");
    EXPECT_EQ(lines.next(), "abcd");
    EXPECT_EQ(lines.next(), std::nullopt);
    EXPECT_TRUE(lines.overflow());
    lines.push("\nx\n");
    EXPECT_EQ(lines.next(), std::nullopt);
}

TEST(LineSplitterTest, BlankLinesAndCarriageReturnsAreSkipped) {
    LineSplitter lines(100);
    lines.push("\n\r\na\r\nb");
    EXPECT_EQ(lines.next(), "a");
    EXPECT_EQ(lines.next(), std::nullopt);
    EXPECT_TRUE(lines.partial());
    lines.push("c\n");
    EXPECT_EQ(lines.next(), "bc");
    EXPECT_FALSE(lines.partial());
}

}  // namespace
}  // namespace steelyard::kube
