#pragma once

#include "bench/controller/cluster.hpp"

#include <cstddef>

// The status writers alone, as the controller uses them, against an API server with a latency: how
// near the rate comes to window / round trip.
namespace steelyard::bench {

// Milliseconds of one status write when nothing else goes on, as a serial client has it.
[[nodiscard]] double bench_writers(Cluster& cluster, std::size_t services);

}  // namespace steelyard::bench
