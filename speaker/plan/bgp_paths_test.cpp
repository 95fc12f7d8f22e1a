#include "speaker/plan/bgp_test_support.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

// What peers are told: attributes, advertisements and Services that meet in one prefix.
namespace steelyard::speaker_plan {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using testing::SizeIs;

TEST_F(BgpTest, OverlappingAdvertisementsUniteTheirCommunities) {
    first().communities.standard = {kGreen};
    first().communities.large = {{64512, 1, 2}};
    add_advertisement("more").communities.standard = {kRed, kGreen};

    ASSERT_THAT(paths(), SizeIs(1));
    EXPECT_THAT(told("r1")->communities.standard, ElementsAre(kRed, kGreen));
    EXPECT_THAT(told("r1")->communities.large, ElementsAre(config::LargeCommunity{64512, 1, 2}));
}

TEST_F(BgpTest, AnAdvertisementCarriesItsAttributes) {
    first().local_pref = 150;
    first().med = 7;
    first().as_path_prepend = 3;
    first().communities.extended = {{{0, 2, 0xFC, 0, 0, 0, 0, 1}}};

    const BgpAttributes attributes = told("r1").value();

    EXPECT_EQ(attributes.local_pref, 150U);
    EXPECT_EQ(attributes.med, 7U);
    EXPECT_EQ(attributes.prepend, 3U);
    EXPECT_THAT(attributes.communities.extended, SizeIs(1));
    EXPECT_EQ(attributes.link_bandwidth_weight, std::nullopt);
}

TEST_F(BgpTest, OnlyTheNamedPeersAreTold) {
    first().peers = {"r2", "unknown"};
    EXPECT_THAT(paths(), ElementsAre(BgpPath{{"r2"}, {}}));
    EXPECT_EQ(told("r1"), std::nullopt);
}

TEST_F(BgpTest, DifferentPeersAreToldDifferentThings) {
    first().peers = {"r1"};
    first().local_pref = 100;
    auto& second = add_advertisement("second");
    second.peers = {"r2"};
    second.local_pref = 200;

    EXPECT_THAT(paths(), SizeIs(2));
    EXPECT_EQ(told("r1")->local_pref, 100U);
    EXPECT_EQ(told("r2")->local_pref, 200U);
}

TEST_F(BgpTest, WhatIsForAllAndWhatIsForOnePeerMeetAtThatPeer) {
    first().communities.standard = {kRed};
    auto& second = add_advertisement("for r1");
    second.peers = {"r1"};
    second.communities.standard = {kGreen};

    EXPECT_THAT(told("r1")->communities.standard, ElementsAre(kRed, kGreen));
    EXPECT_THAT(told("r2")->communities.standard, ElementsAre(kRed));
    EXPECT_THAT(paths().back().peers, IsEmpty());
}

TEST_F(BgpTest, PeersThatAreToldTheSameShareAPath) {
    first().peers = {"r1"};
    add_advertisement("second").peers = {"r2"};
    EXPECT_THAT(paths(), ElementsAre(BgpPath{{"r1", "r2"}, {}}));

    add_advertisement("all");
    EXPECT_THAT(paths(), ElementsAre(BgpPath{}));
}

TEST_F(BgpTest, LocalPrefsThatNeverMeetAtAPeerAreNoConflict) {
    first().local_pref = 100;
    auto& second = add_advertisement("second");
    second.local_pref = 200;
    second.peers = {"elsewhere"};
    EXPECT_EQ(told("r1")->local_pref, 100U);

    second.peers.clear();
    second.node_selectors = {selector("name", "b")};
    EXPECT_EQ(told("r1")->local_pref, 100U);

    second.node_selectors.clear();
    second.service_selectors = {selector("app", "other")};
    EXPECT_EQ(told("r1")->local_pref, 100U);
}

TEST_F(BgpTest, AConflictWithholdsThePrefixOfTheServiceOnly) {
    add_service("db", {"192.0.2.20"});
    add_slice("db", {"a"});
    first().local_pref = 100;
    auto& second = add_advertisement("second");
    second.local_pref = 200;
    second.service_selectors = {selector("app", "db")};

    EXPECT_THAT(prefixes(), ElementsAre("192.0.2.10/32"));
    EXPECT_EQ(why_not("db"), BgpWhyNot::Conflict);
    EXPECT_THAT(
        bgp().services.at({"default", "db"})->conflicts,
        ElementsAre(BgpConflict{prefix("192.0.2.20/32"), "localPref", "everything", "second"})
    );
}

TEST_F(BgpTest, DifferentLengthsAreDifferentPrefixesWithoutConflict) {
    first().local_pref = 100;
    auto& second = add_advertisement("aggregate");
    second.local_pref = 50;
    second.aggregation_length = 24;

    EXPECT_THAT(prefixes(), ElementsAre("192.0.2.0/24", "192.0.2.10/32"));
    EXPECT_EQ(told("r1", "192.0.2.0/24")->local_pref, 50U);
    EXPECT_EQ(told("r1")->local_pref, 100U);
}

TEST_F(BgpTest, AServiceCannotHaveTwoMedsOrPrependsForOnePeer) {
    auto& second = add_advertisement("second");
    second.med = 10;
    EXPECT_EQ(why_not(), BgpWhyNot::Conflict);
    EXPECT_EQ(bgp().services.at({"default", "web"})->conflicts.at(0).attribute, "med");

    second.med.reset();
    second.as_path_prepend = 1;
    EXPECT_EQ(bgp().services.at({"default", "web"})->conflicts.at(0).attribute, "asPathPrepend");
}

TEST_F(BgpTest, EachFamilyHasItsAggregationLength) {
    add_service("web", {"192.0.2.10", "2001:db8::10"});
    add_slice("web", {"a"}, net::Family::V6);
    first().aggregation_length = 28;
    first().aggregation_length_v6 = 64;
    EXPECT_THAT(prefixes(), ElementsAre("192.0.2.0/28", "2001:db8::/64"));
}

TEST_F(BgpTest, ServicesInOneAggregateMerge) {
    add_service("db", {"192.0.2.20"});
    add_slice("db", {"a"});
    first().aggregation_length = 24;
    first().communities.standard = {kRed};
    EXPECT_THAT(prefixes(), ElementsAre("192.0.2.0/24"));

    // Each brings its own communities, and leaves only when the last one goes.
    first().service_selectors = {selector("app", "web")};
    auto& second = add_advertisement("second");
    second.service_selectors = {selector("app", "db")};
    second.aggregation_length = 24;
    second.communities.standard = {kGreen};
    EXPECT_THAT(told("r1", "192.0.2.0/24")->communities.standard, ElementsAre(kRed, kGreen));

    snapshot_.services.erase({"default", "web"});
    EXPECT_THAT(told("r1", "192.0.2.0/24")->communities.standard, ElementsAre(kGreen));
    snapshot_.services.erase({"default", "db"});
    EXPECT_THAT(prefixes(), IsEmpty());
}

TEST_F(BgpTest, ServicesThatShareAnAddressGetTheBestOfTheirAttributes) {
    add_service("db", {"192.0.2.10"});
    add_slice("db", {"a"});
    first().service_selectors = {selector("app", "web")};
    first().local_pref = 100;
    first().med = 20;
    first().as_path_prepend = 4;
    auto& second = add_advertisement("second");
    second.service_selectors = {selector("app", "db")};
    second.local_pref = 200;
    second.med = 10;
    second.as_path_prepend = 2;

    EXPECT_EQ(told("r1")->local_pref, 200U);
    EXPECT_EQ(told("r1")->med, 10U);
    EXPECT_EQ(told("r1")->prepend, 2U);
    EXPECT_EQ(why_not("web"), std::nullopt);
}

TEST_F(BgpTest, TheWeightIsTheNumberOfReadyEndpointsOnThisNode) {
    first().link_bandwidth = true;
    kube::EndpointSlice& slice = add_slice("web", {"a", "b", "a", "a"});
    EXPECT_EQ(told("r1")->link_bandwidth_weight, 3U);

    slice.endpoints[0].ready = false;  // still serving
    EXPECT_EQ(told("r1")->link_bandwidth_weight, 2U);
}

TEST_F(BgpTest, ANodeThatOnlyPassesTrafficOnWeighsOne) {
    first().link_bandwidth = true;
    add_slice("web", {"b"});
    EXPECT_EQ(told("r1")->link_bandwidth_weight, 1U);
}

TEST_F(BgpTest, WeightsOfServicesInOnePrefixAddUp) {
    add_service("db", {"192.0.2.20", "192.0.2.21"});
    add_slice("db", {"a", "a", "b"});
    first().link_bandwidth = true;
    first().aggregation_length = 24;
    // One of "web", two of "db": its second address adds none.
    EXPECT_EQ(told("r1", "192.0.2.0/24")->link_bandwidth_weight, 3U);
}

TEST_F(BgpTest, OnlyPeersOfAnAdvertisementThatAsksAreToldTheWeight) {
    auto& second = add_advertisement("second");
    second.peers = {"r2"};
    second.link_bandwidth = true;
    EXPECT_EQ(told("r1")->link_bandwidth_weight, std::nullopt);
    EXPECT_EQ(told("r2")->link_bandwidth_weight, 1U);
}

TEST_F(BgpTest, AnAddressThatIsNotServableAddsNothingToItsAggregate) {
    config_.pools.push_back(pool("dmz", "198.51.100.0/24"));
    add_service("web", {"192.0.2.10", "198.51.100.10"});
    first().aggregation_length = 1;
    first().communities.standard = {kRed};
    auto& dmz = add_advertisement("dmz");
    dmz.pools = {"dmz"};
    dmz.aggregation_length = 1;
    dmz.communities.standard = {kGreen};
    EXPECT_THAT(told("r1", "128.0.0.0/1")->communities.standard, ElementsAre(kRed, kGreen));

    snapshot_.servable.emplace();
    snapshot_.servable->insert(ip("198.51.100.10"));
    EXPECT_THAT(told("r1", "128.0.0.0/1")->communities.standard, ElementsAre(kGreen));
}

}  // namespace
}  // namespace steelyard::speaker_plan
