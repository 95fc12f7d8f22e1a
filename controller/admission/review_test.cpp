#include "controller/admission/review.hpp"

#include "controller/admission/admission_test_support.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace steelyard::admission {
namespace {

using testing::HasSubstr;
using testing::IsEmpty;

const std::string kPool =
    R"({"kind":"IPAddressPool","name":"a","spec":{"addresses":["10.0.0.0/24"]}})";
const std::string kPool28 =
    R"({"kind":"IPAddressPool","name":"a","spec":{"addresses":["10.0.0.0/28"]}})";
const std::string kAd24 =
    R"({"kind":"BGPAdvertisement","name":"ad","spec":{"aggregationLength":24}})";
const std::string kAdAlias =
    R"({"kind":"BGPAdvertisement","name":"ad","spec":{"communities":["vpn"]}})";
const std::string kVpn =
    R"({"kind":"Community","name":"c","spec":{"communities":[{"name":"vpn","value":"64512:7"}]}})";
const std::string kFast = R"({"kind":"BFDProfile","name":"fast","spec":{}})";
const std::string kPeer =
    R"({"kind":"BGPPeer","name":"p","spec":{"myASN":64512,"peerASN":64513,"peerAddress":"192.0.2.1"}})";
const std::string kPeerBfd =
    R"({"kind":"BGPPeer","name":"p","spec":{"myASN":64512,"peerASN":64513,"peerAddress":"192.0.2.1","bfdProfile":"fast"}})";
const std::string kNone;

// `before` empty: a new object; `after` empty: it is deleted.
struct Case {
    const char* name;
    std::vector<std::string> others;
    std::string before;
    std::string after;
    const char* refused = "";  // part of the message; "": allowed
    const char* warned = "";   // part of a warning
};

class ReviewTest : public testing::TestWithParam<Case> {};

TEST_P(ReviewTest, GivesTheVerdict) {
    const Case& c = GetParam();
    std::vector<std::string> all = c.others;
    if (!c.before.empty()) {
        all.push_back(c.before);
    }
    const Snapshot snapshot = snapshot_of(all);

    const json answer = review(request(c.before, c.after), snapshot).value();

    const json& response = answer.at("response");
    EXPECT_EQ(response.at("uid"), "u-1");
    EXPECT_EQ(response.at("allowed"), std::string(c.refused).empty()) << response.dump(2);
    EXPECT_THAT(message_of(answer), HasSubstr(c.refused));
    EXPECT_THAT(warnings_of(answer), HasSubstr(c.warned));
}

// metallb.md 5.3: what MetalLB's own tests of its webhooks look at.
INSTANTIATE_TEST_SUITE_P(
    AsMetalLb,
    ReviewTest,
    testing::Values(
        Case{
            "OverlappingPools",
            {kPool},
            kNone,
            R"({"kind":"IPAddressPool","name":"b","spec":{"addresses":["10.0.0.128/25"]}})",
            "IPAddressPool metallb-system/b: spec.addresses[0]: \"10.0.0.128/25\""},
        Case{
            "AggregationWiderThanThePool",
            {kPool28},
            kNone,
            kAd24,
            "BGPAdvertisement metallb-system/ad: spec.aggregationLength: \"24\""},
        Case{
            "ServiceSelectorsWithAggregation",
            {kPool},
            kNone,
            R"({"kind":"BGPAdvertisement","name":"ad","spec":{"aggregationLength":26,
                "serviceSelectors":[{"matchLabels":{"a":"b"}}]}})",
            "spec.serviceSelectors"},
        Case{
            "BadPeerAddress",
            {},
            kNone,
            R"({"kind":"BGPPeer","name":"p","spec":{"myASN":1,"peerASN":2,"peerAddress":"400.1.1.1"}})",
            "spec.peerAddress: \"400.1.1.1\""},
        Case{
            "SamePeerOnTheSameNodes",
            {kPeer},
            kNone,
            R"({"kind":"BGPPeer","name":"q","spec":{"myASN":1,"peerASN":2,"peerAddress":"192.0.2.1"}})",
            "one BGPPeer on a node"},
        Case{
            "SamePeerOnOtherNodes",
            {R"({"kind":"BGPPeer","name":"q","spec":{"myASN":1,"peerASN":2,"peerAddress":"192.0.2.1",
                "nodeSelectors":[{"matchLabels":{"rack":"1"}}]}})"},
            kNone,
            R"({"kind":"BGPPeer","name":"p","spec":{"myASN":1,"peerASN":2,"peerAddress":"192.0.2.1",
                "nodeSelectors":[{"matchLabels":{"rack":"2"}}]}})"},
        Case{
            "BadCommunityOfANewObject",
            {},
            kNone,
            R"({"kind":"Community","name":"c","spec":{"communities":[{"name":"vpn","value":"99999999:1"}]}})",
            "spec.communities[0].value: \"99999999:1\""},
        Case{
            "BadLargeCommunityOfANewObject",
            {},
            kNone,
            R"({"kind":"Community","name":"c","spec":{"communities":[{"name":"x","value":"large:1:2"}]}})",
            "spec.communities[0].value: \"large:1:2\""},
        Case{
            "CommunityMadeBad",
            {},
            kVpn,
            R"({"kind":"Community","name":"c","spec":{"communities":[{"name":"vpn","value":"1:x"}]}})",
            "spec.communities[0].value: \"1:x\""},
        Case{
            "LargeCommunityMadeBad",
            {},
            kVpn,
            R"({"kind":"Community","name":"c","spec":{"communities":[{"name":"vpn","value":"large:a:1:1"}]}})",
            "spec.communities[0].value: \"large:a:1:1\""},
        Case{
            "AliasTwiceInOneObject",
            {},
            kNone,
            R"({"kind":"Community","name":"c","spec":{"communities":[{"name":"v","value":"1:1"},
                {"name":"v","value":"1:2"}]}})",
            "give each name once"},
        Case{
            "AliasOfAnotherObject",
            {kVpn},
            kNone,
            R"({"kind":"Community","name":"d","spec":{"communities":[{"name":"vpn","value":"1:1"}]}})",
            "give each name once"},
        Case{
            "DeletionOfABfdProfileInUse",
            {kPeerBfd},
            kFast,
            kNone,
            "this would break BGPPeer metallb-system/p: spec.bfdProfile: \"fast\""},
        Case{"DeletionOfABfdProfileNobodyUses", {kPeer}, kFast, kNone}
    ),
    [](const auto& parameter) { return std::string(parameter.param.name); }
);

