#include "controller/admission/conversion.hpp"

#include "common/base/rng.hpp"
#include "controller/admission/body.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include <array>
#include <string>
#include <vector>

namespace steelyard::admission {
namespace {

using nlohmann::json;
using testing::HasSubstr;

constexpr const char* kV1 = "metallb.io/v1beta1";
constexpr const char* kV2 = "metallb.io/v1beta2";

json peer(const char* version, const char* spec) {
    json object = json::object();
    object["apiVersion"] = version;
    object["kind"] = "BGPPeer";
    object["metadata"] = json{{"name", "p"}, {"namespace", "metallb-system"}, {"uid", "1"}};
    object["spec"] = json::parse(spec);
    return object;
}

json to(const json& object, const char* version) {
    return convert_peer(object, version).value();
}

json conversion_review(const json& objects, const char* version) {
    json review = json::object();
    review["apiVersion"] = "apiextensions.k8s.io/v1";
    review["kind"] = "ConversionReview";
    review["request"]["uid"] = "u-1";
    review["request"]["desiredAPIVersion"] = version;
    review["request"]["objects"] = objects;
    return review;
}

TEST(ConversionTest, FieldsOfBothVersionsAreCopied) {
    const char* spec = R"({"myASN":1,"peerASN":2,"peerAddress":"192.0.2.1","holdTime":"90s",
        "nodeSelectors":[{"matchLabels":{"a":"b"}}],"ebgpMultiHop":true})";

    EXPECT_EQ(to(peer(kV1, spec), kV2), peer(kV2, spec));
    EXPECT_EQ(to(peer(kV2, spec), kV1), peer(kV1, spec));
}

TEST(ConversionTest, AbsentTimersStayAbsent) {
    const json newer = to(peer(kV1, R"({"myASN":1,"peerASN":2,"peerAddress":"::1"})"), kV2);

    EXPECT_FALSE(newer["spec"].contains("holdTime"));
    EXPECT_FALSE(newer["spec"].contains("keepaliveTime"));
}

TEST(ConversionTest, LaterFieldsTravelInTheAnnotation) {
    const json newer =
        peer(kV2, R"({"myASN":1,"peerASN":2,"peerAddress":"::1","vrf":"red","connectTime":"5s"})");

    const json older = to(newer, kV1);

    EXPECT_EQ(older["spec"], json::parse(R"({"myASN":1,"peerASN":2,"peerAddress":"::1"})"));
    EXPECT_EQ(
        older["metadata"]["annotations"][std::string(kLaterFields)],
        R"({"connectTime":"5s","vrf":"red"})"
    );
    EXPECT_EQ(to(older, kV2), newer);
}

TEST(ConversionTest, WhatV1beta1RequiresIsFilledInAndTakenOutAgain) {
    const json newer = peer(kV2, R"({"myASN":1,"dynamicASN":"internal","interface":"eth0"})");

    const json older = to(newer, kV1);

    EXPECT_EQ(older["spec"], json::parse(R"({"myASN":1,"peerASN":0,"peerAddress":""})"));
    EXPECT_EQ(to(older, kV2), newer);
}

TEST(ConversionTest, AnEditInV1beta1KeepsWhatItCannotSee) {
    json older = to(peer(kV2, R"({"myASN":1,"peerASN":2,"peerAddress":"::1","vrf":"red"})"), kV1);
    older["spec"]["peerASN"] = 3;
    older["metadata"]["labels"]["team"] = "net";

    const json newer = to(older, kV2);

    EXPECT_EQ(
        newer["spec"], json::parse(R"({"myASN":1,"peerASN":3,"peerAddress":"::1","vrf":"red"})")
    );
    EXPECT_EQ(newer["metadata"]["labels"]["team"], "net");
    EXPECT_FALSE(newer["metadata"].contains("annotations"));
}

TEST(ConversionTest, AnAddressGivenInV1beta1TakesThePlaceOfNothing) {
    json older = to(peer(kV2, R"({"myASN":1,"peerASN":2,"interface":"eth0"})"), kV1);
    older["spec"]["peerAddress"] = "192.0.2.1";

    EXPECT_EQ(to(older, kV2)["spec"]["peerAddress"], "192.0.2.1");
}

