#include "speaker/io/netlink/socket.hpp"

#include <boost/asio/error.hpp>
#include <boost/asio/experimental/awaitable_operators.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>

#include <linux/netlink.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <string>
#include <utility>

namespace steelyard::netlink {
namespace {

using asio::posix::stream_descriptor;

constexpr int kReceiveBuffer = 4 << 20;
constexpr int kSendBuffer = 1 << 20;
constexpr std::size_t kDatagram = 1U << 17U;  // the kernel's dump datagrams stay below 32 KiB
// More would hold the CPU in one system call long enough to be late with heartbeats.
constexpr std::size_t kMaxMessages = 500;
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

// One datagram from the kernel, or Unavailable (overflow), or EAGAIN as it is.
Result<ByteView> receive_now(int descriptor, Bytes& buffer) {
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
        if (size < 0 && errno == ENOBUFS) {
            return make_error(Errc::Unavailable, "netlink: the receive buffer overflowed");
        }
        if (size < 0) {
            return errno_error(errno, "netlink receive");
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
    : protocol_(protocol), descriptor_(executor, descriptor), buffer_(kDatagram) {}

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

awaitable<Result<>> RequestSocket::receive() {
    using namespace asio::experimental::awaitable_operators;
    const auto deadline = std::chrono::steady_clock::now() + kTimeout;
    for (;;) {
        const Result<ByteView> datagram = receive_now(descriptor_.native_handle(), buffer_);
        if (datagram) {
            datagram_ = *datagram;
            co_return Result<>();
        }
        if (!would_block(datagram.error())) {
            co_return datagram.error();
        }
        asio::steady_timer timer(descriptor_.get_executor(), deadline);
        const auto first = co_await (
            descriptor_.async_wait(stream_descriptor::wait_read, kAwait) || timer.async_wait(kAwait)
        );
        if (first.index() == 1) {
            co_return make_error(Errc::Timeout, "netlink: no answer in 10 s");
        }
    }
}

awaitable<Result<std::vector<Reply>>> RequestSocket::exchange(Bytes request) {
    for (int attempt = 1;; ++attempt) {
        bool interrupted = false;
        auto replies = co_await exchange_once(request, interrupted);
        if (!replies || !interrupted) {
            co_return replies;
        }
        if (attempt == kDumpAttempts) {
            co_return make_error(
                Errc::Unavailable,
                "netlink: the kernel's tables change faster than they can be read"
            );
        }
    }
}

awaitable<Result<std::vector<Reply>>> RequestSocket::exchange_once(
    Bytes request, bool& interrupted
) {
    const std::uint32_t sequence = ++sequence_;
    const auto flags = read_header<nlmsghdr>(request)->nlmsg_flags;
    const bool is_dump = (flags & NLM_F_DUMP) == NLM_F_DUMP;
    const auto acknowledge = is_dump ? 0U : std::uint32_t{NLM_F_ACK};
    address(request, sequence, static_cast<std::uint16_t>(NLM_F_REQUEST | acknowledge));
    if (auto sent = send(request); !sent) {
        co_return sent.error();
    }
    std::vector<Reply> replies;
    for (;;) {
        auto received = co_await receive();
        if (!received) {
            reopen();
            co_return received.error();
        }
        for (const Message& message : split(datagram_)) {
            if (message.sequence != sequence) {
                continue;
            }
            interrupted = interrupted || (message.flags & NLM_F_DUMP_INTR) != 0;
            if (const auto error = decode_ack(message)) {
                if (*error != 0) {
                    co_return errno_error(*error, "netlink");
                }
                co_return replies;
            }
            if (message.type == NLMSG_DONE) {
                const int error = read_header<int>(message.payload).value_or(0);
                if (error < 0) {
                    co_return errno_error(-error, "netlink dump");
                }
                co_return replies;
            }
            Reply reply;
            reply.type = message.type;
            reply.payload.assign(message.payload.begin(), message.payload.end());
            replies.push_back(std::move(reply));
        }
    }
}

awaitable<Result<BatchResult>> RequestSocket::batch(std::vector<Bytes> messages) {
    BatchResult result;
    result.errors.resize(messages.size());
    for (std::size_t first = 0; first < messages.size();) {
        std::size_t last = first;
        std::size_t size = 0;
        while (last < messages.size() && last - first < kMaxMessages &&
               (size == 0 || size + messages[last].size() <= kMaxChunk)) {
            size += messages[last++].size();
        }
        auto sent = co_await send_chunk(messages, first, last, result);
        if (!sent) {
            co_return sent.error();
        }
        first = last;
        if (first < messages.size()) {  // the answers were there at once: let others run
            co_await asio::post(descriptor_.get_executor(), kAwait);
        }
    }
    co_return result;
}

awaitable<Result<>> RequestSocket::send_chunk(
    std::vector<Bytes>& messages, std::size_t first, std::size_t last, BatchResult& result
) {
    Bytes datagram;
    const std::uint32_t base = sequence_ + 1;
    for (std::size_t i = first; i < last; ++i) {
        const auto acknowledge = i + 1 == last ? std::uint32_t{NLM_F_ACK} : 0U;
        address(messages[i], ++sequence_, static_cast<std::uint16_t>(NLM_F_REQUEST | acknowledge));
        datagram.insert(datagram.end(), messages[i].begin(), messages[i].end());
    }
    const std::uint32_t last_sequence = sequence_;
    if (auto sent = send(datagram); !sent) {
        co_return sent.error();
    }
    ++result.sends;
    for (bool done = false; !done;) {
        auto received = co_await receive();
        if (!received) {
            reopen();
            co_return received.error();
        }
        for (const Message& message : split(datagram_)) {
            const auto error = decode_ack(message);
            const std::uint32_t offset = message.sequence - base;  // wraps for a stale one
            if (!error || offset >= last - first) {
                continue;
            }
            result.errors[first + offset] = *error;
            done = done || message.sequence == last_sequence;
        }
    }
    co_return Result<>();
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
    return receive_now(descriptor_.native_handle(), buffer_);
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
