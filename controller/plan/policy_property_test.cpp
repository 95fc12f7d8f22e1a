#include "common/base/rng.hpp"
#include "controller/plan/planner_test_support.hpp"

#include <gtest/gtest.h>

#include <set>

// Random lives of a small cluster whose pools have policies: exclusions, quotas, addresses kept
// after a deletion, reservations by hand, time passing.
namespace steelyard::controller_plan {
namespace {

using namespace std::chrono_literals;
using test::Cluster;
using test::pool;
using test::service;

struct Life {
    explicit Life(std::uint64_t seed) : rng(seed) {
        cluster.set_pools(
            {pool("a", {"10.0.0.0-10.0.0.5", "fd00::/126"}), pool("b", {"10.0.1.0/30"})}
        );
    }

    [[nodiscard]] std::string random_name() { return "s" + std::to_string(rng.below(12)); }

    void change_policies() {
        config::AllocationPolicy policy;
        policy.name = "p";
        policy.pools = {"a"};
        if (rng.below(2) == 0) {
            policy.exclude = {*net::Range::parse("10.0.0.2-10.0.0.3")};
        }
        if (quotas && rng.below(2) == 0) {
            policy.quotas.emplace_back().addresses = static_cast<std::int64_t>(rng.below(5));
        }
        if (rng.below(3) != 0) {
            policy.keep_after_delete = std::chrono::seconds(10 * (1 + rng.below(3)));
        }
        cluster.set_policies({policy});
    }

    void reserve_by_hand() {
        kube::AddressReservation made;
        made.meta.key = {"metallb-system", "hand-" + std::to_string(rng.below(3))};
        if (cluster.reservations.erase(made.meta.key) > 0) {
            cluster.planner->on_reservation_deleted(made.meta.key);
            return;
        }
        made.service_namespace = "default";
        made.service_name = random_name();
        made.addresses = {"10.0.0." + std::to_string(rng.below(7))};
        made.keep_for = rng.below(2) == 0 ? "" : "15s";
        cluster.put(made);
    }

    void make_service(const std::string& name, int step) {
        kube::Service made = service(name, step);
        made.meta.uid += "-" + std::to_string(step);
        made.ports[0].port = static_cast<std::uint16_t>(80 + rng.below(3));
        if (rng.below(3) == 0) {
            made.meta.annotations[std::string(ipam::kSharingAnnotation)] = "k";
        }
        if (rng.below(3) == 0) {
            made.cluster_ips.push_back(test::ip("fd96::1"));
            made.ip_family_policy = rng.below(2) == 0 ? kube::IpFamilyPolicy::PreferDualStack
                                                      : kube::IpFamilyPolicy::RequireDualStack;
        } else if (rng.below(5) == 0) {
            made.load_balancer_ip = "10.0.0." + std::to_string(rng.below(7));
        }
        cluster.put(made);
    }

    void event(int step) {
        const std::string name = random_name();
        const bool exists = cluster.objects.contains({"default", name});
        switch (rng.below(10)) {
            case 0:
                change_policies();
                return;
            case 1:
                reserve_by_hand();
                return;
            case 2:
                cluster.now += std::chrono::seconds(rng.below(20));
                return;
            default:
                if (!exists) {
                    make_service(name, step);
                } else if (rng.below(2) == 0) {
                    cluster.remove(name);
                }
        }
    }

    // Two Services on one address use different ports of it.
    void expect_no_conflict() const {
        std::map<net::IpAddress, std::set<std::uint16_t>> ports;
        for (const auto& [key, object] : cluster.objects) {
            for (const net::IpAddress& address : standing_of(object).addresses) {
                EXPECT_TRUE(ports[address].insert(object.ports[0].port).second)
                    << to_string(address) << " for " << to_string(key);
            }
        }
    }

    [[nodiscard]] std::map<kube::ObjectKey, std::vector<net::IpAddress>> held() const {
        std::map<kube::ObjectKey, std::vector<net::IpAddress>> list;
        for (const auto& [key, object] : cluster.objects) {
            list[key] = standing_of(object).addresses;
        }
        return list;
    }

    [[nodiscard]] bool kept_by_hand(const std::string& name, const std::string& address) const {
        return std::ranges::any_of(cluster.reservations, [&](const auto& entry) {
            const kube::AddressReservation& kept = entry.second;
            return kept.meta.labels.empty() && kept.service_name == name &&
                   kept.addresses[0] == address;
        });
    }

