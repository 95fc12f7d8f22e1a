#include "bench/controller/writers.hpp"

#include "common/kube/client/http_api.hpp"
#include "common/rt/sleep.hpp"
#include "controller/write/status_writers.hpp"

#include <chrono>
#include <cstdio>
#include <map>
#include <memory>
#include <optional>
#include <utility>

namespace steelyard::bench {
namespace {

using Services = std::map<kube::ObjectKey, std::shared_ptr<const kube::Service>>;

constexpr std::size_t kSerial = 1000;  // writes of the serial client
constexpr Duration kPatience = std::chrono::minutes(5);
constexpr auto kServiceType = kube::Resource<kube::Service>::kType;

double seconds_since(Instant start) {
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

// One loop for everything that is measured, and an API client on it.
class Client {
public:
    explicit Client(Cluster& cluster) {
        auto api = kube::HttpKubeApi::make(cluster.client_config());
        if (!api) {
            give_up(to_string(api.error()));
        }
        api_ = std::move(*api);
    }
    [[nodiscard]] kube::KubeApi& api() { return *api_; }
    [[nodiscard]] asio::any_io_executor executor() { return ioc_.get_executor(); }

    // Runs the task together with those it spawned in `beside`.
    void run(const std::function<awaitable<void>(rt::TaskGroup& beside)>& body) {
        const auto fail = [](const std::string& name, const std::exception_ptr& error) {
            if (error != nullptr) {
                give_up(name + ": " + rt::describe(error));
            }
        };
        rt::TaskGroup beside(executor(), fail);
        rt::TaskGroup tasks(executor(), fail);
        const auto whole = [&]() -> awaitable<void> {
            co_await body(beside);
            beside.cancel();
            co_await beside.join();
        };
        tasks.spawn("bench", whole());
        ioc_.restart();
        ioc_.run();
    }

private:
    asio::io_context ioc_{1};
    std::unique_ptr<kube::HttpKubeApi> api_;
};

awaitable<Services> read_services(kube::KubeApi& api) {
    const kube::Collection collection(kServiceType, "default");
    const auto list = co_await api.list(collection);
    Services services;
    if (!list) {
        give_up(to_string(list.error()));
    }
    for (const json& item : (*list)["items"]) {
        auto service = kube::Resource<kube::Service>::decode(item);
        if (service && service->type == kube::ServiceType::LoadBalancer) {
            kube::ObjectKey key = service->meta.key;
            services[std::move(key)] = std::make_shared<const kube::Service>(std::move(*service));
        }
    }
    co_return services;
}

// The n-th address of a block that differs from run to run, so that each run changes every object.
controller_plan::Standing standing(unsigned run, std::size_t n) {
    const std::string address =
        "10." + std::to_string(run) + "." + std::to_string(n / 250) + "." + std::to_string(n % 250);
    controller_plan::Standing made;
    made.addresses.push_back(net::IpAddress::parse(address).value());
    made.pool = "all";
    return made;
}

// The milliseconds one write takes, one after the other.
double serial_client(Client& client, unsigned run) {
    double result = 0;
    client.run([&](rt::TaskGroup&) -> awaitable<void> {
        const Services services = co_await read_services(client.api());
        const Instant start = std::chrono::steady_clock::now();
        std::size_t n = 0;
        for (const auto& [key, service] : services) {
            if (n == kSerial) {
                break;
            }
            const kube::ObjectRef ref(kServiceType, key, "status");
            json patch = json::object();
            json entry = json::object();
            entry["ip"] = to_string(standing(run, n++).addresses.front());
            patch["metadata"]["resourceVersion"] = service->meta.resource_version;
            patch["status"]["loadBalancer"]["ingress"].push_back(std::move(entry));
            const auto answer =
                co_await client.api().patch(ref, kube::PatchType::Merge, std::move(patch));
            if (!answer) {
                give_up(to_string(answer.error()));
            }
        }
        result = seconds_since(start) * 1e3 / static_cast<double>(n);
    });
    return result;
}

struct Outcome {
    double seconds = 0;
    double in_flight = 0;  // mean, over the writes
    unsigned window = 0;   // at the end
};

class NoSink final : public log::Sink {
    void write(log::Level, std::string_view) override {}
};

// All Services written at once. `during` runs beside it.
Outcome write_all(
    Client& client,
    const controller::WindowOptions& window,
    unsigned run,
    const std::function<awaitable<void>()>& during = {}
) {
    Outcome outcome;
    client.run([&](rt::TaskGroup& beside) -> awaitable<void> {
        const Services services = co_await read_services(client.api());
        metrics::Registry registry;
        metrics::CounterFamily& errors = registry.counter("errors", "Failed writes.");
        const log::Logger logger(std::make_shared<NoSink>(), log::Level::None, "bench");
        std::optional<controller::StatusWriters> writers;
        const auto lookup = [&](const kube::ObjectKey& key) {
            const auto found = services.find(key);
            return found == services.end() ? nullptr : found->second;
        };
        double in_flight = 0;
        // Asked once a write.
        const auto clock = [&] {
            in_flight += writers->schedule().window().in_flight();
            return std::chrono::system_clock::now();
        };
        writers.emplace(client.executor(), client.api(), logger, errors, clock, 1, lookup, window);
        rt::TaskGroup tasks(client.executor(), [](const auto&, const auto&) {});
        writers->start(tasks);
        if (during) {
            beside.spawn("trouble", during());
        }
        const Instant start = std::chrono::steady_clock::now();
        std::size_t n = 0;
        for (const auto& [key, service] : services) {
            writers->put(key, service->meta.uid, standing(run, n++));
        }
        co_await writers->drain(start + kPatience);
        outcome.seconds = seconds_since(start);
        outcome.in_flight = in_flight / static_cast<double>(n);
        outcome.window = writers->schedule().window().size();
        tasks.cancel();
        co_await tasks.join();
    });
    return outcome;
}

void check_written(Cluster& cluster, std::size_t services) {
    const Cluster::Assigned assigned = cluster.assigned();
    if (assigned.services != services || assigned.addresses != services) {
        give_up("not every Service shows its address");
    }
}

void bench_windows(Client& client, Cluster& cluster, std::size_t services, double round_trip) {
    std::printf(
        "%-10s %12s %14s %22s %10s\n",
        "window",
        "in flight",
        "writes/s",
        "of window/round trip",
        "x serial"
    );
    unsigned run = 10;
    for (const unsigned size : {1U, 4U, 8U, 16U, 32U, 64U, 0U}) {
        controller::WindowOptions window;
        if (size != 0) {
            window.least = window.first = window.most = size;
        }
        const Outcome outcome = write_all(client, window, ++run);
        check_written(cluster, services);
        const double rate = static_cast<double>(services) / outcome.seconds;
        const double full = size != 0 ? size : outcome.in_flight;
        const std::string name =
            size != 0 ? std::to_string(size) : "adaptive " + std::to_string(outcome.window);
        std::printf(
            "%-10s %12.1f %14.0f %22.2f %10.1f\n",
            name.c_str(),
            outcome.in_flight,
            rate,
            rate * round_trip / 1e3 / full,
            rate * round_trip / 1e3
        );
    }
}

void bench_storm(Client& client, Cluster& cluster, std::size_t services) {
    constexpr auto kStorm = std::chrono::seconds(10);
    cluster.with_server([](apiserver::ApiServer& server) { server.counts().reset(); });
    cluster.storm();
    std::uint64_t during_storm = 0;
    Instant calm{};
    const auto trouble = [&]() -> awaitable<void> {
        co_await rt::sleep_for(kStorm);
        during_storm = cluster.count("patch", "services/status").total;
        cluster.calm();
        calm = std::chrono::steady_clock::now();
    };
    const Outcome outcome = write_all(client, {}, 99, trouble);
    const double after = seconds_since(calm);
    check_written(cluster, services);
    const std::uint64_t total = cluster.count("patch", "services/status").total;
    std::printf(
        "\n10 s of nothing but 429 (Retry-After 1 s): %llu requests in it; %.2f requests a write "
        "in "
        "all (aim <= 1.2); last write %.1f s after its end (aim <= 5), window %u\n",
        static_cast<unsigned long long>(during_storm),
        static_cast<double>(total) / static_cast<double>(services),
        after,
        outcome.window
    );
}

}  // namespace

double bench_writers(Cluster& cluster, std::size_t services) {
    cluster.create_services(services);
    Client client(cluster);
    const double round_trip = serial_client(client, 1);
    std::printf("serial client: %.2f ms a write, %.0f writes/s\n\n", round_trip, 1e3 / round_trip);
    bench_windows(client, cluster, services, round_trip);
    bench_storm(client, cluster, services);
    return round_trip;
}

}  // namespace steelyard::bench
