#include "speaker/io/bfd/echo_socket.hpp"

#include "speaker/bfd/packet.hpp"

#include <arpa/inet.h>
#include <linux/filter.h>
#include <linux/if_packet.h>
#include <linux/neighbour.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <utility>

namespace steelyard::io {
namespace {

constexpr std::size_t kLongestDatagram = 256;
constexpr int kReadAtOnce = 1024;

std::uint16_t ether_type(net::Family family) {
    return family == net::Family::V4 ? ETH_P_IP : ETH_P_IPV6;
}

// Offsets count from the network header. IPv4: UDP, no later fragment, the port behind the options.
constexpr std::array<sock_filter, 9> kFilterV4{{
    BPF_STMT(BPF_LD | BPF_B | BPF_ABS, 9),
    BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 17, 0, 6),
    BPF_STMT(BPF_LD | BPF_H | BPF_ABS, 6),
    BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, 0x1fff, 4, 0),
    BPF_STMT(BPF_LDX | BPF_B | BPF_MSH, 0),
    BPF_STMT(BPF_LD | BPF_H | BPF_IND, 2),
    BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, bfd::kEchoPort, 0, 1),
    BPF_STMT(BPF_RET | BPF_K, kLongestDatagram),
    BPF_STMT(BPF_RET | BPF_K, 0),
}};
constexpr std::array<sock_filter, 6> kFilterV6{{
    BPF_STMT(BPF_LD | BPF_B | BPF_ABS, 6),
    BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 17, 0, 3),
    BPF_STMT(BPF_LD | BPF_H | BPF_ABS, 42),
    BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, bfd::kEchoPort, 0, 1),
    BPF_STMT(BPF_RET | BPF_K, kLongestDatagram),
    BPF_STMT(BPF_RET | BPF_K, 0),
}};

template <std::size_t N>
bool attach(int fd, std::array<sock_filter, N> code) {
    const sock_fprog filter{static_cast<unsigned short>(N), code.data()};
    return ::setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &filter, sizeof filter) == 0;
}

sockaddr_ll link_address(net::Family family, unsigned index) {
    sockaddr_ll out{};
    out.sll_family = AF_PACKET;
    out.sll_protocol = htons(ether_type(family));
    out.sll_ifindex = static_cast<int>(index);
    return out;
}

}  // namespace

EchoSocket::EchoSocket(
    asio::posix::stream_descriptor descriptor, net::Family family, unsigned index
)
    : descriptor_(std::move(descriptor)), family_(family), interface_index_(index) {}

