#include "speaker/plan/plan_test_support.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace steelyard::speaker_plan {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;

TEST_F(PlanTest, TheOwnerAnnouncesOnEveryUsableInterface) {
    const AddressPlan mine = seen_by_owner();

    EXPECT_TRUE(mine.mine);
    EXPECT_TRUE(mine.announced_here);
    EXPECT_THAT(mine.interfaces, ElementsAre("eth0", "eth1"));
    EXPECT_EQ(mine.reasons, std::nullopt);
    EXPECT_THAT(planned().silent, IsEmpty());
}

TEST_F(PlanTest, EveryNodeNamesTheSameOwnerAndOneAnnounces) {
    std::set<std::string> owners;
    int announcing = 0;
    for (const char* name : {"a", "b", "c"}) {
        snapshot_.node_name = name;
        const AddressPlan seen = planned().addresses.at(ip("192.0.2.10"));
        owners.insert(seen.owner.value());
        announcing += seen.announced_here ? 1 : 0;
    }
    EXPECT_THAT(owners, SizeIs(1));
    EXPECT_EQ(announcing, 1);
}

TEST_F(PlanTest, AnotherNodesAddressIsNotSilent) {
    const std::string owner = owner_of().value();
    snapshot_.node_name = owner == "a" ? "b" : "a";

    const Announcements seen = planned();

    EXPECT_FALSE(seen.addresses.at(ip("192.0.2.10")).announced_here);
    EXPECT_THAT(seen.silent, IsEmpty());
}

TEST_F(PlanTest, OnlyLoadBalancersOfOurClassAreConsidered) {
    add_service("foreign", {"192.0.2.11"}).load_balancer_class = "other.io/lb";
    add_service("plain", {"192.0.2.12"}).type = kube::ServiceType::ClusterIp;

    const Announcements seen = planned();

    EXPECT_THAT(seen.addresses, SizeIs(1));
    EXPECT_THAT(seen.silent, IsEmpty());
}

TEST_F(PlanTest, NothingIsAnnouncedBeforeAConfigurationIsRead) {
    const Announcements seen = plan(snapshot_);

    EXPECT_EQ(seen.silent.at({"default", "web"}).why_not, WhyNot::NoConfig);
}

TEST_F(PlanTest, AServiceWithoutAnAddressIsSilent) {
    add_service("pending", {});
    EXPECT_EQ(silence("pending"), WhyNot::NoAddress);
}

TEST_F(PlanTest, AnAddressOutsideEveryPoolIsSilent) {
    add_service("stray", {"198.51.100.1"});
    add_slice("stray", {"a"});
    EXPECT_EQ(silence("stray"), WhyNot::NotInPool);
}

TEST_F(PlanTest, AnAddressWhosePoolNobodyAdvertisesIsSilent) {
    config_.l2_advertisements[0].pools = {"lan6"};
    EXPECT_EQ(silence(), WhyNot::NoAdvertisement);
}

TEST_F(PlanTest, AServiceThatNoSelectorMatchesIsSilent) {
    config_.l2_advertisements[0].service_selectors = {selector("app", "other")};
    EXPECT_EQ(silence(), WhyNot::NoAdvertisement);
}

TEST_F(PlanTest, WithoutServingEndpointsNobodyAnnounces) {
    snapshot_.slices.clear();
    EXPECT_EQ(silence(), WhyNot::NoEndpoints);
    EXPECT_EQ(owner_of(), std::nullopt);
}

TEST_F(PlanTest, ATerminatingEndpointThatServesCounts) {
    kube::EndpointSlice& slice = add_slice("web", {"a"});
    slice.endpoints[0].ready = false;
    slice.endpoints[0].terminating = true;
    slice.endpoints[0].serving = true;
    EXPECT_TRUE(owner_of());

    slice.endpoints[0].serving = false;
    EXPECT_EQ(silence(), WhyNot::NoEndpoints);
}

TEST_F(PlanTest, AnAddressNeedsEndpointsOfItsFamily) {
    add_service("web", {"192.0.2.10", "2001:db8::10"});
    const Announcements seen = planned();

    EXPECT_TRUE(seen.addresses.at(ip("192.0.2.10")).owner);
    EXPECT_EQ(seen.addresses.at(ip("2001:db8::10")).reasons->why_not, WhyNot::NoEndpoints);
    EXPECT_THAT(seen.silent, IsEmpty());
}

