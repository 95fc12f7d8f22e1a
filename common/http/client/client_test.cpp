#include "common/http/client/client.hpp"

#include "common/http/client/transport.hpp"
#include "common/rt/sleep.hpp"
#include "common/testing/loop.hpp"
#include "common/testing/scripted_server.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include <chrono>

namespace steelyard::http_client {
namespace {

using namespace std::chrono_literals;
using fakes::http_answer;
using fakes::ScriptedConnection;
using fakes::ScriptedServer;
using testing::HasSubstr;

class ClientTest : public testing::Test {
protected:
    void serve(ScriptedServer::Script script) {
        server_ = std::make_unique<ScriptedServer>(loop_.executor(), std::move(script));
        loop_.spawn("server", server_->run());
    }
    Client client(Limits limits = {}) {
        Server where;
        where.host = "127.0.0.1";
        where.port = server_->port();
        return Client(where, limits);
    }
    static Request get(std::string target) {
        Request request;
        request.target = std::move(target);
        return request;
    }

    fakes::Loop loop_;
    std::unique_ptr<ScriptedServer> server_;
};

awaitable<void> echo_first_lines(ScriptedConnection& connection, std::size_t /*number*/) {
    for (;;) {
        const std::string request = co_await connection.read_request();
        if (request.empty()) {
            co_return;
        }
        co_await connection.write(http_answer(200, request.substr(0, request.find('\r'))));
    }
}

TEST_F(ClientTest, CallsReuseOneConnection) {
    serve(echo_first_lines);
    Client subject = client();
    const auto test = [&]() -> awaitable<void> {
        for (const char* target : {"/a", "/b", "/c"}) {
            Request request = get(target);
            auto answer = co_await subject.send(std::move(request));
            EXPECT_TRUE(answer) << to_string(answer.error());
            EXPECT_EQ(answer->body, std::string("GET ") + target + " HTTP/1.1");
        }
    };

    loop_.run(test());

    EXPECT_EQ(server_->connections(), 1U);
}

TEST_F(ClientTest, AnIdleConnectionTheServerClosedIsReplaced) {
    serve([](ScriptedConnection& connection, std::size_t) -> awaitable<void> {
        const std::string request = co_await connection.read_request();
        co_await connection.write(http_answer(200, "once"));
    });
    Client subject = client();
    const auto test = [&]() -> awaitable<void> {
        for (int i = 0; i < 3; ++i) {
            Request request = get("/");
            request.method = "POST";
            auto answer = co_await subject.send(std::move(request));
            EXPECT_TRUE(answer) << to_string(answer.error());
            co_await rt::sleep_for(5ms);  // lets the server's FIN arrive
        }
    };

    loop_.run(test());

    EXPECT_EQ(server_->connections(), 3U);
}

TEST_F(ClientTest, ARequestThatMightHaveBeenServedIsNotSentTwice) {
    int posts = 0;
    serve([&posts](ScriptedConnection& connection, std::size_t) -> awaitable<void> {
        const std::string first = co_await connection.read_request();
        co_await connection.write(http_answer(200, "ok"));
        const std::string second = co_await connection.read_request();
        posts += second.substr(0, 4) == "POST" ? 1 : 0;
        connection.reset();
    });
    Client subject = client();
    const auto test = [&]() -> awaitable<void> {
        Request first = get("/");
        auto warm = co_await subject.send(std::move(first));
        EXPECT_TRUE(warm);
        Request post = get("/");
        post.method = "POST";
        auto answer = co_await subject.send(std::move(post));
        EXPECT_FALSE(answer);
    };

    loop_.run(test());

    EXPECT_EQ(posts, 1);
}

TEST_F(ClientTest, ASilentServerIsATimeout) {
    serve([](ScriptedConnection& connection, std::size_t) -> awaitable<void> {
        co_await connection.wait_closed();
    });
    Limits limits;
    limits.response = 30ms;
    Client subject = client(limits);
    const auto test = [&]() -> awaitable<void> {
        Request request = get("/");
        auto answer = co_await subject.send(std::move(request));
        EXPECT_FALSE(answer);
        EXPECT_TRUE(is(answer.error(), Errc::Timeout)) << to_string(answer.error());
    };

    loop_.run(test());
}

TEST_F(ClientTest, NobodyListeningIsUnavailableAndNamesTheServer) {
    serve(echo_first_lines);
    Client subject = client();
    const std::string port = std::to_string(server_->port());
    loop_.run([]() -> awaitable<void> {
        co_return;
    }());  // ends the server's task
    server_.reset();
    const auto test = [&]() -> awaitable<void> {
        Request request = get("/");
        auto answer = co_await subject.send(std::move(request));
        EXPECT_FALSE(answer);
        EXPECT_TRUE(is(answer.error(), Errc::Unavailable));
        EXPECT_THAT(to_string(answer.error()), HasSubstr("connect to 127.0.0.1:" + port));
    };

    loop_.run(test());
}

TEST_F(ClientTest, AStreamGivesPiecesAsTheyComeAndThenItsEnd) {
    serve([](ScriptedConnection& connection, std::size_t) -> awaitable<void> {
        const std::string request = co_await connection.read_request();
        co_await connection.write(fakes::chunked_head() + fakes::chunk("one"));
        co_await rt::sleep_for(5ms);
        co_await connection.write(fakes::chunk("two") + fakes::last_chunk());
        co_await connection.wait_closed();
    });
    Client subject = client();
    std::string body;
    const auto test = [&]() -> awaitable<void> {
        Request request = get("/watch");
        auto stream = co_await subject.open(std::move(request));
        EXPECT_TRUE(stream);
        EXPECT_EQ(stream->head.header("content-type"), "application/json");
        for (;;) {
            auto piece = co_await stream->body->next(5s);
            EXPECT_TRUE(piece);
            if (piece->empty()) {
                break;
            }
            body += *piece + "|";
        }
    };

    loop_.run(test());

    EXPECT_EQ(body, "one|two|");
}

TEST_F(ClientTest, AStreamBrokenOrSilentIsAnError) {
    serve([](ScriptedConnection& connection, std::size_t number) -> awaitable<void> {
        const std::string request = co_await connection.read_request();
        co_await connection.write(fakes::chunked_head() + "5\r\nab");
        if (number == 0) {
            connection.close();
        } else if (number == 1) {
            co_await rt::sleep_for(5ms);
            connection.reset();
        } else {
            co_await connection.wait_closed();
        }
    });
    Client subject = client();
    const auto test = [&]() -> awaitable<void> {
        for (const Errc expected : {Errc::Unavailable, Errc::Unavailable, Errc::Timeout}) {
            Request request = get("/watch");
            auto stream = co_await subject.open(std::move(request));
            EXPECT_TRUE(stream);
            Result<std::string> piece = std::string("x");
            while (piece && !piece->empty()) {
                piece = co_await stream->body->next(50ms);
            }
            EXPECT_FALSE(piece);
            EXPECT_TRUE(is(piece.error(), expected)) << to_string(piece.error());
        }
    };

    loop_.run(test());
}

TEST(DeadPeerTest, TheKernelGivesUpWithinTwentySeconds) {
    const int socket = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    ASSERT_GE(socket, 0);
    detect_dead_peer(socket);
    const auto option = [socket](int level, int name) {
        int value = 0;
        socklen_t size = sizeof value;
        EXPECT_EQ(::getsockopt(socket, level, name, &value, &size), 0);
        return value;
    };
    EXPECT_EQ(option(SOL_SOCKET, SO_KEEPALIVE), 1);
    EXPECT_EQ(option(IPPROTO_TCP, TCP_KEEPIDLE), 10);
    EXPECT_EQ(option(IPPROTO_TCP, TCP_KEEPINTVL), 5);
    EXPECT_EQ(option(IPPROTO_TCP, TCP_KEEPCNT), 3);
    EXPECT_EQ(option(IPPROTO_TCP, TCP_USER_TIMEOUT), 15000);
    EXPECT_NE(option(IPPROTO_TCP, TCP_NODELAY), 0);
    ::close(socket);
}

TEST_F(ClientTest, HeadersCannotBeInjected) {
    serve(echo_first_lines);
    Client subject = client();
    const auto test = [&]() -> awaitable<void> {
        Request request = get("/");
        request.headers.emplace_back("Authorization", "Bearer a\r\nX: y");
        auto answer = co_await subject.send(std::move(request));
        EXPECT_FALSE(answer);
        EXPECT_TRUE(is(answer.error(), Errc::Invalid));
        Request path = get("/a b");
        answer = co_await subject.send(std::move(path));
        EXPECT_FALSE(answer);
    };

    loop_.run(test());
}

TEST_F(ClientTest, CancellationLeavesAtOnce) {
    serve([](ScriptedConnection& connection, std::size_t) -> awaitable<void> {
        co_await connection.wait_closed();
    });
    Client subject = client();
    bool returned = false;
    const auto call = [&]() -> awaitable<void> {
        Request request = get("/");
        auto answer = co_await subject.send(std::move(request));
        returned = true;
    };
    std::string outcome;
    rt::TaskGroup group(loop_.executor(), [&](const std::string&, std::exception_ptr error) {
        outcome = rt::describe(error);
    });
    const auto test = [&]() -> awaitable<void> {
        group.spawn("call", call());
        co_await rt::sleep_for(10ms);
        group.cancel();
        co_await group.join();
    };

    loop_.run(test());

    EXPECT_FALSE(returned);
    EXPECT_EQ(outcome, "ended");
}

}  // namespace
}  // namespace steelyard::http_client
