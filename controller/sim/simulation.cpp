#include "controller/sim/simulation.hpp"

#include "controller/sim/check.hpp"

#include <algorithm>
#include <array>
#include <iterator>

namespace steelyard::controller_sim {
namespace {

// Far more than two controllers need to agree about a few dozen Services.
constexpr std::uint64_t kLongestRest = 50'000;

}  // namespace

Simulation::Simulation(const SimulationOptions& options)
    : options_(options), rng_(options.seed), users_(cluster_, Rng(rng_.next()), !options.orderly) {
    for (std::size_t i = 0; i < options_.replicas; ++i) {
        replicas_.push_back(std::make_unique<Replica>(cluster_, Rng(rng_.next())));
    }
}

SimulationReport Simulation::run() {
    SimulationReport report;
    while (steps_ < options_.steps && report.wrong.empty()) {
        const std::uint64_t busy = 1 + rng_.below(2 * options_.steps_between_rests);
        for (std::uint64_t i = 0; i < busy; ++i) {
            step();
        }
        if (!rest()) {
            report.wrong.emplace_back("the controllers never come to rest");
        } else {
            report.wrong = check();
            forget_logs();
        }
        ++report.rests;
    }
    report.steps = steps_;
    report.writes = cluster_.writes();
    return report;
}

// Several things happen in one second, which is all that creation times tell apart.
void Simulation::pass_time() {
    ++steps_;
    if (rng_.below(4) == 0) {
        now_ += std::chrono::seconds(1);
    }
}

void Simulation::step() {
    pass_time();
    Replica& replica = *replicas_[rng_.below(replicas_.size())];
    const std::uint64_t what = rng_.below(1000);
    if (what < 80) {
        users_.act(now_);
    } else if (what < 84 && !options_.orderly) {
        replica.start();
    } else if (what < 90) {
        replica.relist();
    } else if (what < 500) {
        replica.deliver(kKinds[rng_.below(std::size(kKinds))]);
    } else if (what < 650) {
        replica.plan(now_);
    } else if (what < 750) {
        replica.begin_write(now_);
    } else if (what < 780) {
        replica.begin_reservation_write();
    } else if (what < 940) {
        replica.move_message(now_, true);
    } else {
        replica.move_reservation_message(true);
    }
}

// Anything that is under way, in any order.
bool Simulation::move(Replica& replica) {
    std::array<unsigned, 9> order{0, 1, 2, 3, 4, 5, 6, 7, 8};
    std::shuffle(order.begin(), order.end(), rng_);
    return std::any_of(order.begin(), order.end(), [&](unsigned what) {
        switch (what) {
            case 4:
                return replica.plan(now_);
            case 5:
                return replica.begin_write(now_);
            case 6:
                return replica.begin_reservation_write();
            case 7:
                return replica.move_message(now_, false);
            case 8:
                return replica.move_reservation_message(false);
            default:
                return replica.deliver(kKinds[what]);
        }
    });
}

bool Simulation::rest() {
    for (std::uint64_t i = 0; i < kLongestRest; ++i) {
        pass_time();
        const std::size_t first = rng_.below(replicas_.size());
        bool moved = false;
        for (std::size_t k = 0; k < replicas_.size() && !moved; ++k) {
            moved = move(*replicas_[(first + k) % replicas_.size()]);
        }
        if (!moved) {
            return true;
        }
    }
    return false;
}

std::vector<std::string> Simulation::check() {
    std::vector<std::string> found = wrong(cluster_);
    const auto add = [&](const std::vector<std::string>& more) {
        found.insert(found.end(), more.begin(), more.end());
    };
    if (options_.orderly) {
        add(given_away(cluster_, kept_));
        kept_ = kept_now(cluster_);
        add(beyond_quota(cluster_, taken_));
        taken_ = taken_now(cluster_);
    }
    for (const auto& replica : replicas_) {
        add(unsettled(cluster_, replica->planner(), now_));
    }
    return found;
}

// Everybody has read everything.
void Simulation::forget_logs() {
    cluster_.service_log.forget_before(cluster_.service_log.end());
    cluster_.namespace_log.forget_before(cluster_.namespace_log.end());
    cluster_.config_log.forget_before(cluster_.config_log.end());
    cluster_.reservation_log.forget_before(cluster_.reservation_log.end());
}

}  // namespace steelyard::controller_sim
