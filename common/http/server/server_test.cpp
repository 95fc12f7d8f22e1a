#include "common/http/server/server.hpp"

#include "common/rt/sleep.hpp"
#include "common/rt/task_group.hpp"
#include "common/testing/tcp_client.hpp"

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <gtest/gtest.h>

namespace steelyard::http_server {
namespace {

using asio::ip::tcp;
using fakes::TcpClient;

awaitable<void> three_chunks(ChunkWriter& out) {
    for (const char* text : {"one", "two", "three"}) {
        std::string chunk = text;
        co_await out.write(std::move(chunk));
    }
}

awaitable<Response> respond(Request request) {
    if (request.path == "/stream") {
        Response response;
        response.producer = three_chunks;
        co_return response;
    }
    co_return text_response(
        200, request.method + " " + request.path + " " + request.query_value("q") + request.body
    );
}

class ServerTest : public testing::Test {
protected:
    void start(ServerConfig config = {}) {
        server_ = Server::listen(io_.get_executor(), std::move(config), respond).value();
    }

    // What the server sends until it closes the connection.
    std::string answer_to(std::string text) {
        std::string answer;
        tasks_.spawn("server", server_->run());
        tasks_.spawn("client", exchange(std::move(text), answer));
        io_.run_for(std::chrono::seconds(10));
        EXPECT_EQ(tasks_.size(), 0U) << "something did not end";
        return answer;
    }

    // The same for a head that comes after a rest, and a body once the server has asked for it.
    std::string answer_after(Duration rest, std::string head, std::string body) {
        std::string answer;
        tasks_.spawn("server", server_->run());
        tasks_.spawn("client", rest_then_ask(rest, std::move(head), std::move(body), answer));
        io_.run_for(std::chrono::seconds(10));
        EXPECT_EQ(tasks_.size(), 0U) << "something did not end";
        return answer;
    }

    // What a client gets that connected before drain() and asks after it; `kept` makes it ask once
    // before, too.
    std::string answer_while_draining(bool kept) {
        std::string answer;
        tasks_.spawn("server", server_->run());
        tasks_.spawn("client", ask_while_draining(kept, answer));
        io_.run_for(std::chrono::seconds(10));
        EXPECT_EQ(tasks_.size(), 0U) << "something did not end";
        return answer;
    }

    // Whether another server can have the port of the one that gave it up.
    bool can_be_had_again() {
        ServerConfig config;
        config.port = server_->port();
        server_->drain();
        return Server::listen(io_.get_executor(), config, respond).has_value();
    }

private:
    [[nodiscard]] tcp::endpoint endpoint() const {
        return {asio::ip::address_v4::loopback(), server_->port()};
    }

    awaitable<void> ask_while_draining(bool kept, std::string& answer) {
        const std::string_view request = "GET /a HTTP/1.1\r\nHost: x\r\n\r\n";
        TcpClient client(io_.get_executor());
        co_await client.connect(endpoint());
        if (kept) {
            co_await client.write(request);
            co_await client.read_until("/a ");
        }
        server_->drain();
        TcpClient late(io_.get_executor());
        const bool connected = co_await late.connect(endpoint());
        EXPECT_FALSE(connected);
        co_await client.write(request);
        answer = co_await client.read_all();
        server_->stop();
    }

    awaitable<void> rest_then_ask(
        Duration rest, std::string head, std::string body, std::string& answer
    ) {
        TcpClient client(io_.get_executor());
        co_await client.connect(endpoint());
        co_await rt::sleep_for(rest);
        co_await client.write(head);
        answer = co_await client.read_until("\r\n\r\n");
        co_await client.write(body);
        const std::string rest_of_it = co_await client.read_all();
        answer += rest_of_it;
        server_->stop();
    }

    awaitable<void> exchange(std::string text, std::string& answer) {
        TcpClient client(io_.get_executor());
        co_await client.connect(endpoint());
        co_await client.write(text);
        answer = co_await client.read_all();
        server_->stop();
    }

    asio::io_context io_{1};
    std::unique_ptr<Server> server_;
    rt::TaskGroup tasks_{io_.get_executor(), [](const std::string&, const std::exception_ptr& e) {
                             EXPECT_FALSE(e) << rt::describe(e);
                         }};
};

TEST_F(ServerTest, AnswersSeveralRequestsOnOneConnection) {
    start();

    const std::string answer = answer_to(
        "GET /a%20b?q=c+d HTTP/1.1\r\nHost: x\r\n\r\n"
        "POST /p HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 4\r\n\r\nbody"
    );

    EXPECT_NE(answer.find("GET /a b c d"), std::string::npos) << answer;
    EXPECT_NE(answer.find("POST /p body"), std::string::npos) << answer;
}

TEST_F(ServerTest, StreamsInChunks) {
    start();

    const std::string answer = answer_to("GET /stream HTTP/1.1\r\nHost: x\r\n\r\n");

    EXPECT_TRUE(answer.ends_with("3\r\none\r\n3\r\ntwo\r\n5\r\nthree\r\n0\r\n\r\n")) << answer;
}

TEST_F(ServerTest, ARequestHasItsWholeTimeHoweverLongTheConnectionRestedBefore) {
    ServerConfig config;
    config.request_timeout = std::chrono::milliseconds(500);
    start(config);

    const std::string answer = answer_after(
        std::chrono::milliseconds(600),
        "POST /p HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 4\r\n"
        "Expect: 100-continue\r\n\r\n",
        "body"
    );

    EXPECT_NE(answer.find("POST /p body"), std::string::npos) << answer;
}

TEST_F(ServerTest, WhoConnectedBeforeThePortWasGivenUpIsServed) {
    start();

    const std::string answer = answer_while_draining(false);

    EXPECT_TRUE(answer.starts_with("HTTP/1.1 200 ")) << answer;
    EXPECT_NE(answer.find("\r\nConnection: close\r\n"), std::string::npos) << answer;
    EXPECT_TRUE(answer.ends_with("GET /a ")) << answer;
}

TEST_F(ServerTest, AKeptConnectionIsServedOnceMoreAfterThePortWasGivenUp) {
    start();

    const std::string answer = answer_while_draining(true);

    EXPECT_TRUE(answer.starts_with("HTTP/1.1 200 ")) << answer;
    EXPECT_NE(answer.find("\r\nConnection: close\r\n"), std::string::npos) << answer;
}

TEST_F(ServerTest, APortThatWasGivenUpIsFreeAtOnce) {
    start();

    EXPECT_TRUE(can_be_had_again());
}

struct BadRequest {
    const char* name;
    const char* text;
    const char* status;
};
class BadRequestTest : public ServerTest, public testing::WithParamInterface<BadRequest> {};

TEST_P(BadRequestTest, IsAnsweredAndTheConnectionClosed) {
    ServerConfig config;
    config.body_limit = 10;
    start(std::move(config));

    const std::string answer = answer_to(GetParam().text);

    EXPECT_TRUE(answer.starts_with(GetParam().status)) << answer;
}

INSTANTIATE_TEST_SUITE_P(
    All,
    BadRequestTest,
    testing::Values(
        BadRequest{
            "TooLarge",
            "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n",
            "HTTP/1.1 413"},
        BadRequest{"NotHttp", "nonsense\r\n\r\n", "HTTP/1.1 400"},
        BadRequest{
            "BrokenEscape",
            "GET /%zz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
            "HTTP/1.1 400"}
    ),
    [](const auto& parameter) { return std::string(parameter.param.name); }
);

}  // namespace
}  // namespace steelyard::http_server