INSTANTIATE_TEST_SUITE_P(
    BeyondMetalLb,
    ReviewTest,
    testing::Values(
        Case{"ARightPool", {}, kNone, kPool, "", "nobody will reach its addresses"},
        Case{
            "APoolEditThatBreaksAnAggregation",
            {kAd24},
            kPool,
            kPool28,
            "this would break BGPAdvertisement metallb-system/ad: spec.aggregationLength"},
        Case{
            "DeletionOfAnAliasInUse",
            {kAdAlias},
            kVpn,
            kNone,
            "this would break BGPAdvertisement metallb-system/ad: spec.communities[0]: \"vpn\""},
        Case{
            "RenamingAnAliasInUse",
            {kAdAlias},
            kVpn,
            R"({"kind":"Community","name":"c","spec":{"communities":[{"name":"x","value":"1:1"}]}})",
            "this would break BGPAdvertisement"},
        Case{"DeletionOfAPool", {}, kPool, kNone},
        Case{
            "ABfdProfileThatMayFollow",
            {},
            kNone,
            kPeerBfd,
            "",
            "there is no BFDProfile of this name"},
        Case{"AnAliasThatMayFollow", {kPool}, kNone, kAdAlias, "", "spec.communities[0]: \"vpn\""},
        Case{
            "ACommunityIsNoAliasThatMayFollow",
            {kPool},
            kNone,
            R"({"kind":"BGPAdvertisement","name":"ad","spec":{"communities":["64512:99999"]}})",
            "spec.communities[0]: \"64512:99999\""},
        Case{
            "AMistakeBesideAMissingProfile",
            {},
            kNone,
            R"({"kind":"BGPPeer","name":"p","spec":{"myASN":0,"peerASN":2,"peerAddress":"192.0.2.1",
                "bfdProfile":"fast"}})",
            "spec.myASN"},
        Case{
            "AnEditOfSomethingElseOnAWrongObject",
            {},
            R"({"kind":"IPAddressPool","name":"a","spec":{"addresses":["10.0.0.1","10.1.0.0/24"]}})",
            R"({"kind":"IPAddressPool","name":"a","spec":{"addresses":["10.0.0.1"],"autoAssign":false}})",
            "",
            "wrong already: IPAddressPool metallb-system/a: spec.addresses[0]"},
        Case{
            "AWrongEntryThatMovesUp",
            {},
            R"({"kind":"IPAddressPool","name":"a","spec":{"addresses":["10.1.0.0/24","10.0.0.1"]}})",
            R"({"kind":"IPAddressPool","name":"a","spec":{"addresses":["10.0.0.1"]}})",
            "",
            "wrong already"},
        Case{
            "AnotherMistakeOnAWrongObject",
            {},
            R"({"kind":"IPAddressPool","name":"a","spec":{"addresses":["10.0.0.1"]}})",
            R"({"kind":"IPAddressPool","name":"a","spec":{"addresses":["10.0.0.2"]}})",
            "\"10.0.0.2\""},
        Case{
            "ANewObjectBesideAWrongOne",
            {R"({"kind":"IPAddressPool","name":"z","spec":{"addresses":["nonsense"]}})"},
            kNone,
            kPool,
            "",
            "wrong already: IPAddressPool metallb-system/z"},
        Case{
            "TheRepairOfAWrongObject",
            {},
            R"({"kind":"IPAddressPool","name":"a","spec":{"addresses":["nonsense"]}})",
            kPool},
        Case{
            "AFieldOfAnotherType",
            {},
            kNone,
            R"({"kind":"IPAddressPool","name":"a","spec":{"addresses":"10.0.0.0/24"}})",
            "spec.addresses"},
        Case{
            "AnObjectThatWasUnreadableAndStays",
            {},
            R"({"kind":"IPAddressPool","name":"a","spec":{"addresses":7}})",
            R"({"kind":"IPAddressPool","name":"a","spec":{"addresses":7,"autoAssign":true}})",
            "",
            "spec.addresses"},
        Case{
            "APeerOfV1beta1",
            {},
            kNone,
            R"({"apiVersion":"metallb.io/v1beta1","kind":"BGPPeer","name":"p","spec":{"myASN":1,
                "peerASN":2,"peerAddress":"nonsense"}})",
            "spec.peerAddress: \"nonsense\""},
        Case{
            "ARightPeerOfV1beta1",
            {},
            kNone,
            R"({"apiVersion":"metallb.io/v1beta1","kind":"BGPPeer","name":"p","spec":{"myASN":1,
                "peerASN":2,"peerAddress":"192.0.2.1","peerPort":0}})"},
        Case{
            "AWrongAllocationPolicy",
            {kPool},
            kNone,
            R"({"apiVersion":"steelyard.io/v1alpha1","kind":"AllocationPolicy","name":"x",
                "spec":{"exclude":["nonsense"]}})",
            "spec.exclude[0]: \"nonsense\""},
        Case{
            "AnAddressReservedTwice",
            {kPool,
             R"({"apiVersion":"steelyard.io/v1alpha1","kind":"AddressReservation","name":"x",
                "spec":{"serviceNamespace":"n","serviceName":"one","addresses":["10.0.0.1"]}})"},
            kNone,
            R"({"apiVersion":"steelyard.io/v1alpha1","kind":"AddressReservation","name":"y",
                "spec":{"serviceNamespace":"n","serviceName":"two","addresses":["10.0.0.1"]}})",
            "an address is kept for one Service"}
    ),
    [](const auto& parameter) { return std::string(parameter.param.name); }
);

