#pragma once

#include "controller/sim/check.hpp"
#include "controller/sim/cluster.hpp"
#include "controller/sim/replica.hpp"
#include "controller/sim/users.hpp"

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

// Two controllers that both believe they lead, and users, on one model API server, step by step in
// an order drawn from the seed: a watch event is delivered, a controller decides, a message moves
// or is lost, a user acts, a watch breaks, a controller crashes and comes back. Every now and then
// users and faults rest, and as soon as nothing moves any more everything is checked. Pure; the
// same seed gives the same run.
namespace steelyard::controller_sim {

struct SimulationOptions {
    std::uint64_t seed = 1;
    std::uint64_t steps = 10'000;
    std::size_t replicas = 2;
    std::uint64_t steps_between_rests = 300;  // on average
    // One leader, none of whose predecessors' writes are on their way, and nobody else who writes
    // status: then quotas have to hold, too. Two leaders may each give the last address of one.
    bool orderly = false;
};

struct SimulationReport {
    std::uint64_t steps = 0;
    std::uint64_t rests = 0;
    std::uint64_t writes = 0;
    // Of the rest at which something was wrong first, which ends the run; empty: nothing was.
    std::vector<std::string> wrong;
};

class Simulation {
public:
    explicit Simulation(const SimulationOptions& options);

    [[nodiscard]] SimulationReport run();

    // For tests that play a story of their own.
    [[nodiscard]] Cluster& cluster() { return cluster_; }
    [[nodiscard]] Replica& replica(std::size_t i) { return *replicas_.at(i); }
    // Until nothing moves; false when that does not come.
    bool rest();
    [[nodiscard]] WallTime now() const { return now_; }

private:
    void step();
    void pass_time();
    bool move(Replica& replica);
    [[nodiscard]] std::vector<std::string> check();
    void forget_logs();

    SimulationOptions options_;
    Rng rng_;
    Cluster cluster_;
    Users users_;
    std::vector<std::unique_ptr<Replica>> replicas_;
    WallTime now_ = WallTime{} + std::chrono::hours(24 * 365 * 50);
    std::uint64_t steps_ = 0;
    Kept kept_;  // at the rest before
    Taken taken_;
};

}  // namespace steelyard::controller_sim
