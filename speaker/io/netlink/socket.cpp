#include "speaker/io/netlink/socket.hpp"

#include <boost/asio/error.hpp>
#include <boost/asio/experimental/awaitable_operators.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>

#include <linux/netlink.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <cstddef>
#include <cstring>
#include <string>
#include <utility>

namespace steelyard::netlink {
namespace {

using asio::posix::stream_descriptor;

constexpr int kReceiveBuffer = 4 << 20;
constexpr int kSendBuffer = 1 << 20;
constexpr std::size_t kDatagram = 1U << 16U;  // the kernel's dump datagrams stay below 32 KiB
// Received by one system call. Receiving a dump's first datagram makes the kernel queue the next,
// so that data and end of a short dump come together.
constexpr std::size_t kDatagramsPerCall = 4;
constexpr int kCallsPerTurn = 2;  // a quarter of a MiB of dump at most
constexpr int kCallsAtOnce = 16;  // some thousands of real servers
// More would hold the CPU in one system call long enough to be late with heartbeats.
constexpr std::size_t kMaxMessages = 700;
constexpr std::size_t kMaxChunk = 60'000;
constexpr auto kTimeout = std::chrono::seconds{10};
constexpr int kDumpAttempts = 5;

void set_option(int descriptor, int level, int option, int value) {
    // Best effort: a smaller buffer or a fatter error message only costs a resync.
    (void)::setsockopt(descriptor, level, option, &value, sizeof value);
}

Result<int> open_descriptor(int protocol, std::uint32_t groups) {
    const int descriptor = ::socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, protocol);
    if (descriptor < 0) {
        return errno_error(errno, "netlink socket");
    }
    set_option(descriptor, SOL_SOCKET, SO_RCVBUFFORCE, kReceiveBuffer);
    set_option(descriptor, SOL_SOCKET, SO_SNDBUFFORCE, kSendBuffer);
    set_option(descriptor, SOL_NETLINK, NETLINK_CAP_ACK, 1);  // errors without the request's copy
    // Dumps of routes and addresses honour their filter (Linux 4.20).
    set_option(descriptor, SOL_NETLINK, NETLINK_GET_STRICT_CHK, 1);
    sockaddr_nl address{};
    address.nl_family = AF_NETLINK;
    address.nl_groups = groups;
    if (::bind(descriptor, reinterpret_cast<const sockaddr*>(&address), sizeof address) < 0) {
        const int error = errno;
        ::close(descriptor);
        return errno_error(error, "netlink bind");
    }
    return descriptor;
}

Error receive_error(int error) {
    if (error == ENOBUFS) {
        return make_error(Errc::Unavailable, "netlink: the receive buffer overflowed");
    }
    return errno_error(error, "netlink receive");
}

// One datagram from the kernel, or Unavailable (overflow), or EAGAIN as it is.
Result<ByteView> receive_one(int descriptor, Bytes& buffer) {
    for (;;) {
        sockaddr_nl sender{};
        iovec part{buffer.data(), buffer.size()};
        msghdr message{};
        message.msg_name = &sender;
        message.msg_namelen = sizeof sender;
        message.msg_iov = &part;
        message.msg_iovlen = 1;
        const ssize_t size = ::recvmsg(descriptor, &message, 0);
        if (size < 0 && errno == EINTR) {
            continue;
        }
        if (size < 0) {
            return receive_error(errno);
        }
        if (sender.nl_pid != 0) {
            continue;  // another process may send to us; only the kernel counts
        }
        if ((message.msg_flags & MSG_TRUNC) != 0) {
            return make_error(Errc::Unavailable, "netlink: a datagram was truncated");
        }
        return ByteView(buffer).first(static_cast<std::size_t>(size));
    }
}

}  // namespace

bool would_block(const Error& error) {
    return error.code == boost::system::errc::resource_unavailable_try_again ||
           error.code == boost::system::errc::operation_would_block;
}

RequestSocket::RequestSocket(const asio::any_io_executor& executor, int protocol, int descriptor)
    : protocol_(protocol),
      descriptor_(executor, descriptor),
      buffer_(kDatagram * kDatagramsPerCall) {}

