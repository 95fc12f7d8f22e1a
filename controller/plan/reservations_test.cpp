#include "controller/plan/planner_test_support.hpp"

#include <gmock/gmock.h>

// Addresses kept for a Service: by hand, and by policy for a time after it is gone.
namespace steelyard::controller_plan {
namespace {

using namespace std::chrono_literals;
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

const kube::ObjectKey kManagedKey{"metallb-system", "default.web"};

config::AllocationPolicy keeping(std::vector<std::string> pools, std::chrono::seconds time) {
    config::AllocationPolicy made;
    made.name = "keep";
    made.pools = std::move(pools);
    made.keep_after_delete = time;
    return made;
}

kube::AddressReservation by_hand(
    const std::string& service, std::vector<std::string> addresses, std::string keep_for = ""
) {
    kube::AddressReservation made;
    made.meta.key = {"metallb-system", "hand-" + service};
    made.service_namespace = "default";
    made.service_name = service;
    made.addresses = std::move(addresses);
    made.keep_for = std::move(keep_for);
    return made;
}

class ReservationTest : public testing::Test {
protected:
    ReservationTest() { cluster.set_pools({pool("x", {"10.0.0.0/30"})}); }
    void keep_for(std::chrono::seconds time) { cluster.set_policies({keeping({"x"}, time)}); }
    kube::AddressReservation& managed() { return cluster.reservations.at(kManagedKey); }
    // As a Service that is made again under the same name.
    kube::Service again(int age) {
        kube::Service made = service("web", age);
        made.meta.uid = "again-" + std::to_string(age);
        return made;
    }
    Cluster cluster;
};

TEST_F(ReservationTest, NothingIsWrittenWhereNoPolicyAsksForIt) {
    cluster.put(service("web", 1));
    cluster.run();
    cluster.remove("web");
    const Plan plan = cluster.planner->plan(cluster.now);

    EXPECT_THAT(cluster.reservations, IsEmpty());
    EXPECT_THAT(plan.reservations, IsEmpty());
    EXPECT_FALSE(plan.next);
}

TEST_F(ReservationTest, PolicyMakesOneWhenTheServiceGetsItsAddress) {
    keep_for(600s);
    cluster.put(service("web", 1));
    cluster.run();

    ASSERT_THAT(cluster.reservations, SizeIs(1));
    EXPECT_EQ(managed().meta.labels.at("steelyard.io/managed-by"), "controller");
    EXPECT_EQ(managed().service_namespace, "default");
    EXPECT_EQ(managed().service_name, "web");
    EXPECT_THAT(managed().addresses, ElementsAre("10.0.0.0"));
    EXPECT_EQ(managed().keep_for, "600s");
    EXPECT_EQ(managed().pool, "x");
    EXPECT_TRUE(managed().in_use);
    EXPECT_FALSE(managed().expires_at);
    EXPECT_FALSE(cluster.next);
}

TEST_F(ReservationTest, PolicyOfAnotherPoolMakesNone) {
    cluster.set_policies({keeping({"y"}, 600s)});
    cluster.put(service("web", 1));
    cluster.run();

    EXPECT_THAT(cluster.reservations, IsEmpty());
}

TEST_F(ReservationTest, AddressOfADeletedServiceIsKeptForItsTimeThenGiven) {
    cluster.set_pools({pool("x", {"10.0.0.1/32"})});
    keep_for(600s);
    cluster.put(service("web", 1));
    cluster.put(service("waiter", 2));
    cluster.run();
    cluster.remove("web");
    cluster.run();

    EXPECT_EQ(cluster.address_of("waiter"), "");
    EXPECT_FALSE(managed().in_use);
    EXPECT_EQ(managed().released_at, cluster.now);
    EXPECT_EQ(managed().expires_at, cluster.now + 600s);
    EXPECT_EQ(cluster.next, cluster.now + 600s);

    cluster.now += 599s;
    cluster.run();
    EXPECT_EQ(cluster.address_of("waiter"), "");

    cluster.now += 1s;
    cluster.run();
    EXPECT_EQ(cluster.address_of("waiter"), "10.0.0.1");
    EXPECT_EQ(cluster.reservations.count(kManagedKey), 0U);
    EXPECT_FALSE(cluster.next);
}

TEST_F(ReservationTest, ServiceMadeAgainInTimeGetsItsAddressBack) {
    keep_for(600s);
    cluster.put(service("web", 1));
    cluster.run();
    cluster.remove("web");
    cluster.run();
    cluster.put(service("other", 2));
    cluster.run();
    EXPECT_EQ(cluster.address_of("other"), "10.0.0.1");

    cluster.now += 60s;
    cluster.put(again(3));
    cluster.run();

    EXPECT_EQ(cluster.address_of("web"), "10.0.0.0");
    EXPECT_TRUE(managed().in_use);
    EXPECT_FALSE(managed().released_at);
    EXPECT_FALSE(cluster.next);
}

TEST_F(ReservationTest, ServiceDeletedWhileNoControllerRanStillKeepsItsAddress) {
    cluster.set_pools({pool("x", {"10.0.0.1/32"})});
    keep_for(600s);
    cluster.put(service("web", 1));
    cluster.put(service("waiter", 2));
    cluster.run();

    cluster.objects.erase({"default", "web"});
    cluster.now += 3600s;
    cluster.restart();
    cluster.run();

    EXPECT_EQ(cluster.address_of("waiter"), "");
    EXPECT_EQ(managed().expires_at, cluster.now + 600s);
}

TEST_F(ReservationTest, RestartKeepsTheTimeOfRelease) {
    keep_for(600s);
    cluster.put(service("web", 1));
    cluster.run();
    cluster.remove("web");
    cluster.run();
    const auto expires = managed().expires_at;

    cluster.now += 300s;
    cluster.restart();

    EXPECT_THAT(cluster.run(), IsEmpty());
    EXPECT_EQ(managed().expires_at, expires);
    EXPECT_EQ(cluster.next, expires);
}

TEST_F(ReservationTest, RestartWritesNothing) {
    keep_for(600s);
    cluster.put(service("web", 1));
    cluster.put(service("gone", 2));
    cluster.run();
    cluster.remove("gone");
    cluster.run();

    cluster.restart();
    const Plan plan = cluster.planner->plan(cluster.now);

    EXPECT_THAT(plan.outcomes, IsEmpty());
    EXPECT_THAT(plan.reservations, IsEmpty());
}

TEST_F(ReservationTest, ExpiredWhileNoControllerRanIsFreeAtOnce) {
    cluster.set_pools({pool("x", {"10.0.0.1/32"})});
    keep_for(600s);
    cluster.put(service("web", 1));
    cluster.put(service("waiter", 2));
    cluster.run();
    cluster.remove("web");
    cluster.run();

    cluster.now += 3600s;
    cluster.restart();
    cluster.run();

    EXPECT_EQ(cluster.address_of("waiter"), "10.0.0.1");
    EXPECT_THAT(cluster.reservations.count(kManagedKey), 0U);
}

TEST_F(ReservationTest, ChangeOfTypeReleasesLikeADeletion) {
    keep_for(600s);
    cluster.put(service("web", 1));
    cluster.run();
    cluster.at("web").type = kube::ServiceType::ClusterIp;
    cluster.put(cluster.at("web"));
    cluster.run();
    EXPECT_EQ(managed().expires_at, cluster.now + 600s);

    cluster.at("web").type = kube::ServiceType::LoadBalancer;
    cluster.put(cluster.at("web"));
    cluster.run();

    EXPECT_EQ(cluster.address_of("web"), "10.0.0.0");
    EXPECT_TRUE(managed().in_use);
}

TEST_F(ReservationTest, ServiceThatTakesAnotherAddressMovesItsReservation) {
    keep_for(600s);
    cluster.put(service("web", 1));
    cluster.run();
    cluster.remove("web");
    cluster.run();

    kube::Service back = again(2);
    back.load_balancer_ip = "10.0.0.3";
    cluster.put(back);
    cluster.run();

    ASSERT_THAT(cluster.reservations, SizeIs(1));
    EXPECT_THAT(managed().addresses, ElementsAre("10.0.0.3"));
    cluster.put(service("other", 3));
    cluster.run();
    EXPECT_EQ(cluster.address_of("other"), "10.0.0.0");
}

TEST_F(ReservationTest, ChangedTimeIsTakenOverWhileInUse) {
    keep_for(600s);
    cluster.put(service("web", 1));
    cluster.run();
    keep_for(60s);
    cluster.run();

    EXPECT_EQ(managed().keep_for, "60s");
    EXPECT_TRUE(managed().in_use);
}

TEST_F(ReservationTest, PolicyTakenAwayEndsThoseInUse) {
    keep_for(600s);
    cluster.put(service("web", 1));
    cluster.run();
    cluster.set_policies({});
    cluster.run();

    EXPECT_THAT(cluster.reservations, IsEmpty());
    EXPECT_EQ(cluster.address_of("web"), "10.0.0.0");
}

TEST_F(ReservationTest, DeletionThatMetANewerVersionIsAskedForAgain) {
    keep_for(600s);
    cluster.put(service("web", 1));
    cluster.run();
    cluster.set_policies({});
    const Plan first = cluster.planner->plan(cluster.now);
    ASSERT_THAT(first.reservations, SizeIs(1));
    EXPECT_THAT(cluster.planner->plan(cluster.now).reservations, IsEmpty());

    managed().meta.resource_version = "newer";
    cluster.put(managed());
    cluster.run();

    EXPECT_THAT(cluster.reservations, IsEmpty());
}

TEST_F(ReservationTest, DeletedByHandWhileInUseIsMadeAgain) {
    keep_for(600s);
    cluster.put(service("web", 1));
    cluster.run();
    cluster.reservations.erase(kManagedKey);
    cluster.planner->on_reservation_deleted(kManagedKey);
    cluster.run();

    EXPECT_TRUE(managed().in_use);
}

TEST_F(ReservationTest, DeletedByHandAfterReleaseFreesTheAddressAtOnce) {
    cluster.set_pools({pool("x", {"10.0.0.1/32"})});
    keep_for(600s);
    cluster.put(service("web", 1));
    cluster.put(service("waiter", 2));
    cluster.run();
    cluster.remove("web");
    cluster.run();

    cluster.reservations.erase(kManagedKey);
    cluster.planner->on_reservation_deleted(kManagedKey);
    cluster.run();

    EXPECT_EQ(cluster.address_of("waiter"), "10.0.0.1");
}

TEST_F(ReservationTest, DeletedBeforeItsReservationWasSeenIsKeptAllTheSame) {
    cluster.set_pools({pool("x", {"10.0.0.1/32"})});
    keep_for(600s);
    cluster.put(service("web", 1));
    const Plan first = cluster.planner->plan(cluster.now);
    ASSERT_THAT(first.reservations, SizeIs(1));

    cluster.remove("web");
    cluster.put(service("other", 2));
    const Plan second = cluster.planner->plan(cluster.now);
    kube::AddressReservation landed = first.reservations[0].object;
    landed.in_use = false;
    landed.pool.clear();
    cluster.put(landed);
    cluster.run();

    ASSERT_THAT(second.outcomes, SizeIs(1));
    EXPECT_THAT(second.outcomes[0].standing.addresses, IsEmpty());
    EXPECT_EQ(managed().expires_at, cluster.now + 600s);
}

TEST_F(ReservationTest, DualStackAddressesAreKeptTogether) {
    cluster.set_pools({pool("x", {"10.0.0.0/30", "fd00::/64"})});
    keep_for(600s);
    cluster.put(dual_service("web", 1, kube::IpFamilyPolicy::RequireDualStack));
    cluster.run();
    EXPECT_THAT(managed().addresses, ElementsAre("10.0.0.0", "fd00::"));
    cluster.remove("web");
    cluster.run();

    kube::Service other = dual_service("other", 2, kube::IpFamilyPolicy::RequireDualStack);
    cluster.put(other);
    kube::Service back = dual_service("web", 3, kube::IpFamilyPolicy::RequireDualStack);
    back.meta.uid = "again";
    cluster.put(back);
    cluster.run();

    EXPECT_EQ(cluster.address_of("other"), "10.0.0.1 fd00::1");
    EXPECT_EQ(cluster.address_of("web"), "10.0.0.0 fd00::");
}

TEST_F(ReservationTest, SharedAddressIsKeptForEachOfItsServices) {
    keep_for(600s);
    for (int i = 0; i < 2; ++i) {
        kube::Service made = service(i == 0 ? "web" : "dns", i);
        made.ports[0].port = static_cast<std::uint16_t>(80 + i);
        made.meta.annotations[std::string(ipam::kSharingAnnotation)] = "k";
        cluster.put(made);
    }
    cluster.run();
    ASSERT_EQ(cluster.address_of("dns"), "10.0.0.0");
    cluster.remove("web");
    cluster.run();

    // "web" may come back to port 80 of it, so nobody else may take that meanwhile.
    kube::Service late = service("late", 5);
    late.meta.annotations[std::string(ipam::kSharingAnnotation)] = "k";
    cluster.put(late);
    cluster.run();
    EXPECT_EQ(cluster.address_of("late"), "10.0.0.1");

    kube::Service back = again(6);
    back.meta.annotations[std::string(ipam::kSharingAnnotation)] = "k";
    cluster.put(back);
    cluster.run();
    EXPECT_EQ(cluster.address_of("web"), "10.0.0.0");
}

TEST_F(ReservationTest, ReservedByHandBeforeTheServiceExists) {
    cluster.put(by_hand("web", {"10.0.0.0"}));
    cluster.put(service("other", 1));
    cluster.run();
    EXPECT_EQ(cluster.address_of("other"), "10.0.0.1");

    cluster.put(service("web", 2));
    cluster.run();

    EXPECT_EQ(cluster.address_of("web"), "10.0.0.0");
    EXPECT_TRUE(cluster.reservations.begin()->second.in_use);
    EXPECT_EQ(cluster.reservations.begin()->second.pool, "x");
}

TEST_F(ReservationTest, ReservedByHandWithoutTimeIsForEver) {
    cluster.put(by_hand("web", {"10.0.0.0"}));
    cluster.put(service("web", 1));
    cluster.run();
    cluster.remove("web");
    cluster.run();
    cluster.now += 10'000h;
    cluster.put(service("other", 2));
    cluster.run();

    EXPECT_EQ(cluster.address_of("other"), "10.0.0.1");
    EXPECT_THAT(cluster.reservations, SizeIs(1));
    EXPECT_TRUE(cluster.reservations.begin()->second.released_at);
    EXPECT_FALSE(cluster.next);
}

TEST_F(ReservationTest, ReservedByHandWithATimeCountsFromTheRelease) {
    cluster.put(by_hand("web", {"10.0.0.0"}, "10m"));
    cluster.run();
    EXPECT_FALSE(cluster.next);  // its Service was never there: it waits

    cluster.now += 1h;
    cluster.put(service("web", 1));
    cluster.run();
    cluster.remove("web");
    cluster.run();
    EXPECT_EQ(cluster.next, cluster.now + 10min);

    cluster.now += 10min;
    cluster.run();
    EXPECT_THAT(cluster.reservations, IsEmpty());
}

TEST_F(ReservationTest, ReservedByHandOnceMoreForgetsTheReleaseOfTheFirst) {
    cluster.put(by_hand("web", {"10.0.0.0"}, "10m"));
    cluster.put(service("web", 1));
    cluster.run();
    cluster.remove("web");
    cluster.run();
    ASSERT_TRUE(cluster.next);

    kube::AddressReservation another = by_hand("web", {"10.0.0.0"}, "10m");
    another.meta.uid = "another";  // deleted and made again between two looks
    cluster.put(another);
    cluster.run();

    EXPECT_FALSE(cluster.next);
    EXPECT_FALSE(cluster.reservations.at({"metallb-system", "hand-web"}).released_at);
}

TEST_F(ReservationTest, SecondFamilyKeptForTheServiceIsTheOneItGets) {
    cluster.put(dual_service("web", 1, kube::IpFamilyPolicy::PreferDualStack));
    cluster.put(by_hand("web", {"fd00::5"}));
    cluster.run();
    ASSERT_EQ(cluster.address_of("web"), "10.0.0.0");

    cluster.set_pools({pool("x", {"10.0.0.0/30", "fd00::/120"})});
    cluster.run();

    EXPECT_EQ(cluster.address_of("web"), "10.0.0.0 fd00::5");
}

TEST_F(ReservationTest, ReservedByHandMakesOneByPolicyNeedless) {
    keep_for(600s);
    cluster.put(by_hand("web", {"10.0.0.2"}));
    cluster.put(service("web", 1));
    cluster.run();

    EXPECT_EQ(cluster.address_of("web"), "10.0.0.2");
    EXPECT_THAT(cluster.reservations, SizeIs(1));
}

TEST_F(ReservationTest, HolderIsNotDisturbedByAReservationForAnother) {
    cluster.put(service("holder", 1));
    cluster.run();
    cluster.put(by_hand("web", {"10.0.0.0"}));
    const auto events = cluster.run();
    cluster.restart();

    EXPECT_THAT(events, IsEmpty());
    EXPECT_THAT(cluster.run(), IsEmpty());
    EXPECT_EQ(cluster.address_of("holder"), "10.0.0.0");
}

TEST_F(ReservationTest, AddressAskedForIsRefusedNamingTheReservationThenGiven) {
    cluster.put(by_hand("web", {"10.0.0.0"}));
    kube::Service asks = service("asks", 1);
    asks.load_balancer_ip = "10.0.0.0";
    cluster.put(asks);
    const auto events = cluster.run();
    EXPECT_THAT(reasons(events), ElementsAre("AllocationFailed"));
    EXPECT_EQ(cluster.reason_of("asks"), "AddressReserved");
    EXPECT_THAT(events[0].message, HasSubstr("AddressReservation \"metallb-system/hand-web\""));

    const kube::ObjectKey key = cluster.reservations.begin()->first;
    cluster.reservations.erase(key);
    cluster.planner->on_reservation_deleted(key);
    cluster.run();

    EXPECT_EQ(cluster.address_of("asks"), "10.0.0.0");
}

TEST_F(ReservationTest, NonsenseWrittenByHandKeepsNothingAndHarmsNobody) {
    cluster.put(by_hand("web", {"10.0.0.300", "10.0.0.1", "10.0.0.1"}, "soon"));
    cluster.put(service("web", 1));
    cluster.run();
    EXPECT_EQ(cluster.address_of("web"), "10.0.0.1");
    cluster.remove("web");
    cluster.run();

    EXPECT_FALSE(cluster.next);  // a time that cannot be read is no time
}

TEST_F(ReservationTest, WhoHasOneFamilyKeptWaitsForTheOther) {
    cluster.set_pools({pool("x", {"10.0.0.0/32", "fd00::/128"})});
    cluster.put(by_hand("web", {"10.0.0.0"}));
    kube::Service six = service("six", 1);
    six.cluster_ips = {ip("fd96::1")};
    cluster.put(six);
    cluster.put(dual_service("web", 2, kube::IpFamilyPolicy::RequireDualStack));
    cluster.run();
    EXPECT_EQ(cluster.address_of("six"), "fd00::");
    EXPECT_EQ(cluster.reason_of("web"), "PoolExhausted");

    cluster.remove("six");
    cluster.run();

    EXPECT_EQ(cluster.address_of("web"), "10.0.0.0 fd00::");
}

TEST_F(ReservationTest, SoItDoesWhereItIsKeptInAPoolThatHandsOutNothingByItself) {
    auto quiet = pool("x", {"10.0.0.0/32", "fd00::/128"});
    quiet.auto_assign = false;
    cluster.set_pools({quiet});
    cluster.put(by_hand("web", {"10.0.0.0"}));
    kube::Service six = service("six", 1);
    six.cluster_ips = {ip("fd96::1")};
    six.meta.annotations["metallb.io/address-pool"] = "x";
    cluster.put(six);
    cluster.put(dual_service("web", 2, kube::IpFamilyPolicy::RequireDualStack));
    cluster.run();
    EXPECT_EQ(cluster.address_of("six"), "fd00::");
    EXPECT_EQ(cluster.address_of("web"), "");

    cluster.remove("six");
    cluster.run();

    EXPECT_EQ(cluster.address_of("web"), "10.0.0.0 fd00::");
}

// Two processes that both believe they lead saw a Service go at different times.
TEST_F(ReservationTest, LeadersAgreeOnTheLaterTimeOfARelease) {
    keep_for(60s);
    cluster.put(service("web", 1));
    cluster.run();
    cluster.remove("web");
    cluster.run();
    kube::AddressReservation theirs = managed();
    const WallTime ours = theirs.released_at.value();

    theirs.released_at = ours - 2s;
    theirs.expires_at = ours + 58s;
    cluster.put(theirs);
    cluster.run();
    EXPECT_EQ(managed().released_at, ours);

    theirs.released_at = ours + 2s;
    theirs.expires_at = ours + 62s;
    cluster.put(theirs);
    cluster.run();
    EXPECT_EQ(managed().released_at, ours + 2s);
    EXPECT_EQ(cluster.next, ours + 62s);
}

}  // namespace
}  // namespace steelyard::controller_plan
