#include "controller/app/memberlist_secret.hpp"
#include "controller/integration/cluster.hpp"

#include <gmock/gmock.h>

namespace steelyard::controller {
namespace {

using nlohmann::json;
using test::service_path;
using testing::HasSubstr;

constexpr const char* kPools = "/apis/metallb.io/v1beta1/namespaces/metallb-system/ipaddresspools/";

class ControllerTest : public testing::Test {
protected:
    [[nodiscard]] bool becomes(const std::string& service, const std::string& address) {
        return cluster.until([&] { return cluster.address_of(service) == address; });
    }
    [[nodiscard]] bool waits_because(const std::string& service, const std::string& reason) {
        return cluster.until([&] { return cluster.condition_of(service) == reason; });
    }
    // A Service made now is served after everything the controller had to do before.
    [[nodiscard]] bool settles(const std::string& address) {
        cluster.create_service("marker");
        return becomes("marker", address);
    }
    test::Cluster cluster;
};

TEST_F(ControllerTest, NewServiceShowsAnAddressItsPoolAConditionAndAnEvent) {
    cluster.create_pool("x", {"192.168.100.200/30"});
    cluster.start_controller();
    cluster.create_service("web");

    ASSERT_TRUE(becomes("web", "192.168.100.200"));

    const json web = cluster.get(service_path("web"));
    EXPECT_EQ(test::text_at(web, "/metadata/annotations/metallb.io~1ip-allocated-from-pool"), "x");
    EXPECT_EQ(cluster.condition_of("web"), "Assigned");
    EXPECT_TRUE(cluster.until([&] { return cluster.has_event("web", "IPAllocated"); }));
}

TEST_F(ControllerTest, FullPoolLeavesTheServicePendingWithAnEventUntilOneIsDeleted) {
    cluster.create_pool("x", {"10.0.0.1/32"});
    cluster.start_controller();
    cluster.create_service("first");
    ASSERT_TRUE(becomes("first", "10.0.0.1"));
    cluster.create_service("second");
    ASSERT_TRUE(waits_because("second", "PoolExhausted"));
    EXPECT_TRUE(cluster.until([&] { return cluster.has_event("second", "AllocationFailed"); }));

    cluster.remove(service_path("first"));

    EXPECT_TRUE(becomes("second", "10.0.0.1"));
}

TEST_F(ControllerTest, RestartAdoptsAndWritesNothing) {
    cluster.create_pool("x", {"10.0.0.1-10.0.0.3"});
    cluster.start_controller();
    cluster.create_service("a");
    ASSERT_TRUE(becomes("a", "10.0.0.1"));
    cluster.create_service("b");
    ASSERT_TRUE(becomes("b", "10.0.0.2"));
    cluster.stop_controller();
    const std::string a = cluster.version_of("a");
    const std::string b = cluster.version_of("b");

    cluster.start_controller();

    ASSERT_TRUE(settles("10.0.0.3"));
    EXPECT_EQ(cluster.version_of("a"), a);
    EXPECT_EQ(cluster.version_of("b"), b);
}

TEST_F(ControllerTest, WaiterDoesNotTakeWhatAnotherHoldsWhenTheControllerComesBack) {
    cluster.create_pool("x", {"10.0.0.1-10.0.0.2"});
    cluster.create_service("older-waiter");
    cluster.create_service("holder");
    cluster.patch(
        service_path("holder") + "/status",
        json::parse(R"({"status":{"loadBalancer":{"ingress":[{"ip":"10.0.0.1"}]}}})")
    );

    cluster.start_controller();

    EXPECT_TRUE(becomes("older-waiter", "10.0.0.2"));
    EXPECT_EQ(cluster.address_of("holder"), "10.0.0.1");
}

TEST_F(ControllerTest, TypeChangeReleasesTheAddress) {
    cluster.create_pool("x", {"10.0.0.1/32"});
    cluster.start_controller();
    cluster.create_service("first");
    ASSERT_TRUE(becomes("first", "10.0.0.1"));
    cluster.create_service("second");

    cluster.patch(service_path("first"), json::parse(R"({"spec":{"type":"ClusterIP"}})"));

    EXPECT_TRUE(becomes("second", "10.0.0.1"));
    EXPECT_TRUE(cluster.until([&] {
        const json first = cluster.get(service_path("first"));
        return test::text_at(first, "/metadata/annotations/metallb.io~1ip-allocated-from-pool")
            .empty();
    }));
    EXPECT_EQ(cluster.address_of("first"), "");
}

TEST_F(ControllerTest, ConflictsAreReadAgainAndRetried) {
    cluster.create_pool("x", {"10.0.0.0/24"});
    cluster.start_controller();
    ASSERT_TRUE(cluster.until([&] { return cluster.ready(); }));
    apiserver::FaultRule rule;
    rule.verb = "patch";
    rule.resource = "services";
    rule.count = 7;  // more than one write tries in a row, so backoff is taken too
    rule.status = 409;
    cluster.server().faults().add(rule);

    cluster.create_service("web");

    EXPECT_TRUE(becomes("web", "10.0.0.0"));
    EXPECT_EQ(cluster.server().faults().size(), 0U);
}

TEST_F(ControllerTest, OutagesAreSurvived) {
    cluster.create_pool("x", {"10.0.0.0/24"});
    cluster.start_controller();
    ASSERT_TRUE(cluster.until([&] { return cluster.ready(); }));
    apiserver::FaultRule broken;
    broken.verb = "get";
    broken.resource = "services";
    broken.count = 2;
    broken.drop_connection = true;
    cluster.server().faults().add(broken);
    cluster.server().restart();

    cluster.create_service("web");

    EXPECT_TRUE(becomes("web", "10.0.0.0"));
}

TEST_F(ControllerTest, WhatOthersWroteIntoTheStatusStays) {
    cluster.create_pool("x", {"10.0.0.0/24"});
    cluster.create_service("web");
    cluster.patch(service_path("web") + "/status", json::parse(R"({"status":{
        "loadBalancer":{"ingress":[{"hostname":"web.example"}]},
        "conditions":[{"type":"example.com/Other","status":"True","reason":"R","message":"m",
                       "lastTransitionTime":"2020-01-01T00:00:00Z"}]}})"));

