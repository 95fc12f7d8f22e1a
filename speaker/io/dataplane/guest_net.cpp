#include "speaker/io/dataplane/guest_net.hpp"

#include "common/base/check.hpp"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <sched.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <thread>
#include <utility>

namespace steelyard::dataplane::guest {
namespace {

// Until duplicate address detection has passed a link-local address, a forwarded packet waits for
// its neighbour.
constexpr std::string_view kNoDad = "echo 0 > /proc/sys/net/ipv6/conf/default/dad_transmits";
constexpr int kWaitMilliseconds = 1000;

sockaddr_in6 socket_address(std::string_view text, std::uint16_t port) {
    const std::string address = text.find(':') == std::string_view::npos
                                    ? "::ffff:" + std::string(text)
                                    : std::string(text);
    sockaddr_in6 result{};
    result.sin6_family = AF_INET6;
    result.sin6_port = htons(port);
    SY_CHECK(::inet_pton(AF_INET6, address.c_str(), &result.sin6_addr) == 1, address);
    return result;
}

void in(const Namespace* where, const std::function<void()>& work) {
    if (where != nullptr) {
        where->run(work);
    } else {
        work();
    }
}

}  // namespace

void sh(const std::string& command) {
    SY_CHECK(std::system(command.c_str()) == 0, command);
}

std::string output_of(const std::string& command) {
    FILE* pipe = ::popen(command.c_str(), "r");
    SY_CHECK(pipe != nullptr, command);
    std::string text;
    std::array<char, 4096> chunk{};
    while (const std::size_t size = std::fread(chunk.data(), 1, chunk.size(), pipe)) {
        text.append(chunk.data(), size);
    }
    ::pclose(pipe);
    return text;
}

void enter_fresh_node() {
    SY_CHECK(::unshare(CLONE_NEWNET) == 0, std::strerror(errno));
    sh("ip link set lo up && " + std::string(kNoDad));
}

Namespace::Namespace(std::string name, std::string node_address, std::string address)
    : name_(std::move(name)) {
    sh("ip netns add " + name_ + " && ip netns exec " + name_ + " sh -c '" + std::string(kNoDad) +
       "' && ip link add " + name_ + " type veth peer name eth0 netns " + name_ +
       " && ip link set " + name_ + " up && ip -n " + name_ + " link set lo up && ip -n " + name_ +
       " link set eth0 up");
    add(node_address, address);
}

void Namespace::add(const std::string& node_address, const std::string& address) const {
    const std::string gateway = node_address.substr(0, node_address.find('/'));
    // nodad: no waiting for duplicate address detection.
    const std::string nodad = address.find(':') == std::string::npos ? "" : " nodad";
    sh("ip addr add " + node_address + " dev " + name_ + nodad + " && ip -n " + name_ +
       " addr add " + address + " dev eth0" + nodad + " && ip -n " + name_ +
       " route add default via " + gateway);
}

Namespace::~Namespace() {
    sh("ip netns del " + name_);
}

void Namespace::run(const std::function<void()>& work) const {
    std::thread thread([&] {
        const int descriptor = ::open(("/run/netns/" + name_).c_str(), O_RDONLY | O_CLOEXEC);
        SY_CHECK(descriptor >= 0 && ::setns(descriptor, CLONE_NEWNET) == 0, name_);
        ::close(descriptor);
        work();
    });
    thread.join();
}

Listener::Listener(const Namespace* where, std::uint16_t port) {
    in(where, [&] { descriptor_ = ::socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0); });
    const sockaddr_in6 address = socket_address("::", port);
    const int yes = 1;
    ::setsockopt(descriptor_, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
    const auto* const any = reinterpret_cast<const sockaddr*>(&address);
    SY_CHECK(
        ::bind(descriptor_, any, sizeof address) == 0 && ::listen(descriptor_, 64) == 0,
        std::strerror(errno)
    );
}

Listener::~Listener() {
    ::close(descriptor_);
}

std::optional<std::string> Listener::accept() const {
    pollfd waiting{descriptor_, POLLIN, 0};
    if (::poll(&waiting, 1, kWaitMilliseconds) != 1) {
        return std::nullopt;
    }
    sockaddr_in6 client{};
    socklen_t size = sizeof client;
    const int accepted = ::accept(descriptor_, reinterpret_cast<sockaddr*>(&client), &size);
    ::close(accepted);
    std::array<char, INET6_ADDRSTRLEN> text{};
    ::inet_ntop(AF_INET6, &client.sin6_addr, text.data(), text.size());
    const std::string_view address(text.data());
    constexpr std::string_view kMapped = "::ffff:";
    return std::string(address.starts_with(kMapped) ? address.substr(kMapped.size()) : address);
}

std::string connect(const Namespace* from, std::string_view address, std::uint16_t port) {
    int descriptor = -1;
    in(from,
       [&] { descriptor = ::socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0); });
    const sockaddr_in6 to = socket_address(address, port);
    int error = 0;
    if (::connect(descriptor, reinterpret_cast<const sockaddr*>(&to), sizeof to) != 0) {
        error = errno;
    }
    if (error == EINPROGRESS) {
        pollfd waiting{descriptor, POLLOUT, 0};
        socklen_t size = sizeof error;
        error = ETIMEDOUT;
        if (::poll(&waiting, 1, kWaitMilliseconds) == 1) {
            ::getsockopt(descriptor, SOL_SOCKET, SO_ERROR, &error, &size);
        }
    }
    ::close(descriptor);
    if (error == 0) {
        return "connected";
    }
    return error == ECONNREFUSED ? "refused"
           : error == ETIMEDOUT  ? "timeout"
                                 : std::strerror(error);
}

