#include "e2e/apiserver/api/api.hpp"

#include <gtest/gtest.h>

namespace steelyard::apiserver {
namespace {

constexpr WallTime kNow = WallTime(std::chrono::seconds(1700000000));

class ApiTest : public testing::Test {
protected:
    ApiReply call(
        const char* method, const std::string& path, const std::string& body = {}, Query query = {}
    ) {
        ApiRequest request;
        request.method = method;
        request.path = path;
        request.body = body;
        request.query = std::move(query);
        request.content_type = "application/merge-patch+json";
        request.user = user;
        return api.handle(request, kNow);
    }
    Json create(const std::string& path, const std::string& body, unsigned status = 201) {
        const ApiReply reply = call("POST", path, body);
        EXPECT_EQ(reply.status, status) << reply.body;
        return parse_json(reply.body);
    }
    Json get(const std::string& path) { return parse_json(call("GET", path).body); }

    User user;
    Exchange exchange{Rng(1)};
    Api api{ApiOptions(), Rng(1), kNow};
    const std::string services = "/api/v1/namespaces/default/services";
    const std::string maps = "/api/v1/namespaces/default/configmaps";
};

const char* const kBalanced = R"({"metadata":{"name":"web"},"spec":{"type":"LoadBalancer",
    "externalTrafficPolicy":"Local","ports":[{"port":80}]}})";

TEST_F(ApiTest, AServiceGetsItsDefaultsAndAllocations) {
    const Json spec = create(services, kBalanced)["spec"];

    EXPECT_EQ(spec["clusterIP"], "10.96.1.1");
    EXPECT_EQ(spec["clusterIPs"], Json::array({"10.96.1.1"}));
    EXPECT_EQ(spec["ipFamilies"], Json::array({"IPv4"}));
    EXPECT_EQ(spec["ports"][0]["protocol"], "TCP");
    EXPECT_EQ(spec["ports"][0]["targetPort"], 80);
    EXPECT_GE(spec["ports"][0]["nodePort"], 30000);
    EXPECT_GE(spec["healthCheckNodePort"], 30000);
    EXPECT_NE(spec["healthCheckNodePort"], spec["ports"][0]["nodePort"]);
    EXPECT_EQ(spec["allocateLoadBalancerNodePorts"], true);
    EXPECT_EQ(spec["sessionAffinity"], "None");
}

TEST_F(ApiTest, ChangingTheTypeToClusterIpFreesWhatOnlyBalancersHave) {
    create(services, kBalanced);

    call("PATCH", services + "/web", R"({"spec":{"type":"ClusterIP"}})");
    const Json spec = get(services + "/web")["spec"];

    EXPECT_EQ(spec["type"], "ClusterIP");
    for (const char* field :
         {"healthCheckNodePort", "externalTrafficPolicy", "allocateLoadBalancerNodePorts"}) {
        EXPECT_FALSE(spec.contains(field)) << field;
    }
    EXPECT_FALSE(spec["ports"][0].contains("nodePort"));
}

TEST_F(ApiTest, BadServicesAreRefusedByField) {
    const struct {
        const char* spec;
        const char* field;
    } cases[] = {
        {R"({})", "spec.ports"},
        {R"({"ports":[{"port":0}]})", "spec.ports[0].port"},
        {R"({"ports":[{"port":1},{"port":2}]})", "spec.ports[0].name"},
        {R"({"ports":[{"port":1,"protocol":"X"}]})", "spec.ports[0].protocol"},
        {R"({"type":"Odd","ports":[{"port":1}]})", "spec.type"},
        {R"({"clusterIP":"10.96.0.1","ports":[{"port":1}]})", "spec.clusterIPs[0]"},
        {R"({"clusterIP":"x","ports":[{"port":1}]})", "spec.clusterIPs[0]"},
        {R"({"type":"NodePort","ports":[{"port":1,"nodePort":80}]})", "spec.ports[0].nodePort"},
        {R"({"externalTrafficPolicy":"Local","ports":[{"port":1}]})", "spec.externalTrafficPolicy"},
    };
    for (const auto& c : cases) {
        const Json status = create(
            services, std::string(R"({"metadata":{"name":"bad"},"spec":)") + c.spec + "}", 422
        );
        EXPECT_EQ(status["details"]["causes"][0]["field"], c.field) << c.spec;
    }
}

