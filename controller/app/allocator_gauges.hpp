#pragma once

#include "common/metrics/metrics.hpp"
#include "controller/ipam/allocator.hpp"

#include <vector>

namespace steelyard::controller {

// MetalLB's metallb_allocator_* gauges, one sample per pool; pools that are gone disappear.
void update_allocator_gauges(
    metrics::Registry& registry, const std::vector<ipam::PoolCount>& counts
);

}  // namespace steelyard::controller
