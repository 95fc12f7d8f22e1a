// sylab-prober: asks an HTTP server again and again at a fixed pace and measures when it did not
// answer.
//
//   sylab-prober ADDRESS PORT [--interval-ms 10] [--timeout-ms 3000] [--count N] [--keepalive]
//
// A request every interval, each on a connection of its own (--keepalive: one connection, one
// request at a time, reopened after a failure); a slow answer does not delay the next request. Ends
// after N requests or on SIGTERM/SIGINT and then prints one JSON object: requests, succeeded,
// failed, pending (not answered yet when it ended), gap_ms (the longest time between two successive
// answers), gap_at_ms (its start, since the beginning), answers (how many per first word of the
// body), clients (per second word), errors (per reason), reconnects (keepalive only). A line
// "running" on stderr after the first answer. Times are milliseconds of the monotonic clock.
#include <arpa/inet.h>
#include <netinet/in.h>
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

void parse_server(Options& options, const char* address, const char* port) {
    const auto wire_port = htons(static_cast<std::uint16_t>(number(port)));
    sockaddr_in four{};
    sockaddr_in6 six{};
    if (::inet_pton(AF_INET, address, &four.sin_addr) == 1) {
        four.sin_family = AF_INET;
        four.sin_port = wire_port;
        options.server_size = sizeof four;
        std::memcpy(&options.server, &four, sizeof four);
    } else if (::inet_pton(AF_INET6, address, &six.sin6_addr) == 1) {
        six.sin6_family = AF_INET6;
        six.sin6_port = wire_port;
        options.server_size = sizeof six;
        std::memcpy(&options.server, &six, sizeof six);
    } else {
        usage("ADDRESS is no IP address");
    }
}

Options parse(int argc, char** argv) {
    Options options;
    if (argc < 3) {
        usage("ADDRESS PORT wanted");
    }
    parse_server(options, argv[1], argv[2]);
    for (int i = 3; i < argc; ++i) {
        const std::string_view word = argv[i];
        if (word == "--keepalive") {
            options.keepalive = true;
        } else if (i + 1 >= argc) {
            usage("an option lacks its value");
        } else if (word == "--interval-ms") {
            options.interval = Milliseconds{number(argv[++i])};
        } else if (word == "--timeout-ms") {
            options.timeout = Milliseconds{number(argv[++i])};
        } else if (word == "--count") {
            options.count = number(argv[++i]);
        } else {
            usage("unknown option");
        }
    }
    return options;
}

class Prober {
public:
    explicit Prober(Options options) : options_(options), epoll_(::epoll_create1(0)) {}

    void run() {
        begin_ = last_answer_ = Clock::now();
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
        const int fd =
            ::socket(options_.server.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
        if (fd < 0) {
            ++errors_["socket"];
            return;
        }
        reconnects_ += options_.keepalive ? 1 : 0;
        const auto* address = reinterpret_cast<const sockaddr*>(&options_.server);
        if (::connect(fd, address, options_.server_size) != 0 && errno != EINPROGRESS) {
            ++errors_[std::strerror(errno)];
            ::close(fd);
            return;
        }
        open_[fd] = {now + options_.timeout, {}, false};
        epoll_event event{};
        event.events = EPOLLIN | EPOLLOUT | EPOLLET;
        event.data.fd = fd;
        ::epoll_ctl(epoll_, EPOLL_CTL_ADD, fd, &event);
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
        if (fd == idle_ && (events & (EPOLLIN | EPOLLHUP | EPOLLERR)) != 0) {
            ::close(std::exchange(idle_, -1));  // the server ended the idle connection
        }
    }

    void send_request(int fd) {
        constexpr std::string_view kKeep = "GET / HTTP/1.1\r\nHost: lab\r\n\r\n";
        constexpr std::string_view kOnce =
            "GET / HTTP/1.1\r\nHost: lab\r\nConnection: close\r\n\r\n";
        const auto text = options_.keepalive ? kKeep : kOnce;
        open_[fd].sent = true;
        if (::send(fd, text.data(), text.size(), MSG_NOSIGNAL) < 0) {
            finish(fd, std::strerror(errno));
        }
    }

    void receive(int fd) {
        auto& request = open_[fd];
        char chunk[2048];
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

    static bool complete(std::string_view response) {
        const auto body = response.find("\r\n\r\n");
        return body != std::string_view::npos && response.size() > body + 4 &&
               response.ends_with('\n');
    }

    void finish(int fd, const char* error) {
        const auto request = open_.extract(fd);
        if (error == nullptr) {
            note_answer(request.mapped().received);
        } else {
            ++errors_[error];
        }
        if (error == nullptr && options_.keepalive) {
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
        auto body = response.substr(response.find("\r\n\r\n") + 4);
        body.remove_suffix(1);
        const auto space = body.find(' ');
        ++answers_[std::string{body.substr(0, space)}];
        if (space != std::string_view::npos) {
            ++clients_[std::string{body.substr(space + 1)}];
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
