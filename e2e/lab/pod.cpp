// sylab-pod: the server the lab's pods run. GET anything answers 200 with one line, "NAME CLIENT",
// where NAME is $POD_NAME (else the host name) and CLIENT the address the connection came from, as
// the pod sees it; a datagram to the same port is answered by the same line. Connections are kept
// alive. Port: first argument, default 8080. SIGTERM: stops listening, serves open connections
// until the kubelet's grace period ends.
#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <string_view>
#include <unordered_map>

namespace {

constexpr std::size_t kLongestRequest = 16 * 1024;

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

int listen_on(int port, int type) {
    const int fd = ::socket(AF_INET6, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    const int yes = 1;
    ::setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
    sockaddr_in6 address{};
    address.sin6_family = AF_INET6;
    address.sin6_port = htons(static_cast<std::uint16_t>(port));
    if (::bind(fd, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0 ||
        (type == SOCK_STREAM && ::listen(fd, 512) != 0)) {
        fail("listen");
    }
    return fd;
}

std::string printable(const sockaddr_in6& address) {
    char text[INET6_ADDRSTRLEN] = {};
    ::inet_ntop(AF_INET6, &address.sin6_addr, text, sizeof text);
    constexpr std::string_view kMapped = "::ffff:";
    const std::string_view view = text;
    return std::string{view.starts_with(kMapped) ? view.substr(kMapped.size()) : view};
}

class Server {
public:
    explicit Server(int port)
        : name_(own_name()),
          listener_(listen_on(port, SOCK_STREAM)),
          datagrams_(listen_on(port, SOCK_DGRAM)),
          epoll_(::epoll_create1(0)) {
        sigset_t term;
        sigemptyset(&term);
        sigaddset(&term, SIGTERM);
        ::sigprocmask(SIG_BLOCK, &term, nullptr);
        std::signal(SIGPIPE, SIG_IGN);
        term_ = ::signalfd(-1, &term, SFD_CLOEXEC);
        watch(listener_);
        watch(datagrams_);
        watch(term_);
    }

    void run() {
        while (listener_ >= 0 || !clients_.empty()) {
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
        if (fd == listener_) {
            accept_all();
        } else if (fd == datagrams_) {
            answer_datagrams();
        } else if (fd == term_) {
            ::close(listener_);
            ::close(term_);
            listener_ = term_ = -1;
        } else if (!serve(fd)) {
            clients_.erase(fd);
            ::close(fd);
        }
    }

    void accept_all() {
        sockaddr_in6 from{};
        socklen_t size = sizeof from;
        int fd = -1;
        while (
            (fd = ::accept4(
                 listener_, reinterpret_cast<sockaddr*>(&from), &size, SOCK_NONBLOCK | SOCK_CLOEXEC
             )) >= 0
        ) {
            clients_[fd] = {printable(from), {}};
            watch(fd);
        }
    }

    void answer_datagrams() const {
        sockaddr_in6 from{};
        socklen_t size = sizeof from;
        char datagram[2048];
        while (
            ::recvfrom(
                datagrams_, datagram, sizeof datagram, 0, reinterpret_cast<sockaddr*>(&from), &size
            ) >= 0
        ) {
            const auto text = line(printable(from));
            ::sendto(
                datagrams_, text.data(), text.size(), 0, reinterpret_cast<sockaddr*>(&from), size
            );
            size = sizeof from;
        }
    }

    [[nodiscard]] std::string line(const std::string& client) const {
        return name_ + " " + client + "\n";
    }

    bool serve(int fd) {
        auto& client = clients_[fd];
        char chunk[4096];
        const auto size = ::recv(fd, chunk, sizeof chunk, 0);
        if (size <= 0) {
            return size < 0 && (errno == EAGAIN || errno == EINTR);
        }
        client.received.append(chunk, static_cast<std::size_t>(size));
        for (auto end = client.received.find("\r\n\r\n"); end != std::string::npos;
             end = client.received.find("\r\n\r\n")) {
            const bool last = client.received.find("Connection: close") < end;
            client.received.erase(0, end + 4);
            if (!answer(fd, client.address, last) || last) {
                return false;
            }
        }
        return client.received.size() < kLongestRequest;
    }

    bool answer(int fd, const std::string& client, bool last) const {
        const auto body = line(client);
        const auto response = "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: " +
                              std::to_string(body.size()) + (last ? "\r\nConnection: close" : "") +
                              "\r\n\r\n" + body;
        return ::send(fd, response.data(), response.size(), 0) ==
               static_cast<ssize_t>(response.size());
    }

    std::string name_;
    int listener_;
    int datagrams_;
    int epoll_;
    int term_ = -1;
    std::unordered_map<int, Client> clients_;
};

}  // namespace

int main(int argc, char** argv) {
    const int port = argc > 1 ? std::atoi(argv[1]) : 8080;
    if (port <= 0 || port > 65535) {
        std::fprintf(stderr, "sylab-pod: port \"%s\" is not 1-65535\n", argv[1]);
        return 2;
    }
    Server{port}.run();
}
