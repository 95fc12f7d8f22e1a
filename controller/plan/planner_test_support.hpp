#pragma once

#include "controller/plan/planner.hpp"

#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

// A planner together with the cluster it plans for: outcomes are written back into the objects, the
// way the API server would show them.
namespace steelyard::controller_plan::test {

inline net::IpAddress ip(const std::string& text) {
    return *net::IpAddress::parse(text);
}

inline config::Pool pool(std::string name, const std::vector<std::string>& ranges) {
    config::Pool made;
    made.name = std::move(name);
    for (const std::string& range : ranges) {
        made.ranges.push_back(*net::Range::parse(range));
    }
    return made;
}

// `age` orders Services: the lower, the older.
inline kube::Service service(const std::string& name, int age) {
    kube::Service made;
    made.meta.key = {"default", name};
    made.meta.uid = "uid-" + name;
    made.meta.creation_timestamp = WallTime{} + std::chrono::seconds(age);
    made.type = kube::ServiceType::LoadBalancer;
    made.cluster_ips = {ip("10.96.0.1")};
    made.ports = {{"http", net::Protocol::Tcp, 80, 30080}};
    return made;
}

class Cluster {
public:
    explicit Cluster(std::string load_balancer_class = "")
        : class_(std::move(load_balancer_class)) {
        planner.emplace(Options{class_, "metallb-system"});
        planner->on_synced();
    }

    void set_pools(std::vector<config::Pool> list) {
        auto made = std::make_shared<config::Config>();
        made->pools = std::move(list);
        config_ = std::move(made);
        planner->on_config(config_);
    }
    void put(const kube::Service& object) {
        objects[object.meta.key] = object;
        planner->on_service(std::make_shared<const kube::Service>(object));
    }
    void remove(const std::string& name) {
        objects.erase({"default", name});
        planner->on_service_deleted({"default", name});
    }
    // Plans and writes, until the planner has nothing more to write; returns all there was to say.
    std::vector<Event> run() {
        std::vector<Event> events;
        writes = 0;
        for (auto plan = planner->plan(now); !plan.outcomes.empty(); plan = planner->plan(now)) {
            for (const Outcome& outcome : plan.outcomes) {
                events.insert(events.end(), outcome.events.begin(), outcome.events.end());
                if (outcome.write) {
                    write(outcome);
                }
            }
        }
        return events;
    }
    // A new process with the same objects; pools and Services arrive in any order.
    void restart() {
        planner.emplace(Options{class_, "metallb-system"});
        for (const auto& [key, object] : objects) {
            planner->on_service(std::make_shared<const kube::Service>(object));
        }
        planner->on_config(config_);
        planner->on_synced();
    }
    std::string address_of(const std::string& name) {
        std::string text;
        for (const net::IpAddress& address : standing_of(at(name)).addresses) {
            text += (text.empty() ? "" : " ") + to_string(address);
        }
        return text;
    }
    // The condition's reason; "" when there is none.
    std::string reason_of(const std::string& name) {
        const auto condition = standing_of(at(name)).condition;
        return condition ? condition->reason : "";
    }
    kube::Service& at(const std::string& name) { return objects.at({"default", name}); }

    std::optional<Planner> planner;
    std::map<kube::ObjectKey, kube::Service> objects;
    int writes = 0;
    WallTime now{};

private:
    void write(const Outcome& outcome) {
        ++writes;
        kube::Service object = objects.at(outcome.service);
        std::erase_if(object.ingress, [](const auto& entry) { return entry.ip.has_value(); });
        for (const net::IpAddress& address : outcome.standing.addresses) {
            object.ingress.emplace_back().ip = address;
        }
        object.meta.annotations.erase(std::string(ipam::kAllocatedFromAnnotation));
        if (!outcome.standing.pool.empty()) {
            object.meta.annotations[std::string(ipam::kAllocatedFromAnnotation)] =
                outcome.standing.pool;
        }
        object.conditions.clear();
        if (outcome.standing.condition) {
            object.conditions.push_back(*outcome.standing.condition);
        }
        put(object);
    }

    std::string class_;
    std::shared_ptr<const config::Config> config_ = std::make_shared<config::Config>();
};

inline std::vector<std::string> reasons(const std::vector<Event>& events) {
    std::vector<std::string> list;
    for (const Event& event : events) {
        list.push_back(event.reason);
    }
    return list;
}

}  // namespace steelyard::controller_plan::test
