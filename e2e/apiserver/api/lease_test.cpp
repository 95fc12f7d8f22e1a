#include "e2e/apiserver/api/api_fixture.hpp"

namespace steelyard::apiserver {
namespace {

const char* const kHeld = R"({"metadata":{"name":"l"},"spec":{"holderIdentity":"a",
    "leaseDurationSeconds":15,"leaseTransitions":0,
    "acquireTime":"2026-01-02T03:04:05.000006Z","renewTime":"2026-01-02T05:04:05.123456+02:00"}})";

class LeaseTest : public ApiFixture {
protected:
    const std::string leases = "/apis/coordination.k8s.io/v1/namespaces/default/leases";
};

TEST_F(LeaseTest, MicroTimesComeBackInUtcWithSixDigits) {
    create(leases, kHeld);

    const Json spec = get(leases + "/l")["spec"];

    EXPECT_EQ(spec["acquireTime"], "2026-01-02T03:04:05.000006Z");
    EXPECT_EQ(spec["renewTime"], "2026-01-02T03:04:05.123456Z");
}

TEST_F(LeaseTest, ATimeWithoutSixDigitsIsRefusedAsGoWordsIt) {
    create(leases, kHeld);

    const ApiReply reply =
        call("PATCH", leases + "/l", R"({"spec":{"renewTime":"2026-01-02T03:04:05Z"}})");

    EXPECT_EQ(reply.status, 400U);
    EXPECT_EQ(
        text_at(parse_json(reply.body), "message"),
        "Lease in version \"v1\" cannot be handled as a Lease: parsing time "
        "\"2026-01-02T03:04:05Z\" as \"2006-01-02T15:04:05.000000Z07:00\": cannot parse \"Z\" as "
        "\".000000\""
    );
}

TEST_F(LeaseTest, ALeaseLastsLongerThanNothing) {
    const Json status =
        create(leases, R"({"metadata":{"name":"l"},"spec":{"leaseDurationSeconds":0}})", 422);

    EXPECT_EQ(status["details"]["causes"][0]["field"], "spec.leaseDurationSeconds");
}

TEST_F(LeaseTest, ItsTableShowsTheHolder) {
    create(leases, kHeld);
    accept = "application/json;as=Table;v=v1;g=meta.k8s.io,application/json";

    const Json table = get(leases);

    EXPECT_EQ(table["columnDefinitions"][1]["name"], "Holder");
    EXPECT_EQ(table["rows"][0]["cells"][1], "a");
}

class NamedAccessTest : public ApiFixture {
protected:
    void SetUp() override {
        ApiOptions options;
        options.rbac = true;
        options.admin_token = "admin";
        api = std::make_unique<Api>(options, Rng(1), kNow);
        api->put(
            "roles.rbac.authorization.k8s.io",
            parse_json(R"({"metadata":{"name":"r","namespace":"default"},"rules":[
            {"apiGroups":["coordination.k8s.io"],"resources":["leases"],"resourceNames":["l"],
             "verbs":["get","list","watch","update"]}]})"),
            kNow
        );
        api->put(
            "rolebindings.rbac.authorization.k8s.io",
            parse_json(R"({"metadata":{"name":"b","namespace":"default"},
            "roleRef":{"kind":"Role","name":"r"},
            "subjects":[{"kind":"ServiceAccount","namespace":"default","name":"default"}]})"),
            kNow
        );
        const std::string token = api->mint_token("default", "default", kNow + kHour);
        user = api->authenticate(token, kNow).value();
    }
    unsigned status(Query query) { return call("GET", leases, "", std::move(query)).status; }

    static constexpr std::chrono::hours kHour{1};
    const std::string leases = "/apis/coordination.k8s.io/v1/namespaces/default/leases";
};

TEST_F(NamedAccessTest, AFieldSelectorForTheNameMakesAListAndAWatchAllowed) {
    const std::pair<std::string, std::string> named("fieldSelector", "metadata.name=l");

    EXPECT_EQ(status({named}), 200U);
    EXPECT_EQ(status({named, {"watch", "1"}}), 200U);
    EXPECT_EQ(status({}), 403U);
    EXPECT_EQ(status({{"fieldSelector", "metadata.name=other"}}), 403U);
    EXPECT_EQ(status({{"fieldSelector", "metadata.name!=l"}}), 403U);
}

TEST_F(NamedAccessTest, ADenialNamesTheObjectAskedFor) {
    const Json status = list(leases, {{"fieldSelector", "metadata.name=other"}}, 403);

    EXPECT_EQ(
        text_at(status, "message"),
        "leases.coordination.k8s.io \"other\" is forbidden: User "
        "\"system:serviceaccount:default:default\" cannot list resource \"leases\" in API group "
        "\"coordination.k8s.io\" in the namespace \"default\""
    );
}

}  // namespace
}  // namespace steelyard::apiserver
