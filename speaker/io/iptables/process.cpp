#include "speaker/io/iptables/process.hpp"

#include <boost/asio/buffer.hpp>
#include <boost/asio/error.hpp>
#include <boost/asio/experimental/awaitable_operators.hpp>
#include <boost/asio/local/stream_protocol.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/write.hpp>

#include <fcntl.h>
#include <spawn.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <utility>

namespace steelyard::iptables {
namespace {

using asio::posix::stream_descriptor;
using Socket = asio::local::stream_protocol::socket;

constexpr std::size_t kMaxOutput = 64U << 20U;  // an iptables-save of a very full node

// Both ends of a pipe, closed when it goes out of scope. Asio makes our end non-blocking.
class Pipe {
public:
    Pipe() = default;
    Pipe(const Pipe&) = delete;
    Pipe& operator=(const Pipe&) = delete;
    ~Pipe() {
        close_end(0);
        close_end(1);
    }
    bool open() { return ::pipe2(ends_.data(), O_CLOEXEC) == 0; }
    // A socket pair: writing to a child that is gone must be an error, not a SIGPIPE.
    bool open_socket() {
        return ::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends_.data()) == 0;
    }
    [[nodiscard]] int end(std::size_t which) const { return ends_[which]; }
    int release(std::size_t which) { return std::exchange(ends_[which], -1); }
    void close_end(std::size_t which) {
        if (ends_[which] >= 0) {
            ::close(std::exchange(ends_[which], -1));
        }
    }

private:
    std::array<int, 2> ends_{-1, -1};
};

// Owns a running child: whoever leaves the scope without having waited kills and reaps it.
class Child {
public:
    explicit Child(pid_t pid) : pid_(pid) {}
    Child(const Child&) = delete;
    Child& operator=(const Child&) = delete;
    ~Child() {
        if (pid_ > 0) {
            ::kill(pid_, SIGKILL);
            (void)reap();  // a killed process is gone at once: this does not wait for its work
        }
    }
    int reap() {
        int status = 0;
        while (::waitpid(pid_, &status, 0) < 0 && errno == EINTR) {
        }
        pid_ = -1;
        return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
    }

private:
    pid_t pid_;
};

Result<pid_t> spawn(const std::vector<std::string>& arguments, std::array<int, 3> standard) {
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    for (int target = 0; target < 3; ++target) {
        const int source = standard[static_cast<std::size_t>(target)];
        posix_spawn_file_actions_adddup2(&actions, source, target);
    }
    posix_spawnattr_t attributes;
    posix_spawnattr_init(&attributes);
    // The daemon blocks or ignores signals its children must not.
    sigset_t none;
    sigemptyset(&none);
    posix_spawnattr_setsigmask(&attributes, &none);
    sigset_t defaults;
    sigemptyset(&defaults);
    sigaddset(&defaults, SIGPIPE);
    posix_spawnattr_setsigdefault(&attributes, &defaults);
    posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
    std::vector<char*> argv;
    for (const std::string& argument : arguments) {
        argv.push_back(const_cast<char*>(argument.c_str()));  // the C interface's missing const
    }
    argv.push_back(nullptr);
    pid_t pid = -1;
    const int error =
        ::posix_spawnp(&pid, argv.front(), &actions, &attributes, argv.data(), environ);
    posix_spawnattr_destroy(&attributes);
    posix_spawn_file_actions_destroy(&actions);
    if (error == ENOENT) {
        return make_error(Errc::NotFound, arguments.front() + ": no such program");
    }
    if (error != 0) {
        return errno_error(error, arguments.front());
    }
    return pid;
}

awaitable<void> feed(Socket& pipe, std::string& input) {
    // A child that does not read to the end fails on its own account.
    co_await asio::async_write(pipe, asio::buffer(input), kAwait);
    boost::system::error_code ignored;
    pipe.close(ignored);
}

awaitable<void> collect(stream_descriptor& pipe, std::string& text) {
    std::array<char, 16384> chunk{};
    for (;;) {
        auto [error, size] = co_await pipe.async_read_some(asio::buffer(chunk), kAwait);
        if (error || text.size() > kMaxOutput) {
            co_return;
        }
        text.append(chunk.data(), size);
    }
}

awaitable<void> exited(stream_descriptor& pidfd) {
    co_await pidfd.async_wait(stream_descriptor::wait_read, kAwait);
}

}  // namespace

awaitable<Result<Output>> run_process(
    std::vector<std::string> arguments, std::string input, Duration deadline
) {
    using namespace asio::experimental::awaitable_operators;
    const auto executor = co_await asio::this_coro::executor;
    Pipe in;
    Pipe out;
    Pipe err;
    if (!in.open_socket() || !out.open() || !err.open()) {
        co_return errno_error(errno, "pipe");
    }
    const std::array<int, 3> standard{in.end(0), out.end(1), err.end(1)};
    const auto pid = spawn(arguments, standard);
    if (!pid) {
        co_return pid.error();
    }
    Child child(*pid);
    in.close_end(0);
    out.close_end(1);
    err.close_end(1);
    // glibc 2.36 declares pidfd_open without C linkage, so by number.
    const auto pidfd = static_cast<int>(::syscall(SYS_pidfd_open, *pid, 0));
    if (pidfd < 0) {
        co_return errno_error(errno, "pidfd_open");
    }
    stream_descriptor exit_event(executor, pidfd);
    Socket to_child(executor, asio::local::stream_protocol(), in.release(1));
    stream_descriptor from_child(executor, out.release(0));
    stream_descriptor errors(executor, err.release(0));
    asio::steady_timer timer(executor, deadline);
    Output output;
    // Asio's result of a||b with a void side is a variant; index 1 is the timer.
    const auto first = co_await (
        (feed(to_child, input) && collect(from_child, output.out) && collect(errors, output.err) &&
         exited(exit_event)) ||
        timer.async_wait(kAwait)
    );
    const auto state = co_await asio::this_coro::cancellation_state;
    if (state.cancelled() != asio::cancellation_type::none) {
        co_return make_error(asio::error::operation_aborted, arguments.front());
    }
    if (first.index() == 1) {
        co_return make_error(Errc::Timeout, arguments.front() + " did not finish in time");
    }
    output.status = child.reap();
    co_return output;
}

}  // namespace steelyard::iptables
