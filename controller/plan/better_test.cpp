#include "controller/plan/planner_test_support.hpp"

#include <gmock/gmock.h>

// What is deliberately better than in MetalLB: each of these fails with its behaviour.
namespace steelyard::controller_plan {
namespace {

using test::Cluster;
using test::dual_service;
using test::ip;
using test::pool;
using test::service;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Le;
using testing::SizeIs;

constexpr auto kPrefer = kube::IpFamilyPolicy::PreferDualStack;

kube::Service with_ip(kube::Service object, const std::string& address) {
    object.ingress.emplace_back().ip = ip(address);
    return object;
}

TEST(BetterThanMetalLbTest, UnpinnedPoolsAreUsedByNameNeverAtRandom) {
    for (int run = 0; run < 10; ++run) {
        Cluster cluster;
        cluster.set_pools({pool("a", {"10.1.0.0/24"}), pool("b", {"10.2.0.0/24"})});
        cluster.put(service("web", 1));
        cluster.run();

        EXPECT_EQ(cluster.address_of("web"), "10.1.0.0");
    }
}

TEST(BetterThanMetalLbTest, PoolsOfEqualPriorityAreUsedByName) {
    config::Pool b = pool("b", {"10.2.0.0/24"});
    b.service_allocation.emplace().priority = 7;
    config::Pool a = pool("a", {"10.1.0.0/24"});
    a.service_allocation.emplace().priority = 7;
    Cluster cluster;
    cluster.set_pools({a, b});
    cluster.put(service("web", 1));
    cluster.run();

    EXPECT_EQ(cluster.address_of("web"), "10.1.0.0");
}

TEST(BetterThanMetalLbTest, WaiterSeenFirstAfterARestartTakesNobodysAddress) {
    Cluster cluster;
    cluster.set_pools({pool("x", {"10.0.0.1/32"})});
    cluster.put(service("a-waiter", 1));
    cluster.put(with_ip(service("z-holder", 9), "10.0.0.1"));

    cluster.restart();
    cluster.run();

    EXPECT_EQ(cluster.address_of("z-holder"), "10.0.0.1");
    EXPECT_EQ(cluster.address_of("a-waiter"), "");
}

TEST(BetterThanMetalLbTest, LostStatusIsRestoredAndNotGivenToAWaiter) {
    Cluster cluster;
    cluster.set_pools({pool("x", {"10.0.0.1/32"})});
    cluster.put(service("holder", 1));
    cluster.put(service("waiter", 2));
    cluster.run();

    cluster.at("holder").ingress.clear();
    cluster.put(cluster.at("holder"));
    cluster.run();

    EXPECT_EQ(cluster.address_of("holder"), "10.0.0.1");
    EXPECT_EQ(cluster.address_of("waiter"), "");
}

TEST(BetterThanMetalLbTest, AddressOfAServiceWhosePoolsAreNotReadYetIsKept) {
    Cluster cluster;
    cluster.put(with_ip(service("web", 1), "10.0.0.1"));

    EXPECT_THAT(cluster.planner->plan(cluster.now).outcomes, IsEmpty());
}

struct Claimants {
    const char* name;
    int age_a;
    int age_b;
    const char* keeps;
};

class TwoClaimantsTest : public testing::TestWithParam<Claimants> {};

TEST_P(TwoClaimantsTest, AreSettledByAgeThenUid) {
    Cluster cluster;
    cluster.set_pools({pool("x", {"10.0.0.0/30"})});
    kube::Service a = with_ip(service("a", GetParam().age_a), "10.0.0.3");
    a.meta.uid = "uid-2";
    kube::Service b = with_ip(service("b", GetParam().age_b), "10.0.0.3");
    b.meta.uid = "uid-1";
    cluster.put(a);
    cluster.put(b);

    cluster.run();

    const std::string loser = GetParam().keeps == std::string("a") ? "b" : "a";
    EXPECT_EQ(cluster.address_of(GetParam().keeps), "10.0.0.3");
    EXPECT_EQ(cluster.address_of(loser), "10.0.0.0");
}

INSTANTIATE_TEST_SUITE_P(
    BetterThanMetalLb,
    TwoClaimantsTest,
    testing::Values(
        Claimants{"older_a", 1, 2, "a"},
        Claimants{"older_b", 2, 1, "b"},
        Claimants{"same_age_lower_uid", 1, 1, "b"}
    ),
    [](const auto& param) { return param.param.name; }
);

TEST(BetterThanMetalLbTest, PreferDualStackWithOneClusterIpDoesNotFlapOnADualPool) {
    Cluster cluster;
    cluster.set_pools({pool("x", {"10.0.0.0/24", "fd00::/64"})});
    kube::Service single = service("web", 1);
    single.ip_family_policy = kPrefer;
    cluster.put(single);
    cluster.run();

    for (int pass = 0; pass < 5; ++pass) {
        cluster.put(cluster.at("web"));
        EXPECT_THAT(cluster.run(), IsEmpty());
        EXPECT_EQ(cluster.address_of("web"), "10.0.0.0");
    }
}

TEST(BetterThanMetalLbTest, MissingSecondAddressIsSaidOnceNotOnEveryPass) {
    Cluster cluster;
    cluster.set_pools({pool("x", {"10.0.0.0/24"})});
    cluster.put(dual_service("web", 1, kPrefer));
    cluster.run();

    for (int pass = 0; pass < 5; ++pass) {
        cluster.put(cluster.at("web"));
        EXPECT_THAT(cluster.run(), IsEmpty());
    }
}

TEST(BetterThanMetalLbTest, HugeIpv6RangeBesideAnotherIsCountedRight) {
    Cluster cluster;
    cluster.set_pools({pool("x", {"fd00::/64", "fd01::/64", "fd02::/120"})});
    kube::Service six = service("six", 1);
    six.cluster_ips = {ip("fd96::1")};
    cluster.put(six);
    cluster.run();

    const auto count = cluster.planner->counts().at(0).v6;
    EXPECT_EQ(count.available(), 0x7fffffffffffffffU);  // MetalLB: a negative number
    EXPECT_EQ(count.assigned, 1U);
}

TEST(BetterThanMetalLbTest, ReleaseLooksAtTheOldestWaiterOnlyAmongAThousand) {
    Cluster cluster;
    cluster.set_pools({pool("x", {"10.0.0.1/32"}), pool("y", {"10.1.0.0/16"})});
    cluster.put(service("holder", 0));
    cluster.run();
    for (int i = 1; i <= 1000; ++i) {
        kube::Service waiter = service("waiter-" + std::to_string(i), i);
        waiter.meta.annotations[std::string(ipam::kAddressPoolAnnotation)] = "x";
        cluster.put(waiter);
    }
    cluster.run();

    cluster.remove("holder");
    const Plan plan = cluster.planner->plan(cluster.now);

    EXPECT_EQ(plan.decided, 1U);
    ASSERT_THAT(plan.outcomes, SizeIs(1));
    EXPECT_EQ(plan.outcomes[0].service.name, "waiter-1");
}

TEST(BetterThanMetalLbTest, ReleaseInOnePoolLooksAtNobodyWhoWaitsForAnother) {
    Cluster cluster;
    cluster.set_pools({pool("x", {"10.0.0.1/32"}), pool("y", {"10.1.0.1/32"})});
    for (const char* name : {"x", "y"}) {
        for (int i = 0; i < 20; ++i) {
            kube::Service made = service(name + std::to_string(i), i);
            made.meta.annotations[std::string(ipam::kAddressPoolAnnotation)] = name;
            cluster.put(made);
        }
    }
    cluster.run();

    cluster.remove("x0");
    EXPECT_EQ(cluster.planner->plan(cluster.now).decided, 1U);
}

TEST(BetterThanMetalLbTest, ReleaseOfAnAddressLooksAtThoseWhoAskForThatAddress) {
    Cluster cluster;
    cluster.set_pools({pool("x", {"10.0.0.0/24"})});
    for (int i = 0; i < 40; ++i) {
        kube::Service made = service("s" + std::to_string(i), i);
        made.load_balancer_ip = "10.0.0." + std::to_string(i % 20);  // two for each
        cluster.put(made);
    }
    cluster.run();

    cluster.remove("s7");
    const Plan plan = cluster.planner->plan(cluster.now);

    EXPECT_EQ(plan.decided, 1U);
    ASSERT_THAT(plan.outcomes, SizeIs(1));
    EXPECT_EQ(plan.outcomes[0].service.name, "s27");
}

TEST(BetterThanMetalLbTest, EveryServiceWithoutAnAddressSaysWhyAndWhatToChange) {
    Cluster cluster;
    cluster.set_pools({pool("x", {"10.0.0.1/32"})});
    cluster.put(service("holder", 1));
    kube::Service asks = service("asks", 2);
    asks.load_balancer_ip = "10.0.0.1";
    cluster.put(asks);
    cluster.run();

    const auto condition = standing_of(cluster.at("asks")).condition;
    ASSERT_TRUE(condition);
    EXPECT_EQ(condition->type, "steelyard.io/AddressAssigned");
    EXPECT_FALSE(condition->status);
    EXPECT_EQ(condition->reason, "AddressInUse");
    EXPECT_THAT(condition->message, HasSubstr("held by \"default/holder\": ask for another"));
}

TEST(BetterThanMetalLbTest, ServiceThatBecomesSingleStackKeepsTheAddressOfItsFamily) {
    Cluster cluster;
    cluster.set_pools({pool("x", {"10.0.0.0/24", "fd00::/64"})});
    cluster.put(service("first", 1));
    cluster.put(dual_service("web", 2, kPrefer));
    cluster.run();
    cluster.remove("first");
    cluster.run();
    ASSERT_EQ(cluster.address_of("web"), "10.0.0.1 fd00::");

    cluster.at("web").ip_family_policy = kube::IpFamilyPolicy::SingleStack;
    cluster.at("web").cluster_ips.resize(1);
    cluster.put(cluster.at("web"));
    cluster.run();

    EXPECT_EQ(cluster.address_of("web"), "10.0.0.1");  // MetalLB: 10.0.0.0, the lowest
    EXPECT_EQ(cluster.planner->counts()[0].v6.assigned, 0U);
}

TEST(BetterThanMetalLbTest, PoolForNoNamespaceIsClosedToThoseWhoAskForItToo) {
    Cluster cluster;
    config::Pool closed = pool("closed", {"10.0.0.0/24"});
    closed.service_allocation.emplace();
    closed.service_allocation->namespace_selectors.emplace_back().match_labels["team"] = "nobody";
    cluster.set_pools({closed});
    cluster.set_namespace("default", {});
    kube::Service asks = service("asks", 1);
    asks.meta.annotations[std::string(ipam::kAddressPoolAnnotation)] = "closed";
    cluster.put(asks);
    cluster.run();

    EXPECT_EQ(cluster.reason_of("asks"), "PoolNotAllowed");
}

TEST(BetterThanMetalLbTest, TenThousandServicesAreReviewedWithoutAWordAfterARestart) {
    Cluster cluster;
    cluster.set_pools({pool("x", {"10.0.0.0/18"})});
    for (int i = 0; i < 10'000; ++i) {
        cluster.put(service("s" + std::to_string(i), i));
    }
    cluster.run();

    cluster.restart();
    const Plan plan = cluster.planner->plan(cluster.now);

    EXPECT_THAT(plan.outcomes, IsEmpty());
    EXPECT_THAT(plan.decided, Le(10'000U));
}

}  // namespace
}  // namespace steelyard::controller_plan
