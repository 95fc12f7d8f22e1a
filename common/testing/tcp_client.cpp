#include "common/testing/tcp_client.hpp"

#include <boost/asio/read.hpp>
#include <boost/asio/read_until.hpp>
#include <boost/asio/write.hpp>

#include <utility>

namespace steelyard::fakes {

using asio::ip::tcp;

awaitable<bool> TcpClient::connect(tcp::endpoint to) {
    const auto [error] = co_await socket_.async_connect(to, kAwait);
    if (error) {
        socket_.close();
    }
    co_return !error;
}

awaitable<void> TcpClient::write(std::string_view text) {
    co_await asio::async_write(socket_, asio::buffer(text), kAwait);
}

awaitable<std::string> TcpClient::read_until(std::string end) {
    const auto [error, size] =
        co_await asio::async_read_until(socket_, asio::dynamic_buffer(pending_), end, kAwait);
    if (error) {
        co_return std::exchange(pending_, std::string());
    }
    std::string text = pending_.substr(0, size);
    pending_.erase(0, size);
    co_return text;
}

awaitable<std::string> TcpClient::read_all() {
    co_await asio::async_read(socket_, asio::dynamic_buffer(pending_), kAwait);
    co_return std::exchange(pending_, std::string());
}

std::uint16_t free_port(const asio::any_io_executor& executor) {
    const tcp::acceptor acceptor(executor, {asio::ip::address_v4::loopback(), 0});
    return acceptor.local_endpoint().port();
}

}  // namespace steelyard::fakes
