#pragma once

#include "common/rt/asio.hpp"

#include <boost/asio/ip/tcp.hpp>

#include <cstdint>
#include <optional>

// Tells neighbours of one address apart, which have different ports and so are different routers:
// by the AS number of the OPEN a caller begins with, looked at without taking it from the socket.
namespace steelyard::io {

// Nothing when it sends no valid one within a few seconds, or closes. Whoever owns the socket may
// close it to end the wait.
awaitable<std::optional<std::uint32_t>> peek_as(asio::ip::tcp::socket& socket);

}  // namespace steelyard::io
