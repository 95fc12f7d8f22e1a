#include "bench/proxy/parts.hpp"

#include <unistd.h>

#include <CLI/CLI.hpp>
#include <cstdio>
#include <filesystem>
#include <map>
#include <string>
#include <vector>

namespace steelyard::bench {

void tell_at_most(const char* what, double value, double aim, const char* unit) {
    const char* verdict = value <= aim ? "yes" : "MISSED";
    std::printf("  %-58s %10.3f%s (aim <= %g: %s)\n", what, value, unit, aim, verdict);
}

void tell_at_least(const char* what, double value, double aim, const char* unit) {
    const char* verdict = value >= aim ? "yes" : "MISSED";
    std::printf("  %-58s %10.3f%s (aim >= %g: %s)\n", what, value, unit, aim, verdict);
}

}  // namespace steelyard::bench

// What the service proxy costs in a kernel with IPVS: see README.md beside this file.
int main(int argc, char** argv) {
    using namespace steelyard::bench;
    CLI::App app("The service proxy's figures; run it in the lab's kernel, as root");
    const std::vector<std::pair<std::string, void (*)(const Settings&)>> parts{
        {"programming", bench_programming},
        {"change", bench_change},
        {"audit", bench_audit},
        {"restart", bench_restart},
        {"routes", bench_routes},
        {"packets", bench_packets},
        {"apart", bench_apart},
        {"memory", bench_memory}};
    std::vector<std::string> names;
    for (const auto& [name, run] : parts) {
        names.push_back(name);
    }
    std::vector<std::string> chosen;
    Settings settings;
    settings.speaker = (std::filesystem::read_symlink("/proc/self/exe").parent_path() /
                        "../../speaker" / "steelyard-speaker")
                           .string();
    app.add_option("part", chosen, "all without any")->check(CLI::IsMember(names));
    app.add_option("--rounds", settings.rounds, "of each, medians count")->check(CLI::Range(1, 99));
    app.add_option("--speaker", settings.speaker, "the program");
    CLI11_PARSE(app, argc, argv);
    std::setvbuf(stdout, nullptr, _IOLBF, 0);
    if (::geteuid() != 0) {
        std::fprintf(stderr, "needs root, in the lab's kernel: e2e/lab/lab run -- %s\n", argv[0]);
        return 2;
    }
    for (const auto& [name, run] : parts) {
        if (chosen.empty() || std::find(chosen.begin(), chosen.end(), name) != chosen.end()) {
            std::printf("%s\n", name.c_str());
            run(settings);
            std::fflush(stdout);
        }
    }
    return 0;
}
