// vip-prober: asks for addresses again and again at a fixed pace and measures who answers and when
// nobody does.
//
//   vip-prober (--arp INTERFACE SOURCE | --echo) [--interval-us 1000] ADDRESS...
//
// --arp broadcasts ARP requests and notes the MAC that answers each; --echo sends ICMP echo through
// the kernel and its neighbour cache. Every address is asked every interval. All times are
// milliseconds of CLOCK_MONOTONIC. A line {"now_ms", "answering"} every 50 ms; after SIGTERM or
// SIGINT it waits 300 ms for late answers and prints {"result": {ADDRESS: {...}}}: sent, answered,
// gap_ms (the longest time between two answers), gap_at_ms; for ARP macs (answers, first and last
// of each run) and two_owners (windows in which two MACs answered); for echo lost and lost_runs.
#include "bench/failover/sockets.hpp"
#include "bench/failover/timeline.hpp"

#include <arpa/inet.h>
#include <poll.h>
#include <sched.h>

#include <algorithm>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace {

using namespace steelyard::failover;

constexpr double kStatusEvery = 50;
constexpr double kLinger = 300;
constexpr std::size_t kListed = 1000;  // runs and windows printed at most

volatile std::sig_atomic_t g_stop = 0;

void on_stop(int /*signal*/) {
    g_stop = 1;
}

struct Options {
    std::string interface;  // "": echo
    in_addr source{};
    double interval = 1;
    std::vector<in_addr> addresses;
};

[[noreturn]] void usage(const char* why) {
    std::fprintf(
        stderr,
        "vip-prober: %s\nusage: vip-prober (--arp INTERFACE SOURCE | --echo) [--interval-us N] "
        "ADDRESS...\n",
        why
    );
    std::exit(2);
}

in_addr address_of(const char* text) {
    in_addr address{};
    if (::inet_pton(AF_INET, text, &address) != 1) {
        usage("an IPv4 address is wanted");
    }
    return address;
}

Options parse(int argc, char** argv) {
    Options options;
    bool echo = false;
    for (int i = 1; i < argc; ++i) {
        const std::string_view word = argv[i];
        if (word == "--echo") {
            echo = true;
        } else if (word == "--arp" && i + 2 < argc) {
            options.interface = argv[++i];
            options.source = address_of(argv[++i]);
        } else if (word == "--interval-us" && i + 1 < argc) {
            options.interval = std::atof(argv[++i]) / 1000;
        } else {
            options.addresses.push_back(address_of(argv[i]));
        }
    }
    if (options.addresses.empty() || echo == !options.interface.empty()) {
        usage("one of --arp and --echo, and an address, are wanted");
    }
    if (!(options.interval > 0)) {
        usage("--interval-us: a positive number is wanted");
    }
    return options;
}

double now_ms() {
    timespec time{};
    ::clock_gettime(CLOCK_MONOTONIC, &time);
    return static_cast<double>(time.tv_sec) * 1000 + static_cast<double>(time.tv_nsec) / 1e6;
}

std::string text(in_addr address) {
    char buffer[INET_ADDRSTRLEN] = {};
    ::inet_ntop(AF_INET, &address, buffer, sizeof buffer);
    return buffer;
}

std::string text(const Mac& mac) {
    char buffer[18] = {};
    std::snprintf(
        buffer,
        sizeof buffer,
        "%02x:%02x:%02x:%02x:%02x:%02x",
        mac[0],
        mac[1],
        mac[2],
        mac[3],
        mac[4],
        mac[5]
    );
    return buffer;
}

struct Target {
    in_addr address{};
    long sent = 0;
    long answered = 0;
    Timeline timeline;
    std::vector<double> sent_at;  // echo: by number
    std::vector<bool> seen;       // echo: by number
};

class Prober {
public:
    explicit Prober(const Options& options) : options_(options) {
        if (options.interface.empty()) {
            echo_ = std::make_unique<EchoSocket>();
        } else {
            arp_ = std::make_unique<ArpSocket>(options.interface, options.source);
        }
        for (const in_addr address : options.addresses) {
            by_address_[address.s_addr] = targets_.size();
            targets_.emplace_back().address = address;
        }
    }

    void run() {
        const double begin = now_ms();
        for (Target& target : targets_) {
            target.timeline.begin(begin);
        }
        const double step = options_.interval / static_cast<double>(targets_.size());
        double next = begin;
        double next_status = begin;
        double end = 0;
        while (end == 0 || now_ms() < end) {
            double now = now_ms();
            if (g_stop != 0 && end == 0) {
                end = now + kLinger;
                asking_until_ = now;
            }
            for (; end == 0 && next <= now; next += step) {
                ask(now);
                if (now - next > 100 * step) {  // long held up: no burst, ask from now on
                    next = now;
                }
            }
            receive();
            now = now_ms();
            if (now >= next_status) {
                print_status(now);
                next_status = now + kStatusEvery;
            }
            wait(std::min(end == 0 ? next : end, next_status) - now);
        }
        print_result();
    }

private:
    void ask(double now) {
        Target& target = targets_[turn_];
        if (arp_) {
            arp_->ask(target.address);
        } else {
            target.sent_at.push_back(now);
            target.seen.push_back(false);
            const EchoId id{
                static_cast<std::uint32_t>(turn_), static_cast<std::uint32_t>(target.sent)};
            echo_->ask(target.address, id);
        }
        ++target.sent;
        turn_ = (turn_ + 1) % targets_.size();
    }

