#include "speaker/plan/l2_status.hpp"

#include "speaker/plan/plan_test_support.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace steelyard::speaker_plan {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using testing::Pair;
using testing::SizeIs;
using testing::UnorderedElementsAre;

constexpr const char* kNamespace = "metallb-system";

// Node "a" announces everything unless a test says otherwise.
class L2StatusTest : public PlanTest {
protected:
    L2StatusTest() { remove_everyone_but("a"); }

    L2Statuses desired(const std::set<Conflict>& conflicts = {}) {
        return desired_l2_statuses(scope_, planned(), conflicts);
    }
    L2StatusChanges changes() {
        const Announcements plan = planned();
        return diff_l2_statuses(scope_, plan, desired_l2_statuses(scope_, plan, {}), observed_);
    }
    // As if everything wanted were there.
    void write_all() {
        for (const auto& [key, status] : desired()) {
            observe(status);
        }
    }
    kube::ServiceL2Status& observe(kube::ServiceL2Status status) {
        auto shared = std::make_shared<kube::ServiceL2Status>(std::move(status));
        observed_[shared->meta.key] = shared;
        return *shared;
    }
    kube::ServiceL2Status only() {
        const L2Statuses all = desired();
        EXPECT_THAT(all, SizeIs(1));
        return all.begin()->second;
    }

    StatusScope scope_{"a", kNamespace, kube::PodOwner{"speaker-x", "uid-1"}};
    ObservedL2Statuses observed_;
};

TEST_F(L2StatusTest, IsNamedLabelledAndOwnedAsMetalLbDoes) {
    const kube::ServiceL2Status status = only();

    EXPECT_EQ(status.meta.key.ns, kNamespace);
    EXPECT_EQ(status.meta.key.name.substr(0, 3), "l2-");
    EXPECT_THAT(
        status.meta.labels,
        ElementsAre(
            Pair("metallb.io/node", "a"),
            Pair("metallb.io/service-name", "web"),
            Pair("metallb.io/service-namespace", "default")
        )
    );
    EXPECT_EQ(status.owner, scope_.pod);
    EXPECT_EQ(status.node, "a");
    EXPECT_EQ(status.service, (kube::ObjectKey{"default", "web"}));
    EXPECT_THAT(status.interfaces, IsEmpty());
}

TEST_F(L2StatusTest, ThereIsOneForAllAddressesOfAService) {
    add_service("web", {"192.0.2.10", "192.0.2.11", "2001:db8::10"});
    add_slice("web", {"a"}, net::Family::V6);
    EXPECT_THAT(desired(), SizeIs(1));
}

TEST_F(L2StatusTest, ThereIsOneForEachServiceThatSharesAnAddress) {
    add_service("dns", {"192.0.2.10"});
    add_slice("dns", {"a"});
    add_service("passenger", {"192.0.2.10"});
    EXPECT_THAT(desired(), SizeIs(2));
}

TEST_F(L2StatusTest, ThereIsNoneForWhatAnotherNodeAnnounces) {
    remove_everyone_but("nobody");
    member("b").state = MemberState::Alive;
    EXPECT_THAT(desired(), IsEmpty());
}

TEST_F(L2StatusTest, EachNodeOfADualStackServiceHasItsOwn) {
    add_service("web", {"192.0.2.10", "2001:db8::10"});
    add_slice("web", {"a"}, net::Family::V6);
    member("b").state = MemberState::Alive;
    member("a").interfaces = {{"eth0", true, false, true}};
    member("b").interfaces = {{"eth0", false, true, true}};
    const L2Statuses here = desired();
    snapshot_.node_name = scope_.node_name = "b";
    const L2Statuses there = desired();

    ASSERT_THAT(here, SizeIs(1));
    ASSERT_THAT(there, SizeIs(1));
    EXPECT_NE(here.begin()->first, there.begin()->first);
}

TEST_F(L2StatusTest, InterfacesAreListedOnlyWhenAnAdvertisementRestrictsThem) {
    config_.l2_advertisements[0].interfaces = {"eth1", "eth0", "eth7"};
    EXPECT_THAT(only().interfaces, ElementsAre("eth0", "eth1"));

    config_.l2_advertisements.push_back(advertisement("free"));
    EXPECT_THAT(only().interfaces, IsEmpty());
}

TEST_F(L2StatusTest, NamesTheMachinesInConflict) {
    const auto mac = net::MacAddress::parse("02:00:00:00:00:0a").value();

    const L2Statuses statuses = desired({{ip("192.0.2.10"), mac}, {ip("192.0.2.99"), mac}});

    EXPECT_THAT(
        statuses.begin()->second.conflicts,
        ElementsAre(kube::ServiceL2Status::Conflict{"192.0.2.10", "02:00:00:00:00:0a"})
    );
}

TEST_F(L2StatusTest, ANodeNameTooLongForALabelIsCutAndToldApart) {
    const std::string name(70, 'n');
    EXPECT_EQ(label_value("short"), "short");
    EXPECT_THAT(label_value(name), SizeIs(63));
    EXPECT_NE(label_value(name), label_value(name + "n"));
}

TEST_F(L2StatusTest, CreatesWhatIsMissing) {
    const L2StatusChanges todo = changes();

    EXPECT_THAT(todo.create, ElementsAre(only()));
    EXPECT_THAT(todo.remove, IsEmpty());
}

