#include "common/kube/model/encode.hpp"
#include "common/kube/model/meta.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace steelyard::kube {
namespace {

LabelSelector::Requirement need(
    std::string key, LabelSelector::Operator op, std::vector<std::string> values = {}
) {
    LabelSelector::Requirement requirement;
    requirement.key = std::move(key);
    requirement.op = op;
    requirement.values = std::move(values);
    return requirement;
}

TEST(LabelSelectorTest, Table) {
    using Operator = LabelSelector::Operator;
    const Labels labels{{"a", "1"}, {"b", "2"}};
    struct Row {
        const char* name;
        Labels match_labels;
        std::vector<LabelSelector::Requirement> expressions;
        bool expected;
    };
    for (const Row& row : {
             Row{"empty", {}, {}, true},
             Row{"equal", {{"a", "1"}}, {}, true},
             Row{"other value", {{"a", "2"}}, {}, false},
             Row{"one of two", {{"a", "1"}, {"c", "3"}}, {}, false},
             Row{"in", {}, {need("a", Operator::In, {"0", "1"})}, true},
             Row{"in, absent", {}, {need("c", Operator::In, {"1"})}, false},
             Row{"not in", {}, {need("a", Operator::NotIn, {"1"})}, false},
             Row{"not in, absent", {}, {need("c", Operator::NotIn, {"1"})}, true},
             Row{"exists", {}, {need("b", Operator::Exists)}, true},
             Row{"does not exist", {}, {need("b", Operator::DoesNotExist)}, false},
             Row{"all must hold",
                 {{"a", "1"}},
                 {need("b", Operator::Exists), need("c", Operator::Exists)},
                 false},
         }) {
        LabelSelector selector;
        selector.match_labels = row.match_labels;
        selector.match_expressions = row.expressions;
        EXPECT_EQ(matches(selector, labels), row.expected) << row.name;
    }
}

TEST(LabelSelectorTest, AListMatchesWhenAnyDoesAndWhenItIsEmpty) {
    LabelSelector no;
    no.match_labels["x"] = "y";
    EXPECT_TRUE(matches_any({}, {}));
    EXPECT_FALSE(matches_any({no}, {}));
    EXPECT_TRUE(matches_any({no, LabelSelector{}}, {}));
}

TEST(TimeTest, Rfc3339RoundTrips) {
    struct Row {
        const char* text;
        const char* micro;
    };
    for (const Row& row : {
             Row{"2026-01-02T03:04:05Z", "2026-01-02T03:04:05.000000Z"},
             Row{"2026-01-02T03:04:05.123456Z", "2026-01-02T03:04:05.123456Z"},
             Row{"2026-01-02T03:04:05.5+01:30", "2026-01-02T01:34:05.500000Z"},
             Row{"2024-02-29t23:59:60z", "2024-03-01T00:00:00.000000Z"},
             Row{"1969-12-31T23:59:59.999999-00:00", "1969-12-31T23:59:59.999999Z"},
             Row{"2026-01-02T03:04:05.1234567890123Z", "2026-01-02T03:04:05.123456Z"},
         }) {
        const auto time = parse_rfc3339(row.text);
        ASSERT_TRUE(time) << row.text;
        EXPECT_EQ(format_rfc3339_micro(*time), row.micro);
    }
    EXPECT_EQ(format_rfc3339(*parse_rfc3339("2026-01-02T03:04:05.9Z")), "2026-01-02T03:04:05Z");
}

TEST(TimeTest, WhatIsNotATimeIsRefused) {
    for (const char* text :
         {"",
          "2026",
          "2026-13-01T00:00:00Z",
          "2026-02-30T00:00:00Z",
          "2026-01-01T24:00:00Z",
          "2026-01-01T00:00:00",
          "2026-01-01 00:00:00Z",
          "2026-01-01T00:00:00.Z",
          "2026-01-01T00:00:00Zx",
          "2026-01-01T00:00:00+2:00",
          "9999-01-01T00:00:00Z"}) {
        EXPECT_EQ(parse_rfc3339(text), std::nullopt) << text;
    }
}

Event allocated() {
    Event event;
    event.involved.type = Resource<Service>::kType;
    event.involved.key.ns = "ns";
    event.involved.key.name = "web";
    event.involved.uid = "u";
    event.reason = "IPAllocated";
    event.message = "Assigned IP [\"192.0.2.1\"]";
    event.component = "metallb-controller";
    return event;
}

TEST(EventTest, TheSameEventHasTheSameNameAndAnotherHasAnother) {
    const Event event = allocated();
    Event other = allocated();
    other.message += " ";

    EXPECT_EQ(event_name(event), event_name(allocated()));
    EXPECT_NE(event_name(event), event_name(other));
    EXPECT_THAT(event_name(event), testing::MatchesRegex("web\\.[0-9a-f]{16}"));
}

TEST(EventTest, EncodesWhatKubectlShows) {
    const auto first = *parse_rfc3339("2026-01-02T03:04:05Z");
    const nlohmann::json object =
        encode_event(allocated(), 3, first, first + std::chrono::minutes(1));

    EXPECT_EQ(object["involvedObject"]["kind"], "Service");
    EXPECT_EQ(object["involvedObject"]["apiVersion"], "v1");
    EXPECT_EQ(object["metadata"]["namespace"], "ns");
    EXPECT_EQ(object["count"], 3);
    EXPECT_EQ(object["firstTimestamp"], "2026-01-02T03:04:05Z");
    EXPECT_EQ(object["lastTimestamp"], "2026-01-02T03:05:05Z");
    EXPECT_EQ(object["source"]["component"], "metallb-controller");
}

TEST(EventTest, LongMessagesAreCutBetweenCharacters) {
    Event event = allocated();
    event.message = std::string(1023, 'x') + "\xc3\xa9";
    EXPECT_EQ(encode_event(event, 1, {}, {})["message"].get<std::string>(), std::string(1023, 'x'));
}

TEST(EncodeTest, StatusPatchReplacesOrRemovesTheIngressList) {
    LoadBalancerIngress ingress;
    ingress.ip = net::IpAddress::parse("fd00::1").value();
    ingress.ip_mode = "VIP";
    EXPECT_EQ(
        service_status_patch({ingress}, "7").dump(),
        R"({"metadata":{"resourceVersion":"7"},"status":{"loadBalancer":{"ingress":)"
        R"([{"ip":"fd00::1","ipMode":"VIP"}]}}})"
    );
    EXPECT_EQ(
        service_status_patch({}, "").dump(), R"({"status":{"loadBalancer":{"ingress":null}}})"
    );
}

TEST(EncodeTest, StatusEntriesOfOthersComeOutAsTheyWentIn) {
    const auto object = nlohmann::json::parse(R"({"metadata":{"name":"web"},"status":{
        "loadBalancer":{"ingress":[
            {"ip":"192.0.2.1"},
            {"ip":"010.0.0.1","ipMode":"Proxy","ports":[{"port":80,"protocol":"TCP","error":"x"}]},
            {"hostname":"a.example","fromTheFuture":{"x":[1]}},
            {}]},
        "conditions":[
            {"type":"A","status":"True","reason":"R","message":"m","observedGeneration":3,
             "lastTransitionTime":"2026-01-02T03:04:05Z"},
            {"type":"B","status":"Unknown","lastTransitionTime":"2026-01-02T03:04:05.5+01:00"},
            {"type":"C","status":"False","reason":"","message":"","observedGeneration":"odd"}]}})");
    const Service service = decode_service(object).value();

    nlohmann::json ingress;
    for (const LoadBalancerIngress& item : service.ingress) {
        ingress.push_back(encode_ingress(item));
    }
    nlohmann::json conditions;
    for (const ServiceCondition& item : service.conditions) {
        conditions.push_back(encode_condition(item));
    }

    EXPECT_EQ(ingress, object["status"]["loadBalancer"]["ingress"]);
    EXPECT_EQ(conditions, object["status"]["conditions"]);
    // The usual entry costs no second copy.
    EXPECT_EQ(service.ingress[0].as_written, "");
    EXPECT_EQ(service.conditions[0].as_written, "");
}

