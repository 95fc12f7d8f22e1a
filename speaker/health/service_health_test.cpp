#include "speaker/health/service_health.hpp"

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

namespace steelyard::health {
namespace {

ServiceHealth service(std::size_t local_endpoints) {
    ServiceHealth health;
    health.service = {"shop", "web"};
    health.port = 30100;
    health.local_endpoints = local_endpoints;
    return health;
}

TEST(ServiceHealthTest, TheBodyIsKubeProxysToTheByte) {
    EXPECT_EQ(
        respond(service(3), true).body,
        "{\n"
        "\t\"service\": {\n"
        "\t\t\"namespace\": \"shop\",\n"
        "\t\t\"name\": \"web\"\n"
        "\t},\n"
        "\t\"localEndpoints\": 3,\n"
        "\t\"serviceProxyHealthy\": true\n"
        "}"
    );
}

TEST(ServiceHealthTest, HeadersTellTypeAndWeight) {
    const Response response = respond(service(3), true);

    EXPECT_EQ(response.content_type, "application/json");
    const std::vector<std::pair<std::string, std::string>> expected{
        {"X-Content-Type-Options", "nosniff"}, {"X-Load-Balancing-Endpoint-Weight", "3"}};
    EXPECT_EQ(response.headers, expected);
}

struct Case {
    const char* name;
    std::size_t local_endpoints;
    bool proxy_healthy;
    unsigned status;
};
class ServiceHealthStatusTest : public testing::TestWithParam<Case> {};

TEST_P(ServiceHealthStatusTest, NeedsAnEndpointAndAProxyThatKeepsUp) {
    const Response response =
        respond(service(GetParam().local_endpoints), GetParam().proxy_healthy);

    EXPECT_EQ(response.status, GetParam().status);
    const auto body = nlohmann::json::parse(response.body);
    EXPECT_EQ(body["localEndpoints"], GetParam().local_endpoints);
    EXPECT_EQ(body["serviceProxyHealthy"], GetParam().proxy_healthy);
}

INSTANTIATE_TEST_SUITE_P(
    All,
    ServiceHealthStatusTest,
    testing::Values(
        Case{"Serving", 1, true, 200},
        Case{"NothingHere", 0, true, 503},
        Case{"StaleTables", 1, false, 503},
        Case{"Neither", 0, false, 503}
    ),
    [](const auto& parameter) { return std::string(parameter.param.name); }
);

TEST(ServiceHealthTest, TheBodyIsJsonWhateverTheName) {
    ServiceHealth health = service(1);
    health.service.name = "a\"\\\n";

    EXPECT_EQ(nlohmann::json::parse(respond(health, true).body)["service"]["name"], "a\"\\ ");
}

}  // namespace
}  // namespace steelyard::health
