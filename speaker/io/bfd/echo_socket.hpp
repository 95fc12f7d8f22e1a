#pragma once

#include "common/base/error.hpp"
#include "common/net/mac.hpp"
#include "common/rt/asio.hpp"
#include "speaker/bfd/echo.hpp"
#include "speaker/io/bfd/control_socket.hpp"

#include <boost/asio/posix/stream_descriptor.hpp>

#include <functional>
#include <memory>
#include <optional>
#include <string>

// Echoes on the wire (RFC 5881 4): datagrams from us to us, by way of the peer. The kernel would
// keep such a datagram to itself, so it goes and comes through a packet socket (CAP_NET_RAW),
// addressed to the peer's link-layer address.
namespace steelyard::io {

// One interface and family. Its filter lets in nothing but UDP to the echo port.
class EchoSocket {
public:
    static Result<std::shared_ptr<EchoSocket>> open(
        const asio::any_io_executor& executor, net::Family family, unsigned interface_index
    );

    awaitable<bool> readable();
    void drain(const std::function<void(const bfd::EchoArrival&)>& sink);
    void send(const net::MacAddress& peer, std::span<const std::byte> datagram);
    void close();

private:
    EchoSocket(asio::posix::stream_descriptor descriptor, net::Family family, unsigned index);

    asio::posix::stream_descriptor descriptor_;
    net::Family family_;
    unsigned interface_index_;
};

// How a neighbour is reached.
struct Neighbour {
    unsigned interface_index = 0;
    net::MacAddress mac;
};

// Asks the kernel's tables of routes and neighbours; both answers are there when the question was
// sent, so nothing waits.
class NeighbourLookup {
public:
    NeighbourLookup();
    // Nothing when the route goes through a gateway, or the neighbour is not resolved.
    std::optional<Neighbour> find(const net::IpAddress& remote, const std::string& device);

private:
    Descriptor fd_;
};

}  // namespace steelyard::io
