#pragma once

#include "common/base/error.hpp"
#include "common/rt/asio.hpp"
#include "speaker/netlink/message.hpp"

#include <boost/asio/posix/stream_descriptor.hpp>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

// Asynchronous netlink sockets. Requests and events never share one: an event flood must not drop
// an acknowledgement. The kernel executes a request inside the send and queues the answer; waiting
// for it never blocks the loop. Errors: Unavailable when answers were lost (buffer overflow) or
// Timeout when none came: what the kernel did is then unknown, and the caller reads it again.
namespace steelyard::netlink {

struct Reply {
    std::uint16_t type = 0;
    Bytes payload;
};

struct BatchResult {
    std::vector<int> errors;  // errno by message, 0 for done
    std::size_t sends = 0;
};

// One request at a time: the owner serialises.
class RequestSocket {
public:
    // `protocol` is NETLINK_ROUTE, NETLINK_GENERIC or NETLINK_NETFILTER.
    static Result<std::unique_ptr<RequestSocket>> open(
        const asio::any_io_executor& executor, int protocol
    );

    // Sends one request and collects the answers up to its end (a dump) or acknowledgement. A dump
    // that a concurrent change interrupted is repeated.
    awaitable<Result<std::vector<Reply>>> exchange(Bytes request);
    // Sends many messages in few system calls, in order, each chunk with an acknowledgement asked
    // for the last only; the kernel still answers every message that failed.
    awaitable<Result<BatchResult>> batch(std::vector<Bytes> messages);

private:
    RequestSocket(const asio::any_io_executor& executor, int protocol, int descriptor);

    awaitable<Result<std::vector<Reply>>> exchange_once(Bytes request, bool& interrupted);
    awaitable<Result<>> send_chunk(
        std::vector<Bytes>& messages, std::size_t first, std::size_t last, BatchResult& result
    );
    Result<> send(ByteView datagram);
    awaitable<Result<>> receive();  // into datagram_
    // After a lost or late answer: a fresh socket has no stale ones.
    void reopen();

    int protocol_;
    asio::posix::stream_descriptor descriptor_;
    std::uint32_t sequence_ = 0;
    Bytes buffer_;
    ByteView datagram_;  // views buffer_
};

// Whether try_receive() found nothing, as opposed to a failure.
[[nodiscard]] bool would_block(const Error& error);

// Multicast notifications.
class EventSocket {
public:
    // `groups` is a mask of RTMGRP_*.
    static Result<std::unique_ptr<EventSocket>> open(
        const asio::any_io_executor& executor, int protocol, std::uint32_t groups
    );

    // The next datagram; valid until the next call. Unavailable: notifications were lost.
    awaitable<Result<ByteView>> receive();
    // The same, only if one is there already.
    Result<ByteView> try_receive();

private:
    EventSocket(const asio::any_io_executor& executor, int descriptor);
    asio::posix::stream_descriptor descriptor_;
    Bytes buffer_;
};

}  // namespace steelyard::netlink
