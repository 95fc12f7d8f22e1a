#include "bench/proxy/child.hpp"
#include "bench/proxy/loop.hpp"
#include "bench/proxy/objects.hpp"
#include "bench/proxy/parts.hpp"
#include "bench/proxy/raw.hpp"
#include "speaker/io/dataplane/guest_net.hpp"
#include "speaker/io/dataplane/kernel.hpp"
#include "speaker/io/dataplane/kernel_ops.hpp"

#include <malloc.h>

#include <cstdio>
#include <fstream>
#include <limits>

// 10 000 Services into an empty kernel: ours beside the least that would do, beside one message at
// a time, and beside ipvsadm.
namespace steelyard::bench {
namespace {

constexpr std::size_t kBatch = 700;  // as speaker/io/netlink
constexpr std::uint32_t kForIpvsadm = 2'000;

// Link and sets, nothing in them.
class EmptyKernel {
public:
    EmptyKernel() {
        if (auto ready = loop.wait(kernel.prepare()); !ready) {
            fail(to_string(ready.error()));
        }
    }
    Loop loop;
    proxy::ProxyConfig config;
    dataplane::Kernel kernel{loop.executor(), config, proxy::names_for(config.mode)};
};

std::vector<proxy::Op> only_ipvs(const std::vector<proxy::Op>& ops) {
    std::vector<proxy::Op> result;
    for (const proxy::Op& op : ops) {
        if (dataplane::subsystem_of(op) == dataplane::Subsystem::Ipvs) {
            result.push_back(op);
        }
    }
    return result;
}

// Messages made beforehand, `most` in a send.
double raw(const std::vector<proxy::Op>& ops, std::size_t most) {
    const Numbers numbers = once([&]() -> Numbers {
        const EmptyKernel empty;
        const Sent sent = send_all(encode_all(ops, kernel_ids(), most));
        if (sent.refused > 0) {
            fail("the kernel refuses operations");
        }
        return {sent.seconds};
    });
    return numbers.front();
}

// Ours, the IPVS part alone: encoding, sending, reading answers.
double batched(const std::vector<proxy::Op>& ops) {
    const Numbers numbers = once([&]() -> Numbers {
        EmptyKernel empty;
        const Stopwatch watch;
        const auto outcome = empty.loop.wait(empty.kernel.execute(ops));
        const double seconds = watch.seconds();
        if (!outcome.failures.empty()) {
            fail(outcome.failures.front().reason);
        }
        return {seconds};
    });
    return numbers.front();
}

// Makes the allocator keep as much memory as the job takes, so that it costs no page faults: each
// is a matter of some ten microseconds here, and of a fraction of one elsewhere.
void rehearse() {
    ::mallopt(M_TRIM_THRESHOLD, std::numeric_limits<int>::max());
    ::mallopt(M_MMAP_MAX, 0);
    (void)ops_for(kServices);
}

// start(), then planning and apply(): seconds each, operations, sends.
Numbers whole(bool rehearsed) {
    return once([rehearsed]() -> Numbers {
        if (rehearsed) {
            rehearse();
        }
        Loop loop;
        proxy::Planner planner(context());
        fill(planner, kServices);
        const auto dataplane =
            dataplane::make_ipvs_dataplane(loop.executor(), planner.context().config);
        const Stopwatch start;
        if (auto started = loop.wait(dataplane->start()); !started) {
            fail(to_string(started.error()));
        }
        const double started = start.seconds();
        const Stopwatch apply;
        auto changes = planner.take_changes();
        const double planned = apply.seconds();
        const auto report = loop.wait(dataplane->apply(std::move(changes)));
        const double applied = apply.seconds();
        if (!report || !report->failures.empty()) {
            fail("the kernel refuses something");
        }
        return {
            started,
            applied,
            planned,
            static_cast<double>(report->ops),
            static_cast<double>(report->sends)};
    });
}

double ipvsadm() {
    std::string rules;
    for (std::uint32_t number = 0; number < kForIpvsadm; ++number) {
        const std::string frontend = to_string(cluster_ip(number)) + ":80";
        rules += "-A -t " + frontend + " -s rr\n";
        for (const Place& each : usual(number)) {
            rules += "-a -t " + frontend + " -r " + to_string(each.address) + ":8080 -m -w 1\n";
        }
    }
    const std::string file = "/run/ipvsadm.rules";
    std::ofstream(file) << rules;
    const Numbers numbers = once([&]() -> Numbers {
        const Stopwatch watch;
        dataplane::guest::sh("ipvsadm -R < " + file);
        return {watch.seconds()};
    });
    return numbers.front() * kServices / kForIpvsadm;
}

}  // namespace

void bench_programming(const Settings& settings) {
    const auto ops = ops_for(kServices);
    const auto ipvs = only_ipvs(ops);
    Numbers floor;
    Numbers floor_ipvs;
    Numbers ours_ipvs;
    Numbers single;
    Numbers by_ipvsadm;
    Numbers start;
    Numbers apply;
    Numbers plan;
    Numbers warm;
    for (int round = 0; round < settings.rounds; ++round) {
        floor.push_back(raw(ops, kBatch));
        const Numbers ours = whole(false);
        warm.push_back(whole(true)[1]);
        start.push_back(ours[0]);
        apply.push_back(ours[1]);
        plan.push_back(ours[2]);
        if (round == 0) {
            std::printf(
                "  %u Services x %u: %.0f operations in %.0f sends; %zu of them IPVS\n",
                kServices,
                kEndpoints,
                ours[3],
                ours[4],
                ipvs.size()
            );
        }
        floor_ipvs.push_back(raw(ipvs, kBatch));
        ours_ipvs.push_back(batched(ipvs));
        single.push_back(raw(ipvs, 1));
        by_ipvsadm.push_back(ipvsadm());
    }
    std::printf(
        "  IPVS alone: floor %.3f s, ours %.3f s, one message at a time %.2f s, ipvsadm -R %.1f s "
        "(5 x %u Services)\n",
        median(floor_ipvs),
        median(ours_ipvs),
        median(single),
        median(by_ipvsadm),
        kForIpvsadm
    );
    std::printf(
        "  all: floor %.3f s, plan and apply %.3f s (plan %.3f; all %.3f with memory at hand), "
        "start "
        "%.3f s\n",
        median(floor),
        median(apply),
        median(plan),
        median(warm),
        median(start)
    );
    tell_at_least("one at a time / ours, IPVS", median(single) / median(ours_ipvs), 20, " x");
    tell_at_least("ipvsadm -R / ours, IPVS", median(by_ipvsadm) / median(ours_ipvs), 150, " x");
    tell_at_most("the same with memory at hand", median(warm) / median(floor), 1.3, " x");
    tell_at_most("plan and apply / floor", median(apply) / median(floor), 1.3, " x");
    const double all = (median(start) + median(apply)) / median(floor);
    tell_at_most("start, plan and apply / floor", all, 1.3, " x");
}

}  // namespace steelyard::bench
