#include "controller/plan/planner.hpp"

#include "controller/plan/planner_test_support.hpp"
#include "controller/plan/sentences.hpp"

#include <gmock/gmock.h>

namespace steelyard::controller_plan {
namespace {

using test::Cluster;
using test::dual_service;
using test::ip;
using test::pool;
using test::reasons;
using test::service;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;

void annotate(kube::Service& object, std::string_view name, std::string value) {
    object.meta.annotations[std::string(name)] = std::move(value);
}

kube::Service with_ip(kube::Service object, const std::string& address) {
    object.ingress.emplace_back().ip = ip(address);
    return object;
}

TEST(PlannerTest, NothingIsDecidedBeforePoolsAndServicesAreKnown) {
    Planner planner{Options{"", "metallb-system"}};
    planner.on_service(std::make_shared<const kube::Service>(service("web", 1)));
    EXPECT_THAT(planner.plan({}).outcomes, IsEmpty());

    planner.on_config(std::make_shared<const config::Config>());
    EXPECT_THAT(planner.plan({}).outcomes, IsEmpty());

    planner.on_synced();
    EXPECT_THAT(planner.plan({}).outcomes, SizeIs(1));
}

TEST(PlannerTest, NewServiceGetsAnAddressAnAnnotationAConditionAndAnEvent) {
    Cluster cluster;
    cluster.set_pools({pool("x", {"192.168.100.200/30"})});
    cluster.put(service("web", 1));

    const auto outcomes = cluster.planner->plan(cluster.now).outcomes;

    ASSERT_THAT(outcomes, SizeIs(1));
    EXPECT_TRUE(outcomes[0].write);
    EXPECT_THAT(outcomes[0].standing.addresses, ElementsAre(ip("192.168.100.200")));
    EXPECT_EQ(outcomes[0].standing.pool, "x");
    ASSERT_TRUE(outcomes[0].standing.condition);
    EXPECT_TRUE(outcomes[0].standing.condition->status);
    EXPECT_THAT(
        outcomes[0].events,
        ElementsAre(Event{false, "IPAllocated", "Assigned IP [\"192.168.100.200\"]"})
    );
}

// The one outcome of a planner with this option for a Service whose address shows `shown`.
std::vector<Outcome> outcomes_for(IpMode mode, const std::string& shown) {
    Planner planner{Options{"", "metallb-system", mode}};
    auto config = std::make_shared<config::Config>();
    config->pools = {pool("x", {"192.168.100.200/30"})};
    planner.on_config(std::move(config));
    kube::Service object = with_ip(service("web", 1), "192.168.100.200");
    object.ingress.front().ip_mode = shown;
    object.meta.annotations[std::string(ipam::kAllocatedFromAnnotation)] = "x";
    object.conditions.push_back(sentences::assigned(standing_of(object)));
    planner.on_service(std::make_shared<const kube::Service>(std::move(object)));
    planner.on_synced();
    return planner.plan({}).outcomes;
}

TEST(PlannerTest, IpModeIsWrittenOnlyWhereItDiffersFromTheOneAskedFor) {
    EXPECT_THAT(outcomes_for(IpMode::Keep, "VIP"), IsEmpty());
    EXPECT_THAT(outcomes_for(IpMode::Keep, "Proxy"), IsEmpty());
    EXPECT_THAT(outcomes_for(IpMode::Proxy, "Proxy"), IsEmpty());
    EXPECT_THAT(outcomes_for(IpMode::Vip, ""), IsEmpty());

    const auto kept_from_kube_proxy = outcomes_for(IpMode::Proxy, "VIP");
    ASSERT_THAT(kept_from_kube_proxy, SizeIs(1));
    EXPECT_EQ(kept_from_kube_proxy[0].standing.ip_mode, "Proxy");
    EXPECT_THAT(kept_from_kube_proxy[0].events, IsEmpty());

    const auto given_back = outcomes_for(IpMode::Vip, "Proxy");
    ASSERT_THAT(given_back, SizeIs(1));
    EXPECT_EQ(given_back[0].standing.ip_mode, "");
}

TEST(PlannerTest, FullPoolIsSaidOnceWithWhatToDo) {
    Cluster cluster;
    cluster.set_pools({pool("x", {"10.0.0.1/32"})});
    cluster.put(service("first", 1));
    cluster.put(service("second", 2));

    const auto events = cluster.run();
    cluster.put(cluster.at("second"));
    const auto again = cluster.run();

    EXPECT_THAT(reasons(events), ElementsAre("IPAllocated", "AllocationFailed"));
    EXPECT_THAT(
        events[1].message,
        HasSubstr("Failed to allocate IP for \"default/second\": no available IPv4 IP in pool \"x\""
        )
    );
    EXPECT_THAT(again, IsEmpty());
    EXPECT_EQ(cluster.reason_of("second"), "PoolExhausted");
}

TEST(PlannerTest, DeletedServiceServesTheOldestWaiter) {
    Cluster cluster;
    cluster.set_pools({pool("x", {"10.0.0.1/32"})});
    cluster.put(service("holder", 1));
    cluster.put(service("young", 9));
    cluster.put(service("old", 5));
    cluster.run();

    cluster.remove("holder");
    cluster.run();

    EXPECT_EQ(cluster.address_of("old"), "10.0.0.1");
    EXPECT_EQ(cluster.address_of("young"), "");
}

TEST(PlannerTest, TypeChangeClearsStatusAndServesTheWaiter) {
    Cluster cluster;
    cluster.set_pools({pool("x", {"10.0.0.1/32"})});
    cluster.put(service("first", 1));
    cluster.put(service("second", 2));
    cluster.run();

    cluster.at("first").type = kube::ServiceType::ClusterIp;
    cluster.put(cluster.at("first"));
    cluster.run();

    EXPECT_EQ(cluster.address_of("first"), "");
    EXPECT_EQ(cluster.reason_of("first"), "");
    EXPECT_FALSE(cluster.at("first").meta.annotations.contains(ipam::kAllocatedFromAnnotation));
    EXPECT_EQ(cluster.address_of("second"), "10.0.0.1");
}

TEST(PlannerTest, TypeChangeWhileTheControllerWasDownIsClearedToo) {
    Cluster cluster;
    cluster.set_pools({pool("x", {"10.0.0.1/32"})});
    cluster.put(service("web", 1));
    cluster.run();
    cluster.at("web").type = kube::ServiceType::NodePort;

    cluster.restart();
    cluster.run();

    EXPECT_EQ(cluster.address_of("web"), "");
}

TEST(PlannerTest, ServicesOfOtherKindsAreNotTouched) {
    Cluster cluster;
    cluster.set_pools({pool("x", {"10.0.0.0/24"})});
    kube::Service foreign = with_ip(service("foreign", 1), "203.0.113.9");
    foreign.load_balancer_class = "example.com/other";
    kube::Service plain = service("plain", 2);
    plain.type = kube::ServiceType::ClusterIp;
    cluster.put(foreign);
    cluster.put(plain);

    EXPECT_THAT(cluster.planner->plan(cluster.now).outcomes, IsEmpty());
}

TEST(PlannerTest, OnlyTheConfiguredClassIsServed) {
    Cluster cluster("example.com/ours");
    cluster.set_pools({pool("x", {"10.0.0.0/24"})});
    kube::Service ours = service("ours", 1);
    ours.load_balancer_class = "example.com/ours";
    cluster.put(ours);
    cluster.put(service("classless", 2));

    cluster.run();

    EXPECT_EQ(cluster.address_of("ours"), "10.0.0.0");
    EXPECT_EQ(cluster.address_of("classless"), "");
}

TEST(PlannerTest, ServiceThatMovesToAnotherClassReleasesItsAddress) {
    Cluster cluster;
    cluster.set_pools({pool("x", {"10.0.0.1/32"})});
    cluster.put(service("mover", 1));
    cluster.put(service("waiter", 2));
    cluster.run();

    cluster.at("mover").load_balancer_class = "example.com/other";
    cluster.put(cluster.at("mover"));
    cluster.run();

    EXPECT_EQ(cluster.address_of("mover"), "");
    EXPECT_EQ(cluster.address_of("waiter"), "10.0.0.1");
}

TEST(PlannerTest, RestartAdoptsEveryAddressBeforeItAllocates) {
    Cluster cluster;
    cluster.set_pools({pool("x", {"10.0.0.0/30"})});
    cluster.put(service("waiter", 1));  // older, yet without an address
    cluster.put(with_ip(service("holder", 2), "10.0.0.0"));

    cluster.restart();
    cluster.run();

    EXPECT_EQ(cluster.address_of("holder"), "10.0.0.0");
    EXPECT_EQ(cluster.address_of("waiter"), "10.0.0.1");
}

TEST(PlannerTest, OlderServiceWinsAnAddressBothClaim) {
    Cluster cluster;
    cluster.set_pools({pool("x", {"10.0.0.0/30"})});
    cluster.put(with_ip(service("a-young", 2), "10.0.0.2"));
    cluster.put(with_ip(service("b-old", 1), "10.0.0.2"));

    cluster.restart();
    const auto events = cluster.run();

    EXPECT_EQ(cluster.address_of("b-old"), "10.0.0.2");
    EXPECT_EQ(cluster.address_of("a-young"), "10.0.0.0");
    EXPECT_THAT(reasons(events), ElementsAre("ClearAssignment", "IPAllocated"));
}

TEST(PlannerTest, RestartWritesAndSaysNothing) {
    Cluster cluster;
    cluster.set_pools({pool("x", {"10.0.0.0/31"})});
    for (int age = 1; age <= 3; ++age) {
        cluster.put(service("s" + std::to_string(age), age));
    }
    cluster.run();
    const auto before = cluster.objects;

    cluster.restart();

    EXPECT_THAT(cluster.planner->plan(cluster.now).outcomes, IsEmpty());
    EXPECT_EQ(cluster.objects, before);
}

TEST(PlannerTest, StatusTakenAwayByOthersIsRestoredWithTheSameAddress) {
    Cluster cluster;
    cluster.set_pools({pool("x", {"10.0.0.0/24"})});
    cluster.put(service("first", 1));
    cluster.put(service("second", 2));
    cluster.run();

    cluster.at("second").ingress.clear();
    cluster.put(cluster.at("second"));
    cluster.remove("first");
    const auto events = cluster.run();

    EXPECT_EQ(cluster.address_of("second"), "10.0.0.1");
    EXPECT_THAT(events, IsEmpty());
}

TEST(PlannerTest, ChangedRequestMovesTheService) {
    Cluster cluster;
    cluster.set_pools({pool("x", {"10.0.0.0/24"}), pool("y", {"10.1.0.0/24"})});
    cluster.put(service("web", 1));
    cluster.run();

    annotate(cluster.at("web"), ipam::kAddressPoolAnnotation, "y");
    cluster.put(cluster.at("web"));
    const auto events = cluster.run();

    EXPECT_EQ(cluster.address_of("web"), "10.1.0.0");
    EXPECT_THAT(reasons(events), ElementsAre("ClearAssignment", "IPAllocated"));
}

TEST(PlannerTest, BrokenRequestKeepsTheAddressAndSaysWhatIsWrong) {
    Cluster cluster;
    cluster.set_pools({pool("x", {"10.0.0.0/24"})});
    cluster.put(service("web", 1));
    cluster.run();

    annotate(cluster.at("web"), ipam::kAddressesAnnotation, "not-an-address");
    cluster.put(cluster.at("web"));
    const auto events = cluster.run();

    EXPECT_EQ(cluster.address_of("web"), "10.0.0.0");
    EXPECT_EQ(cluster.reason_of("web"), "InvalidRequest");
    EXPECT_THAT(reasons(events), ElementsAre("LoadBalancerFailed"));
}

TEST(PlannerTest, BrokenRequestKeepsTheAddressAcrossARestart) {
    Cluster cluster;
    cluster.set_pools({pool("x", {"10.0.0.0/24"})});
    kube::Service broken = with_ip(service("broken", 5), "10.0.0.0");
    annotate(broken, ipam::kAddressesAnnotation, "not-an-address");
    cluster.put(broken);
    cluster.put(service("waiter", 1));

    cluster.restart();
    cluster.run();

    EXPECT_EQ(cluster.address_of("broken"), "10.0.0.0");
    EXPECT_EQ(cluster.address_of("waiter"), "10.0.0.1");
}

TEST(PlannerTest, PoolThatDisappearsMovesItsServicesElsewhere) {
    Cluster cluster;
    cluster.set_pools({pool("x", {"10.0.0.0/24"})});
    cluster.put(service("web", 1));
    cluster.run();

    cluster.set_pools({pool("y", {"10.7.0.0/24"})});
    const auto events = cluster.run();

    EXPECT_EQ(cluster.address_of("web"), "10.7.0.0");
    EXPECT_THAT(reasons(events), ElementsAre("ClearAssignment", "IPAllocated"));
}

TEST(PlannerTest, LastPoolDeletedLeavesTheServiceWithoutAddress) {
    Cluster cluster;
    cluster.set_pools({pool("x", {"10.0.0.0/24"})});
    cluster.put(service("web", 1));
    cluster.run();

    cluster.set_pools({});
    cluster.run();

    EXPECT_EQ(cluster.address_of("web"), "");
    EXPECT_EQ(cluster.reason_of("web"), "NoPools");
}

TEST(PlannerTest, RenamedPoolKeepsTheAddressAndCorrectsTheAnnotation) {
    Cluster cluster;
    cluster.set_pools({pool("x", {"10.0.0.0/24"})});
    cluster.put(service("web", 1));
    cluster.run();

    cluster.set_pools({pool("y", {"10.0.0.0/16"})});
    const auto events = cluster.run();

    EXPECT_EQ(cluster.address_of("web"), "10.0.0.0");
    EXPECT_EQ(standing_of(cluster.at("web")).pool, "y");
    EXPECT_THAT(events, IsEmpty());
}

TEST(PlannerTest, GrownPoolServesWaiters) {
    Cluster cluster;
    cluster.set_pools({pool("x", {"10.0.0.1/32"})});
    cluster.put(service("first", 1));
    cluster.put(service("second", 2));
    cluster.run();

    cluster.set_pools({pool("x", {"10.0.0.1-10.0.0.2"})});
    cluster.run();

    EXPECT_EQ(cluster.address_of("first"), "10.0.0.1");
    EXPECT_EQ(cluster.address_of("second"), "10.0.0.2");
}

TEST(PlannerTest, SharingKeyAddedLaterLetsTheWaiterIn) {
    Cluster cluster;
    cluster.set_pools({pool("x", {"10.0.0.1/32"})});
    kube::Service other = service("other", 2);
    other.ports[0].port = 443;
    annotate(other, ipam::kSharingAnnotation, "k");
    cluster.put(service("web", 1));
    cluster.put(other);
    cluster.run();
    ASSERT_EQ(cluster.address_of("other"), "");

    annotate(cluster.at("web"), ipam::kSharingAnnotation, "k");
    cluster.put(cluster.at("web"));
    cluster.run();

    EXPECT_EQ(cluster.address_of("other"), "10.0.0.1");
}

TEST(PlannerTest, NamespaceLabelChangeReviewsItsServices) {
    Cluster cluster;
    config::Pool team = pool("team", {"10.0.0.0/24"});
    team.service_allocation.emplace();
    kube::LabelSelector selector;
    selector.match_labels["team"] = "a";
    team.service_allocation->namespace_selectors = {selector};
    cluster.set_pools({team});
    cluster.planner->on_namespace("default", {});
    cluster.put(service("web", 1));
    cluster.run();
    ASSERT_EQ(cluster.reason_of("web"), "NoMatchingPool");

    cluster.planner->on_namespace("default", {{"team", "a"}});
    cluster.run();
    EXPECT_EQ(cluster.address_of("web"), "10.0.0.0");

    cluster.planner->on_namespace("default", {});
    cluster.run();
    EXPECT_EQ(cluster.address_of("web"), "");
}

TEST(PlannerTest, ServiceSeenBeforeItsNamespaceWaitsForTheLabels) {
    config::Pool pinned = pool("pinned", {"10.0.1.0/24"});
    kube::LabelSelector selector;
    selector.match_labels = {{"team", "blue"}};
    pinned.service_allocation.emplace();
    pinned.service_allocation->namespace_selectors = {selector};
    Cluster cluster;
    cluster.set_pools({pool("general", {"10.0.0.0/24"}), pinned});
    cluster.put(service("web", 1));
    EXPECT_THAT(cluster.planner->plan(cluster.now).outcomes, IsEmpty());

    cluster.planner->on_namespace("default", {{"team", "blue"}});
    cluster.run();

    EXPECT_EQ(cluster.address_of("web"), "10.0.1.0");
}

TEST(PlannerTest, DecisionTakenBackReplacesTheWriteOnItsWay) {
    Cluster cluster;
    cluster.set_pools({pool("x", {"10.0.0.1/32"})});
    cluster.put(service("web", 1));
    cluster.run();
    cluster.set_pools({});
    ASSERT_THAT(cluster.planner->plan(cluster.now).outcomes, SizeIs(1));  // never reaches the API

    cluster.set_pools({pool("x", {"10.0.0.1/32"})});
    const auto outcomes = cluster.planner->plan(cluster.now).outcomes;

    ASSERT_THAT(outcomes, SizeIs(1));
    EXPECT_TRUE(outcomes[0].write);
    EXPECT_THAT(outcomes[0].standing.addresses, ElementsAre(ip("10.0.0.1")));
}

TEST(PlannerTest, SecondFamilyIsAddedWhenThePoolGetsIt) {
    Cluster cluster;
    cluster.set_pools({pool("x", {"10.0.0.0/24"})});
    cluster.put(dual_service("web", 1, kube::IpFamilyPolicy::PreferDualStack));
    const auto first = cluster.run();
    EXPECT_EQ(cluster.reason_of("web"), "PoolExhausted");

    cluster.set_pools({pool("x", {"10.0.0.0/24", "fd00::/64"})});
    const auto second = cluster.run();

    EXPECT_THAT(reasons(first), ElementsAre("IPAllocated", "AdditionalAssignFailed"));
    EXPECT_THAT(reasons(second), ElementsAre("IPAllocated"));
    EXPECT_EQ(cluster.address_of("web"), "10.0.0.0 fd00::");
    EXPECT_EQ(cluster.reason_of("web"), "Assigned");
}

TEST(PlannerTest, PreferDualStackWithOneClusterIpStaysAsItIs) {
    Cluster cluster;
    cluster.set_pools({pool("x", {"10.0.0.0/24", "fd00::/64"})});
    kube::Service single = service("web", 1);
    single.ip_family_policy = kube::IpFamilyPolicy::PreferDualStack;
    cluster.put(single);
    cluster.run();

    cluster.restart();

    EXPECT_EQ(cluster.address_of("web"), "10.0.0.0");
    EXPECT_THAT(cluster.planner->plan(cluster.now).outcomes, IsEmpty());
}

TEST(PlannerTest, RecreatedServiceIsANewOne) {
    Cluster cluster;
    cluster.set_pools({pool("x", {"10.0.0.0/24"})});
    kube::Service old = service("web", 1);
    annotate(old, ipam::kAddressesAnnotation, "10.0.0.9");
    cluster.put(old);
    cluster.run();

    kube::Service fresh = service("web", 2);
    fresh.meta.uid = "another";
    cluster.put(fresh);
    cluster.run();

    EXPECT_EQ(cluster.address_of("web"), "10.0.0.0");
    EXPECT_EQ(cluster.planner->counts()[0].v4.assigned, 1U);
}

TEST(PlannerTest, DeprecatedAnnotationIsMentionedWhenTheServiceIsWritten) {
    Cluster cluster;
    cluster.set_pools({pool("x", {"10.0.0.0/24"})});
    kube::Service old = service("web", 1);
    annotate(old, "metallb.universe.tf/address-pool", "x");
    cluster.put(old);

    EXPECT_THAT(reasons(cluster.run()), ElementsAre("IPAllocated", "deprecatedAnnotation"));
}

TEST(PlannerTest, HeadlessServiceIsToldItNeedsAClusterIp) {
    Cluster cluster;
    cluster.set_pools({pool("x", {"10.0.0.0/24"})});
    kube::Service headless = service("web", 1);
    headless.headless = true;
    headless.cluster_ips.clear();
    cluster.put(headless);

    EXPECT_THAT(reasons(cluster.run()), ElementsAre("noclusterIPsIPFamily"));
    EXPECT_EQ(cluster.reason_of("web"), "NoClusterIP");
}

}  // namespace
}  // namespace steelyard::controller_plan
