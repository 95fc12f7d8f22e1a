#include "common/http/client/client.hpp"

#include "common/http/client/parser.hpp"
#include "common/http/client/transport.hpp"

#include <algorithm>
#include <chrono>
#include <span>
#include <utility>

namespace steelyard::http_client {
namespace {

// As many as a controller that writes thousands of statuses has under way at once, for as long as a
// burst lasts: API servers themselves close idle connections after 90 s or more.
constexpr std::size_t kIdleConnections = 64;
constexpr Duration kIdle = std::chrono::seconds(60);
// A status that was written answers in one piece of the first size; more is read in pieces of the
// second, what a TLS record holds.
constexpr std::size_t kFirstRead = 4U << 10U;
constexpr std::size_t kLargeRead = 16U << 10U;
constexpr std::size_t kHeadEstimate = 512;  // a bearer token may double it

bool same_name(std::string_view a, std::string_view b) {
    const auto lower = [](char c) {
        return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c;
    };
    return std::equal(a.begin(), a.end(), b.begin(), b.end(), [&](char x, char y) {
        return lower(x) == lower(y);
    });
}

bool repeatable(const std::string& method) {
    return method == "GET" || method == "HEAD" || method == "PUT" || method == "DELETE" ||
           method == "OPTIONS";
}

std::string host_header(const Server& server) {
    const bool v6 = server.host.find(':') != std::string::npos;
    return (v6 ? "[" + server.host + "]" : server.host) + ":" + std::to_string(server.port);
}

// RFC 9112 3. Line ends inside a value would let a caller's input add headers: refuse them.
Result<std::string> serialise(const Request& request, const Server& server) {
    std::string text;
    text.reserve(kHeadEstimate + request.target.size() + request.body.size());
    text.append(request.method).append(" ").append(request.target).append(" HTTP/1.1\r\nHost: ");
    text.append(host_header(server)).append("\r\n");
    bool safe = request.target.find_first_of(" \r\n\t") == std::string::npos;
    for (const auto& [name, value] : request.headers) {
        safe = safe && name.find_first_of("\r\n") == std::string::npos &&
               value.find_first_of("\r\n") == std::string::npos;
        text.append(name).append(": ").append(value).append("\r\n");
    }
    if (!safe) {
        return make_error(
            Errc::Invalid, "HTTP request " + request.target + ": blank or line end in the head"
        );
    }
    if (!request.body.empty() || request.method == "POST" || request.method == "PUT" ||
        request.method == "PATCH") {
        text += "Content-Length: " + std::to_string(request.body.size()) + "\r\n";
    }
    text += "\r\n";
    text += request.body;
    return text;
}

}  // namespace

// One connection, one exchange at a time.
class Connection {
public:
    Connection(Server server, std::unique_ptr<Transport> transport, std::uint64_t generation)
        : server_(std::move(server)), transport_(std::move(transport)), generation_(generation) {}

    // Sends a request and reads up to the end of the head.
    awaitable<Result<>> exchange(const Request& request, std::size_t limit, Instant deadline) {
        parser_ = std::make_unique<ResponseParser>(limit);
        const auto text = serialise(request, server_);
        if (!text) {
            co_return text.error();
        }
        auto written = co_await transport_->write_all(*text, deadline);
        if (!written) {
            co_return written.error();
        }
        while (!parser_->head_done()) {
            auto more = co_await read_more(deadline);
            if (!more) {
                co_return more.error();
            }
        }
        co_return Result<>{};
    }

    awaitable<Result<>> read_more(Instant deadline) {
        if (!buffer_) {
            allocate(kFirstRead);
        }
        const std::span<char> room(buffer_.get(), room_);
        auto size = co_await transport_->read_some(room, deadline);
        if (!size) {
            co_return size.error();
        }
        if (*size == 0) {
            ended_ = true;
            co_return parser_->feed_end();
        }
        auto fed = parser_->feed(std::string_view(buffer_.get(), *size));
        if (*size == room_ && room_ < kLargeRead) {
            allocate(kLargeRead);
        }
        co_return fed;
    }