TEST_F(ApiTest, AStaleResourceVersionIsAConflict) {
    Json object = create(maps, R"({"metadata":{"name":"a"}})");
    call("PATCH", maps + "/a", R"({"data":{"x":"1"}})");

    const ApiReply reply = call("PUT", maps + "/a", dump(object));

    EXPECT_EQ(reply.status, 409U);
    EXPECT_EQ(parse_json(reply.body)["reason"], "Conflict");
}

TEST_F(ApiTest, StatusAndSpecAreWrittenApart) {
    const Json made = create(services, kBalanced);
    const char* const both =
        R"({"spec":{"sessionAffinity":"ClientIP"},
            "status":{"loadBalancer":{"ingress":[{"ip":"192.0.2.1"}]}}})";

    call("PATCH", services + "/web/status", both);
    const Json after = get(services + "/web");

    EXPECT_EQ(after["spec"], made["spec"]);
    EXPECT_EQ(after["status"]["loadBalancer"]["ingress"][0]["ip"], "192.0.2.1");
    EXPECT_EQ(after["metadata"]["generation"], 1);
}

TEST_F(ApiTest, FinalizersHoldAnObjectUntilTheLastIsGone) {
    create(maps, R"({"metadata":{"name":"a","finalizers":["x/y"]}})");

    call("DELETE", maps + "/a");
    const bool held = get(maps + "/a")["metadata"].contains("deletionTimestamp");
    call("PATCH", maps + "/a", R"({"metadata":{"finalizers":null}})");

    EXPECT_TRUE(held);
    EXPECT_EQ(call("GET", maps + "/a").status, 404U);
}

TEST_F(ApiTest, DependentsGoWithTheirOwner) {
    const Json owner = create(maps, R"({"metadata":{"name":"owner"}})");
    Json child{{"metadata", {{"name", "child"}}}};
    child["metadata"]["ownerReferences"] = Json::array({Json{
        {"apiVersion", "v1"},
        {"kind", "ConfigMap"},
        {"name", "owner"},
        {"uid", owner["metadata"]["uid"]}}});
    create(maps, dump(child));

    call("DELETE", maps + "/owner");

    EXPECT_EQ(call("GET", maps + "/child").status, 404U);
}

TEST_F(ApiTest, ANamespaceTakesItsContentAlong) {
    create("/api/v1/namespaces", R"({"metadata":{"name":"n"}})");
    create("/api/v1/namespaces/n/configmaps", R"({"metadata":{"name":"a"}})");

    call("DELETE", "/api/v1/namespaces/n");

    EXPECT_EQ(call("GET", "/api/v1/namespaces/n").status, 404U);
    EXPECT_EQ(call("GET", "/api/v1/namespaces/n/configmaps/a").status, 404U);
}

