#include "bench/controller/cluster.hpp"
#include "bench/controller/daemon.hpp"
#include "bench/proxy/child.hpp"
#include "bench/proxy/loop.hpp"
#include "bench/proxy/objects.hpp"
#include "bench/proxy/parts.hpp"

#include <chrono>
#include <cstdio>
#include <fstream>
#include <sstream>
#include <thread>

// The speaker as the process it is, against the lab's API server: its memory, and how long it takes
// to have everything in the kernel.
namespace steelyard::bench {
namespace {

using namespace std::chrono_literals;

constexpr auto kPatience = 90s;
constexpr auto kRest = 10s;
constexpr const char* kConfig = "/run/bench-kubeconfig";
constexpr const char* kLog = "/run/bench-speaker.log";

bool log_says(const std::string& word) {
    std::ifstream file(kLog);
    std::ostringstream text;
    text << file.rdbuf();
    return text.str().find(word) != std::string::npos;
}

void wait_until_ready(Daemon& daemon) {
    const auto deadline = std::chrono::steady_clock::now() + kPatience;
    while (!log_says(R"("ready")")) {
        if (!daemon.alive() || std::chrono::steady_clock::now() >= deadline) {
            std::ifstream file(kLog);
            std::ostringstream text;
            text << file.rdbuf();
            fail("the speaker is not ready:\n" + text.str());
        }
        std::this_thread::sleep_for(20ms);
    }
}

void put_objects(Cluster& cluster, std::uint32_t services) {
    cluster.with_server([&](apiserver::ApiServer& server) {
        json node = json::object();
        node["metadata"]["name"] = "n0";
        node["status"]["addresses"].push_back({{"type", "InternalIP"}, {"address", kNodeAddress}});
        (void)server.put("nodes.", node);
        for (std::uint32_t number = 0; number < services; ++number) {
            (void)server.put("services.", json::parse(service_json(number)));
            (void)server.put(
                "endpointslices.discovery.k8s.io",
                json::parse(slice_json(number, usual(number), number + 1))
            );
        }
    });
}

// Resident, own and peak MB, seconds until ready, CPU seconds until then and in a rest of 10 s.
Numbers measure(std::uint32_t services, const std::string& speaker) {
    return once([&]() -> Numbers {
        Cluster cluster(Duration::zero());
        put_objects(cluster, services);
        std::ofstream(kConfig) << cluster.kubeconfig();
        const Stopwatch watch;
        Daemon daemon(
            speaker,
            {"--kubeconfig",
             kConfig,
             "--namespace",
             "metallb-system",
             "--node-name",
             "n0",
             "--proxy-mode=full",
             "--bgp-listen-port=0",
             "--port=0",
             "--health-probe-port=0"},
            kLog
        );
        wait_until_ready(daemon);
        const double seconds = watch.seconds();
        const double cpu = daemon.cpu_seconds();
        std::this_thread::sleep_for(kRest);
        const Daemon::Memory memory = daemon.memory();
        return {memory.resident, memory.own, memory.peak, seconds, cpu, daemon.cpu_seconds() - cpu};
    });
}

void tell(const char* when, const Numbers& found) {
    std::printf(
        "  %-28s %6.1f MB resident, %5.1f of them its own, peak %6.1f; ready after %.2f s (%.2f s "
        "of its CPU), then %.1f %% of the CPU\n",
        when,
        found[0],
        found[1],
        found[2],
        found[3],
        found[4],
        found[5] * 100 / std::chrono::duration<double>(kRest).count()
    );
}

}  // namespace

void bench_memory(const Settings& settings) {
    const Numbers idle = measure(0, settings.speaker);
    tell("no Service:", idle);
    const Numbers loaded = measure(kServices, settings.speaker);
    tell("10 000 Services x 5:", loaded);
    tell_at_most("resident without Services", idle[0], 8, " MB");
    tell_at_most("resident with 10 000 Services x 5 endpoints", loaded[0], 25, " MB");
}

}  // namespace steelyard::bench
