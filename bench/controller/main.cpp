#include "bench/controller/cluster.hpp"
#include "bench/controller/whole.hpp"
#include "bench/controller/writers.hpp"

#include <CLI/CLI.hpp>
#include <chrono>
#include <cstdio>
#include <filesystem>
#include <string>

// What 10 000 Services at once cost the controller: see README.md beside this file.
int main(int argc, char** argv) {
    using namespace steelyard;
    CLI::App app("The controller's speed and size against an API server with a latency");
    std::size_t services = 10'000;
    double latency = 2;
    std::string only;
    std::string binary = (std::filesystem::read_symlink("/proc/self/exe").parent_path() /
                          "../../controller" / "steelyard-controller")
                             .string();
    app.add_option("--services", services, "how many")->check(CLI::Range(1, 60'000));
    app.add_option("--latency", latency, "of the API server, milliseconds");
    app.add_option("--only", only, "one part")->check(CLI::IsMember({"writers", "controller"}));
    app.add_option("--controller", binary, "the program");
    CLI11_PARSE(app, argc, argv);

    const auto delay =
        std::chrono::duration_cast<Duration>(std::chrono::duration<double, std::milli>(latency));
    std::printf("%zu Services, an API with %.1f ms\n", services, latency);
    double round_trip = latency;
    if (only != "controller") {
        bench::Cluster cluster(delay);
        round_trip = bench::bench_writers(cluster, services);
    }
    if (only != "writers") {
        bench::Cluster cluster(delay);
        bench::bench_whole(cluster, binary, services, round_trip);
    }
    return 0;
}