TEST(ConversionTest, PeerPortZeroBecomesAbsent) {
    const json newer =
        to(peer(kV1, R"({"myASN":1,"peerASN":2,"peerAddress":"::1","peerPort":0})"), kV2);

    EXPECT_FALSE(newer["spec"].contains("peerPort"));
}

TEST(ConversionTest, OtherAnnotationsAndNonsenseInOursAreLeftAlone) {
    for (const char* text : {"nonsense", "[1]", ""}) {
        json older = peer(kV1, R"({"myASN":1,"peerASN":2,"peerAddress":"::1"})");
        older["metadata"]["annotations"] = json{{"other", "x"}, {std::string(kLaterFields), text}};

        const json newer = to(older, kV2);

        EXPECT_EQ(newer["metadata"], older["metadata"]);
        EXPECT_EQ(to(newer, kV1), older);
    }
}

TEST(ConversionTest, AnAnnotationOfOurNameInV1beta2ComesBack) {
    for (const char* text : {R"({"vrf":"red"})", "nonsense"}) {
        for (const char* spec :
             {R"({"myASN":1,"peerASN":2,"peerAddress":"::1"})",
              R"({"myASN":1,"peerASN":2,"peerAddress":"::1","role":"peer"})"}) {
            json newer = peer(kV2, spec);
            newer["metadata"]["annotations"][std::string(kLaterFields)] = text;

            EXPECT_EQ(to(to(newer, kV1), kV2), newer);
        }
    }
}

// An object that uses any of the fields of its version, and some that nobody knows yet.
class RandomPeer {
public:
    explicit RandomPeer(Rng& rng) : rng_(rng) {}

    json make(const char* version, bool later) {
        json object = peer(version, "{}");
        maybe(object["metadata"]["labels"], "team", json("net"));
        maybe(object["metadata"]["annotations"], "note", json("x \"y\" \u00e4"));
        for (const char* part : {"labels", "annotations"}) {
            if (object["metadata"][part].is_null()) {
                object["metadata"].erase(part);
            }
        }
        json& spec = object["spec"];
        spec["myASN"] = number();
        const std::array common{
            "sourceAddress", "holdTime", "keepaliveTime", "routerID", "password", "bfdProfile"};
        for (const char* field : common) {
            maybe(spec, field, text());
        }
        maybe(spec, "peerPort", json(1 + rng_.below(65535)));
        maybe(spec, "ebgpMultiHop", json(rng_.below(2) == 0));
        maybe(spec, "nodeSelectors", json::parse(R"([{"matchLabels":{"a":"b"}}])"));
        if (!later) {
            spec["peerASN"] = number();
            spec["peerAddress"] = text();
            return object;
        }
        maybe(spec, "peerASN", number());
        maybe(spec, "peerAddress", text());
        const std::array newer{
            "dynamicASN",
            "interface",
            "connectTime",
            "vrf",
            "role",
            "restartTime",
            "unheardOf",
            "passwordSecret"};
        for (const char* field : newer) {
            maybe(spec, field, value());
        }
        maybe(spec, "localASN", number());
        maybe(spec, "disableMP", json(false));
        maybe(spec, "dualStackAddressFamily", json(rng_.below(2) == 0));
        return object;
    }

private:
    void maybe(json& object, const char* field, json value) {
        if (rng_.below(2) == 0) {
            object[field] = std::move(value);
        }
    }
    json number() { return json(rng_.below(3) == 0 ? 0 : rng_.below(4294967296)); }
    json text() { return json(rng_.below(4) == 0 ? std::string() : std::to_string(rng_.next())); }
    json value() {
        switch (rng_.below(5)) {
            case 0:
                return json();
            case 1:
                return json{{"name", text()}, {"deep", json::array({1, 2.5, text()})}};
            case 2:
                return number();
            default:
                return text();
        }
    }

    Rng& rng_;
};

