#include "common/testing/scripted_server.hpp"

#include <boost/asio/buffer.hpp>
#include <boost/asio/error.hpp>
#include <boost/asio/write.hpp>
#include <boost/system/system_error.hpp>

#include <array>
#include <cstdio>
#include <cstdlib>
#include <utility>

namespace steelyard::fakes {
namespace {

using asio::ip::tcp;

std::size_t body_length(const std::string& head) {
    const std::string name = "Content-Length: ";
    const std::size_t at = head.find(name);
    return at == std::string::npos ? 0 : std::strtoul(head.c_str() + at + name.size(), nullptr, 10);
}

void throw_if_cancelled(const boost::system::error_code& code) {
    if (code == asio::error::operation_aborted) {
        throw boost::system::system_error(code);
    }
}

}  // namespace

awaitable<std::string> ScriptedConnection::read_request() {
    std::array<char, 4096> block{};
    for (;;) {
        const std::size_t head_end = pending_.find("\r\n\r\n");
        if (head_end != std::string::npos) {
            const std::size_t size = head_end + 4 + body_length(pending_.substr(0, head_end + 2));
            if (pending_.size() >= size) {
                std::string request = pending_.substr(0, size);
                pending_.erase(0, size);
                co_return request;
            }
        }
        auto [code, got] = co_await socket_.async_read_some(asio::buffer(block), kAwait);
        throw_if_cancelled(code);
        if (code) {
            co_return std::string();
        }
        pending_.append(block.data(), got);
    }
}

awaitable<void> ScriptedConnection::write(std::string bytes) {
    auto [code, sent] = co_await asio::async_write(socket_, asio::buffer(bytes), kAwait);
    throw_if_cancelled(code);
}

void ScriptedConnection::close() {
    boost::system::error_code ignored;
    socket_.close(ignored);
}

void ScriptedConnection::reset() {
    boost::system::error_code ignored;
    socket_.set_option(asio::socket_base::linger(true, 0), ignored);
    socket_.close(ignored);
}

awaitable<void> ScriptedConnection::wait_closed() {
    std::array<char, 256> block{};
    for (;;) {
        auto [code, got] = co_await socket_.async_read_some(asio::buffer(block), kAwait);
        throw_if_cancelled(code);
        if (code) {
            co_return;
        }
    }
}

ScriptedServer::ScriptedServer(const asio::any_io_executor& executor, Script script)
    : acceptor_(executor, tcp::endpoint(asio::ip::address_v4::loopback(), 0)),
      script_(std::move(script)) {}

std::uint16_t ScriptedServer::port() const {
    return acceptor_.local_endpoint().port();
}

awaitable<void> ScriptedServer::run() {
    rt::TaskGroup serving(
        acceptor_.get_executor(), [](const std::string&, const std::exception_ptr&) {}
    );
    for (;;) {
        auto [code, socket] = co_await acceptor_.async_accept(kAwait);
        if (code) {
            break;
        }
        const std::size_t number = connections_++;
        serving.spawn("connection", serve(std::move(socket), number));
    }
    co_await asio::this_coro::reset_cancellation_state(asio::disable_cancellation());
    serving.cancel();
    co_await serving.join();
}

awaitable<void> ScriptedServer::serve(tcp::socket socket, std::size_t number) {
    ScriptedConnection connection(std::move(socket));
    co_await script_(connection, number);
}

std::string http_answer(
    unsigned status, const std::string& body, const std::string& extra_headers
) {
    return "HTTP/1.1 " + std::to_string(status) + " X\r\nContent-Type: application/json\r\n" +
           extra_headers + "Content-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body;
}

std::string chunked_head() {
    return "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
           "Transfer-Encoding: chunked\r\n\r\n";
}

std::string chunk(const std::string& bytes) {
    std::array<char, 24> size{};
    std::snprintf(size.data(), size.size(), "%zx\r\n", bytes.size());
    return size.data() + bytes + "\r\n";
}

std::string last_chunk() {
    return "0\r\n\r\n";
}

}  // namespace steelyard::fakes
