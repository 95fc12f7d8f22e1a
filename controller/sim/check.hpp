#pragma once

#include "controller/plan/planner.hpp"
#include "controller/sim/cluster.hpp"

#include <cstdint>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

// What must hold when nothing moves any more, judged from the objects alone. Pure.
namespace steelyard::controller_sim {

// Two Services show one address without being allowed to share it; a Service shows an address that
// no pool has, that a policy excludes, or that it may not have; a Service that could have an
// address has none; a Service of somebody else carries our mark. One line each.
[[nodiscard]] std::vector<std::string> wrong(const Cluster& cluster);

// What was reserved at a rest, and who showed it: of what stays so until the next one, nothing may
// have been given to another Service. Asked before the logs since then are forgotten.
struct Kept {
    std::map<kube::ObjectKey, ReservationPtr> reservations;
    std::set<std::pair<std::string, net::IpAddress>> shown;  // uid of the Service, address
};
[[nodiscard]] Kept kept_now(const Cluster& cluster);
[[nodiscard]] std::vector<std::string> given_away(const Cluster& cluster, const Kept& before);

// How many addresses each namespace had of each policy's pools at a rest. As long as the
// configuration lasts, a quota may be exceeded only by what was exceeded before.
struct Taken {
    std::shared_ptr<const config::Config> config;
    std::map<std::pair<std::string, std::string>, std::int64_t> addresses;  // by policy, namespace
};
[[nodiscard]] Taken taken_now(const Cluster& cluster);
[[nodiscard]] std::vector<std::string> beyond_quota(const Cluster& cluster, const Taken& before);

// What a controller that starts now would write, and how its counts differ: a restart must change
// nothing.
[[nodiscard]] std::vector<std::string> unsettled(
    const Cluster& cluster, const controller_plan::Planner& planner, WallTime now
);

}  // namespace steelyard::controller_sim
