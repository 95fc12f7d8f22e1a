#include "controller/sim/simulation.hpp"

#include <CLI/CLI.hpp>
#include <cstdio>

// The simulation in any size: simulate --steps 1000000 --seed 1. Exit status 1 when something was
// wrong; the seed replays it.
int main(int argc, char** argv) {
    using namespace steelyard::controller_sim;
    SimulationOptions options;
    CLI::App app("Two controllers that both believe they lead");
    app.add_option("--steps", options.steps, "What happens: messages, decisions, users, faults");
    app.add_option("--seed", options.seed, "The same seed gives the same run");
    app.add_option("--replicas", options.replicas, "Controllers that lead at the same time");
    app.add_flag("--orderly", options.orderly, "One leader without crashes or forged status");
    CLI11_PARSE(app, argc, argv);

    if (options.orderly) {
        options.replicas = 1;
    }
    Simulation simulation(options);
    const SimulationReport report = simulation.run();

    std::printf(
        "seed %llu: %llu steps, %llu rests, %llu writes, %s\n",
        static_cast<unsigned long long>(options.seed),
        static_cast<unsigned long long>(report.steps),
        static_cast<unsigned long long>(report.rests),
        static_cast<unsigned long long>(report.writes),
        report.wrong.empty() ? "nothing wrong" : "WRONG"
    );
    for (const std::string& line : report.wrong) {
        std::printf("  %s\n", line.c_str());
    }
    return report.wrong.empty() ? 0 : 1;
}