TEST_F(L2StatusTest, LeavesAloneWhatIsRight) {
    write_all();
    EXPECT_TRUE(changes().empty());
}

TEST_F(L2StatusTest, ALabelOfSomebodyElseIsNoDifference) {
    observe(only()).meta.labels["team"] = "x";
    EXPECT_TRUE(changes().empty());
}

TEST_F(L2StatusTest, AnObjectWithoutItsStatusGetsIt) {
    kube::ServiceL2Status& found = observe(only());
    found.node.clear();
    found.service = {};

    const L2StatusChanges todo = changes();

    EXPECT_THAT(todo.patch_status, ElementsAre(only()));
    EXPECT_THAT(todo.create, IsEmpty());
    EXPECT_THAT(todo.patch_metadata, IsEmpty());
}

TEST_F(L2StatusTest, OtherInterfacesAreAStatusPatch) {
    observe(only()).interfaces = {"eth9"};
    EXPECT_THAT(changes().patch_status, ElementsAre(only()));
}

TEST_F(L2StatusTest, AnObjectOfThePodBeforeUsIsAdopted) {
    observe(only()).owner = {"speaker-old", "uid-0"};

    const L2StatusChanges todo = changes();

    EXPECT_THAT(todo.patch_metadata, ElementsAre(only()));
    EXPECT_THAT(todo.patch_status, IsEmpty());
}

TEST_F(L2StatusTest, AnObjectThatMetalLbNamedIsTakenOver) {
    kube::ServiceL2Status named_by_server = only();
    named_by_server.meta.key.name = "l2-abcde";
    observe(named_by_server);
    EXPECT_TRUE(changes().empty());

    write_all();
    EXPECT_THAT(changes().remove, ElementsAre(kube::ObjectKey{kNamespace, "l2-abcde"}));
}

TEST_F(L2StatusTest, RemovesItsOwnWhenTheServiceIsNotAnnouncedHereAnyMore) {
    write_all();
    const kube::ObjectKey key = only().meta.key;
    remove_everyone_but("nobody");
    member("b").state = MemberState::Alive;

    EXPECT_THAT(changes().remove, ElementsAre(key));
}

TEST_F(L2StatusTest, RemovesWhatADeadNodeLeftOfItsServices) {
    write_all();
    kube::ServiceL2Status of_c = only();
    of_c.meta.key.name = "l2-of-c";
    of_c.meta.labels["metallb.io/node"] = of_c.node = "c";
    observe(of_c);
    kube::ServiceL2Status of_another_service = of_c;
    of_another_service.meta.key.name = "l2-another";
    of_another_service.service.name = "another";
    observe(of_another_service);

    const auto todo = changes();
    EXPECT_THAT(todo.remove, IsEmpty());
    ASSERT_EQ(todo.leftovers.size(), 1U);
    EXPECT_EQ(todo.leftovers[0].key, of_c.meta.key);
    EXPECT_EQ(todo.leftovers[0].node, "c");
    EXPECT_EQ(todo.leftovers[0].service, of_c.service);
}

TEST(LeftoverPaceTest, LeavesANodeWhoseObjectsComeBackAloneForLongerEachTime) {
    const Instant start{};
    LeftoverPace pace;
    Leftover leftover{{"metallb-system", "l2-x"}, "uid-1", "c", {"default", "web"}};
    const Leftover other{{"metallb-system", "l2-y"}, "uid-y", "c", {"default", "other"}};
    const Leftover of_d{{"metallb-system", "l2-z"}, "uid-z", "d", {"default", "web"}};
    EXPECT_TRUE(pace.admits(leftover, start));
    pace.removed(leftover);
    EXPECT_FALSE(pace.admits(leftover, start));  // the watch has not told yet

    leftover.uid = "uid-2";
    EXPECT_FALSE(pace.admits(leftover, start));
    EXPECT_FALSE(pace.admits(other, start));
    EXPECT_TRUE(pace.admits(of_d, start));
    EXPECT_TRUE(pace.admits(leftover, start + LeftoverPace::kFirstHold));
    pace.removed(leftover);

    leftover.uid = "uid-3";
    EXPECT_FALSE(pace.admits(leftover, start + LeftoverPace::kFirstHold));
    EXPECT_FALSE(pace.admits(leftover, start + 2 * LeftoverPace::kFirstHold));
    EXPECT_TRUE(pace.admits(leftover, start + 3 * LeftoverPace::kFirstHold));
}

TEST_F(L2StatusTest, KeepsTheObjectOfTheNodeThatOwnsTheOtherFamily) {
    add_service("web", {"192.0.2.10", "2001:db8::10"});
    add_slice("web", {"a"}, net::Family::V6);
    member("b").state = MemberState::Alive;
    member("a").interfaces = {{"eth0", true, false, true}};
    member("b").interfaces = {{"eth0", false, true, true}};
    write_all();
    kube::ServiceL2Status of_b = only();
    of_b.meta.key.name = "l2-of-b";
    of_b.meta.labels["metallb.io/node"] = of_b.node = "b";
    observe(of_b);

    EXPECT_TRUE(changes().empty());
}

}  // namespace
}  // namespace steelyard::speaker_plan
