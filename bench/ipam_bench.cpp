#include "controller/ipam/allocator.hpp"

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

// Cost of an allocation and of a release, and whether it grows with what is allocated already: the
// last thousand against the first, for several table sizes; and how many times cheaper that is than
// a first fit which looks every candidate up by its text, as MetalLB does. CPU time of this
// process, not wall time, and the median of several rounds, so that a busy machine does not decide
// the result. The ratio still holds what a larger table costs in cache misses and rehashing.
namespace {

using namespace steelyard;
constexpr std::size_t kEdge = 1000;
constexpr std::size_t kPlan = 16;  // changes that meet in one plan
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
        if (i % kPlan == 0) {
            static_cast<void>(allocator.take_openings());  // as the planner does
        }
    }
    const double end = cpu_nanoseconds();
    for (std::size_t i = 0; i < requests.size(); ++i) {
        allocator.release(requests[i].service);
        if (i % kPlan == 0) {
            static_cast<void>(allocator.take_openings());
        }
    }
    samples.release.push_back((cpu_nanoseconds() - end) / count);
    samples.all.push_back((end - start) / count);
    samples.first.push_back((first - start) / static_cast<double>(kEdge));
    samples.last.push_back((end - last) / static_cast<double>(kEdge));
}

// The walk over a pool from its first address, asking a table of texts whether each one is taken.
class FirstFit {
public:
    explicit FirstFit(const net::IpAddress& first) : first_(first) {}
    void allocate(const std::string& service) {
        for (std::uint64_t offset = 0;; ++offset) {
            if (taken_.try_emplace(to_string(first_.plus(offset)), service).second) {
                return;
            }
        }
    }
    // As if `count` had been allocated.
    void fill(std::size_t count) {
        while (taken_.size() < count) {
            taken_.emplace(to_string(first_.plus(taken_.size())), "");
        }
    }

private:
    net::IpAddress first_;
    std::unordered_map<std::string, std::string> taken_;
};

// Nanoseconds for one of `count` allocations: sampled at ten levels between empty and full, since
// the walk grows with what is taken.
double first_fit(const char* first, std::size_t count) {
    constexpr std::size_t kLevels = 10;
    constexpr std::size_t kSamples = 10;
    FirstFit table(*net::IpAddress::parse(first));
    double sum = 0;
    for (std::size_t level = 0; level < kLevels; ++level) {
        table.fill((2 * level + 1) * count / (2 * kLevels));
        const double start = cpu_nanoseconds();
        for (std::size_t i = 0; i < kSamples; ++i) {
            table.allocate("default/service");
        }
        sum += (cpu_nanoseconds() - start) / static_cast<double>(kSamples);
    }
    return sum / static_cast<double>(kLevels);
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
    const double each = median(samples.all);
    const std::string text(range);
    const double baseline = first_fit(text.substr(0, text.find('/')).c_str(), count);
    std::printf(
        "%-12s %6zu: %4.0f ns each = %.2f M/s; first thousand %4.0f, last %4.0f, last/first %.2f; "
        "release %4.0f; first fit over texts %.0f ns, %.0f times\n",
        range,
        count,
        each,
        1e3 / each,
        first,
        last,
        last / first,
        median(samples.release),
        baseline,
        baseline / each
    );
}

}  // namespace

int main() {
    for (const std::size_t count : {10'000U, 30'000U, 60'000U}) {
        measure("10.0.0.0/16", net::Family::V4, count);
        measure("fd00::/64", net::Family::V6, count);
    }
}
