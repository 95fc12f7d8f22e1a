#include "controller/ipam/allocator.hpp"

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <memory>
#include <string>
#include <vector>

// Cost of an allocation and of a release, and whether it grows with what is allocated already: the
// last thousand against the first, for several table sizes. CPU time of this process, not wall
// time, and the median of several rounds, so that a busy machine does not decide the result. The
// ratio still holds what a larger table costs in cache misses and rehashing.
namespace {

using namespace steelyard;
constexpr std::size_t kEdge = 1000;
constexpr int kRounds = 11;

double cpu_nanoseconds() {
    timespec now{};
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return static_cast<double>(now.tv_sec) * 1e9 + static_cast<double>(now.tv_nsec);
}

double median(std::vector<double> values) {
    std::sort(values.begin(), values.end());
    return values[values.size() / 2];
}

struct Samples {
    std::vector<double> all;
    std::vector<double> first;
    std::vector<double> last;
    std::vector<double> release;
};

void run_round(
    const std::shared_ptr<const config::Config>& config,
    const std::vector<ipam::Request>& requests,
    Samples& samples
) {
    ipam::Allocator allocator;
    allocator.set_pools(config);
    const double count = static_cast<double>(requests.size());
    const double start = cpu_nanoseconds();
    double first = start;
    double last = start;
    for (std::size_t i = 0; i < requests.size(); ++i) {
        if (i == kEdge) {
            first = cpu_nanoseconds();
        }
        if (i == requests.size() - kEdge) {
            last = cpu_nanoseconds();
        }
        if (!allocator.allocate(requests[i])) {
            std::printf("allocation %zu was refused\n", i);
            std::exit(1);
        }
    }
    const double end = cpu_nanoseconds();
    for (const ipam::Request& request : requests) {
        allocator.release(request.service);
    }
    samples.release.push_back((cpu_nanoseconds() - end) / count);
    samples.all.push_back((end - start) / count);
    samples.first.push_back((first - start) / static_cast<double>(kEdge));
    samples.last.push_back((end - last) / static_cast<double>(kEdge));
}

void measure(const char* range, net::Family family, std::size_t count) {
    auto config = std::make_shared<config::Config>();
    config::Pool pool;
    pool.name = "pool";
    pool.ranges = {*net::Range::parse(range)};
    config->pools.push_back(pool);
    std::vector<ipam::Request> requests(count);
    for (std::size_t i = 0; i < count; ++i) {
        requests[i].service = {"default", "service-" + std::to_string(i)};
        requests[i].families = {family};
    }
    Samples samples;
    for (int round = 0; round < kRounds; ++round) {
        run_round(config, requests, samples);
    }
    const double first = median(samples.first);
    const double last = median(samples.last);
    std::printf(
        "%-12s %6zu: %5.0f ns each; first thousand %5.0f, last %5.0f, ratio %.2f; release %5.0f\n",
        range,
        count,
        median(samples.all),
        first,
        last,
        last / first,
        median(samples.release)
    );
}

}  // namespace

int main() {
    for (const std::size_t count : {10'000U, 30'000U, 60'000U}) {
        measure("10.0.0.0/16", net::Family::V4, count);
        measure("fd00::/64", net::Family::V6, count);
    }
}
