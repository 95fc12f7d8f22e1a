#pragma once

#include "common/base/error.hpp"
#include "common/rt/asio.hpp"
#include "speaker/netlink/message.hpp"

#include <boost/asio/posix/stream_descriptor.hpp>

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <vector>

// Asynchronous netlink sockets. Requests and events never share one: an event flood must not drop
// an acknowledgement. The kernel executes a request inside the send and queues the answer; waiting
// for it never blocks the loop. Errors: Unavailable when answers were lost (buffer overflow) or
// Timeout when none came: what the kernel did is then unknown, and the caller reads it again; else
// the kernel's errno.
namespace steelyard::netlink {

struct Reply {
    std::uint16_t type = 0;
    Bytes payload;
};

// In BatchResult::errors: nobody knows whether this message was executed.
inline constexpr int kAnswerLost = -1;

struct BatchResult {
    std::vector<int> errors;  // errno by message, 0 for done, kAnswerLost
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

    using OnMessage = std::function<void(const Message&)>;
    using OnRestart = std::function<void()>;
    // The same for dumps of any size: each message is shown once and not kept, others get their
    // turn in between. `on_restart` says that what was shown so far is void.
    awaitable<Result<>> dump(
        Bytes request, const OnMessage& on_message, const OnRestart& on_restart
    );
    // A short dump without a turn for others, for when thousands follow each other. False when it
    // did not complete at once: what was shown is void, dump() has to do it.
    Result<bool> dump_at_once(Bytes& request, const OnMessage& on_message);

    // Sends `count` messages in few system calls, in order, each chunk with an acknowledgement
    // asked for the last only; the kernel still answers every message that failed. `encode` makes
    // a message when its turn comes. Chunks whose answers are lost don't stop the others.
    using Encode = std::function<Bytes(std::size_t)>;
    awaitable<BatchResult> batch(std::size_t count, const Encode& encode);
    awaitable<BatchResult> batch(std::vector<Bytes> messages);

private:
    enum class Progress { Done, More, Waiting };
    // A dump or request under way.
    struct Exchange {
        std::uint32_t sequence = 0;
        bool interrupted = false;
    };
    struct Chunk;

    RequestSocket(const asio::any_io_executor& executor, int protocol, int descriptor);

    Result<Exchange> begin(Bytes& request);
    // Takes in what has arrived, in so many system calls at most.
    Result<Progress> advance(Exchange& exchange, const OnMessage& on_message, int calls);
    // Whether this message ended the exchange.
    static Result<bool> take(
        const Message& message, Exchange& exchange, const OnMessage& on_message
    );
    awaitable<Result<Exchange>> complete(Bytes request, const OnMessage& on_message);
    Chunk fill(std::size_t first, std::size_t count, const Encode& encode);
    awaitable<Result<>> settle(const Chunk& chunk, BatchResult& result);
    Result<> send(ByteView datagram);
    // Into datagrams_; an error that would_block() when nothing has come.
    Result<> receive_now();
    awaitable<Result<>> readable();
    // After a lost or late answer: a fresh socket has no stale ones.
    void reopen();

    int protocol_;
    asio::posix::stream_descriptor descriptor_;
    std::uint32_t sequence_ = 0;
    Bytes buffer_;
    std::vector<ByteView> datagrams_;  // views into buffer_
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