class ElsewhereTest : public testing::TestWithParam<const char*> {};

TEST_P(ElsewhereTest, IsRefusedOnlyWhenItIsNew) {
    const std::string object = std::string(R"({"kind":")") + GetParam() +
                               R"(","name":"a","namespace":"default","spec":{}})";
    const Snapshot snapshot = snapshot_of({});

    const json created = review(request("", object), snapshot).value();
    const json updated = review(request(object, object), snapshot).value();
    const json deleted = review(request(object, ""), snapshot).value();

    EXPECT_EQ(
        message_of(created),
        std::string(GetParam()) +
            " default/a: metadata.namespace: \"default\": only objects in metallb-system count"
    );
    EXPECT_EQ(message_of(updated), "");
    EXPECT_THAT(warnings_of(updated), HasSubstr("only objects in metallb-system count"));
    EXPECT_EQ(message_of(deleted), "");
    EXPECT_THAT(warnings_of(deleted), IsEmpty());
}

INSTANTIATE_TEST_SUITE_P(
    AllKinds,
    ElsewhereTest,
    testing::Values(
        "IPAddressPool", "L2Advertisement", "BGPAdvertisement", "BGPPeer", "Community", "BFDProfile"
    ),
    [](const auto& parameter) { return std::string(parameter.param); }
);

