#include "bench/failover/sockets.hpp"

#include <arpa/inet.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <net/if_arp.h>
#include <netinet/ip.h>
#include <netinet/ip_icmp.h>
#include <netpacket/packet.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>

namespace steelyard::failover {
namespace {

constexpr int kReceiveBuffer = 4 << 20;

struct [[gnu::packed]] ArpFrame {
    Mac to;
    Mac from;
    std::uint16_t type;
    std::uint16_t hardware;
    std::uint16_t protocol;
    std::uint8_t hardware_length;
    std::uint8_t protocol_length;
    std::uint16_t operation;
    Mac sender_mac;
    in_addr_t sender;
    Mac target_mac;
    in_addr_t target;
};
static_assert(sizeof(ArpFrame) == 42);

struct EchoPacket {
    icmphdr header;
    EchoId id;
};

[[noreturn]] void die(const char* what) {
    std::fprintf(stderr, "vip-prober: %s: %s\n", what, std::strerror(errno));
    std::exit(1);
}

int open_socket(int family, int protocol) {
    const int fd = ::socket(family, SOCK_RAW | SOCK_NONBLOCK | SOCK_CLOEXEC, protocol);
    if (fd < 0) {
        die("socket");
    }
    ::setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &kReceiveBuffer, sizeof kReceiveBuffer);
    return fd;
}

std::uint16_t checksum(const void* data, std::size_t size) {
    const auto* bytes = static_cast<const std::uint8_t*>(data);
    std::uint32_t sum = 0;
    for (std::size_t i = 0; i + 1 < size; i += 2) {
        std::uint16_t word = 0;
        std::memcpy(&word, bytes + i, sizeof word);
        sum += word;
    }
    sum = (sum >> 16) + (sum & 0xffff);
    sum += sum >> 16;
    return static_cast<std::uint16_t>(~sum);
}

}  // namespace

ArpSocket::ArpSocket(const std::string& interface, in_addr source)
    : fd_(open_socket(AF_PACKET, htons(ETH_P_ARP))), source_(source) {
    ifreq request{};
    std::snprintf(request.ifr_name, sizeof request.ifr_name, "%s", interface.c_str());
    if (::ioctl(fd_, SIOCGIFHWADDR, &request) != 0) {
        die(interface.c_str());
    }
    std::memcpy(own_.data(), request.ifr_hwaddr.sa_data, own_.size());
    index_ = static_cast<int>(::if_nametoindex(interface.c_str()));
    sockaddr_ll local{};
    local.sll_family = AF_PACKET;
    local.sll_protocol = htons(ETH_P_ARP);
    local.sll_ifindex = index_;
    if (::bind(fd_, reinterpret_cast<const sockaddr*>(&local), sizeof local) != 0) {
        die("bind");
    }
}

void ArpSocket::ask(in_addr address) const {
    ArpFrame frame{};
    frame.to.fill(0xff);
    frame.from = own_;
    frame.type = htons(ETHERTYPE_ARP);
    frame.hardware = htons(ARPHRD_ETHER);
    frame.protocol = htons(ETHERTYPE_IP);
    frame.hardware_length = ETH_ALEN;
    frame.protocol_length = sizeof(in_addr_t);
    frame.operation = htons(ARPOP_REQUEST);
    frame.sender_mac = own_;
    frame.sender = source_.s_addr;
    frame.target = address.s_addr;
    (void)::send(fd_, &frame, sizeof frame, 0);  // what is not sent is not answered
}

bool ArpSocket::receive(std::optional<ArpAnswer>& answer) const {
    answer.reset();
    ArpFrame frame{};
    const auto size = ::recv(fd_, &frame, sizeof frame, 0);
    if (size < 0) {
        return false;
    }
    if (static_cast<std::size_t>(size) == sizeof frame && frame.operation == htons(ARPOP_REPLY) &&
        frame.to == own_ && frame.target == source_.s_addr) {
        answer = ArpAnswer{in_addr{frame.sender}, frame.sender_mac};
    }
    return true;
}

EchoSocket::EchoSocket()
    : fd_(open_socket(AF_INET, IPPROTO_ICMP)), ident_(static_cast<std::uint16_t>(::getpid())) {}

void EchoSocket::ask(in_addr address, EchoId id) const {
    EchoPacket packet{};
    packet.header.type = ICMP_ECHO;
    packet.header.un.echo.id = ident_;
    packet.header.un.echo.sequence = htons(static_cast<std::uint16_t>(id.number));
    packet.id = id;
    packet.header.checksum = checksum(&packet, sizeof packet);
    sockaddr_in to{};
    to.sin_family = AF_INET;
    to.sin_addr = address;
    (void
    )::sendto(fd_, &packet, sizeof packet, 0, reinterpret_cast<const sockaddr*>(&to), sizeof to);
}

bool EchoSocket::receive(std::optional<EchoId>& answer) const {
    answer.reset();
    std::array<std::uint8_t, 256> bytes{};
    const auto size = ::recv(fd_, bytes.data(), bytes.size(), 0);
    if (size < 0) {
        return false;
    }
    const std::size_t header = (bytes[0] & 0x0fU) * 4U;
    EchoPacket packet{};
    if (static_cast<std::size_t>(size) >= header + sizeof packet) {
        std::memcpy(&packet, bytes.data() + header, sizeof packet);
        if (packet.header.type == ICMP_ECHOREPLY && packet.header.un.echo.id == ident_) {
            answer = packet.id;
        }
    }
    return true;
}

}  // namespace steelyard::failover
