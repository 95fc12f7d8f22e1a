#include "speaker/plan/plan_test_support.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

// What the members tell each other, and how it decides.
namespace steelyard::speaker_plan {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

class MembersTest : public PlanTest {
protected:
    // What everybody says about "web", whoever is asked.
    std::optional<std::string> agreed_owner(std::string_view address = "192.0.2.10") {
        std::set<std::optional<std::string>> owners;
        for (const char* name : {"a", "b", "c"}) {
            snapshot_.node_name = name;
            owners.insert(owner_of(address));
        }
        EXPECT_EQ(owners.size(), 1U);
        return *owners.begin();
    }
    void refuse(const std::string& name, std::string_view address = "192.0.2.10") {
        member(name).unservable = {address_fingerprint(ip(address))};
    }
};

TEST_F(MembersTest, ADrainingNodeGivesItsAddressesAway) {
    const std::string first = agreed_owner().value();
    member(first).draining = true;
    EXPECT_NE(agreed_owner(), first);
}

TEST_F(MembersTest, ALoneDrainingNodeGoesOnServing) {
    remove_everyone_but("b");
    member("b").draining = true;
    EXPECT_EQ(agreed_owner(), "b");
}

TEST_F(MembersTest, ANodeThatCameBackWaitsUntilItIsSettled) {
    const std::string first = agreed_owner().value();
    member(first).settling = true;
    EXPECT_NE(agreed_owner(), first);

    member(first).settling = false;
    EXPECT_EQ(agreed_owner(), first);
}

TEST_F(MembersTest, ADrainingNodeThatSettlesIsDraining) {
    remove_everyone_but("nobody");
    for (const char* name : {"a", "b"}) {
        member(name).state = MemberState::Alive;
        member(name).settling = true;
    }
    const std::string first = agreed_owner().value();
    member(first).draining = true;
    EXPECT_NE(agreed_owner(), first);
}

TEST_F(MembersTest, AKernelThatRefusedAnAddressLosesItAndNoOther) {
    add_service("web", {"192.0.2.10", "192.0.2.11"});
    const std::string first = agreed_owner().value();
    remove_everyone_but(first);
    refuse(first);

    EXPECT_EQ(agreed_owner(), std::nullopt);
    EXPECT_EQ(agreed_owner("192.0.2.11"), first);
    const auto reasons = planned().addresses.at(ip("192.0.2.10")).reasons.value();
    EXPECT_EQ(reasons.excluded.at(elect::Reason::NotServable), 1U);
}

TEST_F(MembersTest, ANodeThatRefusedMoreThanItCanTellServesNothing) {
    const std::string first = agreed_owner().value();
    member(first).unservable_overflow = true;
    EXPECT_NE(agreed_owner(), first);
}

TEST_F(MembersTest, TheElectionTrustsWhatThisNodeToldNotWhatItKnows) {
    remove_everyone_but("a");
    snapshot_.servable.emplace();  // the kernel lost it a moment ago; gossip does not say so yet
    snapshot_.interfaces.clear();

    const AddressPlan mine = planned().addresses.at(ip("192.0.2.10"));

    EXPECT_EQ(mine.owner, "a");
    EXPECT_FALSE(mine.announced_here);
    EXPECT_EQ(mine.reasons->why_not, WhyNot::NotServable);
}

TEST_F(MembersTest, AnotherNodesInterfacesDecideByFamily) {
    add_service("web", {"192.0.2.10", "2001:db8::10"});
    add_slice("web", {"a"}, net::Family::V6);
    for (const char* name : {"a", "b", "c"}) {
        member(name).interfaces = {{"eth0", false, false, true}};
    }
    member("b").interfaces = {{"eth0", true, false, true}};
    member("c").interfaces = {{"eth0", false, true, true}};

    EXPECT_EQ(agreed_owner("192.0.2.10"), "b");
    EXPECT_EQ(agreed_owner("2001:db8::10"), "c");
}

TEST_F(MembersTest, OnlyInterfacesThatTheAdvertisementsAllowCount) {
    config_.l2_advertisements[0].interfaces = {"eth1"};
    for (const char* name : {"a", "b", "c"}) {
        member(name).interfaces = {{"eth0", true, true, true}};
    }
    EXPECT_EQ(agreed_owner(), std::nullopt);

    member("b").interfaces->push_back({"eth1", true, true, true});
    EXPECT_EQ(agreed_owner(), "b");
}

TEST_F(MembersTest, ANodeWhoseLinksAreDownIsNoCandidate) {
    remove_everyone_but("b");
    member("b").interfaces = {{"eth0", true, true, false}, {"eth1", true, true, false}};
    EXPECT_EQ(agreed_owner(), std::nullopt);
    const auto reasons = planned().addresses.at(ip("192.0.2.10")).reasons.value();
    EXPECT_EQ(reasons.excluded.at(elect::Reason::LinkDown), 1U);

    member("b").interfaces->back().up = true;
    EXPECT_EQ(agreed_owner(), "b");
}

TEST_F(MembersTest, ANodeWhoseInterfacesDidNotFitIsACandidate) {
    remove_everyone_but("b");
    member("b").interfaces.reset();
    config_.l2_advertisements[0].interfaces = {"eth1"};
    EXPECT_EQ(agreed_owner(), "b");
}

TEST_F(MembersTest, InAMixedRingOneOfOursStandsInForOneThatCannotServe) {
    add_node("d");
    MemberView foreign;
    foreign.name = "d";
    snapshot_.members->push_back(foreign);
    for (int i = 0; i < 40; ++i) {
        const std::string address = "192.0.2." + std::to_string(100 + i);
        add_service("web", {address.c_str()});
        for (const char* name : {"a", "b", "c"}) {
            member(name).ready = true;
        }
        const std::string first = agreed_owner(address).value();
        if (first != "d") {
            member(first).ready = false;
            EXPECT_NE(agreed_owner(address), first);
            EXPECT_NE(agreed_owner(address), "d");  // it believes that `first` announces
        }
    }
}

TEST_F(MembersTest, ASharedAddressHasOneOwnerForAllItsServices) {
    add_service("dns", {"192.0.2.10"});
    add_slice("dns", {"b"});

    const AddressPlan shared = planned().addresses.at(ip("192.0.2.10"));

    EXPECT_THAT(shared.services, testing::SizeIs(2));
    EXPECT_TRUE(shared.owner);
}

TEST_F(MembersTest, ASharedAddressIsAnnouncedWhileOneOfItsServicesHasEndpoints) {
    add_service("dns", {"192.0.2.10"});
    EXPECT_TRUE(owner_of());
}

TEST_F(MembersTest, AServiceThatSharesAnAddressWithoutEndpointsIsAPassenger) {
    add_service("dns", {"192.0.2.10"});
    EXPECT_THAT(
        planned().addresses.at(ip("192.0.2.10")).passengers,
        ElementsAre(kube::ObjectKey{"default", "dns"})
    );
    add_slice("dns", {"b"});
    EXPECT_THAT(planned().addresses.at(ip("192.0.2.10")).passengers, IsEmpty());
}

TEST_F(MembersTest, AnAddressNeedsOneServiceThatIsAdvertisedAndServed) {
    add_service("dns", {"192.0.2.10"});  // advertised, without endpoints
    config_.l2_advertisements[0].service_selectors = {selector("app", "dns")};
    EXPECT_EQ(owner_of(), std::nullopt);
    EXPECT_EQ(silence(), WhyNot::NoEndpoints);
}

TEST_F(MembersTest, ServicesThatShareAnAddressMayHaveSelectorsInTheirAdvertisements) {
    add_service("dns", {"192.0.2.10"});
    add_slice("dns", {"b"});
    config_.l2_advertisements[0].service_selectors = {selector("app", "web")};
    config_.l2_advertisements[0].node_selectors = {selector("name", "c")};
    EXPECT_EQ(agreed_owner(), "c");
}

TEST_F(MembersTest, AnAddressOfTwoLocalServicesPrefersTheNodeThatServesBoth) {
    add_service("web", {"192.0.2.10"}).external_traffic_policy = kube::TrafficPolicy::Local;
    add_service("dns", {"192.0.2.10"}).external_traffic_policy = kube::TrafficPolicy::Local;
    add_slice("web", {"a", "b"});
    add_slice("dns", {"b", "c"});
    EXPECT_EQ(agreed_owner(), "b");

    remove_everyone_but("c");
    EXPECT_EQ(agreed_owner(), "c");
}

TEST_F(MembersTest, ALocalServiceWithoutEndpointsDoesNotBindItsNeighbour) {
    add_service("dns", {"192.0.2.10"}).external_traffic_policy = kube::TrafficPolicy::Local;
    remove_everyone_but("c");
    add_slice("web", {"a"});
    EXPECT_EQ(agreed_owner(), "c");
}

TEST_F(MembersTest, TheFamiliesOfAServiceMayLiveOnTwoNodes) {
    std::size_t apart = 0;
    for (int i = 0; i < 20; ++i) {
        const std::string v4 = "192.0.2." + std::to_string(100 + i);
        const std::string v6 = "2001:db8::" + std::to_string(100 + i);
        add_service("web", {v4.c_str(), v6.c_str()});
        add_slice("web", {"a"}, net::Family::V6);
        apart += agreed_owner(v4) != agreed_owner(v6) ? 1U : 0U;
    }
    EXPECT_GT(apart, 0U);
}

// Expected values computed with an independent FNV-1a.
TEST(FingerprintTest, IsTheSameOnEveryMachine) {
    EXPECT_EQ(address_fingerprint(ip("192.0.2.10")), 2151636915U);
    EXPECT_EQ(address_fingerprint(ip("2001:db8::10")), 178918419U);
    EXPECT_EQ(address_fingerprint(ip("::ffff:192.0.2.10")), address_fingerprint(ip("192.0.2.10")));
}

}  // namespace
}  // namespace steelyard::speaker_plan
