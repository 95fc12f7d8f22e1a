#pragma once

#include "bench/controller/cluster.hpp"

#include <cstddef>
#include <string>

// The whole controller as a process: Services that arrive at once, and what they cost to hold.
namespace steelyard::bench {

void bench_whole(
    Cluster& cluster, const std::string& binary, std::size_t services, double round_trip
);

}  // namespace steelyard::bench
