// sylab-pod: the server the lab's pods run.
//
//   sylab-pod [PORT...] [--linger SECONDS] [--sctp] [--unready]
//
// Listens on each port (default 8080) with TCP, UDP and (--sctp) SCTP. HTTP over TCP or SCTP: GET
// anything answers 200 with one line, "NAME CLIENT", where NAME is $POD_NAME (else the host name)
// and CLIENT the address the connection came from, as the pod sees it; connections are kept alive.
// A datagram is answered by the same line. A request with a body, or a datagram, that is longer
// than the line is answered by as many bytes: the line, padded. /healthz answers 503 while the pod
// is unready: from the start (--unready) or after /unready, until /ready. SIGTERM: goes on for the
// lingering time, stops listening, serves open connections until the kubelet's grace period ends.
#include <arpa/inet.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <string_view>
#include <unordered_map>
#include <unordered_set>
#include <vector>

namespace {

constexpr std::size_t kLongestHead = 16 * 1024;
constexpr std::size_t kLongestBody = 1024 * 1024;
constexpr int kSendPatience = 2000;  // milliseconds

struct Options {
    std::vector<int> ports;
    int linger = 0;  // seconds
    bool sctp = false;
    bool ready = true;
};

struct Client {
    std::string address;
    std::string received;
};

[[noreturn]] void fail(const char* what) {
    std::fprintf(stderr, "sylab-pod: %s: %s\n", what, std::strerror(errno));
    std::exit(1);
}

std::string own_name() {
    if (const char* name = std::getenv("POD_NAME")) {
        return name;
    }
    char name[256] = {};
    ::gethostname(name, sizeof name - 1);
    return name;
}

int open_socket(const sockaddr* address, socklen_t size, int type, int protocol) {
    const int fd = ::socket(address->sa_family, type | SOCK_NONBLOCK | SOCK_CLOEXEC, protocol);
    const int yes = 1;
    ::setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
    if (type == SOCK_DGRAM) {
        ::setsockopt(fd, IPPROTO_IPV6, IPV6_RECVPKTINFO, &yes, sizeof yes);
    }
    if (::bind(fd, address, size) != 0 || (type == SOCK_STREAM && ::listen(fd, 512) != 0)) {
        fail("listen");
    }
    return fd;
}

int listen_on(int port, int type) {
    sockaddr_in6 address{};
    address.sin6_family = AF_INET6;
    address.sin6_port = htons(static_cast<std::uint16_t>(port));
    return open_socket(reinterpret_cast<const sockaddr*>(&address), sizeof address, type, 0);
}

// One socket an address: a multi-homed SCTP association would name addresses to its peer that no
// translator on the way knows.
std::vector<int> listen_sctp(int port) {
    ifaddrs* list = nullptr;
    ::getifaddrs(&list);
    std::vector<int> sockets;
    for (const auto* entry = list; entry != nullptr; entry = entry->ifa_next) {
        if (entry->ifa_addr == nullptr || (entry->ifa_flags & IFF_UP) == 0) {
            continue;
        }
        if (entry->ifa_addr->sa_family == AF_INET) {
            sockaddr_in four{};
            std::memcpy(&four, entry->ifa_addr, sizeof four);
            four.sin_port = htons(static_cast<std::uint16_t>(port));
            const auto* address = reinterpret_cast<const sockaddr*>(&four);
            sockets.push_back(open_socket(address, sizeof four, SOCK_STREAM, IPPROTO_SCTP));
        } else if (entry->ifa_addr->sa_family == AF_INET6) {
            sockaddr_in6 six{};
            std::memcpy(&six, entry->ifa_addr, sizeof six);
            six.sin6_port = htons(static_cast<std::uint16_t>(port));
            if (IN6_IS_ADDR_LINKLOCAL(&six.sin6_addr)) {
                continue;
            }
            const auto* address = reinterpret_cast<const sockaddr*>(&six);
            sockets.push_back(open_socket(address, sizeof six, SOCK_STREAM, IPPROTO_SCTP));
        }
    }
    ::freeifaddrs(list);
    return sockets;
}

std::string printable(const sockaddr_storage& address) {
    char text[INET6_ADDRSTRLEN] = {};
    if (address.ss_family == AF_INET) {
        ::inet_ntop(
            AF_INET, &reinterpret_cast<const sockaddr_in&>(address).sin_addr, text, sizeof text
        );
        return text;
    }
    ::inet_ntop(
        AF_INET6, &reinterpret_cast<const sockaddr_in6&>(address).sin6_addr, text, sizeof text
    );
    constexpr std::string_view kMapped = "::ffff:";
    const std::string_view view = text;
    return std::string{view.starts_with(kMapped) ? view.substr(kMapped.size()) : view};
}

std::size_t content_length(std::string_view head) {
    constexpr std::string_view kName = "content-length:";
    const auto found =
        std::search(head.begin(), head.end(), kName.begin(), kName.end(), [](char a, char b) {
            return std::tolower(static_cast<unsigned char>(a)) == b;
        });
    if (found == head.end()) {
        return 0;
    }
    const std::string text{found + kName.size(), head.end()};
    return std::strtoul(text.c_str(), nullptr, 10);
}

std::string_view path_of(std::string_view head) {
    const auto start = head.find(' ');
    return start == std::string_view::npos
               ? std::string_view{}
               : head.substr(start + 1, head.find(' ', start + 1) - start - 1);
}

class Server {
public:
    explicit Server(const Options& options)
        : name_(own_name()),
          epoll_(::epoll_create1(0)),
          linger_(options.linger),
          ready_(options.ready) {
        sigset_t term;
        sigemptyset(&term);
        sigaddset(&term, SIGTERM);
        ::sigprocmask(SIG_BLOCK, &term, nullptr);
        std::signal(SIGPIPE, SIG_IGN);
        term_ = ::signalfd(-1, &term, SFD_CLOEXEC);
        watch(term_);
        for (const int port : options.ports) {
            listeners_.insert(listen_on(port, SOCK_STREAM));
            datagrams_.insert(listen_on(port, SOCK_DGRAM));
            for (const int fd : options.sctp ? listen_sctp(port) : std::vector<int>{}) {
                listeners_.insert(fd);
            }
        }
        std::for_each(listeners_.begin(), listeners_.end(), [this](int fd) { watch(fd); });
        std::for_each(datagrams_.begin(), datagrams_.end(), [this](int fd) { watch(fd); });
    }

