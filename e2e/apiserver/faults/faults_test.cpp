#include "e2e/apiserver/faults/counts.hpp"
#include "e2e/apiserver/faults/shaper.hpp"

#include <gtest/gtest.h>

namespace steelyard::apiserver {
namespace {

RequestKey request(const char* verb, const char* resource, const char* path = "/") {
    RequestKey key;
    key.verb = verb;
    key.resource = resource;
    key.path = path;
    return key;
}

// The steps as one text: chunks in brackets, raw bytes in braces, pauses and the cut by name.
std::string told(const std::vector<ShapeStep>& steps) {
    std::string out;
    for (const ShapeStep& step : steps) {
        switch (step.kind) {
            case ShapeStep::Kind::Write:
                out += "[" + step.bytes + "]";
                break;
            case ShapeStep::Kind::WriteRaw:
                out += "{" + step.bytes + "}";
                break;
            case ShapeStep::Kind::Pause:
                out += "<" + std::to_string(step.pause.count()) + ">";
                break;
            case ShapeStep::Kind::Cut:
                out += step.reset ? "RST" : "FIN";
                break;
        }
    }
    return out;
}

TEST(FaultTest, ARuleHasToDoSomething) {
    EXPECT_FALSE(parse_fault(parse_json(R"({"verb":"get"})")));
    EXPECT_FALSE(parse_fault(parse_json(R"([])")));
    EXPECT_TRUE(parse_fault(parse_json(R"({"status":500,"count":2})")));
    EXPECT_TRUE(parse_fault(parse_json(R"({"errorAfter":0})")));
}

TEST(FaultTest, RulesChooseByVerbResourceAndPath) {
    const struct {
        const char* rule;
        bool matches;
    } cases[] = {
        {R"({"status":500})", true},
        {R"({"status":500,"verb":"patch"})", true},
        {R"({"status":500,"verb":"list"})", false},
        {R"({"status":500,"resource":"services"})", true},
        {R"({"status":500,"resource":"services/status"})", true},
        {R"({"status":500,"resource":"nodes"})", false},
        {R"({"status":500,"path":"/api/v1/*/services/*/status"})", true},
        {R"({"status":500,"path":"*/web/*"})", true},
        {R"({"status":500,"path":"/api/v1/services"})", false},
    };
    RequestKey key = request("patch", "services", "/api/v1/namespaces/n/services/web/status");
    key.subresource = "status";
    for (const auto& c : cases) {
        EXPECT_EQ(parse_fault(parse_json(c.rule)).value().matches(key), c.matches) << c.rule;
    }
}

TEST(FaultTest, ARuleLetsSomePassAndEndsAfterItsCount) {
    Faults faults;
    faults.add(parse_fault(parse_json(R"({"status":500,"skip":1,"count":2})")).value());
    std::string seen;
    for (int i = 0; i < 5; ++i) {
        seen += faults.take(request("get", "x")) ? "!" : ".";
    }

    EXPECT_EQ(seen, ".!!..");
    EXPECT_EQ(faults.size(), 0U);
}

TEST(ShaperTest, TheBodyIsSpoiltAtItsOffsets) {
    const struct {
        const char* rule;
        const char* steps;
    } cases[] = {
        {R"({"cutAt":0})", "FIN"},
        {R"({"cutAt":4})", "[abc][d]FIN"},
        {R"({"cutAt":3})", "[abc]FIN"},
        {R"({"cutAt":5,"reset":true})", "[abc][de]RST"},
        {R"({"cutAt":5,"reset":true,"midChunk":true})", "[abc]{42\r\nde}RST"},
        {R"({"cutAt":99})", "[abc][def]FIN"},
        {R"({"stallAt":4,"stallMs":70})", "[abc][d]<70>[ef]"},
        {R"({"stallMs":70})", "<70>[abc][def]"},
        {R"({"garbage":"??","garbageAt":2})", "[ab][??][c][def]"},
        {R"({"garbage":"??","garbageAt":2,"rawGarbage":true})", "[ab]{??}[c][def]"},
        {R"({"bytesPerSecond":8})", "[ab]<250>[c]<125>[de]<250>[f]<125>"},
    };
    for (const auto& c : cases) {
        Shaper shaper(parse_fault(parse_json(c.rule)).value());
        std::string text = told(shaper.feed("abc"));
        text += told(shaper.feed("def"));
        text += told(shaper.finish());
        EXPECT_EQ(text, c.steps) << c.rule;
    }
}

TEST(EventFaultsTest, AWatchEndsWithAnErrorAfterSoManyEvents) {
    EventFaults faults(parse_fault(parse_json(R"({"errorAfter":2})")).value());
    const std::string added = "{\"type\":\"ADDED\"}\n";
    const std::string mark = "{\"type\":\"BOOKMARK\"}\n";

    const std::string first = faults.apply(added + mark);
    const std::string rest = faults.apply(added + added);

    EXPECT_EQ(first, added + mark);
    EXPECT_TRUE(rest.starts_with(added + R"({"type":"ERROR")")) << rest;
    EXPECT_NE(rest.find("\"code\":410"), std::string::npos);
    EXPECT_TRUE(faults.over());
}

TEST(EventFaultsTest, BookmarksComeTwiceOrLate) {
    const std::string added = "{\"type\":\"ADDED\"}\n";
    const std::string mark = "{\"type\":\"BOOKMARK\"}\n";
    EventFaults twice(parse_fault(parse_json(R"({"duplicateBookmarks":true})")).value());
    EventFaults late(parse_fault(parse_json(R"({"lateBookmarks":true})")).value());

    EXPECT_EQ(twice.apply(mark + added), mark + mark + added);
    EXPECT_EQ(late.apply(mark), "");
    EXPECT_EQ(late.apply(added + added), added + mark + added);
}

TEST(CountsTest, RequestsAreCountedAndTheMostAtATimeKept) {
    RequestCounts counts;
    RequestKey status = request("patch", "services");
    status.subresource = "status";
    counts.began(status);
    counts.began(status);
    counts.ended(status);
    counts.began(request("list", "nodes"));

    EXPECT_EQ(counts.of("patch", "services/status").total, 2U);
    EXPECT_EQ(counts.of("patch", "services/status").most_in_flight, 2U);
    EXPECT_EQ(counts.of("patch", "services").total, 0U);
    EXPECT_EQ(counts.all().in_flight, 2U);
    counts.reset();
    EXPECT_EQ(counts.all().total, 0U);
    EXPECT_EQ(counts.all().most_in_flight, 2U);
}

}  // namespace
}  // namespace steelyard::apiserver
