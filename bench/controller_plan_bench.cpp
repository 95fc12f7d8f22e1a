#include "controller/plan/planner.hpp"

#include <malloc.h>

#include <algorithm>
#include <cstdio>
#include <ctime>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

// What one change costs the planner among 100, 1000 and 10 000 Services: it must not depend on
// their number. And the memory it takes for each Service beside the decoded object itself. CPU time
// of this process, median of many changes.
namespace {

using namespace steelyard;
using controller_plan::Plan;
using controller_plan::Planner;

constexpr int kChanges = 201;

double cpu_nanoseconds() {
    timespec now{};
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return static_cast<double>(now.tv_sec) * 1e9 + static_cast<double>(now.tv_nsec);
}

std::size_t heap_bytes() {
    return mallinfo2().uordblks;
}

std::shared_ptr<kube::Service> service(const std::string& name, int age) {
    auto made = std::make_shared<kube::Service>();
    made->meta.key = {"default", name};
    made->meta.uid = "00000000-0000-0000-0000-" + name;
    made->meta.creation_timestamp = WallTime{} + std::chrono::seconds(age);
    made->type = kube::ServiceType::LoadBalancer;
    made->cluster_ips = {*net::IpAddress::parse("10.96.0.1")};
    made->ports = {{"http", net::Protocol::Tcp, 80, 30080}};
    return made;
}

// The planner and the objects as the API shows them.
class Cluster {
public:
    explicit Cluster(const std::vector<std::string>& ranges) {
        auto config = std::make_shared<config::Config>();
        for (const std::string& range : ranges) {
            config::Pool& pool = config->pools.emplace_back();
            pool.name = "pool-" + std::to_string(config->pools.size());
            pool.ranges = {*net::Range::parse(range)};
        }
        planner_.on_config(config);
        planner_.on_synced();
    }
    void put(std::shared_ptr<kube::Service> object) {
        objects_[object->meta.key.name] = object;
        planner_.on_service(object);
    }
    void remove(const std::string& name) {
        const kube::ObjectKey key{"default", name};
        objects_.erase(name);
        planner_.on_service_deleted(key);
    }
    [[nodiscard]] std::shared_ptr<kube::Service> copy(const std::string& name) const {
        return std::make_shared<kube::Service>(*objects_.at(name));
    }
    // Writes what was decided, and lets the planner see it, until it rests.
    void settle() {
        for (Plan plan = planner_.plan({}); !plan.outcomes.empty(); plan = planner_.plan({})) {
            for (const controller_plan::Outcome& outcome : plan.outcomes) {
                auto object = copy(outcome.service.name);
                object->ingress.clear();
                for (const net::IpAddress& address : outcome.standing.addresses) {
                    object->ingress.emplace_back().ip = address;
                }
                object->meta.annotations[std::string(ipam::kAllocatedFromAnnotation)] =
                    outcome.standing.pool;
                object->conditions = {*outcome.standing.condition};
                put(object);
            }
        }
    }
    [[nodiscard]] std::size_t decided() { return planner_.plan({}).decided; }

private:
    std::map<std::string, std::shared_ptr<kube::Service>> objects_;
    Planner planner_{controller_plan::Options{"", "metallb-system"}};
};

struct Cost {
    double nanoseconds = 0;
    std::size_t decided = 0;  // Services looked at
};

// `change` is told how often it was called; only the plan that follows it is timed.
Cost median_cost(Cluster& cluster, const std::function<void(int)>& change) {
    std::vector<double> times;
    Cost cost;
    for (int i = 0; i < kChanges; ++i) {
        change(i);
        const double start = cpu_nanoseconds();
        cost.decided = cluster.decided();
        times.push_back(cpu_nanoseconds() - start);
        cluster.settle();
    }
    std::sort(times.begin(), times.end());
    cost.nanoseconds = times[times.size() / 2];
    return cost;
}

void measure(int count) {
    // Half of them hold an address; the others wait for a pool of one address that is taken.
    Cluster cluster({"10.0.0.0/16", "10.9.0.1/32"});
    for (int i = 0; i < count; ++i) {
        auto made = service("s" + std::to_string(i), i);
        if (i % 2 == 1) {
            made->meta.annotations[std::string(ipam::kAddressPoolAnnotation)] = "pool-2";
        }
        cluster.put(made);
    }
    cluster.settle();
    const auto relabel = [&](int i) {
        auto changed = cluster.copy("s0");
        changed->meta.labels["round"] = std::to_string(i);
        cluster.put(changed);
    };
    const auto arrive = [&](int i) {
        cluster.put(service("new-" + std::to_string(i), count + i));
    };
    const auto leave = [&](int i) {
        cluster.remove("new-" + std::to_string(i));
    };
    // The one address of the second pool goes from each holder to the oldest of those who wait.
    const auto hand_over = [&](int i) {
        const std::string holder = "s" + std::to_string(2 * i + 1);
        if (2 * i + 1 < count) {
            cluster.remove(holder);
        }
    };
    const Cost changed = median_cost(cluster, relabel);
    const Cost arrived = median_cost(cluster, arrive);
    const Cost left = median_cost(cluster, leave);
    const Cost passed = count >= 2 * kChanges ? median_cost(cluster, hand_over) : Cost{};
    std::printf(
        "%6d Services: change %5.1f us, arrival %5.1f us, departure %5.1f us, departure that "
        "serves "
        "a waiter %5.1f us (%zu looked at)\n",
        count,
        changed.nanoseconds / 1e3,
        arrived.nanoseconds / 1e3,
        left.nanoseconds / 1e3,
        passed.nanoseconds / 1e3,
        passed.decided
    );
}

// At rest: what was decided is what the objects show.
void measure_memory(int count) {
    std::vector<std::shared_ptr<const kube::Service>> shown;
    const std::size_t empty = heap_bytes();
    for (int i = 0; i < count; ++i) {
        const auto address = net::IpAddress::v4(0x0a000000U + static_cast<unsigned>(i));
        auto made = service("service-" + std::to_string(i), i);
        made->ingress.emplace_back().ip = address;
        made->meta.annotations[std::string(ipam::kAllocatedFromAnnotation)] = "pool-1";
        kube::ServiceCondition& condition = made->conditions.emplace_back();
        condition.type = controller_plan::kConditionType;
        condition.status = true;
        condition.reason = "Assigned";
        condition.message = "[\"" + to_string(address) + "\"] from pool \"pool-1\"";
        shown.push_back(std::move(made));
    }
    const std::size_t decoded = heap_bytes();
    Planner planner{controller_plan::Options{"", "metallb-system"}};
    auto config = std::make_shared<config::Config>();
    config::Pool& pool = config->pools.emplace_back();
    pool.name = "pool-1";
    pool.ranges = {*net::Range::parse("10.0.0.0/16")};
    planner.on_config(config);
    planner.on_synced();
    for (const auto& object : shown) {
        planner.on_service(object);
    }
    const double start = cpu_nanoseconds();
    const std::size_t said = planner.plan({}).outcomes.size();
    const double spent = cpu_nanoseconds() - start;
    const auto each = [&](std::size_t bytes) {
        return static_cast<double>(bytes) / static_cast<double>(count);
    };
    std::printf(
        "%6d Services: first plan after a start %.1f ms (%zu to write); planner and allocator %.0f "
        "bytes each, the decoded object %.0f bytes\n",
        count,
        spent / 1e6,
        said,
        each(heap_bytes() - decoded),
        each(decoded - empty)
    );
}

}  // namespace

int main() {
    for (const int count : {100, 1000, 10'000}) {
        measure(count);
    }
    measure_memory(10'000);
}