TEST(ConversionPropertyTest, ThereAndBackIsTheSameObject) {
    for (std::uint64_t seed = 1; seed <= 2000; ++seed) {
        SCOPED_TRACE("seed " + std::to_string(seed));
        Rng rng(seed);
        const json newer = RandomPeer(rng).make(kV2, true);
        const json older = RandomPeer(rng).make(kV1, false);

        ASSERT_EQ(to(to(newer, kV1), kV2), newer);
        ASSERT_EQ(to(to(older, kV2), kV1), older);
        ASSERT_EQ(to(to(to(newer, kV1), kV2), kV1), to(newer, kV1));
    }
}

TEST(ConversionPropertyTest, OfTheMetadataOnlyOurAnnotationChanges) {
    for (std::uint64_t seed = 1; seed <= 500; ++seed) {
        SCOPED_TRACE("seed " + std::to_string(seed));
        Rng rng(seed);
        const json newer = RandomPeer(rng).make(kV2, true);
        json metadata = to(newer, kV1)["metadata"];
        if (metadata.contains("annotations")) {
            metadata["annotations"].erase(std::string(kLaterFields));
            if (metadata["annotations"].empty()) {
                metadata.erase("annotations");
            }
        }

        ASSERT_EQ(metadata, newer["metadata"]);
    }
}

TEST(ConversionReviewTest, AllObjectsAreConvertedInOrder) {
    json one = peer(kV2, R"({"myASN":1,"peerASN":2,"peerAddress":"::1"})");
    json two = one;
    two["metadata"]["name"] = "q";

    const json answer = convert(conversion_review({one, two}, kV1)).value();

    const json& response = answer.at("response");
    EXPECT_EQ(response.at("uid"), "u-1");
    EXPECT_EQ(response.at("result").at("status"), "Success");
    ASSERT_EQ(response.at("convertedObjects").size(), 2U);
    EXPECT_EQ(response.at("convertedObjects")[1].at("metadata").at("name"), "q");
    EXPECT_EQ(response.at("convertedObjects")[1].at("apiVersion"), kV1);
}

TEST(ConversionReviewTest, AnObjectWeCannotConvertFailsAllWithItsReason) {
    const json right = peer(kV2, R"({"myASN":1})");
    json pool = right;
    pool["kind"] = "IPAddressPool";
    json no_spec = right;
    no_spec["spec"] = 7;

    for (const json& wrong : {pool, no_spec, json(7)}) {
        const json answer = convert(conversion_review({right, wrong}, kV1)).value();

        EXPECT_EQ(answer["response"]["result"]["status"], "Failure");
        EXPECT_NE(answer["response"]["result"]["message"], "");
        EXPECT_TRUE(answer["response"]["convertedObjects"].empty());
    }
}

TEST(ConversionReviewTest, AnUnknownVersionFails) {
    const json object = peer(kV2, R"({"myASN":1})");

    const json answer = convert(conversion_review(json::array({object}), "metallb.io/v9")).value();

    EXPECT_THAT(
        answer["response"]["result"]["message"].get<std::string>(), HasSubstr("metallb.io/v9")
    );
}

TEST(ConversionReviewTest, WhatIsNoReviewIsRefused) {
    EXPECT_FALSE(convert(json::object()));
    EXPECT_FALSE(convert(conversion_review(json(7), kV1)));
}

TEST(BodyTest, OnlyObjectsOfReasonableDepthAreRead) {
    const std::string open(kMaxDepth, '[');
    const std::string close(kMaxDepth, ']');

    EXPECT_TRUE(read_body("{\"a\":[1,\"[[[\\\"[[\"]}"));
    EXPECT_FALSE(read_body("{\"a\":" + open + close + "}"));
    EXPECT_FALSE(read_body(std::string(5'000'000, '[')));
    for (const char* text : {"", "nonsense", "[]", "7", "{\"a\":", "{\"a\":\"\xff\"}"}) {
        EXPECT_FALSE(read_body(text)) << text;
    }
}

}  // namespace
}  // namespace steelyard::admission
