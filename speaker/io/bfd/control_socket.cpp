#include "speaker/io/bfd/control_socket.hpp"

#include <net/if.h>
#include <netinet/in.h>
#include <netinet/ip.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <optional>
#include <utility>

namespace steelyard::io {
namespace {

constexpr int kTtl = 255;
constexpr int kReceiveBuffer = 1 << 20;
constexpr std::size_t kBatch = 32;
constexpr int kBatchesAtOnce = 64;
// The length field is one byte: a longer packet cannot be a control packet.
constexpr std::size_t kLongest = 256;
constexpr std::uint16_t kFirstSourcePort = 49152;
constexpr int kPortTries = 64;

struct Address {
    sockaddr_storage storage{};
    socklen_t size = 0;

    [[nodiscard]] const sockaddr* get() const {
        return reinterpret_cast<const sockaddr*>(&storage);
    }
};

Address to_sockaddr(const net::IpAddress& address, std::uint16_t port, unsigned scope) {
    Address out;
    const auto bytes = address.bytes();
    if (address.is_v4()) {
        sockaddr_in v4{};
        v4.sin_family = AF_INET;
        v4.sin_port = htons(port);
        std::memcpy(&v4.sin_addr, bytes.data(), bytes.size());
        std::memcpy(&out.storage, &v4, sizeof v4);
        out.size = sizeof v4;
    } else {
        sockaddr_in6 v6{};
        v6.sin6_family = AF_INET6;
        v6.sin6_port = htons(port);
        std::memcpy(&v6.sin6_addr, bytes.data(), bytes.size());
        v6.sin6_scope_id = address.is_link_local() ? scope : 0;
        std::memcpy(&out.storage, &v6, sizeof v6);
        out.size = sizeof v6;
    }
    return out;
}

net::IpAddress from_in(const in_addr& address) {
    return net::IpAddress::v4(ntohl(address.s_addr));
}

net::IpAddress from_in6(const in6_addr& address) {
    std::array<std::uint8_t, 16> bytes{};
    std::memcpy(bytes.data(), &address, bytes.size());
    return net::IpAddress::v6(bytes);
}

net::IpAddress from_sockaddr(const sockaddr_storage& storage) {
    if (storage.ss_family == AF_INET) {
        sockaddr_in v4{};
        std::memcpy(&v4, &storage, sizeof v4);
        return from_in(v4.sin_addr);
    }
    sockaddr_in6 v6{};
    std::memcpy(&v6, &storage, sizeof v6);
    return from_in6(v6.sin6_addr);
}

bool set(int fd, int level, int name, int value) {
    return ::setsockopt(fd, level, name, &value, sizeof value) == 0;
}

Result<> bind_to_device(int fd, const std::string& device) {
    const auto size = static_cast<socklen_t>(device.size());
    if (!device.empty() &&
        ::setsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, device.c_str(), size) != 0) {
        return errno_error(errno, "device \"" + device + "\"");
    }
    return {};
}

Result<Descriptor> new_socket(net::Family family, const std::string& device) {
    const int domain = family == net::Family::V4 ? AF_INET : AF_INET6;
    Descriptor fd(::socket(domain, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, IPPROTO_UDP));
    if (!fd.is_open()) {
        return errno_error(errno, "opening a UDP socket");
    }
    if (family == net::Family::V6 && !set(fd.get(), IPPROTO_IPV6, IPV6_V6ONLY, 1)) {
        return errno_error(errno, "keeping a UDP socket to IPv6");
    }
    if (auto bound = bind_to_device(fd.get(), device); !bound) {
        return std::move(bound).error();
    }
    return fd;
}

bool ask_for_origin(int fd, net::Family family) {
    if (family == net::Family::V4) {
        return set(fd, IPPROTO_IP, IP_RECVTTL, 1) && set(fd, IPPROTO_IP, IP_PKTINFO, 1);
    }
    return set(fd, IPPROTO_IPV6, IPV6_RECVHOPLIMIT, 1) &&
           set(fd, IPPROTO_IPV6, IPV6_RECVPKTINFO, 1);
}

// TTL 255 and "internet control", as routers mark what keeps them together.
bool set_header_fields(int fd, net::Family family) {
    if (family == net::Family::V4) {
        return set(fd, IPPROTO_IP, IP_TTL, kTtl) && set(fd, IPPROTO_IP, IP_TOS, IPTOS_CLASS_CS6);
    }
    return set(fd, IPPROTO_IPV6, IPV6_UNICAST_HOPS, kTtl) &&
           set(fd, IPPROTO_IPV6, IPV6_TCLASS, IPTOS_CLASS_CS6);
}

template <class T>
T data_of(const cmsghdr& header) {
    T out{};
    std::memcpy(&out, CMSG_DATA(&header), sizeof out);
    return out;
}

void read_origin(msghdr& message, bfd::Arrival& arrival) {
    for (cmsghdr* one = CMSG_FIRSTHDR(&message); one != nullptr; one = CMSG_NXTHDR(&message, one)) {
        const bool v4 = one->cmsg_level == IPPROTO_IP;
        const bool v6 = one->cmsg_level == IPPROTO_IPV6;
        if ((v4 && one->cmsg_type == IP_TTL) || (v6 && one->cmsg_type == IPV6_HOPLIMIT)) {
            arrival.ttl = static_cast<unsigned>(data_of<int>(*one));
        } else if (v4 && one->cmsg_type == IP_PKTINFO) {
            const auto info = data_of<in_pktinfo>(*one);
            arrival.interface = static_cast<unsigned>(info.ipi_ifindex);
            arrival.to = from_in(info.ipi_addr);
        } else if (v6 && one->cmsg_type == IPV6_PKTINFO) {
            const auto info = data_of<in6_pktinfo>(*one);
            arrival.interface = info.ipi6_ifindex;
            arrival.to = from_in6(info.ipi6_addr);
        }
    }
}

}  // namespace

