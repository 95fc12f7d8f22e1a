#include "controller/ipam/allocator.hpp"

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <memory>
#include <string>
#include <vector>

// Cost of an allocation and of a release, and whether it grows with what is allocated already:
// first and last thousand of 10 000, 30 000 and 60 000. A /64 shows that size does not matter.
namespace {

using namespace steelyard;
using Clock = std::chrono::steady_clock;

double nanoseconds(Clock::time_point from, Clock::time_point to, std::size_t count) {
    return std::chrono::duration<double, std::nano>(to - from).count() / static_cast<double>(count);
}

void measure(const char* range, net::Family family, std::size_t count) {
    auto config = std::make_shared<config::Config>();
    config::Pool pool;
    pool.name = "pool";
    pool.ranges = {*net::Range::parse(range)};
    config->pools.push_back(pool);
    ipam::Allocator allocator;
    allocator.set_pools(config);
    std::vector<ipam::Request> requests(count);
    for (std::size_t i = 0; i < count; ++i) {
        requests[i].service = {"default", "service-" + std::to_string(i)};
        requests[i].families = {family};
    }
    constexpr std::size_t kEdge = 1000;
    const auto start = Clock::now();
    auto first = start;
    auto last = start;
    for (std::size_t i = 0; i < count; ++i) {
        if (i == kEdge) {
            first = Clock::now();
        }
        if (i == count - kEdge) {
            last = Clock::now();
        }
        if (!allocator.allocate(requests[i])) {
            std::printf("allocation %zu refused\n", i);
            return;
        }
    }
    const auto end = Clock::now();
    for (const ipam::Request& request : requests) {
        allocator.release(request.service);
    }
    const auto released = Clock::now();
    std::printf(
        "%-14s %6zu allocations: %5.0f ns each, last/first thousand %.2f; release %5.0f ns\n",
        range,
        count,
        nanoseconds(start, end, count),
        nanoseconds(last, end, kEdge) / nanoseconds(start, first, kEdge),
        nanoseconds(end, released, count)
    );
}

}  // namespace

int main() {
    for (const std::size_t count : {10'000U, 30'000U, 60'000U}) {
        measure("10.0.0.0/16", net::Family::V4, count);
        measure("fd00::/64", net::Family::V6, count);
    }
}