TEST(DecodeTest, AServiceKeepsOnlyTheAnnotationsSomebodyReads) {
    const auto object = nlohmann::json::parse(R"({"metadata":{"name":"web","annotations":{
        "kubectl.kubernetes.io/last-applied-configuration":"all of it","metallb.io/address-pool":"a",
        "metallb.universe.tf/address-pool":"b","steelyard.io/x":"c","meta.helm.sh/x":"d"}}})");

    const Labels kept = decode_service(object).value().meta.annotations;

    EXPECT_EQ(
        kept,
        (Labels{
            {"metallb.io/address-pool", "a"},
            {"metallb.universe.tf/address-pool", "b"},
            {"steelyard.io/x", "c"}})
    );
}

TEST(EncodeTest, AnAnnotationIsSetOrRemoved) {
    EXPECT_EQ(
        annotations_patch({{"a", "1"}, {"b", std::nullopt}}, "").dump(),
        R"({"metadata":{"annotations":{"a":"1","b":null}}})"
    );
}

ServiceL2Status layer2_status() {
    ServiceL2Status status;
    status.meta.key = {"metallb-system", "l2-x"};
    status.meta.labels["metallb.io/node"] = "n";
    status.owner = {"speaker-1", "uid-1"};
    status.node = "n";
    status.service = {"default", "web"};
    status.interfaces = {"eth0"};
    status.conflicts = {{"192.0.2.1", "02:00:00:00:00:0a"}};
    return status;
}

TEST(ServiceL2StatusTest, ObjectAndPatchesTogetherReadBackTheSame) {
    const ServiceL2Status status = layer2_status();
    nlohmann::json object = encode_object(status);
    EXPECT_EQ(object["apiVersion"], "metallb.io/v1beta1");
    EXPECT_EQ(object["kind"], "ServiceL2Status");
    EXPECT_FALSE(object.contains("status"));

    object.merge_patch(status_patch(status));

    EXPECT_EQ(decode_service_l2_status(object).value(), status);
}

TEST(ServiceL2StatusTest, PatchesClearWhatIsGone) {
    nlohmann::json object = encode_object(layer2_status());
    object.merge_patch(status_patch(layer2_status()));
    ServiceL2Status next = layer2_status();
    next.interfaces.clear();
    next.conflicts.clear();
    next.owner = {"speaker-2", "uid-2"};

    object.merge_patch(status_patch(next));
    object.merge_patch(metadata_patch(next));

    EXPECT_EQ(decode_service_l2_status(object).value(), next);
    EXPECT_FALSE(object["status"].contains("interfaces"));
}

}  // namespace
}  // namespace steelyard::kube