Descriptor& Descriptor::operator=(Descriptor&& other) noexcept {
    if (this != &other) {
        const Descriptor old(std::exchange(fd_, other.release()));
    }
    return *this;
}

Descriptor::~Descriptor() {
    if (fd_ >= 0) {
        ::close(fd_);
    }
}

int Descriptor::release() {
    return std::exchange(fd_, -1);
}

// What recvmmsg writes to, laid out once.
struct BfdReceiver::Batch {
    struct Slot {
        sockaddr_storage from{};
        std::array<std::byte, kLongest> payload{};
        alignas(cmsghdr) std::array<std::byte, 128> control{};
        iovec vector{};
    };
    std::array<Slot, kBatch> slots;
    std::array<mmsghdr, kBatch> messages{};
    std::size_t used = kBatch;

    // The kernel overwrites the sizes of those it fills.
    void reset() {
        const std::size_t filled = std::exchange(used, 0);
        for (std::size_t i = 0; i < filled; ++i) {
            Slot& slot = slots[i];
            slot.vector = {slot.payload.data(), slot.payload.size()};
            msghdr& header = messages[i].msg_hdr;
            header.msg_name = &slot.from;
            header.msg_namelen = sizeof slot.from;
            header.msg_iov = &slot.vector;
            header.msg_iovlen = 1;
            header.msg_control = slot.control.data();
            header.msg_controllen = slot.control.size();
        }
    }
};

BfdReceiver::BfdReceiver(asio::posix::stream_descriptor descriptor, bool multihop, std::string vrf)
    : descriptor_(std::move(descriptor)),
      multihop_(multihop),
      vrf_(std::move(vrf)),
      vrf_index_(vrf_.empty() ? 0 : ::if_nametoindex(vrf_.c_str())),
      batch_(std::make_shared<Batch>()) {}

Result<std::shared_ptr<BfdReceiver>> BfdReceiver::open(
    const asio::any_io_executor& executor,
    net::Family family,
    bool multihop,
    std::uint16_t port,
    const std::string& vrf
) {
    auto fd = new_socket(family, vrf);
    if (!fd) {
        return std::move(fd).error();
    }
    if (!ask_for_origin(fd->get(), family)) {
        return errno_error(errno, "asking for the TTL of what is received");
    }
    set(fd->get(), SOL_SOCKET, SO_RCVBUF, kReceiveBuffer);  // the kernel may grant less
    const net::IpAddress any =
        family == net::Family::V4 ? net::IpAddress() : net::IpAddress::v6({});
    const Address address = to_sockaddr(any, port, 0);
    if (::bind(fd->get(), address.get(), address.size) != 0) {
        const bool taken = errno == EADDRINUSE;
        const std::string hint = taken ? " (does another BFD daemon run on this node?)" : "";
        const std::string where = vrf.empty() ? "" : " in VRF " + vrf;
        Error error = errno_error(errno, "UDP port " + std::to_string(port) + where);
        error.context += hint;
        return error;
    }
    asio::posix::stream_descriptor descriptor(executor, fd->release());
    return std::shared_ptr<BfdReceiver>(new BfdReceiver(std::move(descriptor), multihop, vrf));
}

awaitable<bool> BfdReceiver::readable() {
    const auto [error] =
        co_await descriptor_.async_wait(asio::posix::stream_descriptor::wait_read, kAwait);
    co_return !error;
}

