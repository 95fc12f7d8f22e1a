#include "e2e/apiserver/conversion/conversion.hpp"

#include <gtest/gtest.h>

namespace steelyard::apiserver {
namespace {

Kind peer_kind(const char* conversion) {
    Kind kind;
    kind.group = "metallb.io";
    kind.name = "BGPPeer";
    kind.plural = "bgppeers";
    kind.custom = true;
    kind.storage_version = "v1beta2";
    kind.conversion = parse_json(conversion);
    return kind;
}

Object peer(const char* name, const char* version) {
    Json object{
        {"apiVersion", std::string("metallb.io/") + version},
        {"kind", "BGPPeer"},
        {"metadata", {{"name", name}, {"uid", "u"}}},
        {"spec", {{"from", version}}}};
    return std::make_shared<const Json>(std::move(object));
}

const char* const kByUrl = R"({"strategy":"Webhook","webhook":{
    "clientConfig":{"url":"https://hook.test/convert"},"conversionReviewVersions":["v2","v1"]}})";

class ConversionTest : public testing::Test {
protected:
    // The body the webhook is asked with.
    Json asked() {
        auto pending = convert(kind, "v1beta1", objects, store, exchange);
        EXPECT_FALSE(pending);
        auto wanted = exchange.take_wanted();
        EXPECT_EQ(wanted.size(), 1U);
        question = wanted.front().first;
        return parse_json(wanted.front().second.body);
    }
    Outcome<std::vector<Json>> answered(const Json& response, unsigned status = 200) {
        HookAnswer answer;
        answer.status = status;
        answer.body = dump(Json{{"response", response}});
        exchange.answer(question, answer);
        return convert(kind, "v1beta1", objects, store, exchange);
    }
    static Json success(const Json& review, Json converted) {
        return Json{
            {"uid", review["request"]["uid"]},
            {"result", {{"status", "Success"}}},
            {"convertedObjects", std::move(converted)}};
    }

    Kind kind = peer_kind(kByUrl);
    Store store;
    Exchange exchange{Rng(1)};
    std::string question;
    std::vector<Object> objects{peer("a", "v1beta2"), peer("b", "v1beta1"), peer("c", "v1beta2")};
};

TEST_F(ConversionTest, OnlyObjectsOfAnotherVersionAreSentAndTheOrderStays) {
    const Json review = asked();
    ASSERT_EQ(review["request"]["objects"].size(), 2U);
    Json a = *peer("a", "v1beta1");
    Json c = *peer("c", "v1beta1");
    c["metadata"]["labels"] = Json{{"x", "y"}};
    c["metadata"]["resourceVersion"] = "forged";

    const auto out = answered(success(review, Json::array({a, c})));

    ASSERT_TRUE(out) << out.error().message;
    EXPECT_EQ(review["apiVersion"], "apiextensions.k8s.io/v1");
    EXPECT_EQ(review["request"]["desiredAPIVersion"], "metallb.io/v1beta1");
    ASSERT_EQ(out->size(), 3U);
    EXPECT_EQ((*out)[0]["metadata"]["name"], "a");
    EXPECT_EQ((*out)[1]["metadata"]["name"], "b");
    EXPECT_EQ((*out)[2]["metadata"]["labels"]["x"], "y");
    EXPECT_FALSE((*out)[2]["metadata"].contains("resourceVersion"));
}

TEST_F(ConversionTest, BadAnswersFailInKubernetesWords) {
    objects = {peer("a", "v1beta2")};
    const std::string begin = "conversion webhook for metallb.io/v1beta2, Kind=BGPPeer ";
    const Json review = asked();
    const Json right = success(review, Json::array({*peer("a", "v1beta1")}));
    const auto changed = [&](const char* path, const Json& value) {
        Json response = right;
        response[Json::json_pointer(path)] = value;
        return response;
    };
    const struct {
        Json response;
        std::string message;
    } cases[] = {
        {nullptr, "failed: no response provided"},
        {changed("/uid", "other"),
         "failed: expected response.uid=\"" + text_at(review, "request.uid") + "\", got \"other\""},
        {changed("/result", Json{{"status", "Failure"}, {"message", "no way"}}), "failed: no way"},
        {changed("/result", Json{{"status", "Odd"}}),
         "failed: response.result.status was 'Odd', not 'Success'"},
        {changed("/convertedObjects", Json::array()), "returned 0 objects, expected 1"},
        {changed("/convertedObjects/0/apiVersion", "x/v1"),
         "returned invalid converted object: invalid groupVersion (expected metallb.io/v1beta1, "
         "received x/v1)"},
        {changed("/convertedObjects/0/metadata/name", "z"),
         "returned invalid metadata: must have same name: a != z"},
    };
    for (const auto& c : cases) {
        const auto out = answered(c.response);
        ASSERT_FALSE(out) << c.message;
        EXPECT_EQ(out.error().message, begin + c.message);
        EXPECT_EQ(out.error().code, 500U);
    }
}

TEST_F(ConversionTest, AnHttpErrorIsToldToo) {
    objects = {peer("a", "v1beta2")};
    asked();

    const auto out = answered(nullptr, 404);

    ASSERT_FALSE(out);
    EXPECT_EQ(
        out.error().message,
        "conversion webhook for metallb.io/v1beta2, Kind=BGPPeer failed: the server could not "
        "find the requested resource"
    );
}

TEST_F(ConversionTest, StrategyNoneChangesTheVersionAlone) {
    kind = peer_kind(R"({"strategy":"None"})");

    const auto out = convert_one(kind, "v1beta1", *objects[0], store, exchange);

    ASSERT_TRUE(out);
    EXPECT_EQ((*out)["apiVersion"], "metallb.io/v1beta1");
    EXPECT_EQ((*out)["spec"]["from"], "v1beta2");
    EXPECT_FALSE(exchange.pending());
}

}  // namespace
}  // namespace steelyard::apiserver
