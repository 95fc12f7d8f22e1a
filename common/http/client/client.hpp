#pragma once

#include "common/base/error.hpp"
#include "common/base/time.hpp"
#include "common/rt/asio.hpp"

#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

// An HTTP/1.1 client (RFC 9110, 9112) for one server, plain or TLS, as coroutines: whole answers
// over kept-alive connections, and streams with a connection each. No Beast or OpenSSL type is
// visible here. Every step has a deadline, and the kernel is told to give up on a silent peer
// within 20 s (TCP_USER_TIMEOUT, keepalive). Failures before an answer are Unavailable or Timeout;
// any HTTP status is a success. Cancellation leaves by system_error(operation_aborted).
namespace steelyard::http_client {

using Headers = std::vector<std::pair<std::string, std::string>>;

struct Request {
    std::string method = "GET";
    std::string target = "/";
    Headers headers;  // beside Host, Content-Length and Connection
    std::string body;
};

struct ResponseHead {
    unsigned status = 0;
    Headers headers;
    // The first header of that name, whatever its case; empty when absent.
    [[nodiscard]] std::string_view header(std::string_view name) const;
};

struct Response {
    ResponseHead head;
    std::string body;
};

// PEM text.
struct TlsOptions {
    std::string ca;           // "": the system's trust store
    std::string certificate;  // client certificate chain, "" for none
    std::string key;
    bool verify = true;  // of the server's chain and name
};

// A checked TlsOptions, shared by connections.
class TlsContext;
[[nodiscard]] Result<std::shared_ptr<TlsContext>> make_tls_context(const TlsOptions& options);

struct Server {
    std::string host;  // an address without brackets, or a name (resolved at each connect)
    std::uint16_t port = 80;
    std::shared_ptr<TlsContext> tls;  // null: plain
    std::string tls_name;             // checked and sent as SNI instead of host when not ""
};

struct Limits {
    Duration connect = std::chrono::seconds(10);    // name and TCP
    Duration handshake = std::chrono::seconds(10);  // TLS
    Duration response = std::chrono::seconds(30);   // request sent and whole answer read; of a
                                                    // stream only its head
    std::size_t body = 64U << 20U;                  // bytes of a whole answer
};

// The body of an open stream. Destroying it closes the connection.
class BodyReader {
public:
    BodyReader() = default;
    BodyReader(const BodyReader&) = delete;
    BodyReader& operator=(const BodyReader&) = delete;
    virtual ~BodyReader() = default;
    // The next bytes, "" at the end; Timeout when nothing came for `patience`.
    virtual awaitable<Result<std::string>> next(Duration patience) = 0;
};

struct Stream {
    ResponseHead head;
    std::unique_ptr<BodyReader> body;
};

class Connection;

class Client {
public:
    Client(Server server, Limits limits);
    ~Client();
    Client(const Client&) = delete;
    Client& operator=(const Client&) = delete;

    // New connections go there; idle ones are closed, busy ones finish (certificate rotation).
    void set_server(Server server);
    // Calls may overlap: each takes an idle connection or opens one. A request that finds its
    // kept-alive connection closed is sent again on a fresh one when that cannot do it twice
    // (GET, HEAD, PUT, DELETE, OPTIONS).
    awaitable<Result<Response>> send(Request request);
    awaitable<Result<Stream>> open(Request request);

private:
    awaitable<Result<std::unique_ptr<Connection>>> connect();
    std::unique_ptr<Connection> take_idle();
    void put_back(std::unique_ptr<Connection> connection);

    Server server_;
    Limits limits_;
    std::uint64_t generation_ = 0;  // of server_: connections of an older one are not reused
    std::deque<std::unique_ptr<Connection>> idle_;
};

}  // namespace steelyard::http_client
