#include "controller/webhook/objects.hpp"

#include "common/base/base64.hpp"

#include <gtest/gtest.h>

namespace steelyard::webhook {
namespace {

using nlohmann::json;

const kube::ObjectKey kService{"metallb-system", "metallb-webhook-service"};
const std::string kAuthority = "-----BEGIN CERTIFICATE-----\n";

json caller(const char* name, const char* service) {
    json webhook = json::object();
    webhook["name"] = name;
    webhook["clientConfig"]["service"]["namespace"] = "metallb-system";
    webhook["clientConfig"]["service"]["name"] = service;
    return webhook;
}

json configuration(const json& webhooks) {
    return json{{"metadata", {{"name", "hooks"}}}, {"webhooks", webhooks}};
}

json definition(const char* strategy, const char* service) {
    json object = json{{"metadata", {{"name", "bgppeers.metallb.io"}}}};
    object["spec"]["conversion"]["strategy"] = strategy;
    object["spec"]["conversion"]["webhook"] = caller("", service);
    return object;
}

certs::Bundle bundle() {
    certs::Bundle made;
    made.authority = {"A", "a"};
    made.leaf = {"L", "l"};
    return made;
}

TEST(WebhookObjectsTest, OnlyCallersOfOurServiceGetTheAuthority) {
    json by_url = caller("url", "x");
    by_url["clientConfig"].erase("service");
    const auto object = decode_webhook_configuration(configuration(
        {caller("one", "metallb-webhook-service"), caller("other", "somebody"), by_url}
    ));

    const auto patch = authority_patch(*object, kService, kAuthority);

    ASSERT_TRUE(patch);
    EXPECT_EQ(patch->at("webhooks").size(), 1U);
    EXPECT_EQ(patch->at("webhooks")[0].at("name"), "one");
    EXPECT_EQ(patch->at("webhooks")[0].at("clientConfig").size(), 1U);
    EXPECT_EQ(
        patch->at("webhooks")[0].at("clientConfig").at("caBundle"), encode_base64(kAuthority)
    );
    EXPECT_EQ(patch->at("apiVersion"), "admissionregistration.k8s.io/v1");
}

TEST(WebhookObjectsTest, WhatStandsThereAlreadyIsNotPatched) {
    json webhook = caller("one", "metallb-webhook-service");
    webhook["clientConfig"]["caBundle"] = encode_base64(kAuthority);

    const auto object = decode_webhook_configuration(configuration(json::array({webhook})));

    EXPECT_FALSE(authority_patch(*object, kService, kAuthority));
    EXPECT_TRUE(authority_patch(*object, kService, "another"));
}

TEST(WebhookObjectsTest, AConverterGetsTheAuthority) {
    const auto object = decode_custom_resource(definition("Webhook", "metallb-webhook-service"));

    const auto patch = authority_patch(*object, kService, kAuthority);

    ASSERT_TRUE(patch);
    EXPECT_EQ(
        *patch,
        json::parse(
            R"({"apiVersion":"apiextensions.k8s.io/v1","kind":"CustomResourceDefinition",
                "metadata":{"name":"bgppeers.metallb.io"},
                "spec":{"conversion":{"webhook":{"clientConfig":{"caBundle":")" +
            encode_base64(kAuthority) + "\"}}}}}"
        )
    );
}

TEST(WebhookObjectsTest, ADefinitionThatDoesNotCallUsIsLeftAlone) {
    for (const json& object :
         {definition("None", "metallb-webhook-service"),
          definition("Webhook", "somebody"),
          json{{"metadata", {{"name", "x"}}}}}) {
        EXPECT_FALSE(authority_patch(decode_custom_resource(object).value(), kService, "a"));
    }
}

TEST(WebhookObjectsTest, ASecretIsPatchedAsLongAsNobodyElseChangedIt) {
    json object = json{{"metadata", {{"name", "s"}, {"resourceVersion", "7"}}}};
    object["data"]["next-ca.crt"] = encode_base64("old");
    object["data"]["of somebody"] = encode_base64("else");

    const json patch = secret_patch(decode_certificate_secret(object).value(), bundle());

    EXPECT_EQ(patch.at("metadata").at("resourceVersion"), "7");
    EXPECT_EQ(patch.at("data").at("tls.crt"), encode_base64("L"));
    EXPECT_TRUE(patch.at("data").at("next-ca.crt").is_null());
    EXPECT_FALSE(patch.at("data").contains("of somebody"));
    EXPECT_FALSE(patch.at("data").contains("next-ca.key"));
}

TEST(WebhookObjectsTest, ASecretReadsAsItWasWritten) {
    const json object = new_secret({"ns", "s"}, bundle());

    const auto read = decode_certificate_secret(object);

    ASSERT_TRUE(read);
    EXPECT_EQ(read->data, certs::to_secret(bundle()));
    EXPECT_EQ(object.at("metadata").at("namespace"), "ns");
}

TEST(WebhookObjectsTest, NonsenseReadsAsNothing) {
    const json odd = json::parse(
        R"({"metadata":{"name":"s"},"data":{"tls.crt":7,"tls.key":"%%%"},"webhooks":[7,{}],
            "spec":{"conversion":[]}})"
    );

    EXPECT_EQ(decode_certificate_secret(odd)->data.at("tls.key"), "");
    EXPECT_TRUE(decode_webhook_configuration(odd)->callers.empty());
    EXPECT_FALSE(decode_custom_resource(odd)->converter);
    EXPECT_FALSE(decode_certificate_secret(json::object()));
}

}  // namespace
}  // namespace steelyard::webhook
