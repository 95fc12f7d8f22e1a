#pragma once

#include "common/base/time.hpp"
#include "common/rt/asio.hpp"
#include "common/rt/signal.hpp"
#include "common/wire/writer.hpp"
#include "speaker/bgp/session/state.hpp"

#include <boost/asio/ip/tcp.hpp>

#include <cstddef>
#include <memory>
#include <string>

// One TCP connection and what waits to be written on it: whole BGP messages, first routes taken
// from the RIB when all before had gone, then what the session said meanwhile. Part of BgpDriver.
namespace steelyard::io {

struct BgpPeer;

struct Link {
    Link(const asio::any_io_executor& executor, bgp::ConnectionId number, BgpPeer* of)
        : id(number), owner(of), socket(executor), room(executor) {}

    bgp::ConnectionId id;
    BgpPeer* owner;  // nothing: the session is done with it, it only flushes
    asio::ip::tcp::socket socket;
    rt::Signal room;  // for the writer: wait until the socket takes more
    wire::Bytes out;
    std::size_t written = 0;     // of `out`
    std::size_t routes_end = 0;  // of `out`: before it the RIB's messages
    bool connected = false;
    bool blocked = false;
    bool closed = false;
    std::string write_error;
    Instant close_at = Instant::max();  // flushing or not
};
using LinkPtr = std::shared_ptr<Link>;

// Drops the routes not yet begun: a message cut in two would desynchronise what follows.
void drop_routes(Link& link);

}  // namespace steelyard::io
