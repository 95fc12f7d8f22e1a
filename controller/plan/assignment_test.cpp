#include "controller/plan/planner_test_support.hpp"

#include <gmock/gmock.h>

// Every case of MetalLB's end-to-end suite "assignment", on the planner.
namespace steelyard::controller_plan {
namespace {

using test::Cluster;
using test::dual_service;
using test::pool;
using test::reasons;
using test::service;
using testing::Contains;
using testing::ElementsAre;
using testing::IsEmpty;

constexpr auto kPrefer = kube::IpFamilyPolicy::PreferDualStack;
constexpr auto kRequire = kube::IpFamilyPolicy::RequireDualStack;

void annotate(kube::Service& object, std::string_view name, std::string value) {
    object.meta.annotations[std::string(name)] = std::move(value);
}

TEST(AssignmentTest, AddressOfADeletedHolderGoesToTheWaiter) {
    Cluster cluster;
    cluster.set_pools({pool("x", {"10.0.0.1/32"})});
    cluster.put(service("holder", 1));
    cluster.put(service("waiter", 2));
    cluster.run();

    cluster.remove("holder");
    cluster.run();

    EXPECT_EQ(cluster.address_of("waiter"), "10.0.0.1");
}

TEST(AssignmentTest, AddressOfAHolderThatBecomesClusterIpGoesToTheWaiter) {
    Cluster cluster;
    cluster.set_pools({pool("x", {"10.0.0.1/32"})});
    cluster.put(service("holder", 1));
    cluster.put(service("waiter", 2));
    cluster.run();

    cluster.at("holder").type = kube::ServiceType::ClusterIp;
    cluster.put(cluster.at("holder"));
    cluster.run();

    EXPECT_EQ(cluster.address_of("holder"), "");
    EXPECT_EQ(cluster.address_of("waiter"), "10.0.0.1");
}

TEST(AssignmentTest, SameAddressesAfterARestartWithWaitersPresent) {
    Cluster cluster;
    cluster.set_pools({pool("x", {"10.0.0.0/31"})});
    for (int age = 9; age > 0; --age) {  // the youngest come first, so the oldest wait
        cluster.put(service("s" + std::to_string(age), age));
        cluster.run();
    }
    const auto before = cluster.objects;

    cluster.restart();

    EXPECT_THAT(cluster.run(), IsEmpty());
    EXPECT_EQ(cluster.objects, before);
    EXPECT_EQ(cluster.address_of("s9"), "10.0.0.0");
}

TEST(AssignmentTest, WaiterGetsInWhenTheHolderAgreesToShare) {
    Cluster cluster;
    cluster.set_pools({pool("x", {"10.0.0.1/32"})});
    kube::Service waiter = service("waiter", 2);
    waiter.ports[0].port = 81;
    annotate(waiter, ipam::kSharingAnnotation, "k");
    cluster.put(service("holder", 1));
    cluster.put(waiter);
    cluster.run();
    ASSERT_EQ(cluster.address_of("waiter"), "");

    annotate(cluster.at("holder"), ipam::kSharingAnnotation, "k");
    cluster.put(cluster.at("holder"));
    cluster.run();

    EXPECT_EQ(cluster.address_of("waiter"), "10.0.0.1");
}

TEST(AssignmentTest, WaiterGetsInWhenTheHolderGivesUpThePort) {
    Cluster cluster;
    cluster.set_pools({pool("x", {"10.0.0.1/32"})});
    for (const char* name : {"holder", "waiter"}) {
        kube::Service made = service(name, name == std::string("holder") ? 1 : 2);
        annotate(made, ipam::kSharingAnnotation, "k");
        cluster.put(made);
    }
    cluster.run();
    ASSERT_EQ(cluster.address_of("waiter"), "");

    cluster.at("holder").ports[0].port = 8080;
    cluster.put(cluster.at("holder"));
    cluster.run();

    EXPECT_EQ(cluster.address_of("waiter"), "10.0.0.1");
}

TEST(AssignmentTest, AllPoolsRemovedLeavesNoAddress) {
    Cluster cluster;
    cluster.set_pools({pool("x", {"10.0.0.0/24"}), pool("y", {"10.1.0.0/24"})});
    cluster.put(service("web", 1));
    cluster.run();

    cluster.set_pools({});
    cluster.run();

    EXPECT_EQ(cluster.address_of("web"), "");
    EXPECT_FALSE(cluster.at("web").meta.annotations.contains(ipam::kAllocatedFromAnnotation));
}

TEST(AssignmentTest, OnePoolRemovedMovesItsServicesToAnother) {
    Cluster cluster;
    cluster.set_pools({pool("x", {"10.0.0.0/24"}), pool("y", {"10.1.0.0/24"})});
    cluster.put(service("web", 1));
    cluster.run();

    cluster.set_pools({pool("y", {"10.1.0.0/24"})});
    const auto events = cluster.run();

    EXPECT_EQ(cluster.address_of("web"), "10.1.0.0");
    EXPECT_THAT(reasons(events), ElementsAre("ClearAssignment", "IPAllocated"));
}

TEST(AssignmentTest, AutoAssignTurnedOffKeepsHolders) {
    Cluster cluster;
    cluster.set_pools({pool("x", {"10.0.0.0/24"})});
    cluster.put(service("web", 1));
    cluster.run();

    config::Pool manual = pool("x", {"10.0.0.0/24"});
    manual.auto_assign = false;
    cluster.set_pools({manual});
    cluster.put(service("late", 2));
    cluster.run();

    EXPECT_EQ(cluster.address_of("web"), "10.0.0.0");
    EXPECT_EQ(cluster.reason_of("late"), "NoMatchingPool");
}

TEST(AssignmentTest, AvoidBuggyIpsTurnedOnMovesTheHolderOfDotZero) {
    Cluster cluster;
    cluster.set_pools({pool("x", {"10.0.0.0/24"})});
    cluster.put(service("web", 1));
    cluster.run();

    config::Pool careful = pool("x", {"10.0.0.0/24"});
    careful.avoid_buggy_ips = true;
    cluster.set_pools({careful});
    cluster.run();

    EXPECT_EQ(cluster.address_of("web"), "10.0.0.1");
}

TEST(AssignmentTest, PoolCountersFollowAllocationAndRelease) {
    Cluster cluster;
    cluster.set_pools({pool("x", {"10.0.0.0/30", "fd00::/126"})});
    cluster.put(dual_service("both", 1, kRequire));
    cluster.put(service("four", 2));
    cluster.run();
    const ipam::PoolCount full = cluster.planner->counts().at(0);
    cluster.remove("both");
    cluster.run();
    const ipam::PoolCount after = cluster.planner->counts().at(0);

    EXPECT_EQ(full.v4, (ipam::FamilyCount{4, 2}));
    EXPECT_EQ(full.v6, (ipam::FamilyCount{4, 1}));
    EXPECT_EQ(full.v6.available(), 3U);
    EXPECT_EQ(after.v4, (ipam::FamilyCount{4, 1}));
    EXPECT_EQ(after.v6, (ipam::FamilyCount{4, 0}));
}

// serviceAllocation: which pools serve which Service, in which order.

config::Pool pinned(config::Pool base, std::int64_t priority) {
    base.service_allocation.emplace();
    base.service_allocation->priority = priority;
    return base;
}
config::Pool for_namespace(config::Pool base) {
    base.service_allocation->namespaces = {"default"};
    return base;
}
config::Pool for_labelled_namespace(config::Pool base) {
    base.service_allocation->namespace_selectors.emplace_back().match_labels["team"] = "red";
    return base;
}
config::Pool for_labelled_service(config::Pool base) {
    base.service_allocation->service_selectors.emplace_back().match_labels["app"] = "web";
    return base;
}
config::Pool for_others(config::Pool base) {
    base.service_allocation->namespaces = {"elsewhere"};
    return base;
}

struct PinnedCase {
    const char* name;
    std::vector<config::Pool> pools;
    // Of three Services, in the order they came; each pool has one address.
    const char* first;
    const char* second;
    const char* third;
};

class ServiceAllocationTest : public testing::TestWithParam<PinnedCase> {};

TEST_P(ServiceAllocationTest, ServesByPriorityThenNameThenSpills) {
    Cluster cluster;
    cluster.set_pools(GetParam().pools);
    cluster.set_namespace("default", {{"team", "red"}});
    for (int i = 1; i <= 3; ++i) {
        kube::Service made = service("s" + std::to_string(i), i);
        made.meta.labels["app"] = "web";
        cluster.put(made);
    }
    cluster.run();

    EXPECT_EQ(standing_of(cluster.at("s1")).pool, GetParam().first);
    EXPECT_EQ(standing_of(cluster.at("s2")).pool, GetParam().second);
    EXPECT_EQ(standing_of(cluster.at("s3")).pool, GetParam().third);
}

config::Pool one(const char* name, int net) {
    return pool(name, {"10." + std::to_string(net) + ".0.1/32"});
}

INSTANTIATE_TEST_SUITE_P(
    Assignment,
    ServiceAllocationTest,
    testing::Values(
        PinnedCase{
            "by_namespace",
            {for_namespace(pinned(one("low", 1), 20)),
             for_namespace(pinned(one("high", 2), 10)),
             one("open", 3)},
            "high",
            "low",
            "open"},
        PinnedCase{
            "by_priority_only",
            {pinned(one("unset", 1), 0), pinned(one("low", 2), 20), pinned(one("high", 3), 10)},
            "high",
            "low",
            "unset"},
        PinnedCase{
            "by_namespace_and_namespace_labels",
            {for_labelled_namespace(pinned(one("labels", 1), 10)),
             for_namespace(pinned(one("name", 2), 20)),
             for_others(pinned(one("theirs", 3), 1))},
            "labels",
            "name",
            ""},
        PinnedCase{
            "by_service_label",
            {for_labelled_service(pinned(one("app", 1), 10)),
             for_others(for_labelled_service(pinned(one("theirs", 2), 5))),
             one("open", 3)},
            "app",
            "open",
            ""},
        PinnedCase{
            "by_namespace_and_service_label",
            {for_namespace(for_labelled_service(pinned(one("both", 1), 20))),
             for_namespace(pinned(one("name", 2), 30)),
             one("open", 3)},
            "both",
            "name",
            "open"},
        PinnedCase{
            "by_namespace_labels",
            {for_labelled_namespace(pinned(one("low", 1), 20)),
             for_labelled_namespace(pinned(one("high", 2), 10)),
             one("open", 3)},
            "high",
            "low",
            "open"},
        PinnedCase{
            "ties_by_name",
            {pinned(one("c", 1), 0), pinned(one("a", 2), 0), pinned(one("b", 3), 0)},
            "a",
            "b",
            "c"}
    ),
    [](const auto& param) { return param.param.name; }
);

// ipFamilyPolicy: pools at first, then pools or policy change.

struct FamilyCase {
    const char* name;
    std::vector<config::Pool> pools;
    kube::IpFamilyPolicy policy;
    bool v6_first;
    const char* at_first;
    std::vector<config::Pool> then_pools;
    kube::IpFamilyPolicy then_policy;
    const char* at_last;
};

class FamilyPolicyTest : public testing::TestWithParam<FamilyCase> {};

TEST_P(FamilyPolicyTest, GivesWhatThePoolsHave) {
    const FamilyCase& given = GetParam();
    Cluster cluster;
    cluster.set_pools(given.pools);
    kube::Service web = dual_service("web", 1, given.policy);
    if (given.v6_first) {
        std::swap(web.cluster_ips[0], web.cluster_ips[1]);
    }
    cluster.put(web);
    cluster.run();
    EXPECT_EQ(cluster.address_of("web"), given.at_first);

    cluster.at("web").ip_family_policy = given.then_policy;
    cluster.put(cluster.at("web"));
    cluster.set_pools(given.then_pools);
    cluster.run();
    EXPECT_EQ(cluster.address_of("web"), given.at_last);

    cluster.restart();
    EXPECT_THAT(cluster.run(), IsEmpty());
    EXPECT_EQ(cluster.writes, 0);
}

const std::vector<config::Pool> kSeparate{
    pool("four", {"10.0.0.0/24"}), pool("six", {"fd00::/64"})};
const std::vector<config::Pool> kDual{pool("a", {"10.0.0.0/24", "fd00::/64"})};
const std::vector<config::Pool> kFourOnly{pool("a", {"10.0.0.0/24"})};

INSTANTIATE_TEST_SUITE_P(
    Assignment,
    FamilyPolicyTest,
    testing::Values(
        FamilyCase{
            "dual_pool_is_chosen_when_there_is_one",
            {pool("a", {"10.0.0.0/24"}), pool("b", {"10.1.0.0/24", "fd01::/64"})},
            kPrefer,
            false,
            "10.1.0.0 fd01::",
            {pool("a", {"10.0.0.0/24"}), pool("b", {"10.1.0.0/24", "fd01::/64"})},
            kPrefer,
            "10.1.0.0 fd01::"},
        FamilyCase{
            "primary_v4_by_default",
            kSeparate,
            kPrefer,
            false,
            "10.0.0.0",
            kSeparate,
            kPrefer,
            "10.0.0.0"},
        FamilyCase{
            "primary_v6_when_it_comes_first",
            kSeparate,
            kPrefer,
            true,
            "fd00::",
            kSeparate,
            kPrefer,
            "fd00::"},
        FamilyCase{
            "second_address_is_added_when_the_pool_becomes_dual",
            kFourOnly,
            kPrefer,
            false,
            "10.0.0.0",
            kDual,
            kPrefer,
            "10.0.0.0 fd00::"},
        FamilyCase{
            "from_prefer_to_require_on_a_single_stack_pool",
            kFourOnly,
            kPrefer,
            false,
            "10.0.0.0",
            kFourOnly,
            kRequire,
            ""},
        FamilyCase{
            "from_require_to_prefer_on_a_single_stack_pool",
            kFourOnly,
            kRequire,
            false,
            "",
            kFourOnly,
            kPrefer,
            "10.0.0.0"},
        FamilyCase{
            "no_jump_to_a_later_dual_pool",
            kFourOnly,
            kPrefer,
            false,
            "10.0.0.0",
            {pool("a", {"10.0.0.0/24"}), pool("b", {"10.1.0.0/24", "fd01::/64"})},
            kPrefer,
            "10.0.0.0"},
        FamilyCase{
            "to_another_dual_pool_when_its_own_becomes_single_stack",
            {kDual[0], pool("b", {"10.1.0.0/24", "fd01::/64"})},
            kPrefer,
            false,
            "10.0.0.0 fd00::",
            {kFourOnly[0], pool("b", {"10.1.0.0/24", "fd01::/64"})},
            kPrefer,
            "10.1.0.0 fd01::"},
        FamilyCase{
            "require_takes_both_from_one_pool",
            kSeparate,
            kRequire,
            false,
            "",
            {kSeparate[0], kSeparate[1], pool("z", {"10.9.0.0/24", "fd09::/64"})},
            kRequire,
            "10.9.0.0 fd09::"},
        FamilyCase{
            "fresh_dual_stack_reads_v4_then_v6_whatever_comes_first",
            kDual,
            kRequire,
            true,
            "10.0.0.0 fd00::",
            kDual,
            kRequire,
            "10.0.0.0 fd00::"}
    ),
    [](const auto& param) { return param.param.name; }
);

// Events: MetalLB's reason for each, said once.

struct EventCase {
    const char* name;
    void (*change)(kube::Service&);
    const char* event;
    const char* condition;
};

class EventTest : public testing::TestWithParam<EventCase> {};

TEST_P(EventTest, IsSaidOnceWithMetalLbsReason) {
    Cluster cluster;
    cluster.set_pools({pool("x", {"10.0.0.0/24"})});
    kube::Service web = service("web", 1);
    GetParam().change(web);
    cluster.put(web);

    const auto events = cluster.run();
    EXPECT_THAT(reasons(events), Contains(GetParam().event));
    EXPECT_EQ(cluster.reason_of("web"), GetParam().condition);

    cluster.put(cluster.at("web"));
    cluster.set_pools({pool("x", {"10.0.0.0/24"})});
    EXPECT_THAT(cluster.run(), IsEmpty());
    cluster.restart();
    EXPECT_THAT(cluster.run(), IsEmpty());
}

INSTANTIATE_TEST_SUITE_P(
    Assignment,
    EventTest,
    testing::Values(
        EventCase{"allocated", [](kube::Service&) {}, "IPAllocated", "Assigned"},
        EventCase{
            "unknown_pool",
            [](kube::Service& web) { annotate(web, ipam::kAddressPoolAnnotation, "none"); },
            "AllocationFailed",
            "UnknownPool"},
        EventCase{
            "bad_address",
            [](kube::Service& web) { web.load_balancer_ip = "10.0.0"; },
            "LoadBalancerFailed",
            "InvalidRequest"},
        EventCase{
            "require_dual_stack_with_one_cluster_ip",
            [](kube::Service& web) { web.ip_family_policy = kRequire; },
            "not enough clusterips",
            "DualStackNotPossible"},
        EventCase{
            "two_cluster_ips_of_a_family",
            [](kube::Service& web) { web.cluster_ips.push_back(test::ip("10.96.0.2")); },
            "noclusterIPsIPFamily",
            "UnclearClusterIPs"},
        EventCase{
            "two_addresses_of_a_family_in_status",
            [](kube::Service& web) {
                web.ingress.emplace_back().ip = test::ip("10.0.0.1");
                web.ingress.emplace_back().ip = test::ip("10.0.0.2");
            },
            "nolbIPsIPFamily",
            "Assigned"},
        EventCase{
            "address_of_no_pool_in_status",
            [](kube::Service& web) { web.ingress.emplace_back().ip = test::ip("192.0.2.1"); },
            "ClearAssignment",
            "Assigned"},
        EventCase{
            "deprecated_annotation",
            [](kube::Service& web) {
                web.meta.annotations["metallb.universe.tf/address-pool"] = "x";
            },
            "deprecatedAnnotation",
            "Assigned"},
        EventCase{
            "second_family_missing",
            [](kube::Service& web) {
                web.cluster_ips.push_back(test::ip("fd96::1"));
                web.ip_family_policy = kPrefer;
            },
            "AdditionalAssignFailed",
            "PoolExhausted"}
    ),
    [](const auto& param) { return param.param.name; }
);

}  // namespace
}  // namespace steelyard::controller_plan
