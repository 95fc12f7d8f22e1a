#pragma once

#include "common/base/error.hpp"
#include "common/base/time.hpp"
#include "common/rt/asio.hpp"

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

// A small HTTP/1.1 server for coroutines (RFC 9110, 9112), plain or TLS: health, metrics, webhooks
// and the lab's API server. One handler coroutine answers every request; it returns a whole body or
// a producer that writes chunks until it is done, cancelled or the client leaves. No Beast type is
// visible here. Every read and write has a deadline; bodies and heads are bounded.
namespace steelyard::http_server {

using Headers = std::vector<std::pair<std::string, std::string>>;

struct Request {
    std::string method;                             // as sent, e.g. "GET"
    std::string target;                             // as sent, path and query
    std::string path;                               // percent-decoded, without the query
    std::multimap<std::string, std::string> query;  // percent-decoded
    Headers headers;
    std::string body;
    std::string peer;  // "address:port" of the client

    // The first header of that name, whatever its case; empty when absent.
    [[nodiscard]] std::string_view header(std::string_view name) const;
    // The first query parameter of that name; empty when absent.
    [[nodiscard]] std::string query_value(std::string_view name) const;
};

// What a streaming response writes to. One writer at a time.
class ChunkWriter {
public:
    virtual ~ChunkWriter() = default;
    // Sends one chunk; an empty one sends nothing. Unavailable or Timeout when the client is gone.
    virtual awaitable<Result<>> write(std::string chunk) = 0;
    // For tests that inject faults: bytes that are no chunk, and an end without the last chunk, by
    // a reset (RST) or an ordinary close. Nothing more can be written after that.
    virtual awaitable<Result<>> write_raw(std::string bytes) = 0;
    virtual void cut(bool reset) = 0;
};

// Ends the response by returning, or is cancelled when the client leaves or the server stops.
using Producer = std::function<awaitable<void>(ChunkWriter&)>;

struct Response {
    unsigned status = 200;
    std::string content_type = "text/plain; charset=utf-8";
    Headers headers;   // beside Content-Type, Content-Length and Transfer-Encoding
    std::string body;  // ignored when there is a producer
    Producer producer;
    bool drop_connection = false;  // close without an answer: for tests that inject faults
};

[[nodiscard]] Response text_response(unsigned status, std::string body);
[[nodiscard]] Response json_response(unsigned status, std::string body);

using Handler = std::function<awaitable<Response>(Request)>;

// PEM text, not file names: whoever configures the server knows where it comes from.
struct TlsMaterial {
    std::string certificate_chain;
    std::string private_key;
};

struct ServerConfig {
    std::string listen_address = "127.0.0.1";  // numeric; "::" for every address
    std::uint16_t port = 0;                    // 0: any free port
    bool v6_only = false;  // for "::": IPv4 is somebody else's, another listener's say
    std::optional<TlsMaterial> tls;
    Duration request_timeout = std::chrono::seconds(30);  // from the first byte to the last
    Duration idle_timeout = std::chrono::minutes(2);      // between requests of one connection
    Duration write_timeout = std::chrono::seconds(30);
    std::size_t body_limit = 4U << 20U;   // bytes
    std::size_t connection_limit = 4096;  // further clients are refused by closing
};

// Bound from construction, serving while run() runs. The owner spawns run() in its rt::TaskGroup;
// cancelling that task closes the listener, ends every connection and returns when all are gone.
class Server {
public:
    static Result<std::unique_ptr<Server>> listen(
        const asio::any_io_executor& executor, ServerConfig config, Handler handler
    );
    virtual ~Server() = default;

    [[nodiscard]] virtual std::uint16_t port() const = 0;
    // Accepts until cancelled or until stop(). Never throws but for cancellation.
    virtual awaitable<void> run() = 0;
    // Gives up the port, which somebody else may have at once. Clients that had connected by then
    // are served one more request each; stop() ends those that don't ask.
    virtual void drain() = 0;
    // Graceful end: no new connections, requests that have arrived are answered, streams are ended;
    // run() then returns.
    virtual void stop() = 0;
    // Replaces the certificate for connections made from now on (rotation).
    virtual Result<> set_tls(const TlsMaterial& material) = 0;
    [[nodiscard]] virtual std::size_t connections() const = 0;
};

// Splits "a/path?x=1&y=2" into a decoded path and query. Invalid on broken percent escapes.
Result<> parse_target(Request& request);

}  // namespace steelyard::http_server
