#include "e2e/apiserver/server/server_fixture.hpp"

namespace steelyard::apiserver {
namespace {

class ServerFaultTest : public ServerFixture {
protected:
    void break_by(const char* rule) {
        server_->faults().add(parse_fault(parse_json(rule)).value());
    }
    // One request and everything that comes back until the connection ends.
    std::string answer(const std::string& request) {
        std::string out;
        serve([&](tcp::socket& socket) -> awaitable<void> {
            co_await asio::async_write(socket, asio::buffer(request), kAwait);
            end_ = co_await read_all(socket, out);
        });
        return out;
    }

    boost::system::error_code end_;
};

TEST_F(ServerFaultTest, AnAnswerCanBeResetInsideAChunk) {
    break_by(R"({"path":"/api/v1/services","cutAt":10,"midChunk":true,"reset":true})");

    answer(get("/api/v1/services"));

    EXPECT_EQ(end_, asio::error::connection_reset);
}

TEST_F(ServerFaultTest, AStreamCanBeCutAtAByte) {
    break_by(R"({"verb":"watch","cutAt":30})");

    const std::string text = answer(get("/api/v1/services?watch=1&resourceVersion=0"));

    EXPECT_EQ(end_, asio::error::eof);
    EXPECT_TRUE(text.ends_with("\r\n1e\r\n{\"type\":\"ADDED\",\"object\":{\"api\r\n")) << text;
}

TEST_F(ServerFaultTest, AProxysPageIsNoStatus) {
    break_by(R"({"html":true,"cutAt":1000})");

    const std::string text = answer(get("/api/v1/services"));

    EXPECT_TRUE(text.starts_with("HTTP/1.1 502")) << text;
    EXPECT_NE(text.find("Content-Type: text/html\r\n"), std::string::npos);
    EXPECT_NE(text.find("<h1>502 Bad Gateway</h1>"), std::string::npos);
}

TEST_F(ServerFaultTest, AWatchCanExpireAtAnEvent) {
    break_by(R"({"verb":"watch","errorAfter":2})");
    server_->put("configmaps.", Json{{"metadata", {{"name", "a"}, {"namespace", "default"}}}});
    server_->put("configmaps.", Json{{"metadata", {{"name", "b"}, {"namespace", "default"}}}});
    server_->put("configmaps.", Json{{"metadata", {{"name", "c"}, {"namespace", "default"}}}});

    const std::string text = answer(get("/api/v1/configmaps?watch=1&resourceVersion=0"));

    EXPECT_NE(text.find("\"b\""), std::string::npos);
    EXPECT_EQ(text.find("\"c\""), std::string::npos);
    EXPECT_NE(text.find(R"({"type":"ERROR")"), std::string::npos);
    EXPECT_TRUE(text.ends_with("0\r\n\r\n")) << text;
}

TEST_F(ServerFaultTest, AStallOrASlowServerSendsEverythingInTheEnd) {
    break_by(R"({"stallAt":5,"stallMs":1,"bytesPerSecond":1000000,"contentType":"text/odd"})");

    const std::string text = answer(get("/api/v1/services"));

    EXPECT_NE(text.find("Content-Type: text/odd\r\n"), std::string::npos);
    EXPECT_TRUE(text.ends_with("0\r\n\r\n")) << text;
}

TEST_F(ServerFaultTest, BookmarksComeWhenATestWantsThem) {
    std::string mark;
    serve([&](tcp::socket& socket) -> awaitable<void> {
        const std::string watch =
            get("/api/v1/configmaps?watch=1&resourceVersion=0&allowWatchBookmarks=true");
        co_await ask(socket, watch, "\r\n\r\n");
        server_->send_bookmarks();
        std::string nothing;
        mark = co_await ask(socket, nothing, "}}\n");
    });

    EXPECT_NE(mark.find(R"({"type":"BOOKMARK")"), std::string::npos) << mark;
}

TEST_F(ServerFaultTest, RequestsInFlightAreCounted) {
    server_->set_latency(std::chrono::milliseconds(20));
    serve([&](tcp::socket& first) -> awaitable<void> {
        tcp::socket second(io_);
        co_await connect(second);
        const std::string list = get("/api/v1/services");
        co_await asio::async_write(first, asio::buffer(list), kAwait);
        co_await ask(second, list, "\"ServiceList\"");
        std::string nothing;
        co_await ask(first, nothing, "\"ServiceList\"");
    });

    EXPECT_EQ(server_->counts().of("list", "services").total, 2U);
    EXPECT_EQ(server_->counts().all().most_in_flight, 2U);
    EXPECT_EQ(server_->counts().all().in_flight, 0U);
}

TEST_F(ServerFaultTest, ThePageTakesRulesAndActionsAndTellsTheCounts) {
    std::string told;
    std::string refused;
    serve([&](tcp::socket& socket) -> awaitable<void> {
        const std::string rules =
            post("/faults", R"([{"status":500,"count":3},{"action":"latency","latencyMs":1}])");
        co_await ask(socket, rules, "{}");
        const std::string list = get("/api/v1/services");
        co_await ask(socket, list, "\"code\":500");
        const std::string page = get("/faults");
        std::string until = "\"watches\":0}";
        told = co_await ask(socket, page, until);
        const std::string odd = post("/faults", R"({"action":"odd"})");
        refused = co_await ask(socket, odd, "\"Failure\"}");
    });

    EXPECT_NE(told.find("\"rules\":1"), std::string::npos) << told;
    EXPECT_NE(
        told.find(R"("count":1,"inFlight":0,"maxInFlight":1,"resource":"services")"),
        std::string::npos
    ) << told;
    EXPECT_NE(refused.find("want drop-watches"), std::string::npos) << refused;
}

TEST_F(ServerFaultTest, AWrongClockShowsInTimestamps) {
    server_->set_clock_offset(-std::chrono::hours(24 * 365 * 30));

    const Object object =
        server_->put("configmaps.", Json{{"metadata", {{"name", "a"}, {"namespace", "default"}}}});

    EXPECT_LT(text_at(*object, "metadata.creationTimestamp"), "2010");
}

}  // namespace
}  // namespace steelyard::apiserver
