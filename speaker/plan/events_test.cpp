#include "speaker/plan/plan_test_support.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace steelyard::speaker_plan {
namespace {

using testing::IsEmpty;
using testing::SizeIs;

class EventsTest : public PlanTest {
protected:
    static std::set<Conflict> conflict(const char* address) {
        return {{ip(address), net::MacAddress::parse("02:00:00:00:00:0a").value()}};
    }
};

TEST_F(EventsTest, AnnouncingIsToldOnce) {
    const Announcements none;
    (void)seen_by_owner();
    const Announcements now = planned();

    const auto events = events_between(snapshot_.node_name, none, now);

    ASSERT_THAT(events, SizeIs(1));
    EXPECT_EQ(events[0].reason, "nodeAssigned");
    EXPECT_EQ(
        events[0].message,
        "announcing from node \"" + snapshot_.node_name + "\" with protocol \"layer2\""
    );
    EXPECT_FALSE(events[0].warning);
    EXPECT_THAT(events_between(snapshot_.node_name, now, now), IsEmpty());
    EXPECT_THAT(events_between(snapshot_.node_name, now, none), IsEmpty());
}

TEST_F(EventsTest, AMissingInterfaceIsToldOnceAsAWarning) {
    config_.l2_advertisements[0].interfaces = {"eth7"};
    (void)seen_by_owner();
    const Announcements now = planned();

    const auto events = events_between(snapshot_.node_name, {}, now);

    ASSERT_THAT(events, SizeIs(1));
    EXPECT_EQ(events[0].reason, "announceFailed");
    EXPECT_TRUE(events[0].warning);
    EXPECT_THAT(events_between(snapshot_.node_name, now, now), IsEmpty());
}

TEST_F(EventsTest, AMissingAdvertisementIsToldOnceAsAWarning) {
    config_.l2_advertisements.clear();
    const Announcements now = planned();

    const auto events = events_between(snapshot_.node_name, {}, now);

    ASSERT_THAT(events, SizeIs(1));
    EXPECT_EQ(events[0].reason, "announceFailed");
    EXPECT_EQ(events[0].message.find("no node announces it: "), 0U);
    EXPECT_TRUE(events[0].warning);
    EXPECT_THAT(events_between(snapshot_.node_name, now, now), IsEmpty());
}

TEST_F(EventsTest, AnInterfaceThatNoNodeHasIsToldOnceAsAWarning) {
    config_.l2_advertisements[0].interfaces = {"eth7"};
    for (const char* name : {"a", "b", "c"}) {
        member(name).interfaces = {{"eth0", true, true, true}};
    }
    const Announcements now = planned();

    const auto events = events_between(snapshot_.node_name, {}, now);

    ASSERT_THAT(events, SizeIs(1));
    EXPECT_EQ(events[0].reason, "announceFailed");
    EXPECT_EQ(
        events[0].message,
        "no node announces it: no node that may has a usable interface that the L2Advertisements "
        "allow"
    );
    member("c").state = MemberState::Left;
    EXPECT_THAT(events_between(snapshot_.node_name, now, planned()), IsEmpty());
}

TEST_F(EventsTest, ANodeThatStartsMayYetHaveTheInterface) {
    config_.l2_advertisements[0].interfaces = {"eth7"};
    member("a").ready = false;
    member("b").interfaces.emplace();
    member("c").interfaces.emplace();

    EXPECT_THAT(events_between(snapshot_.node_name, {}, planned()), IsEmpty());
}

TEST_F(EventsTest, MissingEndpointsAreNobodysMistake) {
    snapshot_.slices.clear();
    EXPECT_THAT(events_between(snapshot_.node_name, {}, planned()), IsEmpty());
}

TEST_F(EventsTest, AServiceOfSeveralAddressesIsToldOnce) {
    remove_everyone_but("a");
    add_service("web", {"192.0.2.10", "192.0.2.11", "2001:db8::10"});
    add_slice("web", {"a"}, net::Family::V6);
    const Announcements all = planned();

    const auto events = events_between("a", {}, all);

    ASSERT_THAT(events, SizeIs(1));
    EXPECT_EQ(events[0].reason, "nodeAssigned");

    add_service("web", {"192.0.2.10"});
    const Announcements one = planned();
    EXPECT_THAT(events_between("a", all, one), IsEmpty());
    EXPECT_THAT(events_between("a", one, all), IsEmpty());
}

TEST_F(EventsTest, APassengerIsNotToldAnything) {
    remove_everyone_but("a");
    add_service("dns", {"192.0.2.10"});

    const auto events = events_between("a", {}, planned());

    ASSERT_THAT(events, SizeIs(1));
    EXPECT_EQ(events[0].service.name, "web");
}

TEST_F(EventsTest, AConflictIsToldOnceWithAddressMacAndNode) {
    remove_everyone_but("a");
    const Announcements now = planned();
    const auto conflicts = conflict("192.0.2.10");

    const auto events = conflict_events("a", now, {}, conflicts);

    ASSERT_THAT(events, SizeIs(1));
    EXPECT_EQ(events[0].service.name, "web");
    EXPECT_EQ(events[0].reason, "addressConflict");
    EXPECT_TRUE(events[0].warning);
    EXPECT_EQ(
        events[0].message,
        "a machine with the MAC address 02:00:00:00:00:0a also answers for 192.0.2.10, which node "
        "\"a\" announces"
    );
    EXPECT_THAT(conflict_events("a", now, conflicts, conflicts), IsEmpty());
    EXPECT_THAT(conflict_events("a", now, conflicts, {}), IsEmpty());
}

TEST_F(EventsTest, AConflictOverAnAddressThatIsNotAnnouncedHereIsNotTold) {
    remove_everyone_but("b");

    EXPECT_THAT(conflict_events("a", planned(), {}, conflict("192.0.2.10")), IsEmpty());
    EXPECT_THAT(conflict_events("a", planned(), {}, conflict("192.0.2.99")), IsEmpty());
}

}  // namespace
}  // namespace steelyard::speaker_plan