TEST_F(PlanTest, LocalPolicyKeepsToNodesWithEndpoints) {
    add_service("web", {"192.0.2.10"}).external_traffic_policy = kube::TrafficPolicy::Local;
    for (const char* name : {"a", "b", "c"}) {
        add_slice("web", {name});
        EXPECT_EQ(owner_of(), name);
    }
}

TEST_F(PlanTest, ClusterPolicyDoesNot) {
    add_slice("web", {"a"});
    remove_everyone_but("c");
    EXPECT_EQ(owner_of(), "c");
}

TEST_F(PlanTest, NodeSelectorsOfAllAdvertisementsAreUnited) {
    config_.l2_advertisements[0].node_selectors = {selector("name", "b")};
    EXPECT_EQ(owner_of(), "b");

    config_.l2_advertisements.push_back(advertisement("more"));
    config_.l2_advertisements[1].node_selectors = {selector("name", "c")};
    remove_everyone_but("c");
    EXPECT_EQ(owner_of(), "c");
}

struct NodeRule {
    const char* name;
    elect::Reason reason;
    void (*spoil)(kube::Node&, MemberView&);
};

class NodeRuleTest : public PlanTest, public testing::WithParamInterface<NodeRule> {};

TEST_P(NodeRuleTest, KeepsTheNodeOutAndSaysWhyWhenNobodyIsLeft) {
    const std::string first = owner_of().value();
    auto spoil = [&](const std::string& name) {
        GetParam().spoil(add_node(name), member(name));
    };

    spoil(first);
    EXPECT_NE(owner_of(), first);

    for (const char* name : {"a", "b", "c"}) {
        spoil(name);
    }
    EXPECT_EQ(silence(), WhyNot::NoCandidate);
    const Reasons reasons = planned().silent.at({"default", "web"});
    EXPECT_EQ(reasons.excluded.at(GetParam().reason), 3U);
    EXPECT_THAT(to_string(reasons), HasSubstr(std::string(elect::to_string(GetParam().reason))));
}

INSTANTIATE_TEST_SUITE_P(
    Nodes,
    NodeRuleTest,
    testing::Values(
        NodeRule{
            "Left",
            elect::Reason::NotAlive,
            [](kube::Node&, MemberView& m) {
                m.state = MemberState::Left;
            }},
        NodeRule{
            "NotReady",
            elect::Reason::NotReady,
            [](kube::Node&, MemberView& m) {
                m.ready = false;
            }},
        NodeRule{
            "NetworkUnavailable",
            elect::Reason::NetworkUnavailable,
            [](kube::Node& n, MemberView&) {
                n.network_unavailable = true;
            }},
        NodeRule{
            "ExcludeLabel",
            elect::Reason::ExcludedByLabel,
            [](kube::Node& n, MemberView&) {
                n.meta.labels["node.kubernetes.io/exclude-from-external-load-balancers"] = "";
            }},
        NodeRule{
            "ToldThatItHasNoInterface",
            elect::Reason::NoInterface,
            [](kube::Node&, MemberView& m) {
                m.interfaces.emplace();
            }}
    ),
    [](const auto& instance) { return std::string(instance.param.name); }
);

TEST_F(PlanTest, ASuspectedNodeStaysACandidate) {
    remove_everyone_but("b");
    member("b").state = MemberState::Suspect;
    EXPECT_EQ(owner_of(), "b");
}

TEST_F(PlanTest, AnUnreachableNodeIsACandidateOnlyWhenNobodyElseIs) {
    const std::string first = owner_of().value();
    member(first).state = MemberState::Unreachable;
    EXPECT_NE(owner_of(), first);

    for (const char* name : {"a", "b", "c"}) {
        member(name).state = MemberState::Unreachable;
    }
    EXPECT_EQ(owner_of(), first);
}

TEST_F(PlanTest, ANodeThatIsNoMemberIsNoCandidate) {
    add_node("d");
    remove_everyone_but("nobody");
    EXPECT_EQ(silence(), WhyNot::NoCandidate);
}

TEST_F(PlanTest, TheExcludeLabelCanBeIgnored) {
    for (const char* name : {"a", "b", "c"}) {
        add_node(name).meta.labels["node.kubernetes.io/exclude-from-external-load-balancers"] = "";
    }
    snapshot_.ignore_exclude_label = true;
    EXPECT_TRUE(owner_of());
}

TEST_F(PlanTest, WithoutGossipEveryNodeCountsAsAlive) {
    snapshot_.members.reset();
    EXPECT_TRUE(owner_of());
    EXPECT_EQ(planned().order, elect::Order::MetalLb);
}