    [[nodiscard]] ResponseParser& parser() { return *parser_; }
    // Nothing of an answer came: the server did not begin to serve this request, as far as we see.
    [[nodiscard]] bool unanswered() const { return !parser_ || !parser_->started(); }
    [[nodiscard]] bool reusable() const { return !ended_ && parser_ && parser_->keep_alive(); }
    // Waits for another exchange, with little memory.
    void rest(Instant now) {
        idle_since_ = now;
        parser_.reset();
        if (room_ > kFirstRead) {
            buffer_.reset();
            room_ = 0;
        }
    }
    [[nodiscard]] Instant idle_since() const { return idle_since_; }
    [[nodiscard]] bool quiet() { return transport_->quiet(); }
    [[nodiscard]] std::uint64_t generation() const { return generation_; }

private:
    void allocate(std::size_t size) {
        buffer_ = std::make_unique_for_overwrite<char[]>(size);
        room_ = size;
    }

    Server server_;
    std::unique_ptr<Transport> transport_;
    std::uint64_t generation_;
    std::unique_ptr<ResponseParser> parser_;
    std::unique_ptr<char[]> buffer_;
    std::size_t room_ = 0;  // bytes of buffer_
    Instant idle_since_{};
    bool ended_ = false;
};

namespace {

class ConnectionBody final : public BodyReader {
public:
    explicit ConnectionBody(std::unique_ptr<Connection> connection)
        : connection_(std::move(connection)) {}

    awaitable<Result<std::string>> next(Duration patience) override {
        const Instant deadline = std::chrono::steady_clock::now() + patience;
        for (;;) {
            std::string body = connection_->parser().take_body();
            if (!body.empty() || connection_->parser().done()) {
                co_return body;
            }
            auto more = co_await connection_->read_more(deadline);
            if (!more) {
                co_return more.error();
            }
        }
    }

private:
    std::unique_ptr<Connection> connection_;
};

}  // namespace

std::string_view ResponseHead::header(std::string_view name) const {
    for (const auto& [key, value] : headers) {
        if (same_name(key, name)) {
            return value;
        }
    }
    return {};
}

Client::Client(Server server, Limits limits) : server_(std::move(server)), limits_(limits) {}

Client::~Client() = default;

void Client::set_server(Server server) {
    server_ = std::move(server);
    ++generation_;
    idle_.clear();
}

awaitable<Result<std::unique_ptr<Connection>>> Client::connect() {
    const std::uint64_t generation = generation_;
    const Server server = server_;
    auto transport = co_await connect_transport(server, limits_);
    if (!transport) {
        co_return transport.error();
    }
    co_return std::make_unique<Connection>(server, std::move(*transport), generation);
}

std::unique_ptr<Connection> Client::take_idle() {
    while (!idle_.empty()) {
        auto connection = std::move(idle_.back());
        idle_.pop_back();
        if (connection->quiet()) {
            return connection;
        }
    }
    return nullptr;
}

void Client::put_back(std::unique_ptr<Connection> connection) {
    const Instant now = std::chrono::steady_clock::now();
    // The oldest are in front.
    while (!idle_.empty() && now - idle_.front()->idle_since() > kIdle) {
        idle_.pop_front();
    }
    if (connection->reusable() && connection->generation() == generation_ &&
        idle_.size() < kIdleConnections) {
        connection->rest(now);
        idle_.push_back(std::move(connection));
    }
}

awaitable<Result<Response>> Client::send(Request request) {
    auto connection = take_idle();
    bool reused = connection != nullptr;
    for (;;) {
        if (!connection) {
            auto opened = co_await connect();
            if (!opened) {
                co_return opened.error();
            }
            connection = std::move(*opened);
        }
        const Instant deadline = std::chrono::steady_clock::now() + limits_.response;
        auto status = co_await connection->exchange(request, limits_.body, deadline);
        while (status && !connection->parser().done()) {
            status = co_await connection->read_more(deadline);
        }
        if (status) {
            break;
        }
        const bool closed_while_idle =
            reused && connection->unanswered() && is(status.error(), Errc::Unavailable);
        if (!closed_while_idle || !repeatable(request.method)) {
            co_return status.error();
        }
        reused = false;
        connection.reset();
    }
    Response response;
    response.head = connection->parser().head();
    response.body = connection->parser().take_body();
    put_back(std::move(connection));
    co_return response;
}

awaitable<Result<Stream>> Client::open(Request request) {
    auto connection = co_await connect();
    if (!connection) {
        co_return connection.error();
    }
    const Instant deadline = std::chrono::steady_clock::now() + limits_.response;
    auto status = co_await (*connection)->exchange(request, 0, deadline);
    if (!status) {
        co_return status.error();
    }
    Stream stream;
    stream.head = (*connection)->parser().head();
    stream.body = std::make_unique<ConnectionBody>(std::move(*connection));
    co_return stream;
}

}  // namespace steelyard::http_client
