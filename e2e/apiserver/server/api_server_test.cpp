#include "e2e/apiserver/server/server_fixture.hpp"
#include "e2e/apiserver/server/yaml.hpp"

namespace steelyard::apiserver {
namespace {

class ApiServerTest : public ServerFixture {};

Json config_map(const char* name) {
    return Json{{"metadata", {{"name", name}, {"namespace", "default"}}}};
}

TEST_F(ApiServerTest, AWatchStreamsChangesAsTheyHappen) {
    std::string first;
    serve([&](tcp::socket& socket) -> awaitable<void> {
        const std::string watch = get("/api/v1/configmaps?watch=1");
        co_await ask(socket, watch, "\r\n\r\n");
        server_->put("configmaps.", config_map("a"));
        std::string nothing;
        first = co_await ask(socket, nothing, "}\n");
    });

    EXPECT_NE(first.find(R"("type":"ADDED")"), std::string::npos) << first;
}

TEST_F(ApiServerTest, DroppingWatchesEndsTheirStreams) {
    std::string end;
    serve([&](tcp::socket& socket) -> awaitable<void> {
        const std::string watch = get("/api/v1/configmaps?watch=1");
        co_await ask(socket, watch, "\r\n\r\n");
        server_->drop_watches();
        std::string nothing;
        end = co_await ask(socket, nothing, "0\r\n\r\n");
    });

    EXPECT_EQ(end, "0\r\n\r\n");
    EXPECT_EQ(server_->watches(), 0U);
}

TEST_F(ApiServerTest, AnInjectedFaultAnswersAsManyRequestsAsItWasGiven) {
    std::string refused;
    std::string served;
    FaultRule rule;
    rule.verb = "list";
    rule.resource = "services";
    rule.status = 429;
    rule.retry_after = 7;
    server_->faults().add(rule);
    serve([&](tcp::socket& socket) -> awaitable<void> {
        const std::string list = get("/api/v1/services");
        refused = co_await ask(socket, list, "\"status\":\"Failure\"}");
        served = co_await ask(socket, list, "\"ServiceList\"");
    });

    EXPECT_TRUE(refused.starts_with("HTTP/1.1 429")) << refused;
    EXPECT_NE(refused.find("Retry-After: 7\r\n"), std::string::npos);
    EXPECT_TRUE(served.starts_with("HTTP/1.1 200")) << served;
}

TEST(YamlTest, ScalarsBecomeWhatTheyLookLike) {
    const auto json = yaml_to_json("a: 1\nb: \"1\"\nc: true\nd: [x, 1.5, ~]\ne: {f: 10.0.0.1}\n");

    ASSERT_TRUE(json);
    EXPECT_EQ(
        *json, parse_json(R"({"a":1,"b":"1","c":true,"d":["x",1.5,null],"e":{"f":"10.0.0.1"}})")
    );
    EXPECT_FALSE(yaml_to_json("a: [1"));
}

TEST(CertificateTest, AnAuthorityIssuesForNamesAndAddresses) {
    const auto authority = make_authority("test");
    ASSERT_TRUE(authority);

    const auto serving = issue_serving_certificate(*authority, {"localhost", "127.0.0.1", "::1"});

    ASSERT_TRUE(serving);
    EXPECT_TRUE(serving->certificate.starts_with("-----BEGIN CERTIFICATE-----"));
}

}  // namespace
}  // namespace steelyard::apiserver