Result<std::shared_ptr<EchoSocket>> EchoSocket::open(
    const asio::any_io_executor& executor, net::Family family, unsigned interface_index
) {
    // Protocol 0: nothing comes in before the filter is there.
    Descriptor fd(::socket(AF_PACKET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
    if (!fd.is_open()) {
        return errno_error(errno, "opening a packet socket for echoes (needs CAP_NET_RAW)");
    }
    const bool filtered =
        family == net::Family::V4 ? attach(fd.get(), kFilterV4) : attach(fd.get(), kFilterV6);
    if (!filtered) {
        return errno_error(errno, "attaching the filter for echoes");
    }
    const sockaddr_ll address = link_address(family, interface_index);
    if (::bind(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
        return errno_error(errno, "binding a packet socket for echoes");
    }
    asio::posix::stream_descriptor descriptor(executor, fd.release());
    return std::shared_ptr<EchoSocket>(
        new EchoSocket(std::move(descriptor), family, interface_index)
    );
}

awaitable<bool> EchoSocket::readable() {
    const auto [error] =
        co_await descriptor_.async_wait(asio::posix::stream_descriptor::wait_read, kAwait);
    co_return !error;
}

void EchoSocket::drain(const std::function<void(const bfd::EchoArrival&)>& sink) {
    std::array<std::byte, kLongestDatagram> buffer{};
    for (int i = 0; i < kReadAtOnce && descriptor_.is_open(); ++i) {
        const ssize_t size =
            ::recv(descriptor_.native_handle(), buffer.data(), buffer.size(), MSG_DONTWAIT);
        if (size < 0) {
            return;
        }
        const auto datagram = std::span(buffer).first(static_cast<std::size_t>(size));
        if (const auto arrival = bfd::parse_echo_datagram(datagram)) {
            sink(*arrival);
        }
    }
}

void EchoSocket::send(const net::MacAddress& peer, std::span<const std::byte> datagram) {
    sockaddr_ll to = link_address(family_, interface_index_);
    to.sll_halen = static_cast<unsigned char>(peer.bytes.size());
    std::copy(peer.bytes.begin(), peer.bytes.end(), std::begin(to.sll_addr));
    // An echo that cannot go is a lost echo.
    (void)::sendto(
        descriptor_.native_handle(),
        datagram.data(),
        datagram.size(),
        MSG_DONTWAIT,
        reinterpret_cast<const sockaddr*>(&to),
        sizeof to
    );
}

void EchoSocket::close() {
    boost::system::error_code ignored;
    descriptor_.close(ignored);
}

namespace {

// One rtnetlink question about an address, and its answer's attributes.
class Question {
public:
    template <class Body>
    Question(std::uint16_t type, const Body& body) {
        header_.nlmsg_type = type;
        header_.nlmsg_flags = NLM_F_REQUEST;
        header_.nlmsg_len = NLMSG_LENGTH(sizeof body);
        std::memcpy(bytes_.data() + NLMSG_HDRLEN, &body, sizeof body);
    }

    void add(std::uint16_t type, std::span<const std::uint8_t> value) {
        const rtattr attribute{static_cast<unsigned short>(RTA_LENGTH(value.size())), type};
        std::memcpy(bytes_.data() + header_.nlmsg_len, &attribute, sizeof attribute);
        std::memcpy(bytes_.data() + header_.nlmsg_len + RTA_LENGTH(0), value.data(), value.size());
        header_.nlmsg_len += static_cast<std::uint32_t>(RTA_SPACE(value.size()));
    }

    // The answer, when it is of the wanted type.
    std::optional<std::span<const std::byte>> ask(
        int fd, std::uint16_t wanted, std::span<std::byte> into
    ) {
        std::memcpy(bytes_.data(), &header_, sizeof header_);
        while (::recv(fd, into.data(), into.size(), MSG_DONTWAIT) > 0) {
        }  // an answer nobody fetched
        if (::send(fd, bytes_.data(), header_.nlmsg_len, 0) < 0) {
            return std::nullopt;
        }
        const ssize_t size = ::recv(fd, into.data(), into.size(), MSG_DONTWAIT);
        nlmsghdr answer{};
        if (size < static_cast<ssize_t>(sizeof answer)) {
            return std::nullopt;
        }
        std::memcpy(&answer, into.data(), sizeof answer);
        const auto length = std::min<std::size_t>(answer.nlmsg_len, static_cast<std::size_t>(size));
        if (answer.nlmsg_type != wanted || length < NLMSG_HDRLEN) {
            return std::nullopt;
        }
        return into.subspan(NLMSG_HDRLEN, length - NLMSG_HDRLEN);
    }

private:
    nlmsghdr header_{};
    alignas(nlmsghdr) std::array<std::byte, 128> bytes_{};
};

template <class T>
std::optional<T> read_as(std::span<const std::byte> from) {
    if (from.size() < sizeof(T)) {
        return std::nullopt;
    }
    T out{};
    std::memcpy(&out, from.data(), sizeof out);
    return out;
}

std::optional<std::span<const std::byte>> attribute(
    std::span<const std::byte> answer, std::size_t body, unsigned type
) {
    std::size_t at = NLMSG_ALIGN(body);
    while (at + sizeof(rtattr) <= answer.size()) {
        const auto header = *read_as<rtattr>(answer.subspan(at));
        if (header.rta_len < sizeof header || header.rta_len > answer.size() - at) {
            break;
        }
        if ((header.rta_type & NLA_TYPE_MASK) == static_cast<int>(type)) {
            return answer.subspan(at + RTA_LENGTH(0), header.rta_len - RTA_LENGTH(0));
        }
        at += RTA_ALIGN(header.rta_len);
    }
    return std::nullopt;
}

std::array<std::uint8_t, 4> as_bytes(std::uint32_t value) {
    std::array<std::uint8_t, 4> out{};
    std::memcpy(out.data(), &value, out.size());
    return out;
}

unsigned char domain_of(const net::IpAddress& address) {
    return address.is_v4() ? AF_INET : AF_INET6;
}

std::optional<unsigned> route_interface(
    int fd, const net::IpAddress& remote, const std::string& device
) {
    rtmsg body{};
    body.rtm_family = domain_of(remote);
    body.rtm_dst_len = static_cast<unsigned char>(remote.bits());
    Question question(RTM_GETROUTE, body);
    question.add(RTA_DST, remote.bytes());
    if (!device.empty()) {
        question.add(RTA_OIF, as_bytes(::if_nametoindex(device.c_str())));
    }
    alignas(nlmsghdr) std::array<std::byte, 1024> buffer{};
    const auto answer = question.ask(fd, RTM_NEWROUTE, buffer);
    if (!answer || attribute(*answer, sizeof body, RTA_GATEWAY) ||
        attribute(*answer, sizeof body, RTA_VIA)) {
        return std::nullopt;
    }
    const auto index = attribute(*answer, sizeof body, RTA_OIF);
    return index ? read_as<std::uint32_t>(*index) : std::nullopt;
}

}  // namespace

NeighbourLookup::NeighbourLookup()
    : fd_(::socket(AF_NETLINK, SOCK_RAW | SOCK_NONBLOCK | SOCK_CLOEXEC, NETLINK_ROUTE)) {}

std::optional<Neighbour> NeighbourLookup::find(
    const net::IpAddress& remote, const std::string& device
) {
    const auto index = route_interface(fd_.get(), remote, device);
    if (!index) {
        return std::nullopt;
    }
    ndmsg body{};
    body.ndm_family = domain_of(remote);
    body.ndm_ifindex = static_cast<int>(*index);
    Question question(RTM_GETNEIGH, body);
    question.add(NDA_DST, remote.bytes());
    alignas(nlmsghdr) std::array<std::byte, 1024> buffer{};
    const auto answer = question.ask(fd_.get(), RTM_NEWNEIGH, buffer);
    const auto mac = answer ? attribute(*answer, sizeof body, NDA_LLADDR) : std::nullopt;
    Neighbour out;
    out.interface_index = *index;
    if (!mac || mac->size() != out.mac.bytes.size()) {
        return std::nullopt;
    }
    std::memcpy(out.mac.bytes.data(), mac->data(), mac->size());
    return out;
}

}  // namespace steelyard::io
