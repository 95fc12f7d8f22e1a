#pragma once

#include "common/rt/asio.hpp"
#include "common/rt/task_group.hpp"

#include <boost/asio/ip/tcp.hpp>

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

// A TCP server on a free loopback port that plays a script, byte for byte: for what a well-behaved
// server cannot be made to do (stop in the middle, reset, say nothing, speak nonsense).
namespace steelyard::fakes {

class ScriptedConnection {
public:
    explicit ScriptedConnection(asio::ip::tcp::socket socket) : socket_(std::move(socket)) {}

    // One HTTP request: head and body, as received; "" when the client has gone.
    awaitable<std::string> read_request();
    awaitable<void> write(std::string bytes);
    void close();
    // RST instead of FIN.
    void reset();
    // Returns when the client closes.
    awaitable<void> wait_closed();

private:
    asio::ip::tcp::socket socket_;
    std::string pending_;
};

class ScriptedServer {
public:
    // Called with the number of the connection, from 0; the connection ends when it returns.
    using Script = std::function<awaitable<void>(ScriptedConnection&, std::size_t number)>;

    ScriptedServer(const asio::any_io_executor& executor, Script script);
    // Accepts until cancelled.
    awaitable<void> run();
    [[nodiscard]] std::uint16_t port() const;
    [[nodiscard]] std::size_t connections() const { return connections_; }

private:
    awaitable<void> serve(asio::ip::tcp::socket socket, std::size_t number);

    asio::ip::tcp::acceptor acceptor_;
    Script script_;
    std::size_t connections_ = 0;
};

// An answer with Content-Length, kept alive.
[[nodiscard]] std::string http_answer(
    unsigned status, const std::string& body, const std::string& extra_headers = ""
);
// The head of a chunked JSON answer, a chunk, and the last chunk.
[[nodiscard]] std::string chunked_head();
[[nodiscard]] std::string chunk(const std::string& bytes);
[[nodiscard]] std::string last_chunk();

}  // namespace steelyard::fakes
