#include "controller/write/status_patch.hpp"

#include <gtest/gtest.h>

namespace steelyard::controller {
namespace {

using nlohmann::json;

constexpr WallTime kNow = WallTime{} + std::chrono::hours(24);

json service(const char* text) {
    return json::parse(text);
}

controller_plan::Standing standing(const std::vector<std::string>& addresses) {
    controller_plan::Standing made;
    for (const std::string& address : addresses) {
        made.addresses.push_back(*net::IpAddress::parse(address));
    }
    made.pool = addresses.empty() ? "" : "x";
    return made;
}

kube::ServiceCondition condition(bool status, const char* reason) {
    kube::ServiceCondition made;
    made.type = controller_plan::kConditionType;
    made.status = status;
    made.reason = reason;
    made.message = "because";
    return made;
}

TEST(StatusPatchTest, FreshServiceGetsAddressAndAnnotationAtItsVersion) {
    const auto patch = status_patch(
        service(R"({"metadata":{"resourceVersion":"7"}})"), standing({"10.0.0.1"}), kNow
    );

    EXPECT_EQ(*patch, service(R"({
        "metadata":{"resourceVersion":"7","annotations":{"metallb.io/ip-allocated-from-pool":"x"}},
        "status":{"loadBalancer":{"ingress":[{"ip":"10.0.0.1"}]}}})"));
}

TEST(StatusPatchTest, WhatOthersWroteStays) {
    const json object = service(R"({"metadata":{"resourceVersion":"7"},
        "status":{"loadBalancer":{"ingress":[
            {"hostname":"a.example"},
            {"ip":"10.0.0.1","ipMode":"Proxy","ports":[{"port":80,"protocol":"TCP"}]},
            {"ip":"10.9.9.9"}]}}})");

    auto wanted = standing({"10.0.0.1", "fd00::1"});
    wanted.ip_mode = "mixed";
    const auto patch = status_patch(object, wanted, kNow);

    EXPECT_EQ((*patch)["status"]["loadBalancer"]["ingress"], service(R"([
        {"ip":"10.0.0.1","ipMode":"Proxy","ports":[{"port":80,"protocol":"TCP"}]},
        {"ip":"fd00::1"},
        {"hostname":"a.example"}])"));
}

TEST(StatusPatchTest, IpModeIsWrittenWhereItDiffers) {
    const json object = service(R"({"metadata":{"resourceVersion":"7",
        "annotations":{"metallb.io/ip-allocated-from-pool":"x"}},
        "status":{"loadBalancer":{"ingress":[{"ip":"10.0.0.1","ipMode":"VIP"}]}}})");
    auto wanted = standing({"10.0.0.1"});
    EXPECT_FALSE(status_patch(object, wanted, kNow));

    wanted.ip_mode = "Proxy";
    const auto patch = status_patch(object, wanted, kNow);
    const json& ingress = (*patch)["status"]["loadBalancer"]["ingress"];
    EXPECT_EQ(ingress, service(R"([{"ip":"10.0.0.1","ipMode":"Proxy"}])"));

    json shown = object;
    shown["status"]["loadBalancer"]["ingress"] = ingress;
    EXPECT_FALSE(status_patch(shown, wanted, kNow));
    wanted.ip_mode = "";
    const auto back = status_patch(shown, wanted, kNow);
    EXPECT_EQ(
        (*back)["status"]["loadBalancer"]["ingress"],
        service(R"([{"ip":"10.0.0.1","ipMode":"VIP"}])")
    );
}

TEST(StatusPatchTest, ClearingRemovesListAndAnnotation) {
    const json object = service(R"({"metadata":{"resourceVersion":"7",
        "annotations":{"metallb.io/ip-allocated-from-pool":"x","other":"y"}},
        "status":{"loadBalancer":{"ingress":[{"ip":"10.0.0.1"}]}}})");

    const auto patch = status_patch(object, standing({}), kNow);

    EXPECT_EQ(*patch, service(R"({
        "metadata":{"resourceVersion":"7","annotations":{"metallb.io/ip-allocated-from-pool":null}},
        "status":{"loadBalancer":{"ingress":null}}})"));
}

