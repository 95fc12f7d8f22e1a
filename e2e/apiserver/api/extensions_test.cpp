#include "e2e/apiserver/api/api_fixture.hpp"

namespace steelyard::apiserver {
namespace {

const char* const kHook = R"({"name":"pools.x.y","clientConfig":{"service":{"name":"s",
    "namespace":"default","path":"/v"}},"sideEffects":"None","admissionReviewVersions":["v1"],
    "rules":[{"operations":["CREATE"],"apiGroups":[""],"apiVersions":["v1"],
    "resources":["configmaps"]}]})";

// A kind with two served versions whose objects are kept in v2.
std::string definition(const std::string& conversion) {
    return R"({"apiVersion":"apiextensions.k8s.io/v1","kind":"CustomResourceDefinition",
        "metadata":{"name":"things.x.y"},"spec":{"group":"x.y","scope":"Namespaced",
        "names":{"plural":"things","kind":"Thing"},"conversion":)" +
           conversion + R"(,"versions":[
        {"name":"v1","served":true,"storage":false,"deprecated":true,"schema":{"openAPIV3Schema":
            {"type":"object","properties":{"spec":{"type":"object","properties":
            {"old":{"type":"string"}}}}}}},
        {"name":"v2","served":true,"storage":true,"schema":{"openAPIV3Schema":
            {"type":"object","properties":{"spec":{"type":"object","properties":
            {"new":{"type":"string"},"level":{"type":"integer","default":7}}}}}}}]}})";
}

const char* const kByWebhook = R"({"strategy":"Webhook","webhook":{"clientConfig":
    {"service":{"name":"s","namespace":"default"}},"conversionReviewVersions":["v1"]}})";

class ExtensionsTest : public ApiFixture {
protected:
    ApiReply apply(
        const std::string& path, const std::string& manager, const std::string& body, bool force
    ) {
        content_type = "application/apply-patch+yaml";
        const Query query{{"fieldManager", manager}, {"force", force ? "true" : "false"}};
        return call("PATCH", path, body, query);
    }

    const std::string hooks =
        "/apis/admissionregistration.k8s.io/v1/validatingwebhookconfigurations";
    const std::string definitions = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions";
};

TEST_F(ExtensionsTest, AWebhookConfigurationGetsItsDefaults) {
    const Json hook = create(
        hooks, R"({"metadata":{"name":"c"},"webhooks":[)" + std::string(kHook) + "]}"
    )["webhooks"][0];

    EXPECT_EQ(hook["failurePolicy"], "Fail");
    EXPECT_EQ(hook["matchPolicy"], "Equivalent");
    EXPECT_EQ(hook["timeoutSeconds"], 10);
    EXPECT_EQ(hook["clientConfig"]["service"]["port"], 443);
    EXPECT_EQ(hook["rules"][0]["scope"], "*");
    EXPECT_EQ(hook["namespaceSelector"], Json::object());
}

TEST_F(ExtensionsTest, BadWebhookConfigurationsAreRefusedByField) {
    const struct {
        const char* path;
        Json value;
        const char* field;
    } cases[] = {
        {"/name", "short", "webhooks[0].name"},
        {"/sideEffects", "Some", "webhooks[0].sideEffects"},
        {"/admissionReviewVersions", Json::array(), "webhooks[0].admissionReviewVersions"},
        {"/timeoutSeconds", 31, "webhooks[0].timeoutSeconds"},
        {"/failurePolicy", "Odd", "webhooks[0].failurePolicy"},
        {"/clientConfig", Json::object(), "webhooks[0].clientConfig"},
        {"/clientConfig", Json{{"url", "http://x"}}, "webhooks[0].clientConfig.url"},
        {"/clientConfig/service/path", "v", "webhooks[0].clientConfig.service.path"},
        {"/rules/0/operations", Json::array(), "webhooks[0].rules[0].operations"},
    };
    for (const auto& c : cases) {
        Json hook = parse_json(kHook);
        hook[Json::json_pointer(c.path)] = c.value;
        const Json configuration{{"metadata", {{"name", "c"}}}, {"webhooks", Json::array({hook})}};
        const Json status = create(hooks, dump(configuration), 422);
        EXPECT_EQ(status["details"]["causes"][0]["field"], c.field);
    }
}

