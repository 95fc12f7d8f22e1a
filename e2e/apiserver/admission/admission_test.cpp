#include "e2e/apiserver/admission/match.hpp"
#include "e2e/apiserver/admission/review.hpp"

#include <gtest/gtest.h>

namespace steelyard::apiserver {
namespace {

constexpr const char* kConfigurations =
    "validatingwebhookconfigurations.admissionregistration.k8s.io";

class AdmissionTest : public testing::Test {
protected:
    AdmissionTest() {
        kind.group = "metallb.io";
        kind.name = "IPAddressPool";
        kind.plural = "ipaddresspools";
        for (const char* name : {"v1beta1", "v1beta2"}) {
            KindVersion version;
            version.name = name;
            kind.versions.push_back(version);
        }
        attributes.kind = &kind;
        attributes.operation = "CREATE";
        attributes.version = "v1beta1";
        attributes.ns = "ns";
        attributes.name = "p";
        attributes.object = parse_json(
            R"({"apiVersion":"metallb.io/v1beta1","kind":"IPAddressPool",
                "metadata":{"name":"p","namespace":"ns","labels":{"tier":"gold"}}})"
        );
        store.put(
            "namespaces.",
            parse_json(R"({"metadata":{"name":"ns","labels":{"kubernetes.io/metadata.name":"ns"}}})"
            )
        );
    }
    void configure(const char* name, const std::string& webhooks) {
        store.put(
            kConfigurations,
            parse_json(
                R"({"metadata":{"name":")" + std::string(name) + R"("},"webhooks":)" + webhooks +
                "}"
            )
        );
    }
    // One webhook for pools, with some more fields.
    static std::string pools(const std::string& name, const std::string& more = "") {
        return R"({"name":")" + name + R"(","clientConfig":{"url":"https://h.test/"},
            "admissionReviewVersions":["v1"],"sideEffects":"None","rules":[{"operations":["*"],
            "apiGroups":["metallb.io"],"apiVersions":["v1beta1"],"resources":["ipaddresspools"]}])" +
               more + "}";
    }
    Outcome<> validate() { return validate_by_webhooks(attributes, store, exchange, warnings); }
    // Answers everything that is asked by what `respond` makes of the request.
    Outcome<> validate_with(const std::function<HookAnswer(const Json&)>& respond) {
        Outcome<> outcome = validate();
        for (const auto& [question, call] : exchange.take_wanted()) {
            const Json review = parse_json(call.body);
            asked.push_back(review["request"]);
            exchange.answer(question, respond(review));
            warnings.clear();
            outcome = validate();
        }
        return outcome;
    }
    static HookAnswer response(const Json& review, Json body) {
        body["uid"] = review["request"]["uid"];
        HookAnswer answer;
        answer.status = 200;
        answer.body = dump(Json{
            {"apiVersion", "admission.k8s.io/v1"},
            {"kind", "AdmissionReview"},
            {"response", std::move(body)}});
        return answer;
    }
    bool matches(const std::string& webhook) {
        return matched_version(parse_json(webhook), attributes, store).has_value();
    }

    Kind kind;
    AdmissionAttributes attributes;
    Store store;
    Exchange exchange{Rng(1)};
    std::vector<std::string> warnings;
    std::vector<Json> asked;
};

TEST_F(AdmissionTest, RulesMatchByOperationGroupVersionResourceAndScope) {
    kind.namespaced = true;
    const auto rule = [](const char* operation,
                         const char* group,
                         const char* version,
                         const char* resource,
                         const char* scope) {
        return R"({"matchPolicy":"Exact","rules":[{"operations":[")" + std::string(operation) +
               R"("],"apiGroups":[")" + group + R"("],"apiVersions":[")" + version +
               R"("],"resources":[")" + resource + R"("],"scope":")" + scope + R"("}]})";
    };
    const struct {
        std::string webhook;
        const char* subresource;
        bool matches;
    } cases[] = {
        {rule("CREATE", "metallb.io", "v1beta1", "ipaddresspools", "*"), "", true},
        {rule("*", "*", "*", "*", "Namespaced"), "", true},
        {rule("*", "*", "*", "*/*", "*"), "", true},
        {rule("*", "*", "*", "ipaddresspools/*", "*"), "", true},
        {rule("*", "*", "*", "*", "Cluster"), "", false},
        {rule("UPDATE", "*", "*", "*", "*"), "", false},
        {rule("*", "other", "*", "*", "*"), "", false},
        {rule("*", "*", "v1beta2", "*", "*"), "", false},
        {rule("*", "*", "*", "other", "*"), "", false},
        {rule("*", "*", "*", "ipaddresspools/status", "*"), "", false},
        {rule("*", "*", "*", "*", "*"), "status", false},
        {rule("*", "*", "*", "ipaddresspools/status", "*"), "status", true},
        {rule("*", "*", "*", "*/status", "*"), "status", true},
        {rule("*", "*", "*", "ipaddresspools/*", "*"), "status", true},
    };
    for (const auto& c : cases) {
        attributes.subresource = c.subresource;
        EXPECT_EQ(matches(c.webhook), c.matches) << c.webhook << " " << c.subresource;
    }
}

TEST_F(AdmissionTest, SelectorsChooseByTheLabelsOfNamespaceAndObject) {
    const auto with = [](const std::string& more) {
        return pools("w.x.y", "," + more);
    };
    const char* const own =
        R"("namespaceSelector":{"matchLabels":{"kubernetes.io/metadata.name":"ns"}})";
    const char* const other = R"("namespaceSelector":{"matchExpressions":[
        {"key":"kubernetes.io/metadata.name","operator":"NotIn","values":["ns"]}]})";

    EXPECT_TRUE(matches(with(own)));
    EXPECT_FALSE(matches(with(other)));
    EXPECT_TRUE(matches(with(R"("objectSelector":{"matchLabels":{"tier":"gold"}})")));
    EXPECT_FALSE(matches(with(R"("objectSelector":{"matchLabels":{"tier":"lead"}})")));
    attributes.old_object = attributes.object;
    attributes.object["metadata"]["labels"]["tier"] = "lead";
    EXPECT_TRUE(matches(with(R"("objectSelector":{"matchLabels":{"tier":"gold"}})")));
    kind.namespaced = false;
    EXPECT_TRUE(matches(with(other)));
}

