#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/use_awaitable.hpp>

// How shells spell Asio. Every operation is awaited with kAwait, so that its error code is in hand
// and nothing throws: auto [ec, n] = co_await socket.async_read_some(buffer, kAwait);
namespace steelyard {

namespace asio = boost::asio;
using asio::awaitable;

inline constexpr auto kAwait = asio::as_tuple(asio::use_awaitable);

}  // namespace steelyard
