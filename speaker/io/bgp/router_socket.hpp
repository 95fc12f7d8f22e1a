#pragma once

#include "common/base/error.hpp"
#include "common/net/ip.hpp"
#include "common/rt/asio.hpp"

#include <boost/asio/posix/stream_descriptor.hpp>

#include <array>
#include <cstddef>
#include <optional>
#include <span>
#include <string>

// A raw ICMPv6 socket for the router messages of one interface (RFC 4861), of which the kernel lets
// only solicitations and advertisements through, with their hop limit. Non-blocking; needs
// CAP_NET_RAW.
namespace steelyard::io {

class RouterSocket {
public:
    struct Packet {
        std::span<const std::byte> message;  // lives until the next receive()
        net::IpAddress source;
        int hop_limit = -1;
    };

    static Result<RouterSocket> open(
        const asio::any_io_executor& executor, const std::string& interface, unsigned index
    );

    // Resumes when a packet or an error waits. False when the socket was closed.
    awaitable<bool> readable();
    std::optional<Packet> receive();
    // To a group of the link. What cannot be sent now is sent at the next turn.
    void send(const net::IpAddress& group, std::span<const std::byte> message);
    void close();

private:
    RouterSocket(asio::posix::stream_descriptor descriptor, unsigned index);

    asio::posix::stream_descriptor descriptor_;
    unsigned index_;
    std::array<std::byte, 2048> buffer_;
};

}  // namespace steelyard::io