TEST_F(AdmissionTest, AnEquivalentVersionIsAskedAboutInThatVersion) {
    configure("c", "[" + pools("w.x.y") + "]");
    attributes.version = "v1beta2";
    attributes.object["apiVersion"] = "metallb.io/v1beta2";

    const auto passed = validate_with([&](const Json& review) {
        return response(review, Json{{"allowed", true}});
    });

    EXPECT_TRUE(passed);
    ASSERT_EQ(asked.size(), 1U);
    EXPECT_EQ(asked[0]["kind"]["version"], "v1beta1");
    EXPECT_EQ(asked[0]["requestKind"]["version"], "v1beta2");
    EXPECT_EQ(asked[0]["object"]["apiVersion"], "metallb.io/v1beta1");
}

TEST_F(AdmissionTest, TheQuestionSaysWhatIsToHappen) {
    configure("c", "[" + pools("w.x.y") + "]");
    attributes.user = Json{{"username", "me"}};
    attributes.dry_run = true;

    const auto passed = validate_with([&](const Json& review) {
        return response(review, Json{{"allowed", true}, {"warnings", {"mind the gap"}}});
    });

    EXPECT_TRUE(passed);
    ASSERT_EQ(asked.size(), 1U);
    EXPECT_EQ(asked[0]["operation"], "CREATE");
    EXPECT_EQ(asked[0]["resource"]["resource"], "ipaddresspools");
    EXPECT_EQ(asked[0]["namespace"], "ns");
    EXPECT_EQ(asked[0]["userInfo"]["username"], "me");
    EXPECT_EQ(asked[0]["dryRun"], true);
    EXPECT_EQ(asked[0]["oldObject"], nullptr);
    EXPECT_EQ(warnings, std::vector<std::string>{"mind the gap"});
}

TEST_F(AdmissionTest, ADenialIsWordedAsKubernetesWordsIt) {
    const struct {
        const char* status;
        unsigned code;
        const char* message;
    } cases[] = {
        {R"({"message":"no room","code":403,"reason":"Forbidden"})",
         403,
         "admission webhook \"w.x.y\" denied the request: no room"},
        {R"({"reason":"Forbidden"})",
         400,
         "admission webhook \"w.x.y\" denied the request: Forbidden"},
        {R"({"code":200})",
         400,
         "admission webhook \"w.x.y\" denied the request without explanation"},
    };
    for (const auto& c : cases) {
        const Failure failure = denied("w.x.y", parse_json(c.status));
        EXPECT_EQ(failure.code, c.code);
        EXPECT_EQ(failure.message, c.message);
    }
}

TEST_F(AdmissionTest, AFailingWebhookStopsTheChangeUnlessItsPolicyIsIgnore) {
    configure("a", "[" + pools("ignored.x.y", R"(,"failurePolicy":"Ignore")") + "]");
    const auto broken = [](const Json&) {
        HookAnswer answer;
        answer.problem = "dial tcp 10.0.0.1:443: connect: connection refused";
        return answer;
    };
    EXPECT_TRUE(validate_with(broken));

    configure("b", "[" + pools("fatal.x.y", R"(,"failurePolicy":"Fail","timeoutSeconds":3)") + "]");
    const auto refused = validate_with(broken);

    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().code, 500U);
    EXPECT_EQ(
        refused.error().message,
        "Internal error occurred: failed calling webhook \"fatal.x.y\": failed to call webhook: "
        "Post \"https://h.test/?timeout=3s\": dial tcp 10.0.0.1:443: connect: connection refused"
    );
}

TEST_F(AdmissionTest, AnAnswerToAnotherQuestionIsNoAnswer) {
    configure("c", "[" + pools("w.x.y", R"(,"failurePolicy":"Fail")") + "]");

    const auto refused = validate_with([&](const Json& review) {
        HookAnswer answer = response(review, Json{{"allowed", true}});
        Json body = parse_json(answer.body);
        body["response"]["uid"] = "other";
        answer.body = dump(body);
        return answer;
    });

    ASSERT_FALSE(refused);
    EXPECT_NE(
        refused.error().message.find("received invalid webhook response: expected response.uid="),
        std::string::npos
    ) << refused.error().message;
}

TEST_F(AdmissionTest, ADryRunIsNotForHooksWithSideEffects) {
    configure("c", "[" + pools("w.x.y", R"(,"sideEffects":"Unknown")") + "]");
    attributes.dry_run = true;

    const auto refused = validate();

    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().message, "admission webhook \"w.x.y\" does not support dry run");
    EXPECT_EQ(refused.error().code, 400U);
}

TEST_F(AdmissionTest, ConfigurationsOfWebhooksAreExempt) {
    configure("c", R"([{"name":"w.x.y","clientConfig":{"url":"https://h.test/"},
        "admissionReviewVersions":["v1"],"rules":[{"operations":["*"],"apiGroups":["*"],
        "apiVersions":["*"],"resources":["*"]}]}])");
    EXPECT_FALSE(validate());
    kind.group = "admissionregistration.k8s.io";
    exchange = Exchange(Rng(2));

    EXPECT_TRUE(validate());
}

}  // namespace
}  // namespace steelyard::apiserver