Result<std::unique_ptr<RequestSocket>> RequestSocket::open(
    const asio::any_io_executor& executor, int protocol
) {
    const Result<int> descriptor = open_descriptor(protocol, 0);
    if (!descriptor) {
        return descriptor.error();
    }
    return std::unique_ptr<RequestSocket>(new RequestSocket(executor, protocol, *descriptor));
}

void RequestSocket::reopen() {
    const Result<int> fresh = open_descriptor(protocol_, 0);
    if (fresh) {
        boost::system::error_code ignored;
        descriptor_.close(ignored);
        descriptor_.assign(*fresh);
    }
}

Result<> RequestSocket::send(ByteView datagram) {
    sockaddr_nl kernel{};
    kernel.nl_family = AF_NETLINK;
    for (;;) {
        const ssize_t sent = ::sendto(
            descriptor_.native_handle(),
            datagram.data(),
            datagram.size(),
            0,
            reinterpret_cast<const sockaddr*>(&kernel),
            sizeof kernel
        );
        if (sent >= 0) {
            return {};
        }
        if (errno != EINTR) {
            return errno_error(errno, "netlink send");
        }
    }
}

Result<> RequestSocket::receive_now() {
    std::array<mmsghdr, kDatagramsPerCall> messages{};
    std::array<sockaddr_nl, kDatagramsPerCall> senders{};
    std::array<iovec, kDatagramsPerCall> parts{};
    for (std::size_t i = 0; i < kDatagramsPerCall; ++i) {
        parts[i] = {&buffer_[i * kDatagram], kDatagram};
        messages[i].msg_hdr.msg_name = &senders[i];
        messages[i].msg_hdr.msg_namelen = sizeof senders[i];
        messages[i].msg_hdr.msg_iov = &parts[i];
        messages[i].msg_hdr.msg_iovlen = 1;
    }
    datagrams_.clear();
    int received = -1;
    do {
        received = ::recvmmsg(
            descriptor_.native_handle(), messages.data(), kDatagramsPerCall, MSG_DONTWAIT, nullptr
        );
    } while (received < 0 && errno == EINTR);
    if (received < 0) {
        return receive_error(errno);
    }
    for (std::size_t i = 0; i < static_cast<std::size_t>(received); ++i) {
        if (senders[i].nl_pid != 0) {
            continue;  // another process may send to us; only the kernel counts
        }
        if ((messages[i].msg_hdr.msg_flags & MSG_TRUNC) != 0) {
            return make_error(Errc::Unavailable, "netlink: a datagram was truncated");
        }
        datagrams_.push_back(ByteView(buffer_).subspan(i * kDatagram, messages[i].msg_len));
    }
    return {};
}

awaitable<Result<>> RequestSocket::readable() {
    using namespace asio::experimental::awaitable_operators;
    asio::steady_timer timer(descriptor_.get_executor(), kTimeout);
    const auto first = co_await (
        descriptor_.async_wait(stream_descriptor::wait_read, kAwait) || timer.async_wait(kAwait)
    );
    const auto state = co_await asio::this_coro::cancellation_state;
    if (state.cancelled() != asio::cancellation_type::none) {
        co_return make_error(asio::error::operation_aborted, "netlink");
    }
    if (first.index() == 1) {
        co_return make_error(Errc::Timeout, "netlink: no answer in 10 s");
    }
    co_return Result<>();
}

Result<RequestSocket::Exchange> RequestSocket::begin(Bytes& request) {
    Exchange exchange;
    exchange.sequence = ++sequence_;
    const auto flags = read_header<nlmsghdr>(request)->nlmsg_flags;
    const bool is_dump = (flags & NLM_F_DUMP) == NLM_F_DUMP;
    const auto acknowledge = is_dump ? 0U : std::uint32_t{NLM_F_ACK};
    address(request, exchange.sequence, static_cast<std::uint16_t>(NLM_F_REQUEST | acknowledge));
    if (auto sent = send(request); !sent) {
        return sent.error();
    }
    return exchange;
}

