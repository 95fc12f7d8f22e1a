#include "common/kube/watch/list_watch_fixture.hpp"

// LISTs in pages, silence, and histories that were set back.
namespace steelyard::kube {
namespace {

using namespace list_watch_test;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;

constexpr const char* kExpired = R"({"kind":"Status","code":410,"reason":"Expired"})";

class ListPagesTest : public ListWatchFixture {
protected:
    // Up to the first request for a LIST.
    std::string first_page() {
        opened();
        refuse(422, R"({"kind":"Status","code":422,"reason":"Invalid"})");
        return opened();
    }
    void page(const char* version, const char* token, const std::string& items) {
        respond(200);
        bytes(
            std::string(R"({"kind":"ServiceList","metadata":{"resourceVersion":")") + version +
            R"(","continue":")" + token + R"("},"items":[)" + items + "]}"
        );
        closed();
    }
    static std::string item(const char* name) {
        return std::string(R"({"metadata":{"name":")") + name + R"("}})";
    }
};

TEST_F(ListPagesTest, PagesFollowEachOtherAtOnceAndMakeOneState) {
    EXPECT_EQ(first_page(), "/api/v1/services?labelSelector=a%3Db&limit=500");
    page("20", "t1", item("a") + "," + item("b"));
    EXPECT_EQ(opened(), "/api/v1/services?continue=t1&labelSelector=a%3Db&limit=500");
    page("20", "t2", item("c"));
    EXPECT_THAT(opened(), HasSubstr("continue=t2"));
    page("20", "", item("d"));

    EXPECT_THAT(words(), ElementsAre("begin", "add a", "add b", "add c", "add d", "end"));
    EXPECT_THAT(opened(), HasSubstr("resourceVersion=20&"));
}

TEST_F(ListPagesTest, TheWatchStartsAtTheFirstPageWhenPagesDiffer) {
    first_page();
    page("20", "t1", item("a"));
    opened();
    page("25", "", item("b"));
    EXPECT_THAT(opened(), HasSubstr("resourceVersion=20&"));
}

TEST_F(ListPagesTest, AnItemIsHandedOnBeforeTheListIsComplete) {
    first_page();
    respond(200);
    bytes(R"({"items":[)" + item("a") + ",{");
    EXPECT_THAT(words(), ElementsAre("begin", "add a"));
}

TEST_F(ListPagesTest, AnExpiredTokenBeginsAnewAtOnceAndThenWithoutPages) {
    first_page();
    page("20", "t1", item("a"));
    opened();
    refuse(410, kExpired);
    EXPECT_EQ(opened(), "/api/v1/services?labelSelector=a%3Db&limit=500");
    page("30", "t2", item("b"));
    opened();
    refuse(410, kExpired);
    EXPECT_EQ(opened(), "/api/v1/services?labelSelector=a%3Db");
    page("40", "", item("c"));

    EXPECT_THAT(words(), ElementsAre("begin", "add a", "begin", "add b", "begin", "add c", "end"));
    EXPECT_EQ(core_.resource_version(), "40");
}

TEST_F(ListPagesTest, APageThatBrokeOffIsAskedForAgain) {
    first_page();
    page("20", "t1", item("a"));
    opened();
    broken();
    waited();
    EXPECT_THAT(opened(), HasSubstr("continue=t1"));
    page("20", "", item("b"));
    EXPECT_THAT(
        words(), ElementsAre("begin", "add a", "failed: unavailable", "add b", "end", "recovered")
    );
}

TEST_F(ListPagesTest, ATokenTheServerDoesNotKnowBeginsAnew) {
    first_page();
    page("20", "t1", item("a"));
    opened();
    refuse(400, R"({"kind":"Status","code":400,"message":"continue key is not valid"})");
    waited();
    EXPECT_THAT(opened(), Not(HasSubstr("continue")));
}

TEST_F(ListPagesTest, AListThatNamesItselfAsItsNextPageIsNoList) {
    first_page();
    page("20", "t1", item("a"));
    opened();
    page("20", "t1", item("a"));
    EXPECT_THAT(words(), ElementsAre("begin", "add a", "add a", "failed: internal error"));
}