void BfdReceiver::drain(const Sink& sink) {
    for (int round = 0; round < kBatchesAtOnce && descriptor_.is_open(); ++round) {
        const std::shared_ptr<Batch> batch = batch_;  // the sink may close us
        batch->reset();
        const int count = ::recvmmsg(
            descriptor_.native_handle(), batch->messages.data(), kBatch, MSG_DONTWAIT, nullptr
        );
        if (count <= 0) {
            return;
        }
        batch->used = static_cast<std::size_t>(count);
        taken_ += static_cast<std::uint64_t>(count);
        for (std::size_t i = 0; i < static_cast<std::size_t>(count); ++i) {
            bfd::Arrival arrival;
            arrival.from = from_sockaddr(batch->slots[i].from);
            arrival.vrf = vrf_;
            arrival.multihop = multihop_;
            read_origin(batch->messages[i].msg_hdr, arrival);
            sink(arrival, std::span(batch->slots[i].payload).first(batch->messages[i].msg_len));
        }
        if (static_cast<std::size_t>(count) < kBatch) {
            return;
        }
    }
}

void BfdReceiver::close() {
    boost::system::error_code ignored;
    descriptor_.close(ignored);
}

bool BfdReceiver::is_stale() const {
    return !vrf_.empty() && ::if_nametoindex(vrf_.c_str()) != vrf_index_;
}

namespace {

// Bound to a port nobody has, the source address left to the kernel when the config has none.
Result<> bind_source(int fd, const net::IpAddress& local, unsigned scope, Rng& rng) {
    constexpr std::uint64_t kCount = 65536 - kFirstSourcePort;
    for (int tries = 0; tries < kPortTries; ++tries) {
        const auto port = static_cast<std::uint16_t>(kFirstSourcePort + rng.below(kCount));
        const Address address = to_sockaddr(local, port, scope);
        if (::bind(fd, address.get(), address.size) == 0) {
            return {};
        }
        if (errno != EADDRINUSE) {
            return errno_error(errno, "source address " + to_string(local));
        }
    }
    return make_error(Errc::Unavailable, "no source port from 49152 to 65535 is free");
}

}  // namespace

Result<BfdSender> BfdSender::open(
    const bfd::SessionConfig& config, std::uint16_t remote_port, Rng& rng
) {
    BfdSender out;
    const net::Family family = config.remote.family();
    out.device_ = config.interface.empty() ? config.vrf : config.interface;
    auto fd = new_socket(family, out.device_);
    if (!fd) {
        return std::move(fd).error();
    }
    out.fd_ = std::move(*fd);
    if (!out.device_.empty()) {
        out.device_index_ = ::if_nametoindex(out.device_.c_str());
        out.interface_index_ = config.interface.empty() ? 0 : out.device_index_;
    }
    if (!set_header_fields(out.fd_.get(), family)) {
        return errno_error(errno, "setting the TTL of a UDP socket");
    }
    const net::IpAddress any =
        family == net::Family::V4 ? net::IpAddress() : net::IpAddress::v6({});
    const unsigned scope = out.interface_index_;
    if (auto bound = bind_source(out.fd_.get(), config.local.value_or(any), scope, rng); !bound) {
        return std::move(bound).error();
    }
    const Address peer = to_sockaddr(config.remote, remote_port, scope);
    if (::connect(out.fd_.get(), peer.get(), peer.size) != 0) {
        return errno_error(errno, "no way to " + to_string(config.remote));
    }
    sockaddr_storage chosen{};
    socklen_t size = sizeof chosen;
    if (::getsockname(out.fd_.get(), reinterpret_cast<sockaddr*>(&chosen), &size) != 0) {
        return errno_error(errno, "reading the source address");
    }
    out.local_ = from_sockaddr(chosen);
    return out;
}

bool BfdSender::send(std::span<const std::byte> payload) {
    // The peer's refusal of an earlier packet is reported instead of sending this one: once more.
    for (int tries = 0; tries < 2; ++tries) {
        if (::send(fd_.get(), payload.data(), payload.size(), MSG_DONTWAIT | MSG_NOSIGNAL) >= 0) {
            return true;
        }
        if (errno != ECONNREFUSED && errno != EINTR) {
            break;
        }
    }
    // Refused, full or filtered: this packet is lost, as on the wire.
    return errno == ECONNREFUSED || errno == EINTR || errno == EAGAIN || errno == ENOBUFS ||
           errno == ENOMEM || errno == EPERM;
}

bool BfdSender::is_stale() const {
    return !device_.empty() && ::if_nametoindex(device_.c_str()) != device_index_;
}

}  // namespace steelyard::io