Result<bool> RequestSocket::take(
    const Message& message, Exchange& exchange, const OnMessage& on_message
) {
    if (message.sequence != exchange.sequence) {
        return false;
    }
    exchange.interrupted = exchange.interrupted || (message.flags & NLM_F_DUMP_INTR) != 0;
    if (const auto error = decode_ack(message)) {
        if (*error != 0) {
            return errno_error(*error, "netlink");
        }
        return true;
    }
    if (message.type == NLMSG_DONE) {
        const int error = read_header<int>(message.payload).value_or(0);
        if (error < 0) {
            return errno_error(-error, "netlink dump");
        }
        return true;
    }
    on_message(message);
    return false;
}

Result<RequestSocket::Progress> RequestSocket::advance(
    Exchange& exchange, const OnMessage& on_message, int calls
) {
    for (int call = 0; call < calls; ++call) {
        const auto received = receive_now();
        if (!received && would_block(received.error())) {
            return Progress::Waiting;
        }
        if (!received) {
            return received.error();
        }
        for (ByteView datagram : datagrams_) {
            while (const auto message = next_message(datagram)) {
                const auto ended = take(*message, exchange, on_message);
                if (!ended) {
                    return ended.error();
                }
                if (*ended) {
                    return Progress::Done;
                }
            }
        }
    }
    return Progress::More;
}

awaitable<Result<RequestSocket::Exchange>> RequestSocket::complete(
    Bytes request, const OnMessage& on_message
) {
    Result<Exchange> exchange = begin(request);
    if (!exchange) {
        co_return exchange;
    }
    for (;;) {
        const Result<Progress> progress = advance(*exchange, on_message, kCallsPerTurn);
        if (!progress) {
            // A refusal ends the exchange; anything else leaves answers to come.
            if (is(progress.error(), Errc::Unavailable)) {
                reopen();
            }
            co_return progress.error();
        }
        if (*progress == Progress::Done) {
            co_return exchange;
        }
        if (*progress == Progress::More) {
            co_await asio::post(descriptor_.get_executor(), kAwait);
            continue;
        }
        if (auto ready = co_await readable(); !ready) {
            reopen();
            co_return ready.error();
        }
    }
}

awaitable<Result<>> RequestSocket::dump(
    Bytes request, const OnMessage& on_message, const OnRestart& on_restart
) {
    for (int attempt = 1;; ++attempt) {
        const auto exchange = co_await complete(request, on_message);
        if (!exchange) {
            co_return exchange.error();
        }
        if (!exchange->interrupted) {
            co_return Result<>();
        }
        if (attempt == kDumpAttempts) {
            co_return make_error(
                Errc::Unavailable,
                "netlink: the kernel's tables change faster than they can be read"
            );
        }
        on_restart();
    }
}

Result<bool> RequestSocket::dump_at_once(Bytes& request, const OnMessage& on_message) {
    Result<Exchange> exchange = begin(request);
    if (!exchange) {
        return exchange.error();
    }
    const Result<Progress> progress = advance(*exchange, on_message, kCallsAtOnce);
    if (!progress && !is(progress.error(), Errc::Unavailable)) {
        return progress.error();
    }
    if (!progress || *progress != Progress::Done) {
        reopen();
        return false;
    }
    return !exchange->interrupted;
}

awaitable<Result<std::vector<Reply>>> RequestSocket::exchange(Bytes request) {
    std::vector<Reply> replies;
    const OnMessage keep = [&replies](const Message& message) {
        Reply reply;
        reply.type = message.type;
        reply.payload.assign(message.payload.begin(), message.payload.end());
        replies.push_back(std::move(reply));
    };
    const OnRestart forget = [&replies] {
        replies.clear();
    };
    auto done = co_await dump(std::move(request), keep, forget);
    if (!done) {
        co_return done.error();
    }
    co_return replies;
}

// Messages of one send.
struct RequestSocket::Chunk {
    Bytes datagram;
    std::size_t first = 0;
    std::size_t last = 0;        // one past
    std::uint32_t sequence = 0;  // of the first message
};

