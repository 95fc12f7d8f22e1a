#include "bench/proxy/child.hpp"
#include "bench/proxy/loop.hpp"
#include "bench/proxy/objects.hpp"
#include "common/base/rng.hpp"
#include "common/kube/watch/mirror.hpp"
#include "speaker/io/dataplane/kernel_ops.hpp"
#include "speaker/io/dataplane/kernel_port.hpp"
#include "speaker/io/dataplane/mirror.hpp"

#include <linux/netlink.h>
#include <malloc.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cstdio>
#include <ctime>
#include <fstream>
#include <sstream>

// On any kernel: the bytes of a watch event come in, bytes for netlink go out. Between them is all
// that the speaker does, from the decoder to the encoder; the kernel's part is a socket pair.
namespace steelyard::bench {
namespace {

using Clock = std::chrono::steady_clock;

constexpr std::uint32_t kTrials = 1'000;

class SocketKernel final : public dataplane::KernelPort {
public:
    SocketKernel() {
        if (::socketpair(AF_UNIX, SOCK_SEQPACKET, 0, ends_.data()) != 0) {
            fail("no socket pair");
        }
    }
    SocketKernel(const SocketKernel&) = delete;
    SocketKernel& operator=(const SocketKernel&) = delete;
    ~SocketKernel() override {
        ::close(ends_[0]);
        ::close(ends_[1]);
    }

    awaitable<Result<>> ensure() override { co_return Result<>(); }
    awaitable<Result<>> read(dataplane::Observer& /*observer*/) override { co_return Result<>(); }
    awaitable<Result<std::optional<proxy::VirtualServer>>> read_server(
        const proxy::VirtualServerKey& /*key*/
    ) override {
        co_return std::optional<proxy::VirtualServer>();
    }
    awaitable<Result<bool>> has(const proxy::VirtualServerKey& /*key*/) override { co_return true; }
    awaitable<Result<std::size_t>> purge_flows(const conntrack::Frontends& /*frontends*/) override {
        co_return 0U;
    }
    awaitable<dataplane::Outcome> execute(const std::vector<proxy::Op>& ops) override {
        constexpr std::size_t kMost = 700;
        const dataplane::Encoding with{31, 7, "KUBE"};
        dataplane::Outcome outcome;
        netlink::Bytes datagram;
        std::size_t messages = 0;
        for (std::size_t i = 0; i < ops.size(); ++i) {
            netlink::Bytes message = dataplane::encode(ops[i], with);
            netlink::address(message, ++sequence_, NLM_F_REQUEST);
            datagram.insert(datagram.end(), message.begin(), message.end());
            const bool last = i + 1 == ops.size() || dataplane::subsystem_of(ops[i + 1]) !=
                                                         dataplane::subsystem_of(ops[i]);
            if (++messages == kMost || last) {
                hand_over(datagram);
                ++outcome.sends;
                datagram.clear();
                messages = 0;
            }
        }
        co_return outcome;
    }
    [[nodiscard]] Clock::time_point handed_over() const { return handed_over_; }

private:
    void hand_over(const netlink::Bytes& datagram) {
        if (::send(ends_[0], datagram.data(), datagram.size(), 0) < 0) {
            fail("a datagram was not sent");
        }
        handed_over_ = Clock::now();
        std::array<std::byte, 64> start{};
        (void)::recv(ends_[1], start.data(), start.size(), 0);
    }

