#include "common/http/server/server.hpp"

#include "common/http/server/wire.hpp"
#include "common/rt/sleep.hpp"
#include "common/rt/task_group.hpp"

#include <boost/asio/experimental/awaitable_operators.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/ip/v6_only.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/status.hpp>
#include <boost/beast/http/string_body.hpp>

#include <exception>
#include <list>
#include <string>

namespace steelyard::http_server {

namespace {

namespace http = boost::beast::http;
using asio::ip::tcp;
using boost::asio::experimental::awaitable_operators::operator||;

constexpr std::size_t kReadSize = 16U << 10U;
constexpr std::uint32_t kHeadLimit = 64U << 10U;
// Past this a client that streams at us during a response is not speaking HTTP to us.
constexpr std::size_t kPipelineLimit = 256U << 10U;
constexpr auto kHandshakeTimeout = std::chrono::seconds(10);
constexpr auto kShutdownTimeout = std::chrono::seconds(1);
// How long a client that connected just before the end may take to ask.
constexpr auto kLastWords = std::chrono::seconds(1);

using Parser = http::request_parser<http::string_body>;

Request to_request(Parser& parser, const std::string& peer) {
    auto message = parser.release();
    Request request;
    request.method = std::string(message.method_string());
    request.target = std::string(message.target());
    for (const auto& field : message) {
        request.headers.emplace_back(std::string(field.name_string()), std::string(field.value()));
    }
    request.body = std::move(message.body());
    request.peer = peer;
    return request;
}

std::string response_head(const Response& response, bool keep_alive, bool chunked) {
    std::string head = "HTTP/1.1 " + std::to_string(response.status) + " ";
    head += std::string(http::obsolete_reason(http::int_to_status(response.status)));
    head += "\r\nContent-Type: " + response.content_type + "\r\n";
    for (const auto& [name, value] : response.headers) {
        head += name + ": " + value + "\r\n";
    }
    if (chunked) {
        head += "Transfer-Encoding: chunked\r\n";
    } else {
        head += "Content-Length: " + std::to_string(response.body.size()) + "\r\n";
    }
    if (!keep_alive) {
        head += "Connection: close\r\n";
    }
    return head + "\r\n";
}

unsigned status_of(const boost::system::error_code& error) {
    if (error == http::error::body_limit) {
        return 413;
    }
    return error == http::error::header_limit ? 431 : 400;
}

class WireChunks final : public ChunkWriter {
public:
    WireChunks(Wire& wire, Duration timeout) : wire_(wire), timeout_(timeout) {}

    awaitable<Result<>> write(std::string chunk) override {
        if (chunk.empty()) {
            co_return Result<>{};
        }
        char size[20];
        std::snprintf(size, sizeof size, "%zx\r\n", chunk.size());
        chunk.insert(0, size);
        chunk += "\r\n";
        co_return co_await wire_.write_all(chunk, timeout_);
    }

    awaitable<Result<>> write_raw(std::string bytes) override {
        co_return co_await wire_.write_all(bytes, timeout_);
    }

    void cut(bool reset) override {
        if (reset) {
            wire_.reset();
        } else {
            wire_.close();
        }
    }

private:
    Wire& wire_;
    Duration timeout_;
};

// One client connection: requests one after the other until either side ends it.
class Connection {
public:
    Connection(
        std::unique_ptr<Wire> wire,
        std::string peer,
        const ServerConfig& config,
        const Handler& handler,
        const asio::any_io_executor& executor
    )
        : wire_(std::move(wire)),
          peer_(std::move(peer)),
          config_(config),
          handler_(handler),
          stop_(executor) {}

    awaitable<void> serve() {
        auto secured = co_await wire_->handshake(kHandshakeTimeout);
        bool open = secured.has_value();
        while (open && !stopped_) {
            open = co_await serve_one();
        }
        if (secured) {
            co_await wire_->shutdown(kShutdownTimeout);
        }
    }

    // The next request is the last.
    void drain() { last_ = true; }

    void stop() {
        last_ = true;
        stopped_ = true;
        stop_.notify();
        if (idle_ && !wire_->has_arrived()) {
            wire_->close();
        }
    }

private:
    // Reads one request into parser; false when the connection is over (or the request was bad and
    // has been answered).
    awaitable<bool> read_request(Parser& parser) {
        Instant start = std::chrono::steady_clock::now();
        bool asked_for_body = false;
        idle_ = buffer_.size() == 0;
        while (true) {
            boost::system::error_code error;
            if (buffer_.size() > 0) {
                buffer_.consume(parser.put(buffer_.data(), error));
            }
            if (parser.is_done()) {
                co_return true;
            }
            if (error && error != http::error::need_more) {
                Response bad = text_response(status_of(error), error.message() + "\n");
                co_await wire_->write_all(
                    response_head(bad, false, false) + bad.body, config_.write_timeout
                );
                co_return false;
            }
            if (parser.is_header_done() && !asked_for_body &&
                parser.get()[http::field::expect] == "100-continue") {
                asked_for_body = true;
                co_await wire_->write_all("HTTP/1.1 100 Continue\r\n\r\n", config_.write_timeout);
            }
            const auto area = buffer_.prepare(kReadSize);
            const Duration spent = std::chrono::steady_clock::now() - start;
            const Duration rest = last_ ? kLastWords : config_.idle_timeout;
            const Duration left = idle_ ? rest : config_.request_timeout - spent;
            if (left <= Duration::zero()) {
                co_return false;
            }
            const std::span<char> room(static_cast<char*>(area.data()), area.size());
            auto size = co_await wire_->read_some(room, left);
            if (!size) {
                co_return false;
            }
            if (std::exchange(idle_, false)) {
                start =
                    std::chrono::steady_clock::now();  // the rest before it is not the request's
            }
            buffer_.commit(*size);
        }
    }