RequestSocket::Chunk RequestSocket::fill(
    std::size_t first, std::size_t count, const Encode& encode
) {
    Chunk chunk;
    chunk.first = first;
    chunk.last = first;
    chunk.sequence = sequence_ + 1;
    std::size_t last_at = 0;
    while (chunk.last < count && chunk.last - first < kMaxMessages) {
        Bytes message = encode(chunk.last);
        if (!chunk.datagram.empty() && chunk.datagram.size() + message.size() > kMaxChunk) {
            break;  // encoded again for the next chunk: once in hundreds
        }
        address(message, ++sequence_, NLM_F_REQUEST);
        last_at = chunk.datagram.size();
        chunk.datagram.insert(chunk.datagram.end(), message.begin(), message.end());
        ++chunk.last;
    }
    const auto acknowledged = static_cast<std::uint16_t>(
        read_header<nlmsghdr>(ByteView(chunk.datagram).subspan(last_at))->nlmsg_flags | NLM_F_ACK
    );
    std::memcpy(
        &chunk.datagram[last_at + offsetof(nlmsghdr, nlmsg_flags)],
        &acknowledged,
        sizeof acknowledged
    );
    return chunk;
}

// Collects the answers of a chunk that was sent, until its last message's.
awaitable<Result<>> RequestSocket::settle(const Chunk& chunk, BatchResult& result) {
    const std::size_t size = chunk.last - chunk.first;
    for (bool done = false; !done;) {
        const auto received = receive_now();
        if (!received && would_block(received.error())) {
            if (auto ready = co_await readable(); !ready) {
                co_return ready.error();
            }
            continue;
        }
        if (!received) {
            co_return received.error();
        }
        for (ByteView datagram : datagrams_) {
            while (const auto message = next_message(datagram)) {
                const auto error = decode_ack(*message);
                const std::uint32_t offset = message->sequence - chunk.sequence;  // stale: wraps
                if (error && offset < size) {
                    result.errors[chunk.first + offset] = *error;
                    done = done || offset + 1 == size;
                }
            }
        }
    }
    co_return Result<>();
}

awaitable<BatchResult> RequestSocket::batch(std::size_t count, const Encode& encode) {
    BatchResult result;
    result.errors.resize(count);
    for (std::size_t first = 0; first < count;) {
        const Chunk chunk = fill(first, count, encode);
        const auto at = [&result](std::size_t index) {
            return result.errors.begin() + static_cast<std::ptrdiff_t>(index);
        };
        auto outcome = send(chunk.datagram);
        ++result.sends;
        if (!outcome) {  // the kernel took none of it
            std::fill(at(first), at(chunk.last), outcome.error().code.value());
        } else if (outcome = co_await settle(chunk, result); !outcome) {
            std::fill(at(first), at(chunk.last), kAnswerLost);
            reopen();
        }
        if (!outcome && (is(outcome.error(), Errc::Timeout) ||
                         outcome.error().code == asio::error::operation_aborted)) {
            // A kernel that is stuck stays stuck; waiting for every chunk would take minutes.
            std::fill(at(chunk.last), result.errors.end(), kAnswerLost);
            co_return result;
        }
        first = chunk.last;
        if (first < count) {  // the answers were there at once: let others run
            co_await asio::post(descriptor_.get_executor(), kAwait);
        }
    }
    co_return result;
}

awaitable<BatchResult> RequestSocket::batch(std::vector<Bytes> messages) {
    const Encode encode = [&messages](std::size_t index) {
        return messages[index];
    };
    co_return co_await batch(messages.size(), encode);
}

EventSocket::EventSocket(const asio::any_io_executor& executor, int descriptor)
    : descriptor_(executor, descriptor), buffer_(kDatagram) {}

Result<std::unique_ptr<EventSocket>> EventSocket::open(
    const asio::any_io_executor& executor, int protocol, std::uint32_t groups
) {
    const Result<int> descriptor = open_descriptor(protocol, groups);
    if (!descriptor) {
        return descriptor.error();
    }
    return std::unique_ptr<EventSocket>(new EventSocket(executor, *descriptor));
}

Result<ByteView> EventSocket::try_receive() {
    return receive_one(descriptor_.native_handle(), buffer_);
}

awaitable<Result<ByteView>> EventSocket::receive() {
    for (;;) {
        Result<ByteView> datagram = try_receive();
        if (datagram || !would_block(datagram.error())) {
            co_return datagram;
        }
        auto [error] = co_await descriptor_.async_wait(stream_descriptor::wait_read, kAwait);
        if (error) {
            co_return make_error(error, "netlink events");
        }
    }
}

}  // namespace steelyard::netlink
