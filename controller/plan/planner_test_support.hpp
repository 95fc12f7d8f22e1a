#pragma once

#include "controller/plan/planner.hpp"

#include <gtest/gtest.h>

#include <map>
#include <memory>
#include <optional>
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

inline kube::Service dual_service(const std::string& name, int age, kube::IpFamilyPolicy policy) {
    kube::Service made = service(name, age);
    made.cluster_ips = {ip("10.96.0.1"), ip("fd96::1")};
    made.ip_family_policy = policy;
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
    void set_policies(std::vector<config::AllocationPolicy> list) {
        auto made = std::make_shared<config::Config>(*config_);
        made->policies = std::move(list);
        config_ = std::move(made);
        planner->on_config(config_);
    }
    void put(kube::AddressReservation object) {
        object.meta.uid = object.meta.uid.empty() ? "uid-" + object.meta.key.name : object.meta.uid;
        reservations[object.meta.key] = object;
        planner->on_reservation(std::make_shared<const kube::AddressReservation>(object));
    }
    // Plans and writes, until the planner has nothing more to write; returns all there was to say.
    std::vector<Event> run() {
        std::vector<Event> events;
        writes = 0;
        for (int round = 0; round < 20; ++round) {
            const Plan plan = planner->plan(now);
            next = plan.next;
            if (plan.outcomes.empty() && plan.reservations.empty()) {
                return events;
            }
            for (const Outcome& outcome : plan.outcomes) {
                events.insert(events.end(), outcome.events.begin(), outcome.events.end());
                if (outcome.write) {
                    write(outcome);
                }
            }
            for (const ReservationChange& change : plan.reservations) {
                write(change);
            }
        }
        ADD_FAILURE() << "the planner never comes to rest";
        return events;
    }
    // A new process with the same objects; pools and Services arrive in any order.
    void restart() {
        planner.emplace(Options{class_, "metallb-system"});
        for (const auto& [key, object] : objects) {
            planner->on_service(std::make_shared<const kube::Service>(object));
        }
        for (const auto& [key, object] : reservations) {
            planner->on_reservation(std::make_shared<const kube::AddressReservation>(object));
        }
        for (const auto& [name, labels] : namespaces) {
            planner->on_namespace(name, labels);
        }
        planner->on_config(config_);
        planner->on_synced();
    }
    void set_namespace(const std::string& name, kube::Labels labels) {
        namespaces[name] = labels;
        planner->on_namespace(name, std::move(labels));
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
    std::map<kube::ObjectKey, kube::AddressReservation> reservations;
    std::map<std::string, kube::Labels> namespaces;
    int writes = 0;
    WallTime now{std::chrono::seconds(1'000'000)};
    std::optional<WallTime> next;

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

    void write(const ReservationChange& change) {
        const kube::ObjectKey key = change.object.meta.key;
        const auto found = reservations.find(key);
        switch (change.kind) {
            case ReservationChange::Kind::Create: {
                ASSERT_EQ(found, reservations.end());
                kube::AddressReservation made = change.object;
                made.meta.uid = "made-" + std::to_string(++made_);
                made.pool.clear();  // the API ignores a status here
                made.in_use = false;
                made.released_at.reset();
                made.expires_at.reset();
                put(made);
                return;
            }
            case ReservationChange::Kind::Status: {
                ASSERT_NE(found, reservations.end());
                kube::AddressReservation updated = found->second;
                updated.pool = change.object.pool;
                updated.in_use = change.object.in_use;
                updated.released_at = change.object.released_at;
                updated.expires_at = change.object.expires_at;
                put(updated);
                return;
            }
            case ReservationChange::Kind::Delete:
                ASSERT_NE(found, reservations.end());
                ASSERT_EQ(found->second.meta.uid, change.object.meta.uid);
                reservations.erase(found);
                planner->on_reservation_deleted(key);
                return;
        }
    }

    int made_ = 0;
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