    void run() {
        while (!listeners_.empty() || !clients_.empty()) {
            epoll_event events[64];
            const int count = ::epoll_wait(epoll_, events, 64, -1);
            for (int i = 0; i < count; ++i) {
                handle(events[i].data.fd);
            }
        }
    }

private:
    void watch(int fd) {
        epoll_event event{};
        event.events = EPOLLIN;
        event.data.fd = fd;
        ::epoll_ctl(epoll_, EPOLL_CTL_ADD, fd, &event);
    }

    void handle(int fd) {
        if (listeners_.contains(fd)) {
            accept_all(fd);
        } else if (datagrams_.contains(fd)) {
            answer_datagrams(fd);
        } else if (fd == term_) {
            ::close(term_);
            term_ = -1;
            linger();
        } else if (fd == timer_) {
            ::close(timer_);
            timer_ = -1;
            stop_listening();
        } else if (!serve(fd)) {
            clients_.erase(fd);
            ::close(fd);
        }
    }

    void linger() {
        if (linger_ == 0) {
            stop_listening();
            return;
        }
        timer_ = ::timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC);
        itimerspec when{};
        when.it_value.tv_sec = linger_;
        ::timerfd_settime(timer_, 0, &when, nullptr);
        watch(timer_);
    }

    void stop_listening() {
        for (const int fd : listeners_) {
            ::close(fd);
        }
        listeners_.clear();
    }

    void accept_all(int listener) {
        for (;;) {
            sockaddr_storage from{};
            socklen_t size = sizeof from;
            const int fd = ::accept4(
                listener, reinterpret_cast<sockaddr*>(&from), &size, SOCK_NONBLOCK | SOCK_CLOEXEC
            );
            if (fd < 0) {
                return;
            }
            clients_[fd] = {printable(from), {}};
            watch(fd);
        }
    }