TEST_F(ExtensionsTest, AManagerOfTheBundleAloneMergesIntoItsWebhook) {
    create(hooks, R"({"metadata":{"name":"c"},"webhooks":[)" + std::string(kHook) + "]}");

    const ApiReply applied = apply(
        hooks + "/c",
        "controller",
        R"({"apiVersion":"admissionregistration.k8s.io/v1","kind":"ValidatingWebhookConfiguration",
            "metadata":{"name":"c"},
            "webhooks":[{"name":"pools.x.y","clientConfig":{"caBundle":"Cg=="}}]})",
        false
    );
    const Json hook = get(hooks + "/c")["webhooks"][0];

    EXPECT_EQ(applied.status, 200U) << applied.body;
    EXPECT_EQ(hook["clientConfig"]["caBundle"], "Cg==");
    EXPECT_EQ(hook["clientConfig"]["service"]["name"], "s");
    EXPECT_EQ(hook["rules"].size(), 1U);
}

TEST_F(ExtensionsTest, TheBundleOfAConversionOutlivesTheNextApplyOfTheManifest) {
    const std::string crd = definitions + "/things.x.y";
    const std::string manifest = definition(kByWebhook);
    EXPECT_EQ(apply(crd, "kubectl", manifest, false).status, 201U);

    const ApiReply applied = apply(
        crd,
        "controller",
        R"({"apiVersion":"apiextensions.k8s.io/v1","kind":"CustomResourceDefinition",
            "metadata":{"name":"things.x.y"},
            "spec":{"conversion":{"webhook":{"clientConfig":{"caBundle":"Cg=="}}}}})",
        true
    );
    const ApiReply again = apply(crd, "kubectl", manifest, false);
    const Json conversion = get(crd)["spec"]["conversion"];

    EXPECT_EQ(applied.status, 200U) << applied.body;
    EXPECT_EQ(again.status, 200U) << again.body;
    EXPECT_EQ(conversion["webhook"]["clientConfig"]["caBundle"], "Cg==");
    EXPECT_EQ(conversion["webhook"]["clientConfig"]["service"]["port"], 443);
    EXPECT_EQ(get(crd)["spec"]["versions"].size(), 2U);
}

TEST_F(ExtensionsTest, BadConversionsAreRefusedByField) {
    const struct {
        const char* conversion;
        const char* field;
    } cases[] = {
        {R"({"strategy":"Odd"})", "spec.conversion.strategy"},
        {R"({"strategy":"Webhook"})", "spec.conversion.webhook.clientConfig"},
        {R"({"strategy":"None","webhook":{}})", "spec.conversion.webhook"},
        {R"({"strategy":"Webhook","webhook":{"clientConfig":{"url":"https://x"}}})",
         "spec.conversion.webhook.conversionReviewVersions"},
    };
    for (const auto& c : cases) {
        const Json status = create(definitions, definition(c.conversion), 422);
        EXPECT_EQ(status["details"]["causes"][0]["field"], c.field) << c.conversion;
    }
}

TEST_F(ExtensionsTest, AConversionWithoutItsServiceFailsAsInKubernetes) {
    create(definitions, definition(kByWebhook));
    const std::string path = "/apis/x.y/v1/namespaces/default/things";

    const Json status = create(path, R"({"metadata":{"name":"t"}})", 500);

    EXPECT_EQ(
        text_at(status, "message"),
        "conversion webhook for x.y/v1, Kind=Thing failed: Post "
        "\"https://s.default.svc:443/?timeout=30s\": service \"s\" not found"
    );
    EXPECT_FALSE(status.contains("reason"));
    EXPECT_EQ(list(path, {})["items"].size(), 0U);
}

TEST_F(ExtensionsTest, WithoutAWebhookVersionsShareTheFieldsBothKnow) {
    create(definitions, definition(R"({"strategy":"None"})"));
    const std::string v1 = "/apis/x.y/v1/namespaces/default/things";

    create(v1, R"({"metadata":{"name":"t"},"spec":{"old":"o"}})");
    const Json stored = get("/apis/x.y/v2/namespaces/default/things/t");

    EXPECT_EQ(stored["apiVersion"], "x.y/v2");
    EXPECT_EQ(stored["spec"], parse_json(R"({"level":7})"));
    EXPECT_EQ(get(v1 + "/t")["spec"], Json::object());
}

TEST_F(ExtensionsTest, ADeprecatedVersionWarns) {
    create(definitions, definition(R"({"strategy":"None"})"));

    const ApiReply reply = call("GET", "/apis/x.y/v1/namespaces/default/things");

    ASSERT_EQ(reply.headers.size(), 1U);
    EXPECT_EQ(reply.headers[0].first, "Warning");
    EXPECT_EQ(reply.headers[0].second, "299 - \"x.y/v1 Thing is deprecated\"");
}

}  // namespace
}  // namespace steelyard::apiserver