TEST(ReviewTest, OtherKindsSubresourcesAndOperationsAreAllowed) {
    const Snapshot snapshot = snapshot_of({});
    const std::string wrong = R"({"kind":"IPAddressPool","name":"a","spec":{"addresses":[]}})";
    json status = request(wrong, wrong);
    status["request"]["subResource"] = "status";
    json connect = request(wrong, wrong);
    connect["request"]["operation"] = "CONNECT";
    json other = request("", R"({"kind":"ConfigMap","name":"a"})");
    other["request"]["kind"]["group"] = "";

    for (const json& asked : {status, connect, other}) {
        EXPECT_EQ(message_of(review(asked, snapshot).value()), "") << asked.dump();
    }
}

TEST(ReviewTest, WhatTheSnapshotStillHoldsOfTheObjectDoesNotMatter) {
    const Snapshot late = snapshot_of({kPool});  // it was changed since, and is changed again

    const json answer = review(request(kPool28, kPool), late).value();

    EXPECT_EQ(message_of(answer), "");
}

TEST(ReviewTest, AMadeUpNameIsNotNeeded) {
    json asked = request("", kPool28);
    asked["request"].erase("name");
    asked["request"]["object"]["metadata"] = json{{"generateName", "a"}};

    const json answer = review(asked, snapshot_of({kPool})).value();

    EXPECT_THAT(message_of(answer), HasSubstr("spec.addresses[0]"));
}

TEST(ReviewTest, BeforeTheConfigurationIsKnownAnObjectIsJudgedAlone) {
    Snapshot snapshot = snapshot_of({});
    snapshot.known = false;

    const json right = review(request("", kPeerBfd), snapshot).value();
    const json wrong =
        review(
            request("", R"({"kind":"IPAddressPool","name":"a","spec":{"addresses":["x"]}})"),
            snapshot
        )
            .value();

    EXPECT_EQ(message_of(right), "");
    EXPECT_THAT(warnings_of(right), HasSubstr("has just started"));
    EXPECT_THAT(message_of(wrong), HasSubstr("spec.addresses[0]"));
}

TEST(ReviewTest, ManyProblemsAreCutShort) {
    json spec = json::object();
    for (int i = 0; i < 100; ++i) {
        spec["addresses"].push_back("nonsense" + std::to_string(i));
    }
    const json object{{"kind", "IPAddressPool"}, {"name", "a"}, {"spec", spec}};

    const std::string message =
        message_of(review(request("", object.dump()), snapshot_of({})).value());

    EXPECT_THAT(message, HasSubstr("and 80 more"));
}

TEST(ReviewTest, ListsLongerThanTheDefinitionsAllowAreNotLookedInto) {
    json spec = json::object();
    spec["ipAddressPools"] = json::array();
    for (int i = 0; i < 100'000; ++i) {
        spec["ipAddressPools"].push_back(std::to_string(i));
    }
    const std::string object =
        json{{"kind", "L2Advertisement"}, {"name", "a"}, {"spec", spec}}.dump();

    const json created = review(request("", object), snapshot_of({})).value();
    const json deleted = review(request(object, ""), snapshot_of({})).value();

    EXPECT_EQ(
        message_of(created),
        "L2Advertisement metallb-system/a: spec.ipAddressPools: a list of 100000, give at most 4096"
    );
    EXPECT_EQ(message_of(deleted), "");
}

TEST(ReviewTest, WhatIsNoReviewIsRefusedInALine) {
    for (const char* text :
         {"{}",
          R"({"kind":"AdmissionReview"})",
          R"({"apiVersion":"admission.k8s.io/v1beta1","kind":"AdmissionReview",
                                 "request":{"uid":"u"}})",
          R"({"apiVersion":"admission.k8s.io/v1","kind":"AdmissionReview",
                                 "request":[]})"}) {
        EXPECT_FALSE(review(json::parse(text), snapshot_of({}))) << text;
    }
}

}  // namespace
}  // namespace steelyard::admission