    awaitable<bool> serve_one() {
        Parser parser;
        parser.eager(true);
        parser.header_limit(kHeadLimit);
        parser.body_limit(config_.body_limit);
        const bool readable = co_await read_request(parser);
        idle_ = false;
        if (!readable) {
            co_return false;
        }
        const bool keep_alive = parser.keep_alive();
        Request request = to_request(parser, peer_);
        const bool head_only = request.method == "HEAD";
        Response response;
        const auto parsed = parse_target(request);
        if (parsed) {
            response = co_await handler_(std::move(request));
        } else {
            response = text_response(400, parsed.error().context + "\n");
        }
        if (response.drop_connection) {
            wire_->close();
            co_return false;
        }
        co_return co_await answer(response, keep_alive && !last_, head_only);
    }

    awaitable<bool> answer(Response& response, bool keep_alive, bool head_only) {
        if (!response.producer) {
            std::string bytes = response_head(response, keep_alive, false);
            if (!head_only) {
                bytes += response.body;
            }
            auto written = co_await wire_->write_all(bytes, config_.write_timeout);
            co_return written.has_value() && keep_alive;
        }
        auto written =
            co_await wire_->write_all(response_head(response, false, true), config_.write_timeout);
        if (!written) {
            co_return false;
        }
        WireChunks chunks(*wire_, config_.write_timeout);
        // Whatever ends first ends the others: the stream, the client, or the server.
        client_gone_ = false;
        co_await (response.producer(chunks) || watch_client() || stop_.wait());
        if (client_gone_) {
            co_return false;
        }
        written = co_await wire_->write_all("0\r\n\r\n", config_.write_timeout);
        // A read was pending when the stream ended; its bytes, if any, may be lost with it.
        co_return false;
    }

    // Reads ahead while a stream is being written: that is how a closed connection is noticed.
    awaitable<void> watch_client() {
        while (buffer_.size() < kPipelineLimit) {
            const auto area = buffer_.prepare(kReadSize);
            const std::span<char> room(static_cast<char*>(area.data()), area.size());
            auto size = co_await wire_->read_some(room, Duration::zero());
            if (!size) {
                break;
            }
            buffer_.commit(*size);
        }
        // A read that failed because the stream ended first says nothing about the client.
        const auto state = co_await asio::this_coro::cancellation_state;
        client_gone_ = state.cancelled() == asio::cancellation_type::none;
    }

    std::unique_ptr<Wire> wire_;
    std::string peer_;
    const ServerConfig& config_;
    const Handler& handler_;
    boost::beast::flat_buffer buffer_;
    rt::Signal stop_;
    bool last_ = false;
    bool stopped_ = false;
    bool idle_ = false;
    bool client_gone_ = false;
};

Result<std::shared_ptr<asio::ssl::context>> make_context(const TlsMaterial& material) {
    auto context = std::make_shared<asio::ssl::context>(asio::ssl::context::tls_server);
    boost::system::error_code error;
    context->set_options(
        asio::ssl::context::default_workarounds | asio::ssl::context::no_tlsv1 |
            asio::ssl::context::no_tlsv1_1,
        error
    );
    context->use_certificate_chain(asio::buffer(material.certificate_chain), error);
    if (error) {
        return make_error(Errc::Invalid, "TLS certificate chain: " + error.message());
    }
    context->use_private_key(asio::buffer(material.private_key), asio::ssl::context::pem, error);
    if (error) {
        return make_error(Errc::Invalid, "TLS private key: " + error.message());
    }
    return context;
}

class BeastServer final : public Server {
public:
    BeastServer(
        const asio::any_io_executor& executor,
        ServerConfig config,
        Handler handler,
        tcp::acceptor acceptor,
        std::shared_ptr<asio::ssl::context> context
    )
        : executor_(executor),
          config_(std::move(config)),
          handler_(std::move(handler)),
          acceptor_(std::move(acceptor)),
          context_(std::move(context)),
          tasks_(executor, [](const std::string&, const std::exception_ptr&) {}) {
        boost::system::error_code ignored;
        port_ = acceptor_.local_endpoint(ignored).port();
    }

    std::uint16_t port() const override { return port_; }
    std::size_t connections() const override { return connections_.size(); }