TEST_F(ListPagesTest, WhatIsNoListIsNeverAState) {
    for (const char* body : {
             "",
             "null",
             "[]",
             "{}",
             "<html>",
             R"({"items":[]})",
             R"({"metadata":{"resourceVersion":"1"}})",
             R"({"metadata":{"resourceVersion":"1"},"items":{}})",
             R"({"metadata":{"resourceVersion":"1"},"items":[7]})",
             R"({"metadata":{"resourceVersion":"1"},"items":[{]})",
             R"({"metadata":{"resourceVersion":"1"},"items":[{"a":}]})",
             R"({"metadata":{"resourceVersion":"1"},"items":[)",
             R"({"metadata":{"resourceVersion":1},"items":[]})",
         }) {
        core_ = ListWatch(kPath, {}, Rng(1));
        first_page();
        words();
        respond(200);
        bytes(body);
        if (!core_.closed()) {
            closed();
        }
        EXPECT_THAT(words(), ElementsAre("begin", "failed: internal error")) << body;
    }
}

class ListWatchSilenceTest : public ListWatchFixture {
protected:
    // The core's deadline passes.
    Duration silence() {
        const Duration lasted = core_.deadline() - now_;
        now_ = core_.deadline();
        core_.on_deadline(now_, actions_);
        EXPECT_TRUE(core_.closed());
        return lasted;
    }
};

TEST_F(ListWatchSilenceTest, AStateThatStopsComingIsBroken) {
    opened();
    respond(200);
    bytes(event("ADDED", "a", "3"));
    now_ += 40s;
    bytes(R"({"type":"ADDED")");  // bytes alone are no progress
    EXPECT_EQ(silence(), 20s);
    EXPECT_THAT(words(), ElementsAre("begin", "add a", "failed: timed out"));
}

TEST_F(ListWatchSilenceTest, ARefusalThatDripsIsBroken) {
    opened();
    respond(503);
    now_ += 59s;
    bytes("x");
    EXPECT_EQ(silence(), 1s);
    EXPECT_THAT(words(), ElementsAre("failed: timed out"));
}

TEST_F(ListWatchSilenceTest, ASilentWatchIsOpenedAgainWithoutATrace) {
    synced();
    EXPECT_EQ(silence(), 150s);
    EXPECT_THAT(opened(), HasSubstr("resourceVersion=10&"));
    EXPECT_THAT(words(), IsEmpty());
}

TEST_F(ListWatchSilenceTest, BookmarksKeepAWatchOpenAsLongAsItWasAskedFor) {
    synced();
    const Instant opened_at = now_;
    for (int version = 11; core_.deadline() - now_ > 60s; ++version) {
        now_ += 60s;
        bytes(event("BOOKMARK", "", std::to_string(version).c_str()));
    }
    silence();
    EXPECT_GE(now_ - opened_at, 330s);
    EXPECT_LE(now_ - opened_at, 630s);
    EXPECT_THAT(opened(), Not(HasSubstr("sendInitialEvents")));
}

TEST_F(ListWatchSilenceTest, TwoSilentWatchesAskForTheFullState) {
    synced();
    silence();
    opened();
    respond(200);
    silence();
    EXPECT_THAT(opened(), HasSubstr("sendInitialEvents=true"));
    refuse(504, too_large());  // the server was restored from a backup
    EXPECT_THAT(opened(), Not(HasSubstr("resourceVersion=")));
}

TEST_F(ListWatchSilenceTest, ALateBookmarkChangesNothing) {
    synced();
    bytes(event("ADDED", "a", "12") + event("BOOKMARK", "", "11"));
    EXPECT_EQ(core_.resource_version(), "12");
    EXPECT_FALSE(core_.closed());
}

TEST_F(ListWatchSilenceTest, AnEventFromBeforeOurVersionAsksForTheNewestState) {
    synced();
    bytes(event("ADDED", "a", "9"));
    EXPECT_THAT(words(), ElementsAre("failed: expired"));
    waited();
    const std::string target = opened();
    EXPECT_THAT(target, HasSubstr("sendInitialEvents=true"));
    EXPECT_THAT(target, Not(HasSubstr("resourceVersion=")));
}

TEST_F(ListWatchSilenceTest, VersionsThatAreNoNumbersAreNotCompared) {
    opened();
    respond(200);
    bytes(initial_end("z9") + event("ADDED", "a", "a1"));
    EXPECT_EQ(core_.resource_version(), "a1");
    EXPECT_THAT(words(), ElementsAre("begin", "end", "put a"));
}

}  // namespace
}  // namespace steelyard::kube