TEST_F(ApiTest, PagesContinueWhereTheLastEnded) {
    for (const char* name : {"a", "b", "c"}) {
        create(maps, std::string(R"({"metadata":{"name":")") + name + R"("}})");
    }

    const Json first = parse_json(call("GET", maps, "", {{"limit", "2"}}).body);
    const std::string token = text_at(first, "metadata.continue");
    const Json second = parse_json(call("GET", maps, "", {{"continue", token}}).body);
    api.forget_history();

    EXPECT_EQ(first["items"].size(), 2U);
    ASSERT_EQ(second["items"].size(), 1U);
    EXPECT_EQ(text_at(second["items"][0], "metadata.name"), "c");
    EXPECT_EQ(call("GET", maps, "", {{"continue", token}}).status, 410U);
}

TEST_F(ApiTest, AWatchSeesObjectsEnterAndLeaveItsSelection) {
    const ApiReply reply = call(
        "GET", maps, "", {{"watch", "1"}, {"labelSelector", "on=yes"}, {"resourceVersion", "0"}}
    );
    ASSERT_TRUE(reply.watch);
    Watch watch(*reply.watch);
    EXPECT_EQ(watch.next(api.store(), api.registry(), kNow, exchange), "");

    create(maps, R"({"metadata":{"name":"a"}})");
    call("PATCH", maps + "/a", R"({"metadata":{"labels":{"on":"yes"}}})");
    const std::string entered = watch.next(api.store(), api.registry(), kNow, exchange);
    call("PATCH", maps + "/a", R"({"metadata":{"labels":{"on":"no"}}})");
    const std::string left = watch.next(api.store(), api.registry(), kNow, exchange);

    EXPECT_TRUE(entered.starts_with(R"({"type":"ADDED")")) << entered;
    EXPECT_TRUE(left.starts_with(R"({"type":"DELETED")")) << left;
}

TEST_F(ApiTest, AWatchListEndsItsInitialEventsWithAMarkedBookmark) {
    create(maps, R"({"metadata":{"name":"a"}})");
    const ApiReply reply = call(
        "GET",
        maps,
        "",
        {{"watch", "1"},
         {"sendInitialEvents", "true"},
         {"resourceVersionMatch", "NotOlderThan"},
         {"allowWatchBookmarks", "true"}}
    );
    ASSERT_TRUE(reply.watch);

    const auto lines =
        split(Watch(*reply.watch).next(api.store(), api.registry(), kNow, exchange), '\n');

    ASSERT_EQ(lines.size(), 3U);
    EXPECT_EQ(parse_json(lines[0])["type"], "ADDED");
    const Json mark = parse_json(lines[1]);
    EXPECT_EQ(mark["type"], "BOOKMARK");
    EXPECT_EQ(mark["object"]["metadata"]["annotations"]["k8s.io/initial-events-end"], "true");
    EXPECT_EQ(mark["object"]["metadata"]["resourceVersion"], std::to_string(api.store().version()));
}

TEST_F(ApiTest, AWatchFromForgottenHistoryEndsWithExpired) {
    const ApiReply reply = call("GET", maps, "", {{"watch", "1"}, {"resourceVersion", "101"}});
    ASSERT_TRUE(reply.watch);
    api.forget_history();
    Watch watch(*reply.watch);

    const Json event = parse_json(watch.next(api.store(), api.registry(), kNow, exchange));

    EXPECT_EQ(event["type"], "ERROR");
    EXPECT_EQ(event["object"]["code"], 410);
    EXPECT_TRUE(watch.over());
}

TEST(ApiRbacTest, AServiceAccountMayDoWhatItsRolesGrantAndNoMore) {
    ApiOptions options;
    options.rbac = true;
    options.admin_token = "admin";
    Api api(options, Rng(1), kNow);
    const std::string rbac = ".rbac.authorization.k8s.io";
    api.put(
        "clusterroles" + rbac,
        parse_json(R"({"metadata":{"name":"r"},"rules":[
        {"apiGroups":[""],"resources":["services"],"verbs":["get","list"]}]})"),
        kNow
    );
    api.put(
        "clusterrolebindings" + rbac,
        parse_json(R"({"metadata":{"name":"b"},
        "roleRef":{"kind":"ClusterRole","name":"r"},
        "subjects":[{"kind":"ServiceAccount","namespace":"default","name":"default"}]})"),
        kNow
    );
    const std::string token = api.mint_token("default", "default", kNow + std::chrono::hours(1));
    const auto user = api.authenticate(token, kNow);
    ASSERT_TRUE(user);
    const auto status = [&](const char* method, const char* path) {
        ApiRequest request;
        request.method = method;
        request.path = path;
        request.user = *user;
        return api.handle(request, kNow).status;
    };

    EXPECT_EQ(status("GET", "/api/v1/services"), 200U);
    EXPECT_EQ(status("GET", "/api/v1/namespaces/default/services/kubernetes"), 200U);
    EXPECT_EQ(status("DELETE", "/api/v1/namespaces/default/services/kubernetes"), 403U);
    EXPECT_EQ(status("GET", "/api/v1/secrets"), 403U);
    EXPECT_FALSE(api.authenticate(token, kNow + std::chrono::hours(2)));
    EXPECT_FALSE(api.authenticate("wrong", kNow));
}

}  // namespace
}  // namespace steelyard::apiserver
