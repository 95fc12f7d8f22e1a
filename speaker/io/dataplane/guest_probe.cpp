#include "speaker/io/dataplane/guest_probe.hpp"

#include "common/base/check.hpp"

#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <sched.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <map>
#include <utility>

namespace steelyard::dataplane::guest {
namespace {

using net::IpAddress;
using std::chrono::milliseconds;

constexpr milliseconds kClientTick{20};
constexpr int kServerTick = 50;  // ms between looks at the stop flag

struct SocketAddress {
    sockaddr_storage storage{};
    socklen_t size = 0;
    [[nodiscard]] const sockaddr* get() const {
        return reinterpret_cast<const sockaddr*>(&storage);
    }
};

SocketAddress to_socket(const IpAddress& address, std::uint16_t port) {
    SocketAddress result;
    const auto bytes = address.bytes();
    if (address.is_v4()) {
        sockaddr_in v4{};
        v4.sin_family = AF_INET;
        v4.sin_port = htons(port);
        std::memcpy(&v4.sin_addr, bytes.data(), bytes.size());
        std::memcpy(&result.storage, &v4, sizeof v4);
        result.size = sizeof v4;
    } else {
        sockaddr_in6 v6{};
        v6.sin6_family = AF_INET6;
        v6.sin6_port = htons(port);
        std::memcpy(&v6.sin6_addr, bytes.data(), bytes.size());
        std::memcpy(&result.storage, &v6, sizeof v6);
        result.size = sizeof v6;
    }
    return result;
}

std::string text_of(const sockaddr_storage& from) {
    if (from.ss_family == AF_INET) {
        sockaddr_in v4{};
        std::memcpy(&v4, &from, sizeof v4);
        return net::to_string(IpAddress::v4(ntohl(v4.sin_addr.s_addr)));
    }
    sockaddr_in6 v6{};
    std::memcpy(&v6, &from, sizeof v6);
    std::array<std::uint8_t, 16> bytes{};
    std::memcpy(bytes.data(), &v6.sin6_addr, bytes.size());
    return net::to_string(IpAddress::v6(bytes));
}

// Runs `work` on a thread inside the namespace.
template <class Work>
void inside(const std::string& where, const Work& work) {
    if (where.empty()) {
        work();
        return;
    }
    std::thread thread([&] {
        const int descriptor = ::open(("/run/netns/" + where).c_str(), O_RDONLY | O_CLOEXEC);
        SY_CHECK(descriptor >= 0 && ::setns(descriptor, CLONE_NEWNET) == 0, where);
        ::close(descriptor);
        work();
    });
    thread.join();
}

int open_socket(net::Family family, net::Protocol protocol) {
    const int kind = protocol == net::Protocol::Udp ? SOCK_DGRAM : SOCK_STREAM;
    const int domain = family == net::Family::V4 ? AF_INET : AF_INET6;
    const int descriptor = ::socket(domain, kind | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    SY_CHECK(descriptor >= 0, std::strerror(errno));
    return descriptor;
}

// Thousands of probes hold a descriptor each.
void allow_descriptors() {
    rlimit limit{};
    ::getrlimit(RLIMIT_NOFILE, &limit);
    limit.rlim_cur = std::min<rlim_t>(limit.rlim_max, 65536);
    ::setrlimit(RLIMIT_NOFILE, &limit);
}

std::string failure(int error) {
    switch (error) {
        case ECONNREFUSED:
            return "refused";
        case ETIMEDOUT:
            return "dropped";
        default:
            return std::strerror(error);
    }
}

// Sends the first packet; what went wrong at once, or "".
std::string start(const Probe& probe, int descriptor) {
    if (!probe.source.is_unspecified()) {
        const SocketAddress source = to_socket(probe.source, 0);
        SY_CHECK(::bind(descriptor, source.get(), source.size) == 0, std::strerror(errno));
    }
    // Closing ends the connection on both sides at once. Otherwise the server remembers it for a
    // minute, and may take a later one, from the same masqueraded port, for its remains.
    const linger at_once{1, 0};
    ::setsockopt(descriptor, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
    const SocketAddress to = to_socket(probe.destination.address, probe.destination.port);
    if (::connect(descriptor, to.get(), to.size) != 0 && errno != EINPROGRESS) {
        return failure(errno);
    }
    // A datagram of the node itself that is dropped or refused is not let out; of the two, only
    // the refusal is followed by an error on the socket.
    if (probe.protocol == net::Protocol::Udp && ::send(descriptor, "x", 1, 0) != 1 &&
        errno != EPERM) {
        return failure(errno);
    }
    return "";
}

// What the socket has to say by now; "" when nothing yet.
std::string answer(int descriptor) {
    std::array<char, 128> text{};
    const ssize_t size = ::recv(descriptor, text.data(), text.size(), 0);
    if (size > 0) {
        return std::string(text.data(), static_cast<std::size_t>(size));
    }
    if (size == 0) {
        return "closed without a word";
    }
    return errno == EAGAIN || errno == ENOTCONN ? "" : failure(errno);
}

}  // namespace

EchoServer::EchoServer(
    const std::string& where,
    std::string name,
    const std::vector<IpAddress>& addresses,
    std::uint16_t port
)
    : name_(std::move(name)) {
    allow_descriptors();
    inside(where, [&] {
        for (const IpAddress& address : addresses) {
            const SocketAddress own = to_socket(address, port);
            listeners_.push_back(open_socket(address.family(), net::Protocol::Tcp));
            datagrams_.push_back(open_socket(address.family(), net::Protocol::Udp));
            for (const int descriptor : {listeners_.back(), datagrams_.back()}) {
                SY_CHECK(
                    ::bind(descriptor, own.get(), own.size) == 0,
                    name_ + " " + net::to_string(address) + ": " + std::strerror(errno)
                );
            }
            const int big = 8 << 20;
            ::setsockopt(datagrams_.back(), SOL_SOCKET, SO_RCVBUFFORCE, &big, sizeof big);
            SY_CHECK(::listen(listeners_.back(), 4096) == 0, std::strerror(errno));
        }
    });
    thread_ = std::thread([this] { serve(); });
}

EchoServer::~EchoServer() {
    stop_ = true;
    thread_.join();
    for (const auto& descriptors : {listeners_, datagrams_}) {
        for (const int descriptor : descriptors) {
            ::close(descriptor);
        }
    }
}

void EchoServer::serve() const {
    std::vector<pollfd> waiting;
    for (const auto& descriptors : {listeners_, datagrams_}) {
        for (const int descriptor : descriptors) {
            waiting.push_back({descriptor, POLLIN, 0});
        }
    }
    while (!stop_) {
        ::poll(waiting.data(), waiting.size(), kServerTick);
        for (std::size_t index = 0; index < waiting.size(); ++index) {
            const bool stream = index < listeners_.size();
            const int descriptor = waiting[index].fd;
            while (true) {
                sockaddr_storage from{};
                socklen_t size = sizeof from;
                auto* const peer = reinterpret_cast<sockaddr*>(&from);
                if (stream) {
                    const int client = ::accept4(descriptor, peer, &size, SOCK_CLOEXEC);
                    if (client < 0) {
                        break;
                    }
                    const std::string text = name_ + " " + text_of(from);
                    [[maybe_unused]] const auto sent =
                        ::send(client, text.data(), text.size(), MSG_NOSIGNAL);
                    ::close(client);
                } else {
                    std::array<char, 16> ignored{};
                    if (::recvfrom(descriptor, ignored.data(), ignored.size(), 0, peer, &size) <
                        0) {
                        break;
                    }
                    const std::string text = name_ + " " + text_of(from);
                    ::sendto(descriptor, text.data(), text.size(), 0, peer, size);
                }
            }
        }
    }
}

void run_probes(std::vector<Probe>& probes, milliseconds patience) {
    allow_descriptors();
    std::vector<pollfd> waiting(probes.size());
    std::map<std::string, std::vector<std::size_t>> by_namespace;
    for (std::size_t index = 0; index < probes.size(); ++index) {
        by_namespace[probes[index].where].push_back(index);
    }
    for (const auto& [where, indices] : by_namespace) {
        inside(where, [&, &list = indices] {
            for (const std::size_t index : list) {
                Probe& probe = probes[index];
                const int descriptor =
                    open_socket(probe.destination.address.family(), probe.protocol);
                probe.result = start(probe, descriptor);
                if (probe.result.empty()) {
                    waiting[index] = {descriptor, POLLIN, 0};
                } else {
                    ::close(descriptor);
                    waiting[index].fd = -1;
                }
            }
        });
    }
    auto last_answer = std::chrono::steady_clock::now();
    while (std::any_of(waiting.begin(), waiting.end(), [](const pollfd& p) { return p.fd >= 0; })) {
        // Answers come one by one; looking for each would take the processor from those who answer.
        std::this_thread::sleep_for(kClientTick);
        ::poll(waiting.data(), waiting.size(), 0);
        const auto now = std::chrono::steady_clock::now();
        for (std::size_t index = 0; index < waiting.size(); ++index) {
            if (waiting[index].fd < 0 || waiting[index].revents == 0) {
                continue;
            }
            probes[index].result = answer(waiting[index].fd);
            if (!probes[index].result.empty()) {
                ::close(waiting[index].fd);
                waiting[index].fd = -1;
                last_answer = now;
            }
        }
        if (now - last_answer > patience) {
            break;
        }
    }
    for (std::size_t index = 0; index < waiting.size(); ++index) {
        if (waiting[index].fd >= 0) {
            probes[index].result = "dropped";
            ::close(waiting[index].fd);
        }
    }
}

}  // namespace steelyard::dataplane::guest