TEST(StatusPatchTest, ConditionJoinsThoseOfOthersWithTheObservedGeneration) {
    const json object = service(R"({"metadata":{"resourceVersion":"7","generation":3},
        "status":{"conditions":[{"type":"Other","status":"True"}]}})");
    controller_plan::Standing wanted = standing({});
    wanted.condition = condition(false, "NoPools");

    const json list = (*status_patch(object, wanted, kNow))["status"]["conditions"];

    ASSERT_EQ(list.size(), 2U);
    EXPECT_EQ(list[0]["type"], "Other");
    EXPECT_EQ(list[1]["type"], "steelyard.io/AddressAssigned");
    EXPECT_EQ(list[1]["status"], "False");
    EXPECT_EQ(list[1]["observedGeneration"], 3);
    EXPECT_EQ(list[1]["lastTransitionTime"], "1970-01-02T00:00:00Z");
}

TEST(StatusPatchTest, TransitionTimeStaysWhileTheStatusDoes) {
    const json object = service(R"({"metadata":{"resourceVersion":"7"},
        "status":{"conditions":[{"type":"steelyard.io/AddressAssigned","status":"False",
            "reason":"NoPools","message":"m","lastTransitionTime":"2020-01-01T00:00:00Z"}]}})");
    controller_plan::Standing wanted = standing({});
    wanted.condition = condition(false, "PoolExhausted");

    const json list = (*status_patch(object, wanted, kNow))["status"]["conditions"];

    EXPECT_EQ(list[0]["reason"], "PoolExhausted");
    EXPECT_EQ(list[0]["lastTransitionTime"], "2020-01-01T00:00:00Z");
}

TEST(StatusPatchTest, NothingToChangeIsNoPatch) {
    json object = service(R"({"metadata":{"resourceVersion":"7"}})");
    controller_plan::Standing wanted = standing({"10.0.0.1"});
    wanted.condition = condition(true, "Assigned");
    object.merge_patch(*status_patch(object, wanted, kNow));

    EXPECT_FALSE(status_patch(object, wanted, kNow + std::chrono::hours(1)));
}

TEST(StatusPatchTest, OddShapesAreTakenAsEmpty) {
    for (const char* text :
         {"null",
          "[]",
          R"({"metadata":3,"status":"x"})",
          R"({"status":{"loadBalancer":{"ingress":{}},"conditions":7}})",
          R"({"status":{"loadBalancer":{"ingress":[1,null]},"conditions":["x"]}})"}) {
        EXPECT_TRUE(status_patch(service(text), standing({"10.0.0.1"}), kNow)) << text;
    }
}

// The patch built from what the watch shows is the one built from the object itself.
TEST(StatusPatchTest, TheDecodedServiceGivesTheSamePatch) {
    for (const char* text :
         {R"({"metadata":{"name":"web","resourceVersion":"7"}})",
          R"({"metadata":{"name":"web","resourceVersion":"7","generation":3,
              "annotations":{"metallb.io/ip-allocated-from-pool":"old","other":"y"}},
              "status":{"loadBalancer":{"ingress":[
                  {"ip":"10.0.0.1","ipMode":"Proxy","ports":[{"port":80,"protocol":"TCP",
                      "error":"x.io/Broken"}]},
                  {"hostname":"a.example","ipMode":"VIP"},
                  {"ip":"10.0.0.9"}]},
              "conditions":[
                  {"type":"Other","status":"Unknown","lastTransitionTime":"2020-01-01T00:00:00Z",
                   "observedGeneration":1,"new":[1]},
                  {"type":"steelyard.io/AddressAssigned","status":"True","reason":"Assigned",
                   "message":"m","lastTransitionTime":"2020-01-01T00:00:00Z",
                   "observedGeneration":2}]}})"}) {
        const json object = service(text);
        const kube::Service decoded = kube::Resource<kube::Service>::decode(object).value();
        for (const std::vector<std::string>& addresses :
             std::vector<std::vector<std::string>>{{}, {"10.0.0.1"}, {"10.0.0.2", "fd00::1"}}) {
            for (const bool assigned : {true, false}) {
                controller_plan::Standing wanted = standing(addresses);
                wanted.condition = condition(assigned, "Assigned");
                EXPECT_EQ(status_patch(decoded, wanted, kNow), status_patch(object, wanted, kNow));
            }
        }
    }
}

TEST(StatusPatchTest, PoolStatusHoldsTheFourCounters) {
    EXPECT_EQ(
        pool_status_patch({"x", {256, 2}, {0, 0}}),
        service(R"({"status":{"assignedIPv4":2,"assignedIPv6":0,
                              "availableIPv4":254,"availableIPv6":0}})")
    );
}

}  // namespace
}  // namespace steelyard::controller
