#pragma once

#include "common/rt/asio.hpp"

#include <boost/asio/ip/tcp.hpp>

#include <cstdint>
#include <string>
#include <string_view>

// A TCP client for tests that have to say which bytes go when, byte for byte: what comes back is
// text. The server's errors are the end of what it says.
namespace steelyard::fakes {

class TcpClient {
public:
    explicit TcpClient(const asio::any_io_executor& executor) : socket_(executor) {}

    // False when nobody listens.
    awaitable<bool> connect(asio::ip::tcp::endpoint to);
    [[nodiscard]] bool is_connected() const { return socket_.is_open(); }
    awaitable<void> write(std::string_view text);
    // What comes up to and with `end`; all there is when the connection ends before.
    awaitable<std::string> read_until(std::string end);
    // What comes until the connection ends.
    awaitable<std::string> read_all();

private:
    asio::ip::tcp::socket socket_;
    std::string pending_;
};

// On 127.0.0.1, free a moment ago.
[[nodiscard]] std::uint16_t free_port(const asio::any_io_executor& executor);

}  // namespace steelyard::fakes
