#include "common/base/rng.hpp"
#include "controller/plan/planner_test_support.hpp"

#include <gtest/gtest.h>

#include <set>

// Random lives of a small cluster: whatever happened, a restart changes nothing, no address has two
// owners that do not share, and nobody waits for an address that is free.
namespace steelyard::controller_plan {
namespace {

using test::Cluster;
using test::pool;
using test::service;

std::vector<config::Pool> some_pools(Rng& rng) {
    std::vector<config::Pool> list{pool("a", {"10.0.0.0-10.0.0.5"})};
    if (rng.below(2) == 0) {
        list.push_back(pool("b", {"10.0.1.0/30"}));
    }
    list[0].avoid_buggy_ips = rng.below(4) == 0;
    return list;
}

void random_event(Cluster& cluster, Rng& rng, int step) {
    const std::string name = "s" + std::to_string(rng.below(14));
    const bool exists = cluster.objects.contains({"default", name});
    switch (rng.below(7)) {
        case 0:
            cluster.set_pools(some_pools(rng));
            return;
        case 1:
            if (exists) {
                cluster.remove(name);
            }
            return;
        case 2:
            if (exists) {
                cluster.at(name).type = rng.below(2) == 0 ? kube::ServiceType::ClusterIp
                                                          : kube::ServiceType::LoadBalancer;
                cluster.put(cluster.at(name));
            }
            return;
        case 3:
            if (exists) {
                cluster.at(name).meta.annotations[std::string(ipam::kSharingAnnotation)] =
                    rng.below(2) == 0 ? "k" : "";
                cluster.at(name).ports[0].port = static_cast<std::uint16_t>(80 + rng.below(3));
                cluster.put(cluster.at(name));
            }
            return;
        case 4:
            if (exists) {
                cluster.at(name).load_balancer_ip =
                    rng.below(2) == 0 ? "" : "10.0.0." + std::to_string(rng.below(8));
                cluster.put(cluster.at(name));
            }
            return;
        default:
            if (!exists) {
                kube::Service made = service(name, step);
                made.meta.uid += "-" + std::to_string(step);
                cluster.put(made);
            }
    }
}

void expect_no_conflict(const Cluster& cluster) {
    std::map<net::IpAddress, std::vector<const kube::Service*>> holders;
    for (const auto& [key, object] : cluster.objects) {
        for (const net::IpAddress& address : standing_of(object).addresses) {
            for (const kube::Service* other : holders[address]) {
                EXPECT_NE(object.ports, other->ports) << to_string(address);
            }
            holders[address].push_back(&object);
        }
    }
}

class PlannerPropertyTest : public testing::TestWithParam<std::uint64_t> {};

TEST_P(PlannerPropertyTest, WhateverHappenedARestartChangesNothing) {
    SCOPED_TRACE("seed " + std::to_string(GetParam()));
    Rng rng(GetParam());
    Cluster cluster;
    cluster.set_pools(some_pools(rng));
    for (int step = 0; step < 120; ++step) {
        random_event(cluster, rng, step);
        if (rng.below(3) != 0) {
            continue;  // several events meet in one plan
        }
        cluster.run();
        expect_no_conflict(cluster);
    }
    cluster.run();
    const auto counts = cluster.planner->counts();

    cluster.restart();

    const auto outcomes = cluster.planner->plan(cluster.now).outcomes;
    EXPECT_TRUE(outcomes.empty()) << to_string(outcomes[0].service);
    EXPECT_EQ(cluster.planner->counts(), counts);
}

TEST_P(PlannerPropertyTest, NobodyWaitsForAnAddressThatIsFree) {
    SCOPED_TRACE("seed " + std::to_string(GetParam()));
    Rng rng(GetParam());
    Cluster cluster;
    cluster.set_pools(some_pools(rng));
    for (int step = 0; step < 120; ++step) {
        random_event(cluster, rng, step);
    }
    cluster.run();

    std::uint64_t available = 0;
    for (const ipam::PoolCount& count : cluster.planner->counts()) {
        available += count.v4.available();
    }
    for (const auto& [key, object] : cluster.objects) {
        if (standing_of(object).condition &&
            standing_of(object).condition->reason == "PoolExhausted") {
            EXPECT_EQ(available, 0U) << to_string(key);
        }
    }
}

INSTANTIATE_TEST_SUITE_P(Seeds, PlannerPropertyTest, testing::Range<std::uint64_t>(1, 61));

}  // namespace
}  // namespace steelyard::controller_plan
