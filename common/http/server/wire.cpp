#include "common/http/server/wire.hpp"

#include <boost/asio/buffer.hpp>
#include <boost/asio/ssl/stream.hpp>
#include <boost/asio/write.hpp>
#include <boost/beast/core/error.hpp>
#include <boost/beast/core/tcp_stream.hpp>
#include <boost/beast/ssl/ssl_stream.hpp>

#include <utility>

namespace steelyard::http_server {

namespace {

namespace beast = boost::beast;

Error to_error(const boost::system::error_code& code, const char* what) {
    if (code == beast::error::timeout) {
        return make_error(Errc::Timeout, std::string(what) + ": deadline passed");
    }
    return make_error(Errc::Unavailable, std::string(what) + ": " + code.message());
}

void arm(beast::tcp_stream& tcp, Duration timeout) {
    if (timeout == Duration::zero()) {
        tcp.expires_never();
    } else {
        tcp.expires_after(timeout);
    }
}

// The parts that plain and TLS streams share.
template <class Stream>
class BasicWire : public Wire {
public:
    template <class... Args>
    explicit BasicWire(Args&&... args) : stream_(std::forward<Args>(args)...) {}

    awaitable<Result<std::size_t>> read_some(std::span<char> out, Duration timeout) override {
        arm(beast::get_lowest_layer(stream_), timeout);
        auto [code, size] =
            co_await stream_.async_read_some(asio::buffer(out.data(), out.size()), kAwait);
        if (code) {
            co_return to_error(code, "read");
        }
        co_return size;
    }

    awaitable<Result<>> write_all(std::string_view bytes, Duration timeout) override {
        arm(beast::get_lowest_layer(stream_), timeout);
        auto [code, size] =
            co_await asio::async_write(stream_, asio::buffer(bytes.data(), bytes.size()), kAwait);
        if (code) {
            co_return to_error(code, "write");
        }
        co_return Result<>{};
    }

    bool has_arrived() override {
        boost::system::error_code ignored;
        return beast::get_lowest_layer(stream_).socket().available(ignored) > 0;
    }

    void close() override {
        boost::system::error_code ignored;
        beast::get_lowest_layer(stream_).socket().close(ignored);
    }

    void reset() override {
        boost::system::error_code ignored;
        beast::get_lowest_layer(stream_).socket().set_option(
            asio::socket_base::linger(true, 0), ignored
        );
        close();
    }

protected:
    Stream stream_;
};

class PlainWire final : public BasicWire<beast::tcp_stream> {
public:
    using BasicWire::BasicWire;

    awaitable<Result<>> handshake(Duration) override { co_return Result<>{}; }

    awaitable<void> shutdown(Duration) override {
        boost::system::error_code ignored;
        stream_.socket().shutdown(asio::ip::tcp::socket::shutdown_send, ignored);
        co_return;
    }
};

class TlsWire final : public BasicWire<asio::ssl::stream<beast::tcp_stream>> {
public:
    TlsWire(asio::ip::tcp::socket socket, std::shared_ptr<asio::ssl::context> context)
        : BasicWire(beast::tcp_stream(std::move(socket)), *context), context_(std::move(context)) {}

    awaitable<Result<>> handshake(Duration timeout) override {
        arm(beast::get_lowest_layer(stream_), timeout);
        auto [code] = co_await stream_.async_handshake(asio::ssl::stream_base::server, kAwait);
        if (code) {
            co_return to_error(code, "TLS handshake");
        }
        co_return Result<>{};
    }

    awaitable<void> shutdown(Duration timeout) override {
        arm(beast::get_lowest_layer(stream_), timeout);
        co_await stream_.async_shutdown(kAwait);
    }

private:
    std::shared_ptr<asio::ssl::context> context_;  // set_tls() may replace the server's meanwhile
};

}  // namespace

std::unique_ptr<Wire> make_plain_wire(asio::ip::tcp::socket socket) {
    return std::make_unique<PlainWire>(std::move(socket));
}

std::unique_ptr<Wire> make_tls_wire(
    asio::ip::tcp::socket socket, std::shared_ptr<asio::ssl::context> context
) {
    return std::make_unique<TlsWire>(std::move(socket), std::move(context));
}

}  // namespace steelyard::http_server
