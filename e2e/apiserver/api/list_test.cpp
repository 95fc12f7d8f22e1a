#include "e2e/apiserver/api/api_fixture.hpp"

namespace steelyard::apiserver {
namespace {

class ListTest : public ApiFixture {
protected:
    std::string put(const std::string& name) {
        const Json map{{"metadata", {{"name", name}, {"namespace", "default"}}}};
        return text_at(*api->put("configmaps.", map, kNow), "metadata.resourceVersion");
    }
    void remove(const std::string& name) { call("DELETE", maps + "/" + name); }
    static std::string names(const Json& list) {
        std::string out;
        for (const Json& item : array_at(list, "items")) {
            out += text_at(item, "metadata.name");
        }
        return out;
    }
    Watch watch(Query query) {
        query.emplace("watch", "1");
        const ApiReply reply = call("GET", maps, "", std::move(query));
        EXPECT_TRUE(reply.watch) << reply.body;
        return Watch(reply.watch.value_or(WatchRequest()));
    }
    std::string next(Watch& from) {
        return from.next(api->store(), api->registry(), kNow, exchange);
    }
};

TEST_F(ListTest, LaterPagesShowTheStateOfTheFirst) {
    for (const char* name : {"a", "c", "e", "g"}) {
        put(name);
    }
    const Json first = list(maps, {{"limit", "2"}});
    const Query next{{"limit", "2"}, {"continue", text_at(first, "metadata.continue")}};

    put("d");
    remove("g");
    const Json second = list(maps, next);

    EXPECT_EQ(names(first), "ac");
    EXPECT_EQ(first["metadata"]["remainingItemCount"], 2);
    EXPECT_EQ(names(second), "eg");
    EXPECT_FALSE(second["metadata"].contains("continue"));
    EXPECT_EQ(first["metadata"]["resourceVersion"], second["metadata"]["resourceVersion"]);
}

TEST_F(ListTest, AnExpiredTokenCarriesOneThatGoesOnWithTheNewestState) {
    for (const char* name : {"a", "b", "c"}) {
        put(name);
    }
    const std::string token = text_at(list(maps, {{"limit", "1"}}), "metadata.continue");
    api->forget_history();
    remove("b");

    const Json status = list(maps, {{"limit", "1"}, {"continue", token}}, 410);
    const std::string fresh = text_at(status, "metadata.continue");

    EXPECT_EQ(status["reason"], "Expired");
    EXPECT_EQ(names(list(maps, {{"continue", fresh}})), "c");
}

TEST_F(ListTest, ResourceVersionsMeanWhatTheyMeanToKubernetes) {
    const std::string first = put("a");
    const std::string second = put("b");
    const std::string none = std::to_string(api->store().version() + 1);
    const std::string match = "resourceVersionMatch";
    const std::string version = "resourceVersion";
    const struct {
        Query query;
        unsigned status;
        const char* names;
    } cases[] = {
        {{}, 200, "ab"},
        {{{version, "0"}}, 200, "ab"},
        {{{version, "0"}, {"limit", "1"}}, 200, "ab"},
        {{{version, first}}, 200, "ab"},
        {{{version, first}, {"limit", "1"}}, 200, "a"},
        {{{version, first}, {match, "Exact"}}, 200, "a"},
        {{{version, second}, {match, "Exact"}}, 200, "ab"},
        {{{version, first}, {match, "NotOlderThan"}}, 200, "ab"},
        {{{version, "5"}, {match, "Exact"}}, 410, ""},
        {{{version, none}}, 504, ""},
        {{{version, none}, {match, "Exact"}}, 504, ""},
        {{{match, "Exact"}}, 422, ""},
        {{{version, "0"}, {match, "Exact"}}, 422, ""},
        {{{version, "1"}, {match, "Odd"}}, 422, ""},
        {{{"sendInitialEvents", "true"}}, 422, ""},
        {{{version, "x"}}, 400, ""},
        {{{version, first}, {"continue", "100z"}}, 400, ""},
        {{{"continue", "?"}}, 400, ""},
    };
    for (const auto& c : cases) {
        std::string shown;
        for (const auto& [name, value] : c.query) {
            shown += name + "=" + value + " ";
        }
        SCOPED_TRACE(shown);
        const Json answer = list(maps, c.query, c.status);
        EXPECT_EQ(names(answer), c.names);
    }
}

TEST_F(ListTest, AVersionThatIsTooLargeSaysSoWithItsCause) {
    const Json status = list(maps, {{"resourceVersion", "999999"}}, 504);

    EXPECT_EQ(status["reason"], "Timeout");
    EXPECT_EQ(
        text_at(status, "message"),
        "Timeout: Too large resource version: 999999, current: " +
            std::to_string(api->store().version())
    );
    EXPECT_EQ(status["details"]["causes"][0]["reason"], "ResourceVersionTooLarge");
    EXPECT_EQ(status["details"]["retryAfterSeconds"], 1);
}

TEST_F(ListTest, AFrozenCacheAnswersWhoTakesAnyState) {
    put("a");
    api->freeze_cache();
    put("b");

    EXPECT_EQ(names(list(maps, {{"resourceVersion", "0"}})), "a");
    EXPECT_EQ(names(list(maps, {})), "ab");
    Watch stale = watch({{"resourceVersion", "0"}});
    const std::string before = next(stale);
    const std::string after = next(stale);
    EXPECT_EQ(before.find(R"("name":"b")"), std::string::npos);
    EXPECT_NE(after.find(R"("name":"b")"), std::string::npos);
}

TEST_F(ListTest, AWatchOfTheFutureIsSilentUntilItHasCome) {
    Watch future = watch({{"resourceVersion", std::to_string(api->store().version() + 1)}});

    put("a");
    const std::string early = next(future);
    put("b");
    const std::string due = next(future);

    EXPECT_EQ(early, "");
    EXPECT_NE(due.find(R"("name":"b")"), std::string::npos);
}

TEST_F(ListTest, AWatchListOfTheFutureEndsWithTooLarge) {
    Watch future = watch(
        {{"resourceVersion", "999999"},
         {"sendInitialEvents", "true"},
         {"resourceVersionMatch", "NotOlderThan"}}
    );

    const Json event = parse_json(next(future));

    EXPECT_EQ(event["type"], "ERROR");
    EXPECT_EQ(event["object"]["code"], 504);
    EXPECT_TRUE(future.over());
}

TEST_F(ListTest, AServerWithoutWatchListsRefusesThem) {
    ApiOptions options;
    options.watch_list = false;
    api = std::make_unique<Api>(options, Rng(1), kNow);

    const Json status = list(
        maps,
        {{"watch", "1"}, {"sendInitialEvents", "true"}, {"resourceVersionMatch", "NotOlderThan"}},
        422
    );

    EXPECT_EQ(status["details"]["causes"][0]["field"], "sendInitialEvents");
}

TEST_F(ListTest, EveryKindCanBeWatchedByName) {
    Watch one = watch({{"fieldSelector", "metadata.name=a"}, {"resourceVersion", "0"}});
    next(one);

    put("b");
    const std::string other = next(one);
    put("a");
    const std::string wanted = next(one);

    EXPECT_EQ(other, "");
    EXPECT_NE(wanted.find(R"("name":"a")"), std::string::npos);
}

TEST_F(ListTest, FieldsThatNobodySelectsByAreRefused) {
    const Json plain = list(maps, {{"fieldSelector", "data.x=1"}}, 400);
    const Json pod = list("/api/v1/pods", {{"fieldSelector", "spec.x=1"}}, 400);

    EXPECT_EQ(
        text_at(plain, "message"),
        "\"data.x\" is not a known field selector: only \"metadata.name\", \"metadata.namespace\""
    );
    EXPECT_EQ(text_at(pod, "message"), "field label not supported: spec.x");
    list("/api/v1/pods", {{"fieldSelector", "spec.nodeName=n"}}, 200);
}

}  // namespace
}  // namespace steelyard::apiserver
