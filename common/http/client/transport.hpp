#pragma once

#include "common/base/error.hpp"
#include "common/base/time.hpp"
#include "common/http/client/client.hpp"
#include "common/rt/asio.hpp"

#include <boost/asio/ssl/context.hpp>

#include <cstddef>
#include <memory>
#include <span>
#include <string_view>

// Private to http/client: a connected byte stream with deadlines, TLS or not.
namespace steelyard::http_client {

class TlsContext {
public:
    explicit TlsContext(bool verify) : verify_(verify) {}
    [[nodiscard]] asio::ssl::context& native() { return native_; }
    [[nodiscard]] bool verify() const { return verify_; }

private:
    asio::ssl::context native_{asio::ssl::context::tls_client};
    bool verify_;
};

class Transport {
public:
    Transport() = default;
    Transport(const Transport&) = delete;
    Transport& operator=(const Transport&) = delete;
    virtual ~Transport() = default;

    // 0 is the peer's end of the stream.
    virtual awaitable<Result<std::size_t>> read_some(std::span<char> out, Instant deadline) = 0;
    virtual awaitable<Result<>> write_all(std::string_view bytes, Instant deadline) = 0;
    // False when the peer has closed, or sent something unasked: not to be used again.
    [[nodiscard]] virtual bool quiet() = 0;
};

// Makes the kernel give up on a peer that answers nothing: after 15 s without an acknowledgement,
// or of silence that probes do not end. client-go has HTTP/2 pings for that, HTTP/1.1 has none.
void detect_dead_peer(int socket);

awaitable<Result<std::unique_ptr<Transport>>> connect_transport(Server server, Limits limits);

}  // namespace steelyard::http_client
