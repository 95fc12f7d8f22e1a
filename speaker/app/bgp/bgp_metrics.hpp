#pragma once

#include "common/metrics/metrics.hpp"
#include "speaker/app/bgp/wire_bgp.hpp"
#include "speaker/plan/bgp.hpp"

#include <cstddef>
#include <map>

// BGP and BFD under MetalLB's metric names, those of its native and of its FRR mode, with labels
// `peer` ("ip:port"; BFD: "ip") and `name`, the BGPPeer's.
namespace steelyard::speaker {

// `routes`: planned for all peers together.
void count_bgp(metrics::Registry& registry, const BgpCounters& counters, std::size_t routes);

// Adds samples of metallb_speaker_announced for what has a route.
void add_announced(
    const speaker_plan::BgpPlan& plan,
    const std::string& node_name,
    std::map<metrics::Labels, double>& samples
);

}  // namespace steelyard::speaker
