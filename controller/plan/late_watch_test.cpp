#include "controller/plan/planner_test_support.hpp"

#include <gmock/gmock.h>

// One leader whose watch lags behind its own writes: what it wrote before comes back when it has
// decided otherwise already.
namespace steelyard::controller_plan {
namespace {

using test::dual_service;
using test::ip;
using test::pool;
using test::reasons;
using test::service;
using testing::ElementsAre;
using testing::IsEmpty;

class LateWatchTest : public testing::Test {
protected:
    LateWatchTest() { planner.on_synced(); }

    void set_pools(std::vector<config::Pool> pools) {
        auto made = std::make_shared<config::Config>();
        made->pools = std::move(pools);
        planner.on_config(std::move(made));
    }
    // The watch tells what the object looks like since a write.
    void show(kube::Service object, const std::vector<std::string>& addresses) {
        for (const std::string& address : addresses) {
            object.ingress.emplace_back().ip = ip(address);
        }
        planner.on_service(std::make_shared<const kube::Service>(std::move(object)));
    }
    // By Service: what is to be written.
    std::map<std::string, std::string> plan() {
        std::map<std::string, std::string> writes;
        events.clear();
        for (const Outcome& outcome : planner.plan(WallTime{}).outcomes) {
            std::string& text = writes[outcome.service.name];
            text.clear();
            for (const net::IpAddress& address : outcome.standing.addresses) {
                text += (text.empty() ? "" : " ") + to_string(address);
            }
            events.insert(events.end(), outcome.events.begin(), outcome.events.end());
        }
        return writes;
    }

    const config::Pool a = pool("a", {"10.0.0.1/32"});
    const config::Pool b = pool("b", {"10.0.1.1/32"});
    using Writes = std::map<std::string, std::string>;
    Planner planner{Options{}};
    std::vector<Event> events;
};

TEST_F(LateWatchTest, OwnEarlierWriteIsNoClaim) {
    const kube::Service web = service("web", 1);
    set_pools({a});
    show(web, {});
    EXPECT_EQ(plan(), (Writes{{"web", "10.0.0.1"}}));
    set_pools({b});
    EXPECT_EQ(plan(), (Writes{{"web", "10.0.1.1"}}));
    set_pools({a, b});
    plan();

    show(web, {"10.0.0.1"});
    EXPECT_EQ(plan(), (Writes{{"web", "10.0.1.1"}}));
    EXPECT_THAT(events, IsEmpty());
}

TEST_F(LateWatchTest, OwnEarlierWriteTakesNothingFromTheOneWhoHoldsItNow) {
    const kube::Service older = service("older", 1);
    set_pools({a});
    show(older, {});
    plan();
    set_pools({b});
    plan();
    set_pools({a, b});
    show(service("younger", 2), {});
    EXPECT_EQ(plan()["younger"], "10.0.0.1");

    show(older, {"10.0.0.1"});
    EXPECT_EQ(plan(), (Writes{{"older", "10.0.1.1"}}));
}

TEST_F(LateWatchTest, WriteThatWasTakenBackIsNoClaim) {
    const kube::Service web = service("web", 1);
    set_pools({a});
    show(web, {"10.0.0.1"});
    plan();
    set_pools({b});
    EXPECT_EQ(plan(), (Writes{{"web", "10.0.1.1"}}));
    set_pools({a});
    EXPECT_EQ(plan(), (Writes{{"web", "10.0.0.1"}}));
    set_pools({a, b});
    plan();

    show(web, {"10.0.1.1"});
    EXPECT_EQ(plan(), (Writes{{"web", "10.0.0.1"}}));
    show(web, {"10.0.0.1"});
    show(web, {"10.0.1.1"});  // by somebody else: neither of the two is on its way any more
    EXPECT_EQ(plan(), (Writes{{"web", "10.0.1.1"}}));
}

TEST_F(LateWatchTest, FirstFamilyAloneIsNoClaimToGiveUpTheSecond) {
    const kube::Service web = dual_service("web", 2, kube::IpFamilyPolicy::PreferDualStack);
    kube::Service waiter = service("waiter", 1);
    waiter.cluster_ips = {ip("fd96::2")};
    set_pools({pool("x", {"10.0.0.0/24"})});
    show(web, {});
    EXPECT_EQ(plan(), (Writes{{"web", "10.0.0.0"}}));
    set_pools({pool("x", {"10.0.0.0/24", "fd00::1/128"})});
    EXPECT_EQ(plan(), (Writes{{"web", "10.0.0.0 fd00::1"}}));
    show(waiter, {});
    plan();

    show(web, {"10.0.0.0"});
    EXPECT_EQ(plan(), (Writes{{"web", "10.0.0.0 fd00::1"}}));
    EXPECT_THAT(events, IsEmpty());
}

TEST_F(LateWatchTest, HalfOfALostStatusIsWrittenAgain) {
    const kube::Service web = dual_service("web", 2, kube::IpFamilyPolicy::PreferDualStack);
    kube::Service waiter = service("waiter", 1);
    waiter.cluster_ips = {ip("fd96::2")};
    set_pools({pool("x", {"10.0.0.0/24", "fd00::1/128"})});
    show(web, {"10.0.0.0", "fd00::1"});
    show(waiter, {});
    plan();

    show(web, {"10.0.0.0"});
    EXPECT_EQ(plan(), (Writes{{"web", "10.0.0.0 fd00::1"}}));
    EXPECT_THAT(events, IsEmpty());
}

TEST_F(LateWatchTest, ClearedAddressIsSaidOnceThoughItStillShows) {
    kube::Service web = service("web", 1);
    set_pools({a});
    show(web, {"10.0.0.1"});
    plan();
    set_pools({b, pool("c", {"10.0.2.1/32"})});
    show(service("other", 0), {"10.0.1.1"});
    plan();
    set_pools({b});
    plan();
    EXPECT_THAT(reasons(events), ElementsAre("ClearAssignment", "AllocationFailed"));

    web.meta.labels["touched"] = "yes";
    show(web, {"10.0.0.1"});
    plan();
    EXPECT_THAT(events, IsEmpty());
}

TEST_F(LateWatchTest, AddressOnItsWayIsTakenBackFromAServiceOfAnotherClass) {
    kube::Service web = service("web", 1);
    set_pools({a});
    show(web, {});
    EXPECT_EQ(plan(), (Writes{{"web", "10.0.0.1"}}));

    web.load_balancer_class = "example.com/other";
    show(web, {});
    EXPECT_EQ(plan(), (Writes{{"web", ""}}));
    EXPECT_THAT(plan(), IsEmpty());
}

}  // namespace
}  // namespace steelyard::controller_plan
