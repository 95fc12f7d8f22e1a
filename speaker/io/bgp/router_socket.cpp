#include "speaker/io/bgp/router_socket.hpp"

#include "speaker/bgp/discovery/router_message.hpp"

#include <netinet/icmp6.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

namespace steelyard::io {
namespace {

constexpr int kLinkHopLimit = 255;

sockaddr_in6 group_address(const net::IpAddress& group, unsigned index) {
    sockaddr_in6 address{};
    address.sin6_family = AF_INET6;
    address.sin6_scope_id = index;
    std::memcpy(&address.sin6_addr, group.bytes().data(), sizeof address.sin6_addr);
    return address;
}

template <class Value>
bool set(int fd, int level, int option, const Value& value) {
    return ::setsockopt(fd, level, option, &value, sizeof value) == 0;
}

bool prepare(int fd, const std::string& interface, unsigned index) {
    icmp6_filter filter;
    ICMP6_FILTER_SETBLOCKALL(&filter);
    ICMP6_FILTER_SETPASS(ND_ROUTER_SOLICIT, &filter);
    ICMP6_FILTER_SETPASS(ND_ROUTER_ADVERT, &filter);
    ipv6_mreq routers{};
    routers.ipv6mr_interface = index;
    const net::IpAddress group = bgp_discovery::all_routers();
    std::memcpy(&routers.ipv6mr_multiaddr, group.bytes().data(), sizeof routers.ipv6mr_multiaddr);
    const auto size = static_cast<socklen_t>(interface.size() + 1);
    return set(fd, IPPROTO_ICMPV6, ICMP6_FILTER, filter) &&
           ::setsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, interface.c_str(), size) == 0 &&
           set(fd, IPPROTO_IPV6, IPV6_RECVHOPLIMIT, 1) &&
           set(fd, IPPROTO_IPV6, IPV6_MULTICAST_HOPS, kLinkHopLimit) &&
           set(fd, IPPROTO_IPV6, IPV6_MULTICAST_LOOP, 0) &&
           set(fd, IPPROTO_IPV6, IPV6_MULTICAST_IF, static_cast<int>(index)) &&
           set(fd, IPPROTO_IPV6, IPV6_JOIN_GROUP, routers);
}

int hop_limit_of(msghdr& header) {
    for (cmsghdr* part = CMSG_FIRSTHDR(&header); part != nullptr;
         part = CMSG_NXTHDR(&header, part)) {
        if (part->cmsg_level == IPPROTO_IPV6 && part->cmsg_type == IPV6_HOPLIMIT) {
            int value = -1;
            std::memcpy(&value, CMSG_DATA(part), sizeof value);
            return value;
        }
    }
    return -1;
}

}  // namespace

RouterSocket::RouterSocket(asio::posix::stream_descriptor descriptor, unsigned index)
    : descriptor_(std::move(descriptor)), index_(index) {}

Result<RouterSocket> RouterSocket::open(
    const asio::any_io_executor& executor, const std::string& interface, unsigned index
) {
    const int fd = ::socket(AF_INET6, SOCK_RAW | SOCK_NONBLOCK | SOCK_CLOEXEC, IPPROTO_ICMPV6);
    if (fd < 0) {
        const int error = errno;
        if (error == EPERM || error == EACCES) {
            return make_error(
                Errc::Unauthorized,
                "cannot open an ICMPv6 socket for unnumbered BGP on " + interface +
                    ": the process lacks CAP_NET_RAW"
            );
        }
        return errno_error(error, "opening an ICMPv6 socket for unnumbered BGP on " + interface);
    }
    RouterSocket socket(asio::posix::stream_descriptor(executor, fd), index);
    if (!prepare(fd, interface, index)) {
        return errno_error(errno, "preparing an ICMPv6 socket for unnumbered BGP on " + interface);
    }
    return socket;
}

awaitable<bool> RouterSocket::readable() {
    const auto [error] =
        co_await descriptor_.async_wait(asio::posix::stream_descriptor::wait_read, kAwait);
    co_return !error;
}

std::optional<RouterSocket::Packet> RouterSocket::receive() {
    sockaddr_in6 from{};
    iovec piece{buffer_.data(), buffer_.size()};
    alignas(cmsghdr) std::array<std::byte, 128> control;
    msghdr header{};
    header.msg_name = &from;
    header.msg_namelen = sizeof from;
    header.msg_iov = &piece;
    header.msg_iovlen = 1;
    header.msg_control = control.data();
    header.msg_controllen = control.size();
    const ssize_t size = ::recvmsg(descriptor_.native_handle(), &header, MSG_DONTWAIT);
    if (size < 0) {
        return std::nullopt;
    }
    std::array<std::uint8_t, 16> source;
    std::memcpy(source.data(), &from.sin6_addr, source.size());
    Packet packet;
    packet.message = std::span<const std::byte>(buffer_).first(static_cast<std::size_t>(size));
    packet.source = net::IpAddress::v6(source);
    packet.hop_limit = hop_limit_of(header);
    return packet;
}

void RouterSocket::send(const net::IpAddress& group, std::span<const std::byte> message) {
    const sockaddr_in6 to = group_address(group, index_);
    const auto* address = reinterpret_cast<const sockaddr*>(&to);
    // A lost one is made good by the next, some seconds later.
    (void)::sendto(
        descriptor_.native_handle(),
        message.data(),
        message.size(),
        MSG_DONTWAIT,
        address,
        sizeof to
    );
}

void RouterSocket::close() {
    boost::system::error_code ignored;
    descriptor_.close(ignored);
}

}  // namespace steelyard::io