    // Cancelled while a connection comes in, accept() throws at its next await; the connections are
    // joined all the same.
    awaitable<void> run() override {
        std::exception_ptr failure;
        try {
            co_await accept();
        } catch (...) {
            failure = std::current_exception();
        }
        co_await asio::this_coro::reset_cancellation_state(asio::disable_cancellation());
        boost::system::error_code ignored;
        acceptor_.close(ignored);
        if (!stopping_) {
            tasks_.cancel();
        }
        co_await tasks_.join();
        if (failure && !rt::is_cancellation(failure)) {
            std::rethrow_exception(failure);
        }
    }

    void drain() override {
        stopping_ = true;
        for (Connection* connection : connections_) {
            connection->drain();
        }
        accept_waiting();
        boost::system::error_code ignored;
        acceptor_.close(ignored);
    }

    void stop() override {
        stopping_ = true;
        boost::system::error_code ignored;
        acceptor_.close(ignored);
        for (Connection* connection : connections_) {
            connection->stop();
        }
    }

    Result<> set_tls(const TlsMaterial& material) override {
        auto context = make_context(material);
        if (!context) {
            return context.error();
        }
        context_ = std::move(*context);
        return {};
    }

private:
    awaitable<void> accept() {
        while (!stopping_) {
            auto [error, socket] = co_await acceptor_.async_accept(kAwait);
            if (error == asio::error::operation_aborted || error == asio::error::bad_descriptor) {
                break;
            }
            if (error) {
                // Out of descriptors, most likely: waiting beats spinning.
                co_await rt::sleep_for(std::chrono::milliseconds(100));
                continue;
            }
            welcome(std::move(socket));
        }
    }

    // Whoever has connected but was not accepted yet: closing would reset them.
    void accept_waiting() {
        boost::system::error_code error;
        acceptor_.non_blocking(true, error);
        while (!error) {
            tcp::socket socket(executor_);
            acceptor_.accept(socket, error);
            if (!error) {
                welcome(std::move(socket));
            }
        }
    }

    void welcome(tcp::socket socket) {
        if (connections_.size() >= config_.connection_limit) {
            return;
        }
        boost::system::error_code ignored;
        socket.set_option(tcp::no_delay(true), ignored);
        tasks_.spawn("connection", serve(std::move(socket)));
    }

    awaitable<void> serve(tcp::socket socket) {
        boost::system::error_code ignored;
        const auto remote = socket.remote_endpoint(ignored);
        std::string peer = remote.address().to_string() + ":" + std::to_string(remote.port());
        std::unique_ptr<Wire> wire;
        if (context_) {
            wire = make_tls_wire(std::move(socket), context_);
        } else {
            wire = make_plain_wire(std::move(socket));
        }
        Connection connection(std::move(wire), std::move(peer), config_, handler_, executor_);
        const Registration registered(connections_, connection);
        if (stopping_) {
            connection.drain();
        }
        co_await connection.serve();
    }

    class Registration {
    public:
        Registration(std::list<Connection*>& list, Connection& connection)
            : list_(list), place_(list.insert(list.end(), &connection)) {}
        Registration(const Registration&) = delete;
        Registration& operator=(const Registration&) = delete;
        ~Registration() { list_.erase(place_); }

    private:
        std::list<Connection*>& list_;
        std::list<Connection*>::iterator place_;
    };

    asio::any_io_executor executor_;
    ServerConfig config_;
    Handler handler_;
    tcp::acceptor acceptor_;
    std::shared_ptr<asio::ssl::context> context_;
    std::list<Connection*> connections_;
    rt::TaskGroup tasks_;
    std::uint16_t port_ = 0;
    bool stopping_ = false;
};

}  // namespace

Result<std::unique_ptr<Server>> Server::listen(
    const asio::any_io_executor& executor, ServerConfig config, Handler handler
) {
    boost::system::error_code error;
    const auto address = asio::ip::make_address(config.listen_address, error);
    if (error) {
        return make_error(
            Errc::Invalid,
            "listen address \"" + config.listen_address + "\": want a numeric IP address"
        );
    }
    const tcp::endpoint endpoint(address, config.port);
    const std::string where = config.listen_address + " port " + std::to_string(config.port);
    tcp::acceptor acceptor(executor);
    acceptor.open(endpoint.protocol(), error);
    if (!error) {
        acceptor.set_option(tcp::acceptor::reuse_address(true), error);
    }
    if (!error && config.v6_only && address.is_v6()) {
        acceptor.set_option(asio::ip::v6_only(true), error);
    }
    if (!error) {
        acceptor.bind(endpoint, error);
    }
    if (!error) {
        acceptor.listen(asio::socket_base::max_listen_connections, error);
    }
    if (error) {
        return make_error(error, "listen on " + where + ": " + error.message());
    }
    std::shared_ptr<asio::ssl::context> context;
    if (config.tls) {
        auto made = make_context(*config.tls);
        if (!made) {
            return made.error();
        }
        context = std::move(*made);
    }
    std::unique_ptr<Server> server = std::make_unique<BeastServer>(
        executor, std::move(config), std::move(handler), std::move(acceptor), std::move(context)
    );
    return server;
}

}  // namespace steelyard::http_server