    std::array<int, 2> ends_{};
    std::uint32_t sequence_ = 0;
    Clock::time_point handed_over_;
};

// One watch, from its bytes to a store.
template <class T>
class Stream {
public:
    Stream(const char* path, std::function<void(const kube::Change<T>&)> on_change)
        : core_(path, {}, Rng(1)), mirror_({std::move(on_change), {}, {}, {}}) {
        (void)core_.next(now_);
        kube::ResponseHead head;
        head.status = 200;
        head.content_type = "application/json";
        core_.on_response(std::move(head), now_, actions_);
    }
    void deliver(const std::string& line) {
        core_.on_bytes(line, now_, actions_);
        carrier_.apply(actions_);
    }
    void end_of_list() {
        deliver(R"({"type":"BOOKMARK","object":{"metadata":{"resourceVersion":"9","annotations":)"
                R"({"k8s.io/initial-events-end":"true"}}}})"
                "\n");
        if (!mirror_.synced()) {
            fail("the list is not complete");
        }
    }

private:
    Instant now_{std::chrono::hours(1)};
    kube::ListWatch core_;
    kube::WatchActions actions_;
    kube::Mirror<T> mirror_;
    kube::ActionCarrier carrier_{mirror_, {}};
};

std::string event(const char* type, const std::string& object) {
    return R"({"type":")" + std::string(type) + R"(","object":)" + object + "}\n";
}

double cpu_seconds() {
    timespec now{};
    ::clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return static_cast<double>(now.tv_sec) + static_cast<double>(now.tv_nsec) / 1e9;
}

void tell_heap(const char* what) {
    const auto info = ::mallinfo2();
    const auto bytes = static_cast<double>(info.uordblks + info.hblkhd);
    std::printf(
        "%-32s %6.1f MB on the heap, %5.0f bytes a Service\n", what, bytes / 1e6, bytes / kServices
    );
}

// Everything between the two.
class Proxy {
public:
    Proxy() {
        if (auto read = loop_.wait(mirror_.read()); !read) {
            fail(to_string(read.error()));
        }
    }
    void load() {
        for (std::uint32_t number = 0; number < kServices; ++number) {
            services_.deliver(event("ADDED", service_json(number)));
            slices_.deliver(event("ADDED", slice_json(number, usual(number), number + 1)));
        }
        services_.end_of_list();
        slices_.end_of_list();
        tell_heap("objects in stores and planner");
        auto changes = planner_.take_changes();
        tell_heap("planned");
        const auto report = write(changes);
        changes = proxy::Changes();
        ::malloc_trim(0);
        tell_heap("merged and mirrored");
        if (report.ops < kServices * (kEndpoints + 1)) {
            fail("the plan is short");
        }
    }
    // Seconds from the event's bytes until its operations are handed over.
    double change(const std::string& line) {
        const auto begun = Clock::now();
        const double cpu = cpu_seconds();
        slices_.deliver(line);
        ops_ += static_cast<double>(write(planner_.take_changes()).ops);
        cpu_.push_back(cpu_seconds() - cpu);
        return std::chrono::duration<double>(kernel_.handed_over() - begun).count();
    }
    [[nodiscard]] double ops() const { return ops_; }
    // CPU seconds of each change: what a busy machine leaves as it is.
    [[nodiscard]] const Numbers& cpu() const { return cpu_; }

private:
    dataplane::Report write(const proxy::Changes& changes) {
        dataplane::Report report;
        mirror_.update(changes);
        if (auto written = loop_.wait(mirror_.write(report)); !written) {
            fail(to_string(written.error()));
        }
        return report;
    }

    Loop loop_;
    proxy::Planner planner_{context()};
    SocketKernel kernel_;
    dataplane::Counters counters_;
    dataplane::Mirror mirror_{kernel_, planner_.context().config, counters_};
    Stream<kube::Service> services_{"/services", [this](const kube::Change<kube::Service>& change) {
                                        planner_.set_service(change.key, change.after);
                                    }};
    Stream<kube::EndpointSlice> slices_{
        "/endpointslices", [this](const kube::Change<kube::EndpointSlice>& change) {
            planner_.set_slice(change.key, change.after);
        }};
    double ops_ = 0;
    Numbers cpu_;
};

double resident_megabytes() {
    std::ifstream file("/proc/self/status");
    for (std::string line; std::getline(file, line);) {
        std::istringstream words(line);
        std::string name;
        double kibibytes = 0;
        words >> name >> kibibytes;
        if (name == "VmRSS:") {
            return kibibytes * 1024 / 1e6;
        }
    }
    return 0;
}

void bench_events() {
    const double before = resident_megabytes();
    Proxy proxy;
    const Stopwatch loading;
    proxy.load();
    const double loaded = loading.seconds();
    ::malloc_trim(0);
    std::printf(
        "%u Services x %u decoded, planned and encoded in %.2f s; %.1f MB resident, %.1f before\n",
        kServices,
        kEndpoints,
        loaded,
        resident_megabytes(),
        before
    );
    Numbers seconds;
    for (std::uint32_t i = 0; i < kTrials; ++i) {
        const std::uint32_t number = i * 7919 % kServices;
        std::vector<Place> places = usual(number);
        const Place fresh = place(number, kEndpoints);
        if (i % 2 == 0) {
            places.push_back(fresh);
        } else {
            places.front() = fresh;
        }
        const std::string line = event("MODIFIED", slice_json(number, places, kServices + i + 1));
        seconds.push_back(proxy.change(line));
    }
    const double p99 = quantile(seconds, 0.99) * 1e3;
    std::printf(
        "watch event until netlink bytes are handed over, %u changes, %.1f operations each: p50 "
        "%.3f, p99 %.3f, most %.3f ms (aim p99 <= 5 ms: %s); CPU p50 %.3f, p99 %.3f ms\n",
        kTrials,
        proxy.ops() / kTrials,
        median(seconds) * 1e3,
        p99,
        quantile(seconds, 1) * 1e3,
        p99 <= 5 ? "yes" : "MISSED",
        median(proxy.cpu()) * 1e3,
        quantile(proxy.cpu(), 0.99) * 1e3
    );
}

}  // namespace
}  // namespace steelyard::bench

int main() {
    steelyard::bench::bench_events();
    return 0;
}