    cluster.start_controller();

    ASSERT_TRUE(becomes("web", "10.0.0.0"));
    const json status = cluster.get(service_path("web"))["status"];
    EXPECT_THAT(status.dump(), HasSubstr("web.example"));
    EXPECT_THAT(status.dump(), HasSubstr("example.com/Other"));
}

TEST_F(ControllerTest, BrokenConfigurationKeepsTheLastGoodOneAndIsReported) {
    cluster.create_pool("x", {"10.0.0.0/24"});
    cluster.start_controller();
    ASSERT_TRUE(settles("10.0.0.0"));

    cluster.create_pool("overlap", {"10.0.0.0/16"});

    EXPECT_TRUE(cluster.until([&] { return cluster.stale(); }));
    EXPECT_TRUE(cluster.until([&] {
        return cluster.has_event("x", "ConfigurationInvalid") ||
               cluster.has_event("overlap", "ConfigurationInvalid");
    }));
    EXPECT_THAT(cluster.metrics(), HasSubstr("metallb_k8s_client_config_stale_bool 1"));
    cluster.create_service("web");
    EXPECT_TRUE(becomes("web", "10.0.0.1"));

    cluster.remove(std::string(kPools) + "overlap");
    EXPECT_TRUE(cluster.until([&] { return !cluster.stale(); }));
}

TEST_F(ControllerTest, PoolStatusAndGaugesCountAddresses) {
    cluster.create_pool("x", {"10.0.0.0/24"});
    cluster.start_controller();
    cluster.create_service("web");
    ASSERT_TRUE(becomes("web", "10.0.0.0"));

    EXPECT_TRUE(cluster.until([&] {
        const json pool = cluster.get(std::string(kPools) + "x");
        return pool.contains("status") && pool["status"].value("assignedIPv4", 0) == 1 &&
               pool["status"].value("availableIPv4", 0) == 255;
    }));
    EXPECT_THAT(
        cluster.metrics(), HasSubstr("metallb_allocator_addresses_in_use_total{pool=\"x\"} 1")
    );
    EXPECT_THAT(cluster.metrics(), HasSubstr("metallb_allocator_addresses_total{pool=\"x\"} 256"));
}

TEST_F(ControllerTest, GossipSecretIsMadeOnceAndNeverReplaced) {
    const std::string path = "/api/v1/namespaces/metallb-system/secrets/metallb-memberlist";
    const MemberlistSecret secret{"metallb-system", "metallb-memberlist", ""};
    const log::Logger logger(log::stderr_sink(), log::Level::None, "test");
    cluster.spawn(ensure_memberlist_secret(cluster.api(), logger, secret));
    ASSERT_TRUE(cluster.until([&] { return cluster.get(path).contains("data"); }));
    const json made = cluster.get(path);
    int done = 0;
    const auto again = [&]() -> awaitable<void> {
        co_await ensure_memberlist_secret(cluster.api(), logger, secret);
        ++done;
    };

    cluster.spawn(again());

    ASSERT_TRUE(cluster.until([&] { return done == 1; }));
    EXPECT_EQ(cluster.get(path), made);
    EXPECT_GE(made["data"]["secretkey"].get<std::string>().size(), 200U);
}

}  // namespace
}  // namespace steelyard::controller
