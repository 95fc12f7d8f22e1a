#pragma once

#include "controller/plan/planner.hpp"
#include "controller/sim/cluster.hpp"

#include <string>
#include <vector>

// What must hold when nothing moves any more, judged from the objects alone. Pure.
namespace steelyard::controller_sim {

// Two Services show one address without being allowed to share it; a Service shows an address that
// no pool has, or that it may not have; a Service that could have an address has none; a Service of
// somebody else carries our mark. One line each.
[[nodiscard]] std::vector<std::string> wrong(const Cluster& cluster);

// What a controller that starts now would write, and how its counts differ: a restart must change
// nothing.
[[nodiscard]] std::vector<std::string> unsettled(
    const Cluster& cluster, const controller_plan::Planner& planner, WallTime now
);

}  // namespace steelyard::controller_sim
