#include "controller/plan/explanation.hpp"

#include "controller/plan/planner_test_support.hpp"

#include <gmock/gmock.h>

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

std::vector<std::string> verdicts(const Explanation& explanation) {
    std::vector<std::string> list;
    for (const PoolExplanation& answer : explanation.pools) {
        list.push_back(answer.pool + " " + (answer.taken ? "taken" : answer.reason));
    }
    return list;
}

config::Pool manual(config::Pool base) {
    base.auto_assign = false;
    return base;
}

config::Pool for_namespace(config::Pool base, std::string ns) {
    base.service_allocation.emplace().namespaces = {std::move(ns)};
    return base;
}

TEST(ExplanationTest, WaiterHearsEveryPoolsReasonInTheOrderTheyAreAsked) {
    Cluster cluster;
    cluster.set_pools(
        {pool("a-open", {"10.0.0.0/32"}),
         manual(pool("b-manual", {"10.1.0.0/24"})),
         for_namespace(pool("c-ours", {"10.2.0.0/32"}), "default"),
         for_namespace(pool("d-theirs", {"10.3.0.0/24"}), "elsewhere")}
    );
    cluster.put(service("one", 1));
    cluster.put(service("two", 2));
    cluster.put(service("web", 3));
    cluster.run();

    const Explanation why = cluster.planner->explain({"default", "web"});

    EXPECT_THAT(
        verdicts(why),
        ElementsAre(
            "c-ours PoolExhausted",
            "a-open PoolExhausted",
            "d-theirs PoolNotAllowed",
            "b-manual PoolNotAutomatic"
        )
    );
    EXPECT_EQ(why.asks, "any IPv4 address");
    ASSERT_TRUE(why.condition);
    EXPECT_EQ(why.condition->reason, "PoolExhausted");
}

TEST(ExplanationTest, HolderHearsWhichPoolGaveAndWhatOthersWould) {
    Cluster cluster;
    cluster.set_pools({pool("a", {"10.0.0.0/24"}), pool("b", {"10.1.0.0/24"})});
    cluster.put(service("web", 1));
    cluster.run();

    const auto lines = to_lines(cluster.planner->explain({"default", "web"}));

    EXPECT_THAT(
        lines,
        ElementsAre(
            "Service default/web asks for: any IPv4 address",
            "holds 10.0.0.0",
            "pool a: gave 10.0.0.0",
            "pool b: OtherPoolPreferred: would give 10.1.0.0, but the Service keeps what it has"
        )
    );
}

TEST(ExplanationTest, AddressAskedForIsJudgedByItsPoolOnly) {
    Cluster cluster;
    cluster.set_pools({pool("a", {"10.0.0.0/24"}), pool("b", {"10.1.0.0/24"})});
    cluster.put(service("holder", 1));
    kube::Service asks = service("web", 2);
    asks.load_balancer_ip = "10.0.0.0";
    cluster.put(asks);
    cluster.run();

    const Explanation why = cluster.planner->explain({"default", "web"});

    EXPECT_THAT(verdicts(why), ElementsAre("a AddressInUse", "b AddressNotInPool"));
    EXPECT_THAT(why.pools[0].message, HasSubstr("held by \"default/holder\""));
}

TEST(ExplanationTest, PoolAskedForLeavesTheOthersOut) {
    Cluster cluster;
    cluster.set_pools({pool("a", {"10.0.0.0/24"}), pool("b", {"10.1.0.0/32"})});
    kube::Service holder = service("holder", 1);
    holder.load_balancer_ip = "10.1.0.0";
    cluster.put(holder);
    kube::Service asks = service("web", 2);
    asks.meta.annotations[std::string(ipam::kAddressPoolAnnotation)] = "b";
    cluster.put(asks);
    cluster.run();

    EXPECT_THAT(
        verdicts(cluster.planner->explain({"default", "web"})),
        ElementsAre("b PoolExhausted", "a OtherPoolPreferred")
    );
}

TEST(ExplanationTest, MissingSecondFamilyIsToldBesideTheAddress) {
    Cluster cluster;
    cluster.set_pools({pool("a", {"10.0.0.0/24"})});
    cluster.put(dual_service("web", 1, kube::IpFamilyPolicy::PreferDualStack));
    cluster.run();

    const auto lines = to_lines(cluster.planner->explain({"default", "web"}));

    EXPECT_THAT(lines[0], HasSubstr("any IPv4 and IPv6 addresses, or one of them"));
    EXPECT_THAT(lines[2], HasSubstr("PoolExhausted: no available IPv6 IP in pool \"a\""));
}

struct NotOurs {
    const char* name;
    void (*change)(kube::Service&);
    const char* says;
};

class NotOursTest : public testing::TestWithParam<NotOurs> {};

TEST_P(NotOursTest, IsToldWhyNothingIsGiven) {
    Cluster cluster;
    cluster.set_pools({pool("a", {"10.0.0.0/24"})});
    kube::Service web = service("web", 1);
    GetParam().change(web);
    cluster.put(web);
    cluster.run();

    const Explanation why = cluster.planner->explain({"default", "web"});

    EXPECT_THAT(why.asks, HasSubstr(GetParam().says));
    EXPECT_THAT(why.pools, IsEmpty());
}

INSTANTIATE_TEST_SUITE_P(
    Explanation,
    NotOursTest,
    testing::Values(
        NotOurs{
            "cluster_ip",
            [](kube::Service& web) { web.type = kube::ServiceType::ClusterIp; },
            "its type is not LoadBalancer"},
        NotOurs{
            "other_class",
            [](kube::Service& web) { web.load_balancer_class = "example.com/x"; },
            "\"example.com/x\" is served by others"},
        NotOurs{
            "headless",
            [](kube::Service& web) {
                web.headless = true;
                web.cluster_ips.clear();
            },
            "it has no cluster IP"}
    ),
    [](const auto& param) { return param.param.name; }
);

TEST(ExplanationTest, UnknownServiceIsSaidToBeUnknown) {
    Cluster cluster;
    const Explanation why = cluster.planner->explain({"default", "none"});

    EXPECT_FALSE(why.known);
    EXPECT_THAT(to_lines(why), ElementsAre("Service default/none: there is no such Service"));
}

// The one rule that makes it trustworthy: the first pool that would give is the one that gives.
TEST(ExplanationTest, WhatIsPredictedIsWhatHappens) {
    Cluster cluster;
    cluster.set_pools(
        {pool("a", {"10.0.0.0/31"}),
         for_namespace(pool("b", {"10.1.0.0/31", "fd01::/127"}), "default"),
         pool("c", {"10.2.0.0/31", "fd02::/127"})}
    );
    cluster.run();
    for (int i = 0; i < 12; ++i) {
        const std::string name = "s" + std::to_string(i);
        cluster.put(service(name, i));
        const Explanation before = cluster.planner->explain({"default", name});
        cluster.run();
        const auto would = std::ranges::find_if(before.pools, [](const PoolExplanation& answer) {
            return answer.reason.empty();
        });
        const Standing after = standing_of(cluster.at(name));
        if (would == before.pools.end()) {
            EXPECT_THAT(after.addresses, IsEmpty());
        } else {
            EXPECT_EQ(after.addresses, would->addresses) << name;
            EXPECT_EQ(after.pool, would->pool);
        }
    }
}

}  // namespace
}  // namespace steelyard::controller_plan
