#include "controller/integration/cluster.hpp"

#include <gmock/gmock.h>

#include <chrono>

// Several replicas, and what the leading one tells beside the Services.
namespace steelyard::controller {
namespace {

using nlohmann::json;
using test::service_path;
using test::text_at;
using testing::HasSubstr;

constexpr const char* kLease =
    "/apis/coordination.k8s.io/v1/namespaces/metallb-system/leases/steelyard-controller";
constexpr const char* kState =
    "/apis/metallb.io/v1beta1/namespaces/metallb-system/configurationstates/controller";
constexpr const char* kCertificate =
    "/api/v1/namespaces/metallb-system/secrets/metallb-webhook-cert";
constexpr const char* kPools = "/apis/metallb.io/v1beta1/namespaces/metallb-system/ipaddresspools";
constexpr const char* kPolicies =
    "/apis/steelyard.io/v1alpha1/namespaces/metallb-system/allocationpolicies";
constexpr const char* kReservations =
    "/apis/steelyard.io/v1alpha1/namespaces/metallb-system/addressreservations";

class ReplicaTest : public testing::Test {
protected:
    [[nodiscard]] bool becomes(const std::string& service, const std::string& address) {
        return cluster.until([&] { return cluster.address_of(service) == address; });
    }
    [[nodiscard]] bool shows(const char* path, const char* pointer, const std::string& text) {
        return cluster.until([&] { return text_at(cluster.get(path), pointer) == text; });
    }
    void create_policy(const json& spec) {
        cluster.create(
            kPolicies,
            json{
                {"apiVersion", "steelyard.io/v1alpha1"},
                {"kind", "AllocationPolicy"},
                {"metadata", {{"name", "policy"}}},
                {"spec", spec}}
        );
    }
    test::Cluster cluster;
};

TEST_F(ReplicaTest, OneOfTwoLeadsAndTheOtherTakesOverWhenItStops) {
    cluster.create_pool("x", {"10.0.0.1-10.0.0.2"});
    cluster.start_replica("a");
    ASSERT_TRUE(cluster.until([&] { return cluster.leads("a"); }));
    cluster.start_replica("b");
    cluster.create_service("first");
    ASSERT_TRUE(becomes("first", "10.0.0.1"));
    EXPECT_FALSE(cluster.leads("b"));
    EXPECT_THAT(text_at(cluster.get(kLease), "/spec/holderIdentity"), HasSubstr("a_"));

    cluster.stop_replica("a");

    cluster.create_service("second");
    EXPECT_TRUE(becomes("second", "10.0.0.2"));
    EXPECT_TRUE(cluster.leads("b"));
    EXPECT_EQ(cluster.address_of("first"), "10.0.0.1");
}

TEST_F(ReplicaTest, WhatWasDecidedBeforeAStopIsWritten) {
    cluster.create_pool("x", {"10.0.0.0/24"});
    cluster.start_controller();
    ASSERT_TRUE(cluster.until([&] { return cluster.ready(); }));
    apiserver::FaultRule slow;
    slow.verb = "patch";
    slow.resource = "services/status";
    slow.delay = std::chrono::milliseconds(100);
    slow.count = 1000;
    cluster.server().faults().add(slow);
    for (int i = 0; i < 40; ++i) {
        cluster.create_service("s" + std::to_string(i));
    }
    ASSERT_TRUE(cluster.until([&] {
        return cluster.metrics().find("in_use_total{pool=\"x\"} 40") != std::string::npos;
    }));

    cluster.stop_controller();

    for (int i = 0; i < 40; ++i) {
        EXPECT_NE(cluster.address_of("s" + std::to_string(i)), "") << i;
    }
}

// Older definitions lack the kind. That the API server is away says nothing new about it.
TEST_F(ReplicaTest, AKindThatIsNotThereStaysUnneededWhileTheServerIsAway) {
    cluster.create_pool("x", {"10.0.0.0/24"});
    apiserver::FaultRule none;
    none.path = "/apis/steelyard.io/v1alpha1/*";
    none.status = 404;
    none.count = 1000;
    cluster.server().faults().add(none);
    cluster.start_controller();
    ASSERT_TRUE(cluster.until([&] { return cluster.ready(); }));

    cluster.server().faults().clear();
    apiserver::FaultRule away = none;
    away.status = 503;
    away.count = 4;
    cluster.server().faults().add(away);
    cluster.server().faults().add(none);
    ASSERT_TRUE(cluster.until([&] {
        EXPECT_TRUE(cluster.ready());
        return cluster.server().faults().size() == 1 || !cluster.ready();
    }));
    cluster.create_service("web");
    EXPECT_TRUE(becomes("web", "10.0.0.0"));
}

// As MetalLB can be run: one Deployment for the webhook and one for the rest.
TEST_F(ReplicaTest, AReplicaForTheWebhookAloneMakesItsCertificate) {
    cluster.start_webhook("hooks");

    EXPECT_TRUE(cluster.until([&] { return cluster.ready("hooks"); }));
    EXPECT_FALSE(cluster.leads("hooks"));
    EXPECT_EQ(text_at(cluster.get(kCertificate), "/kind"), "Secret");
}

TEST_F(ReplicaTest, LastOneToStopLeavesTheLeaseFree) {
    cluster.start_replica("a");
    ASSERT_TRUE(cluster.until([&] { return cluster.leads("a"); }));

    cluster.stop_replica("a");

    EXPECT_EQ(text_at(cluster.get(kLease), "/spec/holderIdentity"), "");
}

TEST_F(ReplicaTest, LeaderWhoseLeaseIsTakenStopsLeadingAndGoesOnAsStandby) {
    cluster.start_replica("a");
    ASSERT_TRUE(cluster.until([&] { return cluster.leads("a"); }));

    cluster.patch(kLease, json{{"spec", {{"holderIdentity", "somebody-else"}}}});

    EXPECT_TRUE(cluster.until([&] { return !cluster.leads("a"); }));
    cluster.patch(kLease, json{{"spec", {{"holderIdentity", ""}}}});
    EXPECT_TRUE(cluster.until([&] { return cluster.leads("a"); }));
}

TEST_F(ReplicaTest, ConfigurationStateSaysWhatIsWrongAndComesBackWhenDeleted) {
    cluster.create_pool("x", {"10.0.0.0/24"});
    cluster.start_controller();
    ASSERT_TRUE(shows(kState, "/status/result", "Valid"));

    cluster.create_pool("overlap", {"10.0.0.0/16"});
    ASSERT_TRUE(shows(kState, "/status/result", "Invalid"));
    EXPECT_THAT(text_at(cluster.get(kState), "/status/errorSummary"), HasSubstr("10.0.0.0/16"));
    cluster.remove(kState);
    EXPECT_TRUE(shows(kState, "/status/result", "Invalid"));

    cluster.remove(std::string(kPools) + "/overlap");
    EXPECT_TRUE(shows(kState, "/status/result", "Valid"));
}

TEST_F(ReplicaTest, AddressOfADeletedServiceIsKeptForItsReturnAcrossARestart) {
    cluster.create_pool("x", {"10.0.0.1-10.0.0.2"});
    create_policy({{"keepAfterDelete", "1h"}});
    cluster.start_controller();
    cluster.create_service("web");
    ASSERT_TRUE(becomes("web", "10.0.0.1"));
    const std::string kept = std::string(kReservations) + "/default.web";
    ASSERT_TRUE(cluster.until([&] {
        return cluster.get(kept).contains("/status/inUse"_json_pointer);
    })) << cluster.get(kept);
    cluster.stop_controller();
    cluster.remove(service_path("web"));

    cluster.start_controller();
    cluster.create_service("other");
    ASSERT_TRUE(becomes("other", "10.0.0.2"));
    ASSERT_TRUE(shows(kept.c_str(), "/spec/serviceName", "web"));
    cluster.create_service("web");

    EXPECT_TRUE(becomes("web", "10.0.0.1"));
}

TEST_F(ReplicaTest, ExplainsPoolByPoolWhyAServiceWaits) {
    cluster.create_pool("x", {"10.0.0.1/32"});
    create_policy({{"exclude", {"10.0.0.1"}}});
    cluster.start_controller();
    cluster.create_service("web");
    ASSERT_TRUE(cluster.until([&] { return !cluster.condition_of("web").empty(); }));

    EXPECT_THAT(cluster.explain("default/web"), HasSubstr("x"));
    EXPECT_THAT(cluster.explain("default/none"), HasSubstr("default/none"));
    EXPECT_THAT(cluster.explain("web"), HasSubstr("NAMESPACE/NAME"));
}

}  // namespace
}  // namespace steelyard::controller
