#include "bench/proxy/child.hpp"

#include "speaker/io/dataplane/guest_net.hpp"

#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cmath>
#include <csignal>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <thread>

namespace steelyard::bench {
namespace {

using namespace std::chrono_literals;

void write_whole(int descriptor, const void* data, std::size_t size) {
    if (::write(descriptor, data, size) != static_cast<ssize_t>(size)) {
        _exit(1);
    }
}

bool read_whole(int descriptor, void* data, std::size_t size) {
    auto* at = static_cast<char*>(data);
    while (size > 0) {
        const ssize_t got = ::read(descriptor, at, size);
        if (got <= 0) {
            return false;
        }
        at += got;
        size -= static_cast<std::size_t>(got);
    }
    return true;
}

[[noreturn]] void play(const std::function<Node::Serve()>& prepare, int orders, int answers) {
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    dataplane::guest::enter_fresh_node();
    dataplane::guest::sh(std::string("ip addr add ") + kNodeAddress + "/32 dev lo");
    {
        const Node::Serve serve = prepare();
        char order = 0;
        while (read_whole(orders, &order, 1)) {
            const Numbers numbers = serve();
            const std::uint64_t count = numbers.size();
            write_whole(answers, &count, sizeof count);
            write_whole(answers, numbers.data(), count * sizeof(double));
        }
    }
    std::fflush(stdout);
    _exit(0);
}

// Jiffies this machine was idle, and all jiffies.
std::array<double, 2> jiffies() {
    std::ifstream file("/proc/stat");
    std::string name;
    file >> name;
    std::array<double, 2> result{};
    double value = 0;
    for (int column = 0; column < 8 && file >> value; ++column) {
        result[0] += column == 3 ? value : 0;
        result[1] += value;
    }
    return result;
}

}  // namespace

Node::Node(const std::function<Serve()>& prepare) {
    std::array<int, 2> orders{};
    std::array<int, 2> answers{};
    if (::pipe(orders.data()) != 0 || ::pipe(answers.data()) != 0) {
        fail("no pipe");
    }
    std::fflush(stdout);
    pid_ = ::fork();
    if (pid_ == 0) {
        ::close(orders[1]);
        ::close(answers[0]);
        play(prepare, orders[0], answers[1]);
    }
    ::close(orders[0]);
    ::close(answers[1]);
    orders_ = orders[1];
    answers_ = answers[0];
    if (pid_ < 0) {
        fail("no child process");
    }
}

Node::~Node() {
    ::close(orders_);
    ::close(answers_);
    ::waitpid(pid_, nullptr, 0);
}

Numbers Node::ask() const {
    const char order = 'g';
    std::uint64_t count = 0;
    if (::write(orders_, &order, 1) != 1 || !read_whole(answers_, &count, sizeof count)) {
        fail("a measurement ended early");
    }
    Numbers numbers(count);
    if (!read_whole(answers_, numbers.data(), count * sizeof(double))) {
        fail("a measurement ended early");
    }
    return numbers;
}

Numbers once(const std::function<Numbers()>& measure) {
    Numbers numbers;
    {
        const Node node([&measure] { return measure; });
        numbers = node.ask();
    }
    wait_until_idle();
    return numbers;
}

void wait_until_idle() {
    constexpr auto kLook = 300ms;
    constexpr double kIdle = 0.8;
    const auto deadline = std::chrono::steady_clock::now() + 20s;
    while (std::chrono::steady_clock::now() < deadline) {
        const auto before = jiffies();
        std::this_thread::sleep_for(kLook);
        const auto after = jiffies();
        if (after[1] > before[1] && (after[0] - before[0]) / (after[1] - before[1]) >= kIdle) {
            return;
        }
    }
}

double median(Numbers numbers) {
    return quantile(std::move(numbers), 0.5);
}

double quantile(Numbers numbers, double share) {
    if (numbers.empty()) {
        fail("nothing was measured");
    }
    std::sort(numbers.begin(), numbers.end());
    const auto last = static_cast<double>(numbers.size() - 1);
    return numbers[static_cast<std::size_t>(std::ceil(share * last))];
}

void fail(const std::string& line) {
    std::fprintf(stderr, "proxy bench: %s\n", line.c_str());
    std::exit(1);
}

}  // namespace steelyard::bench
