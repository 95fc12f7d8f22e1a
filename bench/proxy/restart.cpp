#include "bench/proxy/child.hpp"
#include "bench/proxy/loop.hpp"
#include "bench/proxy/objects.hpp"
#include "bench/proxy/parts.hpp"
#include "bench/proxy/path.hpp"

#include <atomic>
#include <chrono>
#include <cstdio>
#include <thread>

// A speaker that starts where another one left, with everything in place and traffic on its way.
namespace steelyard::bench {
namespace {

using Held = std::unique_ptr<dataplane::Dataplane>;

proxy::Changes everything() {
    proxy::Planner planner(context());
    fill(planner, kServices - 1);
    add_udp_service(planner);
    return planner.take_changes();
}

Held programmed(Loop& loop, dataplane::Report& report) {
    Held held = dataplane::make_ipvs_dataplane(loop.executor(), context().config);
    if (auto started = loop.wait(held->start()); !started) {
        fail(to_string(started.error()));
    }
    auto applied = loop.wait(held->apply(everything()));
    if (!applied || !applied->failures.empty()) {
        fail("the kernel refuses something");
    }
    report = *applied;
    return held;
}

// A packet a millisecond while it lives.
class Traffic {
public:
    explicit Traffic(const Path& path)
        : path_(path), thread_([this] {
              while (!stop_) {
                  path_.send(1);
                  ++sent_;
                  std::this_thread::sleep_for(std::chrono::milliseconds(1));
              }
          }) {}
    Traffic(const Traffic&) = delete;
    Traffic& operator=(const Traffic&) = delete;
    ~Traffic() { end(); }

    std::size_t end() {
        stop_ = true;
        if (thread_.joinable()) {
            thread_.join();
        }
        return sent_;
    }

private:
    const Path& path_;
    std::atomic<bool> stop_{false};
    std::atomic<std::size_t> sent_{0};
    std::thread thread_;  // last: it uses the others
};

}  // namespace

void bench_restart(const Settings& /*settings*/) {
    const Numbers found = once([]() -> Numbers {
        const Path path("r");
        Loop loop;
        dataplane::Report report;
        Held first = programmed(loop, report);
        path.aim(kVirtualAddress, 80);
        path.warm_up();
        first.reset();
        Traffic traffic(path);
        const Stopwatch watch;
        const Held second = programmed(loop, report);
        const double seconds = watch.seconds();
        const auto sent = static_cast<double>(traffic.end());
        const auto& counters = second->counters();
        const auto writes = report.ops + counters.rule_restores[0] + counters.rule_restores[1];
        return {
            static_cast<double>(writes),
            seconds,
            static_cast<double>(counters.adopted),
            sent,
            sent - static_cast<double>(path.receive())};
    });
    std::printf(
        "  start and first apply %.3f s, %.0f objects adopted; %.0f packets sent, %.0f lost\n",
        found[1],
        found[2],
        found[3],
        found[4]
    );
    tell_at_most("writes, restored rules included", found[0], 0, "");
    tell_at_most("packets lost", found[4], 0, "");
}

}  // namespace steelyard::bench
