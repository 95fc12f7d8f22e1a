#include "speaker/io/l2/packet_socket.hpp"

#include "common/base/check.hpp"

#include <boost/asio/error.hpp>

#include <arpa/inet.h>
#include <linux/filter.h>
#include <linux/if_packet.h>
#include <net/ethernet.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <string>
#include <utility>
#include <vector>

namespace steelyard::io_l2 {
namespace {

static_assert(sizeof(l2::BpfInstruction) == sizeof(sock_filter));

Result<> attach(int fd, const l2::BpfProgram& program) {
    std::vector<sock_filter> code;
    code.reserve(program.size());
    for (const l2::BpfInstruction& step : program) {
        code.push_back({step.code, step.jump_true, step.jump_false, step.operand});
    }
    const sock_fprog filter{static_cast<unsigned short>(code.size()), code.data()};
    if (setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &filter, sizeof filter) != 0) {
        return errno_error(errno, "attaching the filter of a packet socket");
    }
    return {};
}

Result<> add_membership(int fd, packet_mreq request, unsigned index, unsigned short type) {
    request.mr_ifindex = static_cast<int>(index);
    request.mr_type = type;
    if (setsockopt(fd, SOL_PACKET, PACKET_ADD_MEMBERSHIP, &request, sizeof request) != 0) {
        return errno_error(errno, "changing what the interface receives");
    }
    return {};
}

Result<> set_reception(int fd, unsigned index, PacketSocket::Reception reception) {
    switch (reception) {
        case PacketSocket::Reception::Normal:
            return {};
        case PacketSocket::Reception::AllMulticast:
            return add_membership(fd, {}, index, PACKET_MR_ALLMULTI);
        case PacketSocket::Reception::Promiscuous:
            return add_membership(fd, {}, index, PACKET_MR_PROMISC);
    }
    return {};
}

sockaddr_ll link_address(unsigned index, std::uint16_t ether_type) {
    sockaddr_ll address{};
    address.sll_family = AF_PACKET;
    address.sll_protocol = htons(ether_type);
    address.sll_ifindex = static_cast<int>(index);
    return address;
}

}  // namespace

PacketSocket::PacketSocket(asio::posix::stream_descriptor descriptor)
    : descriptor_(std::move(descriptor)) {}

Result<PacketSocket> PacketSocket::open(
    const asio::any_io_executor& executor,
    unsigned interface_index,
    std::uint16_t ether_type,
    const l2::BpfProgram& filter,
    Reception reception
) {
    // Protocol 0: it receives nothing until it is bound.
    const int fd = ::socket(AF_PACKET, SOCK_RAW | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0) {
        const int error = errno;
        if (error == EPERM || error == EACCES) {
            return make_error(
                Errc::Unauthorized,
                "cannot open a packet socket for ARP and NDP: the process lacks CAP_NET_RAW"
            );
        }
        return errno_error(error, "opening a packet socket");
    }
    PacketSocket socket{asio::posix::stream_descriptor(executor, fd)};
    socket.interface_index_ = interface_index;
    if (auto attached = attach(fd, filter); !attached) {
        return std::move(attached).error();
    }
    const sockaddr_ll address = link_address(interface_index, ether_type);
    if (::bind(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
        return errno_error(
            errno, "binding a packet socket to interface " + std::to_string(interface_index)
        );
    }
    if (auto set = set_reception(fd, interface_index, reception); !set) {
        return std::move(set).error();
    }
    return socket;
}

Result<> PacketSocket::set_filter(const l2::BpfProgram& filter) {
    return attach(descriptor_.native_handle(), filter);
}

Result<> PacketSocket::join(const net::MacAddress& group) {
    packet_mreq request{};
    request.mr_alen = static_cast<unsigned short>(group.bytes.size());
    std::copy(group.bytes.begin(), group.bytes.end(), std::begin(request.mr_address));
    return add_membership(
        descriptor_.native_handle(), request, interface_index_, PACKET_MR_MULTICAST
    );
}

awaitable<bool> PacketSocket::readable() {
    const auto [error] =
        co_await descriptor_.async_wait(asio::posix::stream_descriptor::wait_read, kAwait);
    co_return !error;
}

std::optional<std::span<const std::byte>> PacketSocket::receive() {
    for (;;) {
        const ssize_t size =
            ::recv(descriptor_.native_handle(), buffer_.data(), buffer_.size(), MSG_TRUNC);
        if (size < 0) {
            if (errno == EINTR) {
                continue;
            }
            if (errno != EAGAIN) {
                failed_ = true;  // the link went down; is_dead() tells whether for good
            }
            return std::nullopt;
        }
        const auto length = static_cast<std::size_t>(size);
        if (length <= buffer_.size()) {
            return std::span<const std::byte>(buffer_).first(length);
        }
    }
}

Result<> PacketSocket::send(std::span<const std::byte> frame) {
    if (::send(descriptor_.native_handle(), frame.data(), frame.size(), MSG_DONTWAIT) < 0) {
        return errno_error(errno, "sending on a packet socket");
    }
    return {};
}

bool PacketSocket::is_dead() {
    if (!std::exchange(failed_, false)) {
        return false;
    }
    sockaddr_ll address{};
    socklen_t size = sizeof address;
    return ::getsockname(
               descriptor_.native_handle(), reinterpret_cast<sockaddr*>(&address), &size
           ) == 0 &&
           address.sll_ifindex != static_cast<int>(interface_index_);
}

void PacketSocket::close() {
    boost::system::error_code ignored;
    descriptor_.close(ignored);
}

}  // namespace steelyard::io_l2
