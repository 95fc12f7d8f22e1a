#pragma once

#include "common/rt/task_group.hpp"
#include "e2e/apiserver/server/api_server.hpp"

#include <boost/asio/connect.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/read.hpp>
#include <boost/asio/read_until.hpp>
#include <boost/asio/write.hpp>
#include <gtest/gtest.h>

// A server on loopback and one scripted client, run to the end on one io_context.
namespace steelyard::apiserver {

using asio::ip::tcp;

class ServerFixture : public testing::Test {
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

    static std::string post(const std::string& target, const std::string& body) {
        return "POST " + target +
               " HTTP/1.1\r\nHost: x\r\nContent-Length: " + std::to_string(body.size()) +
               "\r\n\r\n" + body;
    }
    // What comes until the server ends the connection, and how it ends it.
    static awaitable<boost::system::error_code> read_all(tcp::socket& socket, std::string& out) {
        auto [error, size] = co_await asio::async_read(socket, asio::dynamic_buffer(out), kAwait);
        co_return error;
    }
    awaitable<void> connect(tcp::socket& socket) {
        const tcp::endpoint endpoint(asio::ip::address_v4::loopback(), server_->port());
        co_await socket.async_connect(endpoint, kAwait);
    }

    asio::io_context io_{1};
    std::unique_ptr<ApiServer> server_ =
        ApiServer::listen(io_.get_executor(), ApiServerOptions()).value();

private:
    awaitable<void> client(std::function<awaitable<void>(tcp::socket&)> script) {
        tcp::socket socket(io_);
        co_await connect(socket);
        co_await script(socket);
        server_->stop();
    }

    rt::TaskGroup tasks_{io_.get_executor(), [](const std::string&, const std::exception_ptr& e) {
                             EXPECT_FALSE(e) << rt::describe(e);
                         }};
};

}  // namespace steelyard::apiserver
