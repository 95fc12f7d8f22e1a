#pragma once

#include "common/base/error.hpp"
#include "common/base/time.hpp"
#include "common/rt/asio.hpp"

#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/ssl/context.hpp>

#include <cstddef>
#include <memory>
#include <span>
#include <string_view>

// Private to http/server: one accepted connection as bytes with deadlines, TLS or not, so that the
// protocol above it is written and compiled once.
namespace steelyard::http_server {

class Wire {
public:
    virtual ~Wire() = default;
    virtual awaitable<Result<>> handshake(Duration timeout) = 0;
    // At least one byte, or an error; a zero timeout waits for ever.
    virtual awaitable<Result<std::size_t>> read_some(std::span<char> out, Duration timeout) = 0;
    virtual awaitable<Result<>> write_all(std::string_view bytes, Duration timeout) = 0;
    // Whether bytes have arrived that nobody has read.
    [[nodiscard]] virtual bool has_arrived() = 0;
    // Says goodbye in order; errors no longer matter.
    virtual awaitable<void> shutdown(Duration timeout) = 0;
    // Ends whatever waits, at once.
    virtual void close() = 0;
    // The same by a TCP reset instead of a FIN.
    virtual void reset() = 0;
};

std::unique_ptr<Wire> make_plain_wire(asio::ip::tcp::socket socket);
std::unique_ptr<Wire> make_tls_wire(
    asio::ip::tcp::socket socket, std::shared_ptr<asio::ssl::context> context
);

}  // namespace steelyard::http_server