    void receive() {
        std::optional<ArpAnswer> arp;
        while (arp_ && arp_->receive(arp)) {
            if (!arp) {
                continue;
            }
            if (const auto found = by_address_.find(arp->address.s_addr);
                found != by_address_.end()) {
                ++targets_[found->second].answered;
                targets_[found->second].timeline.answer(arp->mac, now_ms());
            }
        }
        std::optional<EchoId> echo;
        while (echo_ && echo_->receive(echo)) {
            if (echo && echo->target < targets_.size()) {
                echoed(targets_[echo->target], echo->number);
            }
        }
    }

    static void echoed(Target& target, std::uint32_t number) {
        if (number < target.seen.size() && !target.seen[number]) {
            target.seen[number] = true;
            ++target.answered;
            target.timeline.answer(Mac{}, now_ms());
        }
    }

    void wait(double milliseconds) const {
        if (milliseconds <= 0) {
            return;
        }
        pollfd ready{arp_ ? arp_->fd() : echo_->fd(), POLLIN, 0};
        const auto nanoseconds = static_cast<long>(milliseconds * 1e6);
        const timespec timeout{nanoseconds / 1'000'000'000, nanoseconds % 1'000'000'000};
        ::ppoll(&ready, 1, &timeout, nullptr);
    }

    void print_status(double now) const {
        std::printf("{\"now_ms\": %.3f, \"answering\": {", now);
        const char* between = "";
        for (const Target& target : targets_) {
            std::printf("%s\"%s\": [", between, text(target.address).c_str());
            const char* comma = "";
            for (const Mac& mac : target.timeline.answering(now)) {
                std::printf("%s\"%s\"", comma, text(mac).c_str());
                comma = ", ";
            }
            std::printf("]");
            between = ", ";
        }
        std::printf("}}\n");
        std::fflush(stdout);
    }

    void print_result() {
        std::printf("{\"result\": {");
        const char* between = "";
        for (Target& target : targets_) {
            target.timeline.silence_until(asking_until_);
            std::printf(
                "%s\"%s\": {\"sent\": %ld, \"answered\": %ld, \"gap_ms\": %.3f, \"gap_at_ms\": "
                "%.3f, ",
                between,
                text(target.address).c_str(),
                target.sent,
                target.answered,
                target.timeline.gap(),
                target.timeline.gap_at()
            );
            if (arp_) {
                print_macs(target.timeline);
            } else {
                print_losses(target);
            }
            std::printf("}");
            between = ", ";
        }
        std::printf("}}\n");
    }

    static void print_macs(const Timeline& timeline) {
        std::printf("\"macs\": {");
        const char* between = "";
        for (const auto& [mac, runs] : timeline.runs()) {
            std::printf("%s\"%s\": [", between, text(mac).c_str());
            const char* comma = "";
            for (std::size_t i = 0; i < std::min(runs.size(), kListed); ++i) {
                const Run& run = runs[i];
                std::printf("%s[%.3f, %.3f, %ld]", comma, run.first, run.last, run.answers);
                comma = ", ";
            }
            std::printf("]");
            between = ", ";
        }
        const auto windows = timeline.two_owners();
        std::printf("}, \"two_owners\": [");
        between = "";
        for (std::size_t i = 0; i < std::min(windows.size(), kListed); ++i) {
            const TwoOwners& window = windows[i];
            std::printf(
                "%s[%.3f, %.3f, \"%s\", \"%s\"]",
                between,
                window.from,
                window.to,
                text(window.one).c_str(),
                text(window.other).c_str()
            );
            between = ", ";
        }
        std::printf("]");
    }

    static void print_losses(const Target& target) {
        std::printf("\"lost\": %ld, \"lost_runs\": [", target.sent - target.answered);
        const char* between = "";
        std::size_t listed = 0;
        for (std::size_t i = 0; i < target.seen.size() && listed < kListed;) {
            std::size_t end = i;
            while (end < target.seen.size() && !target.seen[end]) {
                ++end;
            }
            if (end > i) {
                std::printf(
                    "%s[%.3f, %.3f, %zu]",
                    between,
                    target.sent_at[i],
                    target.sent_at[end - 1],
                    end - i
                );
                between = ", ";
                ++listed;
            }
            i = end + 1;
        }
        std::printf("]");
    }

    const Options& options_;
    std::unique_ptr<ArpSocket> arp_;
    std::unique_ptr<EchoSocket> echo_;
    std::vector<Target> targets_;
    std::map<in_addr_t, std::size_t> by_address_;
    std::size_t turn_ = 0;
    double asking_until_ = 0;
};

}  // namespace

int main(int argc, char** argv) {
    const Options options = parse(argc, argv);
    struct sigaction action {};
    action.sa_handler = on_stop;
    ::sigaction(SIGTERM, &action, nullptr);
    ::sigaction(SIGINT, &action, nullptr);
    // A busy machine must not hold up the measurement; without the privilege it goes on as it is.
    const sched_param priority{.sched_priority = 10};
    ::sched_setscheduler(0, SCHED_RR, &priority);
    Prober(options).run();
}
