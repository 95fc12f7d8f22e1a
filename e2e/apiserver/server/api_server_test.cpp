#include "e2e/apiserver/server/api_server.hpp"

#include "common/rt/task_group.hpp"
#include "e2e/apiserver/server/yaml.hpp"

#include <boost/asio/connect.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/read_until.hpp>
#include <boost/asio/write.hpp>
#include <gtest/gtest.h>

namespace steelyard::apiserver {
namespace {

using asio::ip::tcp;

// A server on loopback and one scripted client, run to the end on one io_context.
class ApiServerTest : public testing::Test {
protected:
    void serve(std::function<awaitable<void>(tcp::socket&)> script) {
        tasks_.spawn("server", server_->run());
        tasks_.spawn("client", client(std::move(script)));
        io_.run_for(std::chrono::seconds(10));
        ASSERT_EQ(tasks_.size(), 0U) << "the script did not end";
    }

    // Sends one request and returns what comes back up to a mark.
    static awaitable<std::string> ask(tcp::socket& socket, std::string text, std::string until) {
        co_await asio::async_write(socket, asio::buffer(text), kAwait);
        std::string answer;
        co_await asio::async_read_until(socket, asio::dynamic_buffer(answer), until, kAwait);
        co_return answer;
    }
    static std::string get(const std::string& target) {
        return "GET " + target + " HTTP/1.1\r\nHost: x\r\n\r\n";
    }

    asio::io_context io_{1};
    std::unique_ptr<ApiServer> server_ =
        ApiServer::listen(io_.get_executor(), ApiServerOptions()).value();

private:
    awaitable<void> client(std::function<awaitable<void>(tcp::socket&)> script) {
        tcp::socket socket(io_);
        const tcp::endpoint endpoint(asio::ip::address_v4::loopback(), server_->port());
        co_await socket.async_connect(endpoint, kAwait);
        co_await script(socket);
        server_->stop();
    }

    rt::TaskGroup tasks_{io_.get_executor(), [](const std::string&, const std::exception_ptr& e) {
                             EXPECT_FALSE(e) << rt::describe(e);
                         }};
};

Json config_map(const char* name) {
    return Json{{"metadata", {{"name", name}, {"namespace", "default"}}}};
}

TEST_F(ApiServerTest, AWatchStreamsChangesAsTheyHappen) {
    std::string first;
    serve([&](tcp::socket& socket) -> awaitable<void> {
        const std::string watch = get("/api/v1/configmaps?watch=1");
        co_await ask(socket, watch, "\r\n\r\n");
        server_->put("configmaps.", config_map("a"));
        std::string nothing;
        first = co_await ask(socket, nothing, "}\n");
    });

    EXPECT_NE(first.find(R"("type":"ADDED")"), std::string::npos) << first;
}

TEST_F(ApiServerTest, DroppingWatchesEndsTheirStreams) {
    std::string end;
    serve([&](tcp::socket& socket) -> awaitable<void> {
        const std::string watch = get("/api/v1/configmaps?watch=1");
        co_await ask(socket, watch, "\r\n\r\n");
        server_->drop_watches();
        std::string nothing;
        end = co_await ask(socket, nothing, "0\r\n\r\n");
    });

    EXPECT_EQ(end, "0\r\n\r\n");
    EXPECT_EQ(server_->watches(), 0U);
}

TEST_F(ApiServerTest, AnInjectedFaultAnswersAsManyRequestsAsItWasGiven) {
    std::string refused;
    std::string served;
    FaultRule rule;
    rule.verb = "list";
    rule.resource = "services";
    rule.status = 429;
    rule.retry_after = 7;
    server_->faults().add(rule);
    serve([&](tcp::socket& socket) -> awaitable<void> {
        const std::string list = get("/api/v1/services");
        refused = co_await ask(socket, list, "\"status\":\"Failure\"}");
        served = co_await ask(socket, list, "\"ServiceList\"");
    });

    EXPECT_TRUE(refused.starts_with("HTTP/1.1 429")) << refused;
    EXPECT_NE(refused.find("Retry-After: 7\r\n"), std::string::npos);
    EXPECT_TRUE(served.starts_with("HTTP/1.1 200")) << served;
}

TEST(FaultTest, ARuleHasToDoSomething) {
    EXPECT_FALSE(parse_fault(parse_json(R"({"verb":"get"})")));
    EXPECT_TRUE(parse_fault(parse_json(R"({"status":500,"count":2})")));
}

TEST(YamlTest, ScalarsBecomeWhatTheyLookLike) {
    const auto json = yaml_to_json("a: 1\nb: \"1\"\nc: true\nd: [x, 1.5, ~]\ne: {f: 10.0.0.1}\n");

    ASSERT_TRUE(json);
    EXPECT_EQ(
        *json, parse_json(R"({"a":1,"b":"1","c":true,"d":["x",1.5,null],"e":{"f":"10.0.0.1"}})")
    );
    EXPECT_FALSE(yaml_to_json("a: [1"));
}

TEST(CertificateTest, AnAuthorityIssuesForNamesAndAddresses) {
    const auto authority = make_authority("test");
    ASSERT_TRUE(authority);

    const auto serving = issue_serving_certificate(*authority, {"localhost", "127.0.0.1", "::1"});

    ASSERT_TRUE(serving);
    EXPECT_TRUE(serving->certificate.starts_with("-----BEGIN CERTIFICATE-----"));
}

}  // namespace
}  // namespace steelyard::apiserver
