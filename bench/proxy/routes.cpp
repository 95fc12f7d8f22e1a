#include "bench/proxy/child.hpp"
#include "bench/proxy/loop.hpp"
#include "bench/proxy/objects.hpp"
#include "bench/proxy/parts.hpp"
#include "speaker/io/dataplane/kernel.hpp"

#include <cstdio>

// Making many virtual addresses this node's own: as addresses of a link, and as routes.
namespace steelyard::bench {
namespace {

double bind(std::uint32_t count, bool as_routes) {
    const Numbers numbers = once([count, as_routes]() -> Numbers {
        Loop loop;
        const proxy::ProxyConfig config;
        dataplane::Kernel kernel(loop.executor(), config, proxy::names_for(config.mode));
        if (auto ready = loop.wait(kernel.prepare()); !ready) {
            fail(to_string(ready.error()));
        }
        std::vector<proxy::Op> ops;
        for (std::uint32_t i = 0; i < count; ++i) {
            const auto address = cluster_ip(i);
            if (as_routes) {
                ops.emplace_back(proxy::AddRoute{address, std::nullopt});
            } else {
                ops.emplace_back(proxy::AddAddress{address});
            }
        }
        const Stopwatch watch;
        const auto outcome = loop.wait(kernel.execute(ops));
        const double seconds = watch.seconds();
        if (!outcome.failures.empty()) {
            fail(outcome.failures.front().reason);
        }
        return {seconds};
    });
    return numbers.front();
}

}  // namespace

void bench_routes(const Settings& settings) {
    constexpr std::uint32_t kMany = 100'000;
    constexpr std::uint32_t kFew = 20'000;
    Numbers addresses;
    Numbers half;
    Numbers few;
    Numbers many;
    for (int round = 0; round < settings.rounds; ++round) {
        few.push_back(bind(kFew, true));
        many.push_back(bind(kMany, true));
    }
    half.push_back(bind(kFew / 2, false));
    addresses.push_back(bind(kFew, false));
    std::printf(
        "  %u addresses %.2f s, %u addresses %.2f s; %u routes %.3f s, %u routes %.3f s\n",
        kFew / 2,
        median(half),
        kFew,
        median(addresses),
        kFew,
        median(few),
        kMany,
        median(many)
    );
    tell_at_least("addresses / routes, 20 000", median(addresses) / median(few), 100, " x");
    tell_at_most("a route of 100 000 / of 20 000", median(many) / median(few) / 5, 1.3, " x");
}

}  // namespace steelyard::bench
