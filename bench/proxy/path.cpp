#include "bench/proxy/path.hpp"

#include "bench/proxy/child.hpp"
#include "bench/proxy/loop.hpp"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <thread>

namespace steelyard::bench {
namespace {

using dataplane::guest::Namespace;
using dataplane::guest::sh;

constexpr std::size_t kBurst = 64;
constexpr std::size_t kStretch = 32 * kBurst;  // some 5 ms: others' time slices are as short
constexpr std::size_t kPayload = 18;           // the smallest Ethernet frame
constexpr int kBuffer = 16 << 20;

sockaddr_in socket_address(const std::string& address, std::uint16_t port) {
    sockaddr_in result{};
    result.sin_family = AF_INET;
    result.sin_port = htons(port);
    if (::inet_pton(AF_INET, address.c_str(), &result.sin_addr) != 1) {
        fail("not an IPv4 address: " + address);
    }
    return result;
}

int udp_socket(const Namespace& where) {
    int descriptor = -1;
    where.run([&] { descriptor = ::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0); });
    if (descriptor < 0) {
        fail("no UDP socket");
    }
    return descriptor;
}

// As many messages as a burst has, all of the same payload.
class Burst {
public:
    Burst() {
        for (std::size_t i = 0; i < kBurst; ++i) {
            parts_[i] = {payloads_[i].data(), kPayload};
            messages[i].msg_hdr.msg_iov = &parts_[i];
            messages[i].msg_hdr.msg_iovlen = 1;
        }
    }
    std::array<mmsghdr, kBurst> messages{};

private:
    std::array<std::array<char, kPayload>, kBurst> payloads_{};
    std::array<iovec, kBurst> parts_{};
};

}  // namespace

void add_udp_service(proxy::Planner& planner) {
    auto service = std::make_shared<kube::Service>();
    service->meta.key = {"default", "udp"};
    service->type = kube::ServiceType::ClusterIp;
    service->cluster_ips = {net::IpAddress::parse(kVirtualAddress).value()};
    kube::ServicePort port;
    port.name = "udp";
    port.port = 80;
    port.protocol = net::Protocol::Udp;
    service->ports = {port};
    planner.set_service(service->meta.key, service);
    auto slice = std::make_shared<kube::EndpointSlice>();
    slice->meta.key = {"default", "udp-1"};
    slice->service = "udp";
    slice->ports = {kube::SlicePort{"udp", net::Protocol::Udp, kServerPort}};
    kube::SliceEndpoint endpoint;
    endpoint.address = net::IpAddress::parse(kServerAddress).value();
    endpoint.node_name = "n1";
    slice->endpoints = {endpoint};
    planner.set_slice(slice->meta.key, slice);
}

Path::Path(const std::string& name) {
    client_ = std::make_unique<Namespace>("c" + name, "10.1.1.1/24", "10.1.1.2/24");
    server_ =
        std::make_unique<Namespace>("s" + name, "10.1.2.1/24", std::string(kServerAddress) + "/24");
    sh("echo 1 > /proc/sys/net/ipv4/ip_forward");
    sender_ = udp_socket(*client_);
    receiver_ = udp_socket(*server_);
    ::setsockopt(receiver_, SOL_SOCKET, SO_RCVBUFFORCE, &kBuffer, sizeof kBuffer);
    const sockaddr_in any = socket_address("0.0.0.0", kServerPort);
    if (::bind(receiver_, reinterpret_cast<const sockaddr*>(&any), sizeof any) != 0) {
        fail("the server's port is taken");
    }
}

Path::~Path() {
    ::close(sender_);
    ::close(receiver_);
}

void Path::aim(const std::string& address, std::uint16_t port) const {
    const sockaddr_in to = socket_address(address, port);
    if (::connect(sender_, reinterpret_cast<const sockaddr*>(&to), sizeof to) != 0) {
        fail("no way to " + address);
    }
}

void Path::send(std::size_t count) const {
    Burst burst;
    while (count > 0) {
        const auto size = static_cast<unsigned>(std::min(count, kBurst));
        const int sent = ::sendmmsg(sender_, burst.messages.data(), size, 0);
        if (sent <= 0) {
            fail("a packet was not sent");
        }
        count -= static_cast<std::size_t>(sent);
    }
}

std::size_t Path::receive() const {
    Burst burst;
    std::size_t total = 0;
    for (;;) {
        const int received =
            ::recvmmsg(receiver_, burst.messages.data(), kBurst, MSG_DONTWAIT, nullptr);
        if (received <= 0) {
            return total;
        }
        total += static_cast<std::size_t>(received);
    }
}

void Path::warm_up() const {
    send(1);
    sockaddr_in client{};
    socklen_t size = sizeof client;
    char payload = 0;
    while (::recvfrom(
               receiver_,
               &payload,
               sizeof payload,
               MSG_DONTWAIT,
               reinterpret_cast<sockaddr*>(&client),
               &size
           ) < 0) {
        std::this_thread::sleep_for(std::chrono::milliseconds(10));
    }
    ::sendto(
        receiver_, &payload, sizeof payload, 0, reinterpret_cast<const sockaddr*>(&client), size
    );
    while (::recv(sender_, &payload, sizeof payload, MSG_DONTWAIT) < 0) {
        std::this_thread::sleep_for(std::chrono::milliseconds(10));
    }
}

double Path::packets_per_second(std::size_t count) const {
    warm_up();
    std::size_t arrived = 0;
    double best = 0;
    for (std::size_t sent = 0; sent < count; sent += kStretch) {
        const Stopwatch watch;
        std::size_t of_stretch = 0;
        for (std::size_t burst = 0; burst < kStretch; burst += kBurst) {
            send(kBurst);
            of_stretch += receive();
        }
        const double seconds = watch.seconds();
        arrived += of_stretch;
        best = std::max(best, static_cast<double>(std::min(of_stretch, kStretch)) / seconds);
    }
    arrived += receive();
    if (arrived < count / 100 * 99) {
        fail("packets were lost: " + std::to_string(arrived) + " of " + std::to_string(count));
    }
    return best;
}

}  // namespace steelyard::bench
