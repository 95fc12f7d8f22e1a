// sylab-prober: asks a sylab-pod (or, over TCP, any HTTP server) again and again at a fixed pace
// and measures when it did not answer.
//
//   sylab-prober ADDRESS PORT [--interval-ms 10] [--timeout-ms 3000] [--count N] [--keepalive]
//                [--udp | --sctp] [--source ADDRESS] [--source-port PORT] [--size BYTES]
//
// A request every interval, each on a connection (--udp: a socket) of its own; a slow answer does
// not delay the next request. --keepalive: one connection, one request at a time, reopened after a
// failure; the socket for datagrams is kept even then. --size: the request has a body of so many
// bytes, and so must the answer. Ends
// after N requests or on SIGTERM/SIGINT and then prints one JSON object: requests, succeeded,
// failed, pending (not answered yet when it ended), gap_ms (the longest time between two successive
// answers), gap_at_ms (its start, since the beginning), answers (how many per first word of the
// body), clients (per second word), errors (per reason), reconnects (keepalive only). A line
// "running" on stderr after the first answer. Times are milliseconds of the monotonic clock.
#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <map>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

namespace {

using Clock = std::chrono::steady_clock;
using Milliseconds = std::chrono::milliseconds;

constexpr int kSendPatience = 2000;

volatile std::sig_atomic_t g_stop = 0;

void on_stop(int /*signal*/) {
    g_stop = 1;
}

struct Options {
    sockaddr_storage server{};
    socklen_t server_size = 0;
    Milliseconds interval{10};
    Milliseconds timeout{3000};
    long count = -1;
    bool keepalive = false;
    int protocol = IPPROTO_TCP;
    sockaddr_storage
        source{};  // of the server's family; unspecified and port 0: the kernel chooses
    std::size_t size = 0;