    Rng rng;
    bool quotas = true;
    Cluster cluster;
};

class PolicyPropertyTest : public testing::TestWithParam<std::uint64_t> {};

TEST_P(PolicyPropertyTest, NoConflictAndARestartMovesNothing) {
    SCOPED_TRACE("seed " + std::to_string(GetParam()));
    Life life(GetParam());
    for (int step = 0; step < 150; ++step) {
        life.event(step);
        if (life.rng.below(3) != 0) {
            continue;  // several events meet in one plan
        }
        life.cluster.run();
        life.expect_no_conflict();
        if (life.rng.below(4) == 0) {
            const auto held = life.held();
            const auto reservations = life.cluster.reservations;
            const auto counts = life.cluster.planner->counts();
            life.cluster.restart();
            life.cluster.run();
            ASSERT_EQ(life.held(), held) << "step " << step;
            ASSERT_EQ(life.cluster.reservations, reservations) << "step " << step;
            ASSERT_EQ(life.cluster.planner->counts(), counts) << "step " << step;
        }
    }
}

// Who took an address in this step had it before, or it was kept for nobody, or for it too.
TEST_P(PolicyPropertyTest, WhatAReservationKeepsNoNewcomerGets) {
    SCOPED_TRACE("seed " + std::to_string(GetParam()));
    Life life(GetParam());
    for (int step = 0; step < 150; ++step) {
        const auto held_before = life.held();
        const auto kept_before = life.cluster.reservations;
        life.event(step);
        life.cluster.run();
        for (const auto& [service, addresses] : life.held()) {
            for (const net::IpAddress& address : addresses) {
                const auto had = held_before.find(service);
                if (had != held_before.end() &&
                    std::ranges::find(had->second, address) != had->second.end()) {
                    continue;
                }
                bool kept_for_other = false;
                bool kept_for_it = life.kept_by_hand(service.name, to_string(address));
                for (const auto& [key, kept] : kept_before) {
                    if (kept.addresses[0] != to_string(address)) {
                        continue;
                    }
                    const bool for_it = kept.service_name == service.name;
                    kept_for_it = kept_for_it || for_it;
                    const auto now = life.cluster.reservations.find(key);
                    const bool lasts = now != life.cluster.reservations.end() &&
                                       now->second.addresses == kept.addresses;
                    kept_for_other = kept_for_other || (!for_it && lasts && !now->second.in_use);
                }
                EXPECT_TRUE(!kept_for_other || kept_for_it)
                    << "step " << step << ": " << to_string(service) << " took "
                    << to_string(address);
            }
        }
    }
}

TEST_P(PolicyPropertyTest, NobodyWaitsForAnAddressThatIsNeitherHeldNorKept) {
    SCOPED_TRACE("seed " + std::to_string(GetParam()));
    Life life(GetParam());
    life.quotas = false;
    for (int step = 0; step < 150; ++step) {
        life.event(step);
        life.cluster.run();
        std::uint64_t v4 = 0;
        for (const ipam::PoolCount& count : life.cluster.planner->counts()) {
            v4 += count.v4.available();
        }
        for (const auto& [key, object] : life.cluster.objects) {
            const Standing standing = standing_of(object);
            if (standing.addresses.empty() && standing.condition->reason == "PoolExhausted" &&
                object.ip_family_policy != kube::IpFamilyPolicy::RequireDualStack) {
                EXPECT_EQ(v4, 0U) << "step " << step << ": " << to_string(key);
            }
        }
    }
}

TEST_P(PolicyPropertyTest, EveryReservationOfThePolicyEndsInTime) {
    SCOPED_TRACE("seed " + std::to_string(GetParam()));
    Life life(GetParam());
    for (int step = 0; step < 100; ++step) {
        life.event(step);
        life.cluster.run();
    }
    for (int i = 0; i < 12; ++i) {
        life.cluster.remove("s" + std::to_string(i));
    }
    life.cluster.run();
    life.cluster.now += 30s;
    life.cluster.run();

    for (const auto& [key, kept] : life.cluster.reservations) {
        EXPECT_TRUE(kept.meta.labels.empty()) << to_string(key);
        EXPECT_FALSE(kept.in_use);
    }
    for (const ipam::PoolCount& count : life.cluster.planner->counts()) {
        EXPECT_EQ(count.v4.assigned + count.v6.assigned, 0U);
    }
}

INSTANTIATE_TEST_SUITE_P(Seeds, PolicyPropertyTest, testing::Range<std::uint64_t>(1, 41));

}  // namespace
}  // namespace steelyard::controller_plan
