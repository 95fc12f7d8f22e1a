#include "speaker/plan/bgp_planner.hpp"
#include "speaker/plan/bgp_test_support.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

// What people are told: Events, and explain().
namespace steelyard::speaker_plan {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;

class BgpEventsTest : public BgpTest {
protected:
    std::vector<Event> events() {
        snapshot_.config = std::make_shared<const config::Config>(config_);
        planner_.sync(snapshot_);
        return bgp_events("a", planner_.update());
    }
    std::string explained(std::string_view address = "192.0.2.10") {
        return explain_bgp(bgp(), ip(address)).value_or("nothing");
    }

    BgpPlanner planner_;
};

TEST_F(BgpEventsTest, AServiceThatGetsItsFirstRouteIsAssigned) {
    add_service("web", {"192.0.2.10", "192.0.2.11"});
    EXPECT_THAT(
        events(),
        ElementsAre(Event{
            {"default", "web"},
            false,
            "nodeAssigned",
            "announcing from node \"a\" with protocol \"bgp\""})
    );
}

TEST_F(BgpEventsTest, AFurtherRouteIsNoNews) {
    static_cast<void>(events());
    add_service("web", {"192.0.2.10", "192.0.2.11"});
    EXPECT_THAT(events(), IsEmpty());
}

TEST_F(BgpEventsTest, AServiceThatComesBackIsAssignedAgain) {
    static_cast<void>(events());
    const auto slices = snapshot_.slices;
    snapshot_.slices.clear();
    EXPECT_THAT(events(), IsEmpty());
    snapshot_.slices = slices;
    EXPECT_THAT(events(), testing::SizeIs(1));
}

TEST_F(BgpEventsTest, AConflictIsToldOnceInWordsThatAllNodesShare) {
    first().local_pref = 100;
    add_advertisement("second").local_pref = 200;
    EXPECT_THAT(
        events(),
        ElementsAre(Event{
            {"default", "web"},
            true,
            "announceFailed",
            "192.0.2.10/32 is not announced by BGP: BGPAdvertisements \"everything\" and "
            "\"second\" set different localPref for 192.0.2.10/32 to the same peer"})
    );
    EXPECT_THAT(events(), IsEmpty());
}

TEST_F(BgpEventsTest, WhatComesAndGoesByItselfIsNoWarning) {
    snapshot_.servable.emplace();
    EXPECT_THAT(events(), IsEmpty());
    config_.bgp_peers.clear();
    EXPECT_THAT(events(), IsEmpty());
}

TEST_F(BgpEventsTest, ExplainTellsRoutesAndAttributesForEachPeer) {
    first().local_pref = 150;
    first().communities.standard = {kRed};
    auto& second = add_advertisement("for r1");
    second.peers = {"r1"};
    second.local_pref = 150;
    second.communities.standard = {kGreen};

    EXPECT_EQ(
        explained(),
        "BGP, 192.0.2.10 of default/web: announced\n"
        "192.0.2.10/32\n"
        "  to r1, localPref 150, community 64512:1, community 64512:2\n"
        "  to all other peers, localPref 150, community 64512:1\n"
        "BGP peers of this node: r1, r2\n"
    );
}

TEST_F(BgpEventsTest, ExplainTellsWhyThereIsNoRoute) {
    first().local_pref = 100;
    add_advertisement("second").local_pref = 200;
    EXPECT_THAT(explained(), HasSubstr("no route: its BGPAdvertisements contradict each"));
    EXPECT_THAT(explained(), HasSubstr("withheld: BGPAdvertisements \"everything\" and"));
    EXPECT_EQ(explained("192.0.2.99"), "nothing");
}

TEST_F(BgpEventsTest, ExplainOfBothProtocolsShowsBgpOnlyWhereItIsConfigured) {
    snapshot_.config = std::make_shared<const config::Config>(config_);
    EXPECT_THAT(
        to_string(explain(snapshot_, ip("192.0.2.10")).value()), HasSubstr("BGP, 192.0.2.10")
    );
    config_.bgp_peers.clear();
    config_.bgp_advertisements.clear();
    snapshot_.config = std::make_shared<const config::Config>(config_);
    EXPECT_THAT(
        to_string(explain(snapshot_, ip("192.0.2.10")).value()), Not(HasSubstr("BGP peers"))
    );
}

}  // namespace
}  // namespace steelyard::speaker_plan