TEST_F(PlanTest, PreferenceWeightsOfAllAdvertisementsAddUp) {
    config_.l2_advertisements[0].preferred_nodes = {{3, selector("name", "b")}};
    config_.l2_advertisements.push_back(advertisement("more"));
    config_.l2_advertisements[1].preferred_nodes = {
        {2, selector("name", "c")}, {2, selector("name", "c")}};
    EXPECT_EQ(owner_of(), "c");
}

TEST_F(PlanTest, WeightsCountOnlyOnNodesTheirAdvertisementSelects) {
    config_.l2_advertisements[0].preferred_nodes = {{1, selector("name", "b")}};
    config_.l2_advertisements.push_back(advertisement("more"));
    config_.l2_advertisements[1].node_selectors = {selector("name", "a")};
    config_.l2_advertisements[1].preferred_nodes = {{100, selector("name", "c")}};
    EXPECT_EQ(owner_of(), "b");
}

TEST_F(PlanTest, AForeignMemberMakesEverybodyUseMetalLbOrder) {
    EXPECT_EQ(planned().order, elect::Order::Rendezvous);

    member("c").steelyard_capable = false;
    EXPECT_EQ(planned().order, elect::Order::MetalLb);

    member("c").state = MemberState::Left;
    EXPECT_EQ(planned().order, elect::Order::Rendezvous);
}

TEST_F(PlanTest, AForeignMemberNeedNotSayThatItIsReady) {
    remove_everyone_but("c");
    member("c").steelyard_capable = false;
    member("c").ready = false;
    EXPECT_EQ(owner_of(), "c");
}

TEST_F(PlanTest, InAMixedRingBothFamiliesFollowTheFirstAddress) {
    member("c").steelyard_capable = false;
    for (int i = 0; i < 20; ++i) {
        const std::string v4 = "192.0.2." + std::to_string(100 + i);
        const std::string v6 = "2001:db8::" + std::to_string(100 + i);
        add_service("web", {v4.c_str(), v6.c_str()});
        add_slice("web", {"a"}, net::Family::V6);
        EXPECT_EQ(owner_of(v4), owner_of(v6));
    }
}

TEST_F(PlanTest, InterfacesAreTheUnionOfTheAdvertisementsThatSelectThisNode) {
    config_.l2_advertisements[0].interfaces = {"eth0"};
    EXPECT_THAT(seen_by_owner().interfaces, ElementsAre("eth0"));

    config_.l2_advertisements.push_back(advertisement("more"));
    config_.l2_advertisements[1].interfaces = {"eth1", "eth7"};
    EXPECT_THAT(seen_by_owner().interfaces, ElementsAre("eth0", "eth1"));

    config_.l2_advertisements[1].node_selectors = {selector("name", "nobody")};
    EXPECT_THAT(seen_by_owner().interfaces, ElementsAre("eth0"));
}

TEST_F(PlanTest, InterfacesMustBeAbleToDoTheFamily) {
    snapshot_.interfaces = {{"eth0", false, true}, {"eth1", true, false}};
    add_service("web", {"192.0.2.10", "2001:db8::10"});
    add_slice("web", {"a"}, net::Family::V6);

    EXPECT_THAT(seen_by_owner("192.0.2.10").interfaces, ElementsAre("eth1"));
    EXPECT_THAT(seen_by_owner("2001:db8::10").interfaces, ElementsAre("eth0"));
}

TEST_F(PlanTest, AnOwnerWithoutAnAllowedInterfaceDoesNotAnnounce) {
    config_.l2_advertisements[0].interfaces = {"eth7"};

    const AddressPlan mine = seen_by_owner();

    EXPECT_TRUE(mine.mine);
    EXPECT_FALSE(mine.announced_here);
    EXPECT_EQ(silence(), WhyNot::NoInterface);
}

TEST_F(PlanTest, AnOwnerAnnouncesOnlyWhatItsKernelForwards) {
    snapshot_.servable.emplace();
    EXPECT_FALSE(seen_by_owner().announced_here);
    EXPECT_EQ(silence(), WhyNot::NotServable);

    snapshot_.servable->insert(ip("192.0.2.10"));
    EXPECT_TRUE(seen_by_owner().announced_here);
}

TEST_F(PlanTest, HostnamesInTheStatusAreIgnored) {
    kube::Service& service = add_service("web", {"192.0.2.10"});
    service.ingress.insert(service.ingress.begin(), {std::nullopt, "lb.example", ""});
    EXPECT_THAT(planned().addresses, SizeIs(1));
}

}  // namespace
}  // namespace steelyard::speaker_plan