    [[nodiscard]] bool datagrams() const { return protocol == IPPROTO_UDP; }
};

struct Request {
    Clock::time_point deadline;
    std::string received;
    bool sent = false;
};

double to_ms(Clock::duration d) {
    return std::chrono::duration<double, std::milli>(d).count();
}

[[noreturn]] void usage(const char* why) {
    std::fprintf(stderr, "sylab-prober: %s\n", why);
    std::exit(2);
}

long number(const char* text) {
    char* end = nullptr;
    const long value = std::strtol(text, &end, 10);
    if (end == text || *end != '\0' || value <= 0) {
        usage("a positive number is wanted");
    }
    return value;
}

// The port is in network byte order.
socklen_t parse_address(sockaddr_storage& result, const char* address, std::uint16_t wire_port) {
    sockaddr_in four{};
    sockaddr_in6 six{};
    if (::inet_pton(AF_INET, address, &four.sin_addr) == 1) {
        four.sin_family = AF_INET;
        four.sin_port = wire_port;
        std::memcpy(&result, &four, sizeof four);
        return sizeof four;
    }
    if (::inet_pton(AF_INET6, address, &six.sin6_addr) != 1) {
        usage("ADDRESS is no IP address");
    }
    six.sin6_family = AF_INET6;
    six.sin6_port = wire_port;
    std::memcpy(&result, &six, sizeof six);
    return sizeof six;
}

std::uint16_t wire_port(const char* text) {
    return htons(static_cast<std::uint16_t>(number(text)));
}

bool unspecified(const sockaddr_storage& address) {
    return address.ss_family == AF_INET
               ? reinterpret_cast<const sockaddr_in&>(address).sin_addr.s_addr == INADDR_ANY
               : IN6_IS_ADDR_UNSPECIFIED(&reinterpret_cast<const sockaddr_in6&>(address).sin6_addr);
}

// The address the kernel would send from.
void choose_source(Options& options) {
    const int fd = ::socket(options.server.ss_family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    auto* address = reinterpret_cast<sockaddr*>(&options.source);
    socklen_t size = sizeof options.source;
    if (::connect(fd, reinterpret_cast<sockaddr*>(&options.server), options.server_size) == 0) {
        ::getsockname(fd, address, &size);
    }
    ::close(fd);
    reinterpret_cast<sockaddr_in&>(options.source).sin_port = 0;
}

Options parse(int argc, char** argv) {
    Options options;
    if (argc < 3) {
        usage("ADDRESS PORT wanted");
    }
    options.server_size = parse_address(options.server, argv[1], wire_port(argv[2]));
    options.source.ss_family = options.server.ss_family;
    std::uint16_t source_port = 0;
    for (int i = 3; i < argc; ++i) {
        const std::string_view word = argv[i];
        if (word == "--keepalive") {
            options.keepalive = true;
        } else if (word == "--udp") {
            options.protocol = IPPROTO_UDP;
        } else if (word == "--sctp") {
            options.protocol = IPPROTO_SCTP;
        } else if (i + 1 >= argc) {
            usage("an option lacks its value");
        } else if (word == "--interval-ms") {
            options.interval = Milliseconds{number(argv[++i])};
        } else if (word == "--timeout-ms") {
            options.timeout = Milliseconds{number(argv[++i])};
        } else if (word == "--count") {
            options.count = number(argv[++i]);
        } else if (word == "--source") {
            parse_address(options.source, argv[++i], 0);
        } else if (word == "--source-port") {
            source_port = wire_port(argv[++i]);
        } else if (word == "--size") {
            options.size = static_cast<std::size_t>(number(argv[++i]));
        } else {
            usage("unknown option");
        }
    }
    if (options.source.ss_family != options.server.ss_family) {
        usage("--source is of another family than ADDRESS");
    }
    if (options.protocol == IPPROTO_SCTP && unspecified(options.source)) {
        // A socket without an address tells its peer all of the machine's; no translator knows
        // them.
        choose_source(options);
    }
    reinterpret_cast<sockaddr_in&>(options.source).sin_port = source_port;  // as in sockaddr_in6
    return options;
}

class Prober {
public:
    explicit Prober(Options options) : options_(options), epoll_(::epoll_create1(0)) {}

    void run() {
        begin_ = last_answer_ = gap_at_ = Clock::now();
        auto next = begin_;
        while (!finished()) {
            const auto now = Clock::now();
            if (now >= next && !enough()) {
                start(now);
                next = std::max(next + options_.interval, now);
            }
            wait(enough() ? now + options_.interval : next);
            expire(Clock::now());
        }
        print();
    }

private:
    bool enough() const {
        return g_stop != 0 || (options_.count >= 0 && requests_ >= options_.count);
    }
    bool finished() const { return enough() && (open_.empty() || g_stop != 0); }

    void start(Clock::time_point now) {
        if (options_.keepalive && idle_ < 0 && !open_.empty()) {
            return;  // one request at a time on the one connection
        }
        ++requests_;
        if (options_.keepalive && idle_ >= 0) {
            const int fd = std::exchange(idle_, -1);
            open_[fd] = {now + options_.timeout, {}, false};
            send_request(fd);
            return;
        }
        const int fd = connect();
        if (fd < 0) {
            ++errors_[std::strerror(errno)];
            return;
        }
        reconnects_ += options_.keepalive ? 1 : 0;
        open_[fd] = {now + options_.timeout, {}, false};
        epoll_event event{};
        event.events = EPOLLIN | EPOLLOUT | EPOLLET;
        event.data.fd = fd;
        ::epoll_ctl(epoll_, EPOLL_CTL_ADD, fd, &event);
    }

    // A socket that is connected or about to be; -1 with errno otherwise.
    [[nodiscard]] int connect() const {
        const int type = options_.datagrams() ? SOCK_DGRAM : SOCK_STREAM;
        const int fd = ::socket(
            options_.server.ss_family, type | SOCK_NONBLOCK | SOCK_CLOEXEC, options_.protocol
        );
        if (fd < 0) {
            return -1;
        }
        const int yes = 1;
        ::setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
        const auto* source = reinterpret_cast<const sockaddr*>(&options_.source);
        const auto* address = reinterpret_cast<const sockaddr*>(&options_.server);
        if (::bind(fd, source, options_.server_size) != 0 ||
            (::connect(fd, address, options_.server_size) != 0 && errno != EINPROGRESS)) {
            const int error = errno;
            ::close(fd);
            errno = error;
            return -1;
        }
        return fd;
    }

    void wait(Clock::time_point until) {
        const auto left = std::chrono::ceil<Milliseconds>(until - Clock::now()).count();
        epoll_event events[64];
        const int count =
            ::epoll_wait(epoll_, events, 64, static_cast<int>(std::clamp<long>(left, 0, 1000)));
        for (int i = 0; i < count; ++i) {
            handle(events[i].data.fd, events[i].events);
        }
    }

    void handle(int fd, std::uint32_t events) {
        const auto found = open_.find(fd);
        if (found == open_.end()) {
            drop_idle(fd, events);
            return;
        }
        if ((events & EPOLLOUT) != 0 && !found->second.sent) {
            int error = 0;
            socklen_t size = sizeof error;
            ::getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size);
            if (error != 0) {
                finish(fd, std::strerror(error));
                return;
            }
            send_request(fd);
        }
        if ((events & (EPOLLIN | EPOLLHUP | EPOLLERR)) != 0) {
            receive(fd);
        }
    }

    void drop_idle(int fd, std::uint32_t events) {
        if (fd == idle_ && options_.datagrams()) {
            char late[2048];
            while (::recv(fd, late, sizeof late, 0) >= 0 || errno == ECONNREFUSED) {
            }
        } else if (fd == idle_ && (events & (EPOLLIN | EPOLLHUP | EPOLLERR)) != 0) {
            ::close(std::exchange(idle_, -1));  // the server ended the idle connection
        }
    }

    void send_request(int fd) {
        open_[fd].sent = true;
        const auto text = request();
        if (!send_all(fd, text)) {
            finish(fd, std::strerror(errno));
        }
    }

    // Only a large request waits here.
    static bool send_all(int fd, std::string_view text) {
        while (!text.empty()) {
            const auto size = ::send(fd, text.data(), text.size(), MSG_NOSIGNAL);
            pollfd writable{fd, POLLOUT, 0};
            if (size < 0 && (errno != EAGAIN || ::poll(&writable, 1, kSendPatience) <= 0)) {
                return false;
            }
            text.remove_prefix(static_cast<std::size_t>(std::max<ssize_t>(size, 0)));
        }
        return true;
    }

    [[nodiscard]] std::string request() const {
        const std::string body(options_.size, '.');
        if (options_.datagrams()) {
            return body.empty() ? "?" : body;
        }
        return std::string{"GET / HTTP/1.1\r\nHost: lab\r\n"} +
               (options_.keepalive ? "" : "Connection: close\r\n") +
               (body.empty() ? "" : "Content-Length: " + std::to_string(body.size()) + "\r\n") +
               "\r\n" + body;
    }

    void receive(int fd) {
        auto& request = open_[fd];
        static char chunk[65536];
        for (;;) {
            const auto size = ::recv(fd, chunk, sizeof chunk, 0);
            if (size < 0 && errno == EAGAIN) {
                break;
            }
            if (size < 0) {
                finish(fd, std::strerror(errno));
                return;
            }
            if (size == 0) {
                finish(fd, complete(request.received) ? nullptr : "closed before the answer");
                return;
            }
            request.received.append(chunk, static_cast<std::size_t>(size));
        }
        if (complete(request.received)) {
            finish(fd, nullptr);
        }
    }

    // Without the head; empty while there is none.
    [[nodiscard]] std::string_view body_of(std::string_view response) const {
        const auto head = response.find("\r\n\r\n");
        return options_.datagrams()             ? response
               : head == std::string_view::npos ? std::string_view{}
                                                : response.substr(head + 4);
    }

    [[nodiscard]] bool complete(std::string_view response) const {
        const auto body = body_of(response);
        return body.ends_with('\n') && body.size() >= options_.size;
    }

    void finish(int fd, const char* error) {
        const auto request = open_.extract(fd);
        if (error == nullptr) {
            note_answer(request.mapped().received);
        } else {
            ++errors_[error];
        }
        if (options_.keepalive && (error == nullptr || options_.datagrams())) {
            idle_ = fd;
        } else {
            ::close(fd);
        }
    }

    void note_answer(std::string_view response) {
        const auto now = Clock::now();
        if (succeeded_++ == 0) {
            std::fputs("running\n", stderr);
        } else if (now - last_answer_ > gap_) {
            gap_ = now - last_answer_;
            gap_at_ = last_answer_;
        }
        last_answer_ = now;
        auto body = body_of(response);
        body.remove_suffix(1);
        const auto space = body.find(' ');
        ++answers_[std::string{body.substr(0, space)}];
        if (space != std::string_view::npos) {
            body.remove_prefix(space + 1);
            ++clients_[std::string{body.substr(0, body.find(' '))}];
        }
    }

    void expire(Clock::time_point now) {
        if (now < next_expiry_) {
            return;
        }
        next_expiry_ = now + Milliseconds{20};
        std::vector<int> late;
        for (const auto& [fd, request] : open_) {
            if (request.deadline <= now) {
                late.push_back(fd);
            }
        }
        for (const int fd : late) {
            finish(fd, "no answer in time");
        }
    }

    static void print_map(const char* name, const std::map<std::string, long>& counts) {
        std::printf(", \"%s\": {", name);
        const char* separator = "";
        for (const auto& [key, count] : counts) {
            std::printf("%s\"%s\": %ld", separator, key.c_str(), count);
            separator = ", ";
        }
        std::printf("}");
    }

    void print() const {
        long failed = 0;
        for (const auto& [reason, count] : errors_) {
            failed += count;
        }
        std::printf(
            "{\"requests\": %ld, \"succeeded\": %ld, \"failed\": %ld, \"pending\": %zu, "
            "\"gap_ms\": %.1f, "
            "\"gap_at_ms\": %.1f, "
            "\"reconnects\": %ld",
            requests_,
            succeeded_,
            failed,
            open_.size(),
            to_ms(gap_),
            to_ms(gap_at_ - begin_),
            reconnects_
        );
        print_map("answers", answers_);
        print_map("clients", clients_);
        print_map("errors", errors_);
        std::printf("}\n");
    }

    Options options_;
    int epoll_;
    int idle_ = -1;
    long requests_ = 0;
    long succeeded_ = 0;
    long reconnects_ = -1;  // the first connection is none
    Clock::time_point begin_, last_answer_, gap_at_, next_expiry_;
    Clock::duration gap_{};
    std::unordered_map<int, Request> open_;
    std::map<std::string, long> answers_, clients_, errors_;
};

}  // namespace

int main(int argc, char** argv) {
    const auto options = parse(argc, argv);
    struct sigaction action {};
    action.sa_handler = on_stop;
    ::sigaction(SIGTERM, &action, nullptr);
    ::sigaction(SIGINT, &action, nullptr);
    Prober{options}.run();
}