void play_kube_proxy() {
    sh("echo 1 > /proc/sys/net/ipv4/vs/conntrack && echo 1 > /proc/sys/net/ipv4/ip_forward && "
       "ip link add kube-ipvs0 type dummy && "
       "for a in 10.96.0.10 192.0.2.1 10.96.0.99; do ip addr add $a/32 dev kube-ipvs0; done && "
       "for v in 10.96.0.10:80 192.0.2.1:80 172.16.0.1:30080 10.96.0.99:80; do "
       "ipvsadm -A -t $v -s rr; done && "
       "for v in 10.96.0.10:80 192.0.2.1:80; do ipvsadm -a -t $v -r 10.244.1.2:8080 -m -w 1 && "
       "ipvsadm -a -t $v -r 10.244.2.9:8080 -m -w 1; done && "
       "ipvsadm -e -t 10.96.0.10:80 -r 10.244.2.9:8080 -m -w 0 && "
       "ipvsadm -e -t 192.0.2.1:80 -r 10.244.2.9:8080 -m -w 0");
    sh("for s in CLUSTER-IP EXTERNAL-IP LOAD-BALANCER LOAD-BALANCER-LOCAL; do "
       "ipset create KUBE-$s hash:ip,port hashsize 1024 maxelem 65536; done && "
       "ipset create KUBE-LOOP-BACK hash:ip,port,ip hashsize 1024 maxelem 65536 && "
       "ipset create KUBE-IPVS-IPS hash:ip hashsize 1024 maxelem 65536 && "
       "ipset create KUBE-NODE-PORT-TCP bitmap:port range 0-65535 && "
       "ipset add KUBE-CLUSTER-IP 10.96.0.10,tcp:80 && ipset add KUBE-CLUSTER-IP 10.96.0.99,tcp:80 "
       "&& ipset add KUBE-LOAD-BALANCER 192.0.2.1,tcp:80 && ipset add KUBE-NODE-PORT-TCP 30080 && "
       "ipset add KUBE-LOOP-BACK 10.244.1.2,tcp:8080,10.244.1.2 && "
       "for a in 10.96.0.10 192.0.2.1 10.96.0.99; do ipset add KUBE-IPVS-IPS $a; done");
    sh("iptables-legacy -t nat -N KUBE-MARK-MASQ && iptables-legacy -t nat -N KUBE-SERVICES && "
       "iptables-legacy -t nat -N KUBE-LOAD-BALANCER && iptables-legacy -t nat -N KUBE-POSTROUTING "
       "&& iptables-legacy -t nat -A KUBE-MARK-MASQ -j MARK --or-mark 0x4000 && "
       "iptables-legacy -t nat -A KUBE-LOAD-BALANCER -j KUBE-MARK-MASQ && "
       "iptables-legacy -t nat -A KUBE-SERVICES -m comment --comment \"Kubernetes service lb "
       "portal\" "
       "-m set --match-set KUBE-LOAD-BALANCER dst,dst -j KUBE-LOAD-BALANCER && "
       "iptables-legacy -t nat -A KUBE-POSTROUTING -m mark ! --mark 0x4000/0x4000 -j RETURN && "
       "iptables-legacy -t nat -A KUBE-POSTROUTING -j MARK --xor-mark 0x4000 && "
       "iptables-legacy -t nat -A KUBE-POSTROUTING -j MASQUERADE && "
       "for c in PREROUTING OUTPUT; do iptables-legacy -t nat -I $c -m comment --comment "
       "\"kubernetes service portals\" -j KUBE-SERVICES; done && "
       "iptables-legacy -t nat -I POSTROUTING -m comment --comment "
       "\"kubernetes postrouting rules\" -j KUBE-POSTROUTING");
}

Conversation::Conversation(
    const Namespace& from, std::string_view address, std::uint16_t port, const Listener& listener
) {
    in(&from, [&] { client_ = ::socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0); });
    const sockaddr_in6 to = socket_address(address, port);
    const auto* const generic = reinterpret_cast<const sockaddr*>(&to);
    SY_CHECK(::connect(client_, generic, sizeof to) == 0, std::strerror(errno));
    pollfd waiting{listener.descriptor_, POLLIN, 0};
    SY_CHECK(::poll(&waiting, 1, kWaitMilliseconds) == 1, "nobody came");
    server_ = ::accept(listener.descriptor_, nullptr, nullptr);
}

Conversation::~Conversation() {
    ::close(client_);
    ::close(server_);
}

bool Conversation::goes_on() const {
    for (const auto& [from, to] : {std::pair(client_, server_), std::pair(server_, client_)}) {
        char byte = 'x';
        pollfd waiting{to, POLLIN, 0};
        if (::send(from, &byte, 1, MSG_NOSIGNAL) != 1 ||
            ::poll(&waiting, 1, kWaitMilliseconds) != 1 ||
            ::recv(to, &byte, 1, MSG_DONTWAIT) != 1) {
            return false;
        }
    }
    return true;
}

}  // namespace steelyard::dataplane::guest