    // Answers from the address that was asked: a node has several.
    void answer_datagrams(int fd) {
        for (;;) {
            sockaddr_storage from{};
            alignas(cmsghdr) char control[256];
            iovec part{datagram_, sizeof datagram_};
            msghdr message{};
            message.msg_name = &from;
            message.msg_namelen = sizeof from;
            message.msg_iov = &part;
            message.msg_iovlen = 1;
            message.msg_control = control;
            message.msg_controllen = sizeof control;
            const auto size = ::recvmsg(fd, &message, 0);
            if (size < 0) {
                return;
            }
            for (auto* item = CMSG_FIRSTHDR(&message); item != nullptr;
                 item = CMSG_NXTHDR(&message, item)) {
                if (item->cmsg_level == IPPROTO_IPV6 && item->cmsg_type == IPV6_PKTINFO) {
                    reinterpret_cast<in6_pktinfo*>(CMSG_DATA(item))->ipi6_ifindex = 0;
                }
            }
            auto text = line(printable(from), static_cast<std::size_t>(size));
            part = {text.data(), text.size()};
            ::sendmsg(fd, &message, 0);
        }
    }

    [[nodiscard]] std::string line(const std::string& client, std::size_t at_least) const {
        auto text = name_ + " " + client;
        if (text.size() + 1 < at_least) {
            text += ' ';
            text.append(at_least - text.size() - 1, '.');
        }
        return text + "\n";
    }

    bool serve(int fd) {
        auto& client = clients_[fd];
        char chunk[16384];
        const auto size = ::recv(fd, chunk, sizeof chunk, 0);
        if (size <= 0) {
            return size < 0 && (errno == EAGAIN || errno == EINTR);
        }
        client.received.append(chunk, static_cast<std::size_t>(size));
        for (auto end = client.received.find("\r\n\r\n"); end != std::string::npos;
             end = client.received.find("\r\n\r\n")) {
            const auto head = client.received.substr(0, end);
            const auto body = content_length(head);
            if (body > kLongestBody) {
                return false;
            }
            if (client.received.size() < end + 4 + body) {
                return true;
            }
            client.received.erase(0, end + 4 + body);
            const bool last = head.find("Connection: close") != std::string::npos;
            if (!answer(fd, client.address, head, body, last) || last) {
                return false;
            }
        }
        return client.received.size() < kLongestHead;
    }

    bool answer(
        int fd, const std::string& client, std::string_view head, std::size_t asked, bool last
    ) {
        const auto path = path_of(head);
        ready_ = path == "/ready" || (ready_ && path != "/unready");
        const bool good = ready_ || path != "/healthz";
        const auto body = line(client, asked);
        return send_all(
            fd,
            (good ? "HTTP/1.1 200 OK" : "HTTP/1.1 503 Service Unavailable") +
                std::string{"\r\nContent-Type: text/plain\r\nContent-Length: "} +
                std::to_string(body.size()) + (last ? "\r\nConnection: close" : "") + "\r\n\r\n" +
                body
        );
    }

    static bool send_all(int fd, std::string_view text) {
        while (!text.empty()) {
            const auto size = ::send(fd, text.data(), text.size(), 0);
            pollfd writable{fd, POLLOUT, 0};
            if (size < 0 && (errno != EAGAIN || ::poll(&writable, 1, kSendPatience) <= 0)) {
                return false;
            }
            text.remove_prefix(static_cast<std::size_t>(std::max<ssize_t>(size, 0)));
        }
        return true;
    }

    std::string name_;
    int epoll_;
    int linger_;
    bool ready_;
    int term_ = -1;
    int timer_ = -1;
    std::unordered_set<int> listeners_, datagrams_;
    std::unordered_map<int, Client> clients_;
    char datagram_[65536] = {};
};

[[noreturn]] void refuse(std::string_view word) {
    std::fprintf(
        stderr,
        "sylab-pod: \"%.*s\": a port (1-65535), --linger SECONDS, --sctp or --unready is wanted\n",
        static_cast<int>(word.size()),
        word.data()
    );
    std::exit(2);
}

Options parse(int argc, char** argv) {
    Options options;
    for (int i = 1; i < argc; ++i) {
        const std::string_view word = argv[i];
        const int number = std::atoi(argv[i]);
        if (word == "--sctp") {
            options.sctp = true;
        } else if (word == "--unready") {
            options.ready = false;
        } else if (word == "--linger" && i + 1 < argc) {
            options.linger = std::atoi(argv[++i]);
        } else if (number > 0 && number <= 65535) {
            options.ports.push_back(number);
        } else {
            refuse(word);
        }
    }
    if (options.ports.empty()) {
        options.ports.push_back(8080);
    }
    return options;
}

}  // namespace

int main(int argc, char** argv) {
    Server{parse(argc, argv)}.run();
}
