#include "bench/controller/whole.hpp"

#include "bench/controller/daemon.hpp"

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <functional>
#include <thread>
#include <utility>

namespace steelyard::bench {
namespace {

using namespace std::chrono_literals;

constexpr auto kPatience = 120s;
constexpr double kMostMegabytes = 40;

double seconds_since(Instant start) {
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

// A folder of its own, gone with this object.
class Folder {
public:
    Folder() {
        std::string name = (std::filesystem::temp_directory_path() / "sy-bench-XXXXXX").string();
        if (mkdtemp(name.data()) == nullptr) {
            give_up("cannot make a folder in " + name);
        }
        path_ = name;
    }
    Folder(const Folder&) = delete;
    Folder& operator=(const Folder&) = delete;
    ~Folder() { std::filesystem::remove_all(path_); }
    [[nodiscard]] std::string file(const char* name) const { return (path_ / name).string(); }

private:
    std::filesystem::path path_;
};

void wait_for(Daemon& daemon, const char* what, const std::function<bool()>& holds) {
    const Instant deadline = std::chrono::steady_clock::now() + kPatience;
    while (!holds()) {
        if (!daemon.alive()) {
            give_up("the controller ended");
        }
        if (std::chrono::steady_clock::now() >= deadline) {
            give_up(std::string("this did not happen: ") + what);
        }
        std::this_thread::sleep_for(2ms);
    }
}

void say(const char* when, const Daemon::Memory& memory) {
    std::printf(
        "%-36s %8.1f MB resident, %6.1f of them its own, peak %6.1f\n",
        when,
        memory.resident,
        memory.own,
        memory.peak
    );
}

struct Arrival {
    double seconds = 0;
    double in_flight = 0;  // mean, seen by the server
    std::uint64_t most = 0;
};

Arrival let_arrive(Cluster& cluster, Daemon& daemon, std::size_t services) {
    Arrival arrival;
    cluster.create_services(services);
    cluster.with_server([](apiserver::ApiServer& server) { server.counts().reset(); });
    const Instant start = std::chrono::steady_clock::now();
    double samples = 0;
    wait_for(daemon, "a status for every Service", [&] {
        const apiserver::RequestCount count = cluster.count("patch", "services/status");
        arrival.in_flight += static_cast<double>(count.in_flight);
        ++samples;
        arrival.most = count.most_in_flight;
        arrival.seconds = seconds_since(start);
        return count.total >= services && count.in_flight == 0;
    });
    arrival.in_flight /= samples;
    wait_for(daemon, "an address for every Service", [&] {
        const Cluster::Assigned assigned = cluster.assigned();
        return assigned.services == services && assigned.addresses == services;
    });
    return arrival;
}

}  // namespace

void bench_whole(
    Cluster& cluster, const std::string& binary, std::size_t services, double round_trip
) {
    const Folder folder;
    std::ofstream(folder.file("kubeconfig")) << cluster.kubeconfig();
    cluster.create_pool("10.0.0.0/8");
    Daemon daemon(
        binary,
        {"--kubeconfig",
         folder.file("kubeconfig"),
         "--namespace",
         "metallb-system",
         "--port",
         "0",
         "--health-probe-port",
         "0",
         "--webhook-mode",
         "disabled",
         "--log-level",
         "warn"},
        folder.file("log")
    );
    wait_for(daemon, "the pool's status is written", [&] {
        return cluster.count("patch", "ipaddresspools/status").total > 0;
    });
    const Daemon::Memory empty = daemon.memory();
    const double cpu = daemon.cpu_seconds();
    const Arrival arrival = let_arrive(cluster, daemon, services);
    const double rate = static_cast<double>(services) / arrival.seconds;
    std::printf(
        "\nthe controller, %zu Services at once: %.2f s, %.0f a second, %.1f x the serial client;\n"
        "  in flight %.1f (at most %llu), %.2f of in flight / round trip; %.0f us of its CPU "
        "each\n",
        services,
        arrival.seconds,
        rate,
        rate * round_trip / 1e3,
        arrival.in_flight,
        static_cast<unsigned long long>(arrival.most),
        rate * round_trip / 1e3 / arrival.in_flight,
        (daemon.cpu_seconds() - cpu) * 1e6 / static_cast<double>(services)
    );
    say("without Services:", empty);
    say("all have addresses:", daemon.memory());
    std::uint64_t events = 0;
    wait_for(daemon, "the Events are posted", [&] {
        return std::exchange(events, cluster.count("create", "events").total) == events &&
               cluster.count("create", "events").in_flight == 0;
    });
    std::this_thread::sleep_for(3s);
    const Daemon::Memory held = daemon.memory();
    say("3 s later:", held);
    std::printf(
        "  (aim <= %.0f MB: %s; %.2f kB a Service); %llu Events posted\n",
        kMostMegabytes,
        held.resident <= kMostMegabytes ? "yes" : "MISSED",
        (held.own - empty.own) * 1e3 / static_cast<double>(services),
        static_cast<unsigned long long>(cluster.count("create", "events").total)
    );
}

}  // namespace steelyard::bench
