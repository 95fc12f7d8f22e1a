#include "bench/proxy/calls.hpp"
#include "bench/proxy/child.hpp"
#include "bench/proxy/loop.hpp"
#include "bench/proxy/objects.hpp"
#include "bench/proxy/parts.hpp"
#include "bench/proxy/raw.hpp"

#include <sys/resource.h>

#include <algorithm>
#include <cstdio>
#include <string>

// One endpoint changes beside many Services that do not.
namespace steelyard::bench {
namespace {

constexpr std::uint32_t kTrials = 300;

double cpu_seconds() {
    rusage usage{};
    ::getrusage(RUSAGE_SELF, &usage);
    const auto seconds = [](const timeval& time) {
        return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) / 1e6;
    };
    return seconds(usage.ru_utime) + seconds(usage.ru_stime);
}

// What of a Service's endpoints changes.
enum class Kind { Added, Replaced, AddedHere };

std::vector<Place> changed(std::uint32_t service, Kind kind) {
    std::vector<Place> places = usual(service);
    Place fresh = place(service, kEndpoints);
    fresh.node = kind == Kind::AddedHere ? "n0" : "n1";
    if (kind == Kind::Replaced) {
        places.front() = fresh;
    } else {
        places.push_back(fresh);
    }
    return places;
}

struct Trials {
    Numbers seconds;
    double cpu = 0;  // of one, mean
    double ops = 0;  // the most of one, as are these
    double sends = 0;
    double receives = 0;
    double waits = 0;
};

class Changing {
public:
    explicit Changing(std::uint32_t services) : services_(services) {
        fill(planner_, services);
        if (auto started = loop_.wait(dataplane_->start()); !started) {
            fail(to_string(started.error()));
        }
        apply();
    }

    Trials run(Kind kind, std::uint32_t first) {
        Trials trials;
        const double cpu = cpu_seconds();
        for (std::uint32_t i = 0; i < kTrials; ++i) {
            // 7919 is prime: all over the tables.
            const std::uint32_t number = (first + i) * 7919 % services_;
            const auto next = slice(number, changed(number, kind));
            const Calls before = calls();
            const Stopwatch watch;
            planner_.set_slice(next->meta.key, next);
            const auto report = apply();
            trials.seconds.push_back(watch.seconds());
            const Calls after = calls();
            const auto most = [](double& held, std::size_t value) {
                held = std::max(held, static_cast<double>(value));
            };
            most(trials.ops, report.ops);
            most(trials.sends, after.sends - before.sends);
            most(trials.receives, after.receives - before.receives);
            most(trials.waits, after.waits - before.waits);
        }
        trials.cpu = (cpu_seconds() - cpu) / kTrials;
        // Back, so that the next kind begins with the usual endpoints.
        for (std::uint32_t i = 0; i < kTrials; ++i) {
            const std::uint32_t number = (first + i) * 7919 % services_;
            const auto next = slice(number, usual(number));
            planner_.set_slice(next->meta.key, next);
        }
        apply();
        return trials;
    }

private:
    dataplane::Report apply() {
        auto report = loop_.wait(dataplane_->apply(planner_.take_changes()));
        if (!report || !report->failures.empty()) {
            fail("the kernel refuses something");
        }
        return *report;
    }

    std::uint32_t services_;
    Loop loop_;
    proxy::Planner planner_{context()};
    std::unique_ptr<dataplane::Dataplane> dataplane_ =
        dataplane::make_ipvs_dataplane(loop_.executor(), planner_.context().config);
};

Numbers flat(const Trials& trials) {
    return {
        median(trials.seconds),
        quantile(trials.seconds, 0.99),
        trials.cpu,
        trials.ops,
        trials.sends,
        trials.receives,
        trials.waits};
}

// Six numbers a kind, then kube-proxy's questions.
Numbers measure(std::uint32_t services) {
    return once([services]() -> Numbers {
        Changing changing(services);
        Numbers numbers;
        for (const Kind kind : {Kind::Added, Kind::Replaced, Kind::AddedHere}) {
            const Numbers more = flat(changing.run(kind, 0));
            numbers.insert(numbers.end(), more.begin(), more.end());
        }
        const KernelIds ids = kernel_ids();
        const double cpu = cpu_seconds();
        numbers.push_back(kube_proxy_questions(ids, services));
        numbers.push_back(cpu_seconds() - cpu);
        return numbers;
    });
}

}  // namespace

void bench_change(const Settings& /*settings*/) {
    constexpr std::size_t kEach = 7;
    const char* const kinds[] = {"one more elsewhere", "one replaced", "one more on this node"};
    Numbers smallest;
    for (const std::uint32_t services : {100U, 1'000U, kServices}) {
        const Numbers found = measure(services);
        for (std::size_t kind = 0; kind < 3; ++kind) {
            const double* const of = &found[kind * kEach];
            std::printf(
                "  %6u Services, %-21s p50 %.3f ms, p99 %.3f ms, CPU %.3f ms; at most %.0f "
                "operations, %.0f sends, %.0f receives, %.0f waits\n",
                services,
                kinds[kind],
                of[0] * 1e3,
                of[1] * 1e3,
                of[2] * 1e3,
                of[3],
                of[4],
                of[5],
                of[6]
            );
        }
        const double pattern = found[3 * kEach];
        const double pattern_cpu = found[3 * kEach + 1];
        std::printf(
            "  %6u Services, kube-proxy's questions: %.3f s, CPU %.3f s\n",
            services,
            pattern,
            pattern_cpu
        );
        if (smallest.empty()) {
            smallest = found;
        }
        if (services == kServices) {
            tell_at_most("sends of one change", std::max(found[4], found[kEach + 4]), 3, "");
            tell_at_most("sends, an endpoint on this node", found[2 * kEach + 4], 3, "");
            tell_at_least(
                "kube-proxy's questions / one change, CPU", pattern_cpu / found[2], 1000, " x"
            );
            tell_at_least(
                "kube-proxy's questions / one change, time", pattern / found[0], 1000, " x"
            );
            tell_at_most("time at 10 000 Services / at 100", found[0] / smallest[0], 1.5, " x");
        }
    }
}

}  // namespace steelyard::bench
