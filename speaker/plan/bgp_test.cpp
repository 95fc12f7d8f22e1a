#include "speaker/plan/bgp_test_support.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>

// Which addresses get a route from this node, and why the others do not.
namespace steelyard::speaker_plan {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

TEST_F(BgpTest, ANodeAnnouncesWhatIsAdvertisedAndServed) {
    EXPECT_THAT(prefixes(), ElementsAre("192.0.2.10/32"));
    EXPECT_THAT(paths(), ElementsAre(BgpPath{}));
    EXPECT_EQ(why_not(), std::nullopt);
}

TEST_F(BgpTest, EveryNodeAnnounces) {
    for (const char* node : {"a", "b", "c"}) {
        snapshot_.node_name = node;
        EXPECT_THAT(prefixes(), ElementsAre("192.0.2.10/32")) << node;
    }
}

TEST_F(BgpTest, ADualStackServiceHasARouteOfEachFamily) {
    add_service("web", {"192.0.2.10", "2001:db8::10"});
    add_slice("web", {"b"}, net::Family::V6);
    EXPECT_THAT(prefixes(), ElementsAre("192.0.2.10/32", "2001:db8::10/128"));
}

TEST_F(BgpTest, AnAddressNeedsEndpointsOfItsOwnFamily) {
    add_service("web", {"192.0.2.10", "2001:db8::10"});
    EXPECT_THAT(prefixes(), ElementsAre("192.0.2.10/32"));
    EXPECT_EQ(why_not("web", 1), BgpWhyNot::NoEndpoints);
}

struct Withheld {
    std::string name;
    BgpWhyNot why_not;
    std::function<void(Snapshot&, config::Config&)> make;
};

kube::Service& web(Snapshot& snapshot) {
    auto copy = std::make_shared<kube::Service>(*snapshot.services.at({"default", "web"}));
    snapshot.services[copy->meta.key] = copy;
    return *copy;
}
kube::Node& node_a(Snapshot& snapshot) {
    auto copy = std::make_shared<kube::Node>(*snapshot.nodes.at({"", "a"}));
    snapshot.nodes[copy->meta.key] = copy;
    return *copy;
}
kube::EndpointSlice& slice(Snapshot& snapshot) {
    auto copy = std::make_shared<kube::EndpointSlice>(*snapshot.slices.at({"default", "web-4"}));
    snapshot.slices[copy->meta.key] = copy;
    return *copy;
}
kube::LabelSelector labelled(std::string key, std::string value) {
    kube::LabelSelector out;
    out.match_labels.emplace(std::move(key), std::move(value));
    return out;
}

std::vector<Withheld> withheld() {
    using Why = BgpWhyNot;
    return {
        {"NotInAnyPool",
         Why::NotInPool,
         [](auto&, auto& config) {
             config.pools.clear();
         }},
        {"NoAdvertisement",
         Why::NoAdvertisement,
         [](auto&, auto& config) {
             config.bgp_advertisements.clear();
         }},
        {"AdvertisementOfAnotherPool",
         Why::NoAdvertisement,
         [](auto&, auto& config) {
             config.bgp_advertisements[0].pools = {"lan6"};
         }},
        {"ServiceSelectorOfAnother",
         Why::NoAdvertisement,
         [](auto&, auto& config) {
             config.bgp_advertisements[0].service_selectors = {labelled("app", "other")};
         }},
        {"NodeSelectorOfAnother",
         Why::NotSelected,
         [](auto&, auto& config) {
             config.bgp_advertisements[0].node_selectors = {labelled("name", "b")};
         }},
        {"NodeUnknown",
         Why::NotSelected,
         [](auto& snapshot, auto&) {
             snapshot.nodes.erase(kube::ObjectKey{"", "a"});
         }},
        {"NoPeerAtAll",
         Why::NoPeer,
         [](auto&, auto& config) {
             config.bgp_peers.clear();
         }},
        {"PeersOfOtherNodesOnly",
         Why::NoPeer,
         [](auto&, auto& config) {
             for (auto& peer : config.bgp_peers) {
                 peer.node_selectors = {labelled("name", "b")};
             }
         }},
        {"NamesNoPeerOfThisNode",
         Why::NoPeer,
         [](auto&, auto& config) {
             config.bgp_advertisements[0].peers = {"unknown"};
         }},
        {"NetworkUnavailable",
         Why::NetworkUnavailable,
         [](auto& snapshot, auto&) {
             node_a(snapshot).network_unavailable = true;
         }},
        {"ExcludeLabel",
         Why::ExcludedByLabel,
         [](auto& snapshot, auto&) {
             node_a(snapshot).meta.labels
                 ["node.kubernetes.io/"
                  "exclude-from-external-load-balancers"] = "";
         }},
        {"NothingServes",
         Why::NoEndpoints,
         [](auto& snapshot, auto&) {
             snapshot.slices.clear();
         }},
        {"NothingReadyOrServing",
         Why::NoEndpoints,
         [](auto& snapshot, auto&) {
             for (auto& endpoint : slice(snapshot).endpoints) {
                 endpoint.ready = endpoint.serving = false;
             }
         }},
        {"EndpointsWithoutAddress",
         Why::NoEndpoints,
         [](auto& snapshot, auto&) {
             for (auto& endpoint : slice(snapshot).endpoints) {
                 endpoint.address.reset();
             }
         }},
        {"LocalElsewhere",
         Why::NoLocalEndpoints,
         [](auto& snapshot, auto&) {
             web(snapshot).external_traffic_policy = kube::TrafficPolicy::Local;
             auto& endpoints = slice(snapshot).endpoints;
             endpoints.erase(endpoints.begin());
         }},
        {"KernelDoesNotForward",
         Why::NotServable,
         [](auto& snapshot, auto&) {
             snapshot.servable.emplace();
         }},
        {"TwoLocalPrefs",
         Why::Conflict,
         [](auto&, auto& config) {
             config.bgp_advertisements.push_back(config.bgp_advertisements[0]);
             config.bgp_advertisements[1].local_pref = 200;
         }},
    };
}

class BgpWithheldTest : public BgpTest, public testing::WithParamInterface<Withheld> {};

TEST_P(BgpWithheldTest, HasNoRouteAndSaysWhy) {
    GetParam().make(snapshot_, config_);
    EXPECT_THAT(prefixes(), IsEmpty());
    EXPECT_EQ(why_not(), GetParam().why_not);
}

INSTANTIATE_TEST_SUITE_P(
    Rules,
    BgpWithheldTest,
    testing::ValuesIn(withheld()),
    [](const auto& test) { return test.param.name; }
);

TEST_F(BgpTest, WithoutAConfigurationNothingIsAnnounced) {
    const BgpPlan plan = bgp_plan(snapshot_);
    EXPECT_THAT(plan.routes, IsEmpty());
    EXPECT_EQ(plan.services.at({"default", "web"})->addresses.at(0).why_not, BgpWhyNot::NoConfig);
}

TEST_F(BgpTest, EveryReasonHasMetalLbsWordOrOneOfOurs) {
    EXPECT_EQ(to_string(BgpWhyNot::NoAdvertisement), "noMatchingAdvertisement");
    EXPECT_EQ(to_string(BgpWhyNot::NotSelected), "notOwner");
    EXPECT_EQ(to_string(BgpWhyNot::Conflict), "conflictingAdvertisements");
    EXPECT_EQ(to_string(BgpWhyNot::NetworkUnavailable), "nodeNetworkUnavailable");
    EXPECT_EQ(to_string(BgpWhyNot::ExcludedByLabel), "nodeLabeledExcludeBalancers");
    EXPECT_EQ(to_string(BgpWhyNot::NoLocalEndpoints), "noLocalEndpoints");
}

TEST_F(BgpTest, ServicesOfOtherClassesAndTypesAreNoBusinessOfOurs) {
    add_service("theirs", {"192.0.2.11"}).load_balancer_class = "other.example/lb";
    add_service("inside", {"192.0.2.12"}).type = kube::ServiceType::ClusterIp;
    EXPECT_EQ(bgp().services.size(), 1U);

    snapshot_.load_balancer_class = "other.example/lb";
    EXPECT_TRUE(bgp().services.contains({"default", "theirs"}));
    EXPECT_FALSE(bgp().services.contains({"default", "web"}));
}

TEST_F(BgpTest, TheExcludeLabelCanBeIgnored) {
    node_a(snapshot_).meta.labels["node.kubernetes.io/exclude-from-external-load-balancers"] = "";
    snapshot_.ignore_exclude_label = true;
    EXPECT_THAT(prefixes(), ElementsAre("192.0.2.10/32"));
}

TEST_F(BgpTest, PolicyLocalAnnouncesWhereAnEndpointServesEvenOneThatTerminates) {
    web(snapshot_).external_traffic_policy = kube::TrafficPolicy::Local;
    kube::SliceEndpoint& here = slice(snapshot_).endpoints.front();
    here.ready = false;
    here.terminating = true;
    EXPECT_THAT(prefixes(), ElementsAre("192.0.2.10/32"));
}

TEST_F(BgpTest, OnlyServableAddressesAreAnnounced) {
    add_service("web", {"192.0.2.10", "192.0.2.11"});
    snapshot_.servable.emplace();
    snapshot_.servable->insert(ip("192.0.2.11"));
    EXPECT_THAT(prefixes(), ElementsAre("192.0.2.11/32"));
    EXPECT_EQ(why_not("web", 0), BgpWhyNot::NotServable);
    EXPECT_EQ(why_not("web", 1), std::nullopt);
}

TEST_F(BgpTest, LabellingANodeAddsIt) {
    first().node_selectors = {labelled("rack", "1")};
    EXPECT_THAT(prefixes(), IsEmpty());
    node_a(snapshot_).meta.labels["rack"] = "1";
    EXPECT_THAT(prefixes(), ElementsAre("192.0.2.10/32"));
}

TEST_F(BgpTest, OneOfSeveralSelectorsIsEnough) {
    first().node_selectors = {labelled("name", "b"), labelled("name", "a")};
    first().service_selectors = {labelled("app", "other"), labelled("app", "web")};
    EXPECT_THAT(prefixes(), ElementsAre("192.0.2.10/32"));
}

TEST_F(BgpTest, ServiceSelectorsSplitAPool) {
    add_service("db", {"192.0.2.20"});
    add_slice("db", {"a"});
    first().service_selectors = {labelled("app", "web")};
    first().communities.standard = {kRed};
    auto& second = add_advertisement("db");
    second.service_selectors = {labelled("app", "db")};
    second.communities.standard = {kGreen};

    EXPECT_THAT(told("r1")->communities.standard, ElementsAre(kRed));
    EXPECT_THAT(told("r1", "192.0.2.20/32")->communities.standard, ElementsAre(kGreen));
}

TEST_F(BgpTest, ActivePeersAreThoseThatSelectThisNode) {
    config_.bgp_peers[0].node_selectors = {labelled("name", "b"), labelled("name", "c")};
    EXPECT_THAT(bgp().peers, ElementsAre("r2"));
    ASSERT_EQ(active_peers(snapshot_).size(), 1U);
    EXPECT_EQ(active_peers(snapshot_)[0]->name, "r2");

    snapshot_.node_name = "b";
    EXPECT_THAT(bgp().peers, ElementsAre("r1", "r2"));
    snapshot_.node_name = "unknown";
    EXPECT_THAT(bgp().peers, IsEmpty());
}

TEST_F(BgpTest, ADrainingNodeKeepsItsRoutesAndSaysSo) {
    EXPECT_FALSE(bgp().draining);
    member("a").draining = true;
    EXPECT_TRUE(bgp().draining);
    EXPECT_THAT(prefixes(), ElementsAre("192.0.2.10/32"));
}

TEST_F(BgpTest, AServiceWithBgpOnlyIsNotSilentOnTheWire) {
    EXPECT_THAT(planned().silent, IsEmpty());
    EXPECT_EQ(planned().addresses.at(ip("192.0.2.10")).reasons->why_not, WhyNot::OnlyBgp);
    config_.bgp_advertisements.clear();
    EXPECT_EQ(silence(), WhyNot::NoAdvertisement);
    config_.pools_advertised_elsewhere = {"lan"};
    EXPECT_THAT(planned().silent, IsEmpty());
}

}  // namespace
}  // namespace steelyard::speaker_plan
