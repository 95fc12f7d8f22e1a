#include "speaker/health/proxy_health.hpp"

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

namespace steelyard::health {
namespace {

using namespace std::chrono_literals;
using net::Family;

constexpr Instant kStart{1000s};
constexpr WallTime kWall{1767323045s};  // 2026-01-02T03:04:05Z
constexpr Duration kPatience = 60s;

Moment after(Duration duration) {
    return {kStart + duration, kWall + std::chrono::duration_cast<WallTime::duration>(duration)};
}

class ProxyHealthTest : public testing::Test {
protected:
    ProxyHealthTest() { health_.set_node({true, false, {}}); }

    void synced(Duration at) {
        health_.on_synced(Family::V4, kStart + at);
        health_.on_synced(Family::V6, kStart + at);
    }
    [[nodiscard]] static nlohmann::json body(const Response& response) {
        return nlohmann::json::parse(response.body);
    }

    ProxyHealth health_{{Family::V4, Family::V6}, kPatience};
};

TEST_F(ProxyHealthTest, HealthzNamesEveryFieldInKubeProxysOrder) {
    health_.on_synced(Family::V4, kStart);
    health_.on_synced(Family::V6, kStart + 1s);

    const Response response = health_.healthz(after(2s));

    EXPECT_EQ(response.status, 200U);
    EXPECT_EQ(response.content_type, "application/json");
    ASSERT_EQ(response.headers.size(), 1U);
    EXPECT_EQ(response.headers[0].first, "X-Content-Type-Options");
    EXPECT_EQ(
        response.body,
        "{\"lastUpdated\":\"2026-01-02T03:04:07.000000Z\","
        "\"currentTime\":\"2026-01-02T03:04:07.000000Z\","
        "\"nodeEligible\":true,\"healthy\":true,\"status\":{"
        "\"IPv4\":{\"lastUpdated\":\"2026-01-02T03:04:05.000000Z\",\"healthy\":true},"
        "\"IPv6\":{\"lastUpdated\":\"2026-01-02T03:04:06.000000Z\",\"healthy\":true}}}"
    );
}

TEST_F(ProxyHealthTest, LivezSaysNothingAboutTheNode) {
    health_.set_node({});

    const Response response = health_.livez(after(0s));

    EXPECT_EQ(response.status, 200U);
    EXPECT_FALSE(body(response).contains("nodeEligible"));
    EXPECT_EQ(health_.healthz(after(0s)).status, 503U);
}

TEST_F(ProxyHealthTest, WhatWasNeverWrittenIsShownAsTheZeroTime) {
    EXPECT_EQ(
        body(health_.healthz(after(0s)))["status"]["IPv4"]["lastUpdated"], "0001-01-01T00:00:00Z"
    );
}

TEST_F(ProxyHealthTest, IsHealthyBeforeTheFirstChange) {
    EXPECT_TRUE(health_.healthy(kStart + 1h));
}

TEST_F(ProxyHealthTest, IsHealthyHoweverLongNothingIsToBeDone) {
    synced(0s);

    EXPECT_EQ(health_.healthz(after(24h)).status, 200U);
}

struct WaitCase {
    const char* name;
    Duration waited;
    unsigned status;
};
class WaitTest : public ProxyHealthTest, public testing::WithParamInterface<WaitCase> {};

TEST_P(WaitTest, AChangeMayWaitForTwoSyncPeriods) {
    synced(0s);
    health_.on_queued(Family::V4, kStart + 1s);

    const Response healthz = health_.healthz(after(1s + GetParam().waited));
    const Response livez = health_.livez(after(1s + GetParam().waited));

    EXPECT_EQ(healthz.status, GetParam().status);
    EXPECT_EQ(livez.status, GetParam().status);
    EXPECT_EQ(body(healthz)["healthy"], GetParam().status == 200);
}

INSTANTIATE_TEST_SUITE_P(
    All,
    WaitTest,
    testing::Values(
        WaitCase{"NotAtAll", 0s, 200},
        WaitCase{"ALittleLess", kPatience - 1ms, 200},
        WaitCase{"ThatLong", kPatience, 503},
        WaitCase{"Longer", 10 * kPatience, 503}
    ),
    [](const auto& parameter) { return std::string(parameter.param.name); }
);

TEST_F(ProxyHealthTest, TheOldestChangeCounts) {
    health_.on_queued(Family::V4, kStart);
    health_.on_queued(Family::V4, kStart + 59s);

    EXPECT_FALSE(health_.healthy(kStart + kPatience));
}

TEST_F(ProxyHealthTest, OneStaleFamilyIsEnough) {
    synced(0s);
    health_.on_queued(Family::V4, kStart);
    health_.on_queued(Family::V6, kStart);
    health_.on_synced(Family::V4, kStart + 1s);

    const auto told = body(health_.healthz(after(kPatience)));

    EXPECT_EQ(told["healthy"], false);
    EXPECT_EQ(told["nodeEligible"], true);
    EXPECT_EQ(told["status"]["IPv4"]["healthy"], true);
    EXPECT_EQ(told["status"]["IPv6"]["healthy"], false);
    // The last sync of any family, while unhealthy.
    EXPECT_EQ(told["lastUpdated"], "2026-01-02T03:04:06.000000Z");
}

TEST_F(ProxyHealthTest, ASyncMakesAStaleFamilyHealthyAgain) {
    health_.on_queued(Family::V6, kStart);
    EXPECT_FALSE(health_.healthy(kStart + 2h));

    health_.on_synced(Family::V6, kStart + 2h);

    EXPECT_TRUE(health_.healthy(kStart + 2h));
}

TEST_F(ProxyHealthTest, AChangeDuringAWriteIsNotTakenForWritten) {
    health_.on_queued(Family::V4, kStart);
    health_.on_started(Family::V4);
    health_.on_queued(Family::V4, kStart + 1s);
    health_.on_synced(Family::V4, kStart + 2s);

    EXPECT_TRUE(health_.healthy(kStart + kPatience));
    EXPECT_FALSE(health_.healthy(kStart + 1s + kPatience));
}

TEST_F(ProxyHealthTest, AWriteThatHangsMakesItUnhealthy) {
    health_.on_queued(Family::V4, kStart);
    health_.on_started(Family::V4);

    EXPECT_FALSE(health_.healthy(kStart + kPatience));
}

TEST_F(ProxyHealthTest, AfterAFailureTheChangeHasWaitedSinceItWasQueued) {
    health_.on_queued(Family::V4, kStart);
    health_.on_started(Family::V4);
    health_.on_queued(Family::V4, kStart + 30s);
    health_.on_failed(Family::V4);

    EXPECT_FALSE(health_.healthy(kStart + kPatience));

    health_.on_started(Family::V4);
    health_.on_synced(Family::V4, kStart + kPatience);

    EXPECT_TRUE(health_.healthy(kStart + 10 * kPatience));
}

struct NodeCase {
    const char* name;
    NodeFacts node;
    bool eligible;
};
class NodeTest : public ProxyHealthTest, public testing::WithParamInterface<NodeCase> {};

TEST_P(NodeTest, IsEligibleWhileItStays) {
    synced(0s);
    health_.set_node(GetParam().node);

    const Response response = health_.healthz(after(1s));

    EXPECT_EQ(response.status, GetParam().eligible ? 200U : 503U);
    EXPECT_EQ(body(response)["nodeEligible"], GetParam().eligible);
    EXPECT_EQ(body(response)["healthy"], true);
    EXPECT_EQ(health_.livez(after(1s)).status, 200U);
}

INSTANTIATE_TEST_SUITE_P(
    All,
    NodeTest,
    testing::Values(
        NodeCase{"Plain", {true, false, {}}, true},
        NodeCase{"Unknown", {}, false},
        NodeCase{"Deleting", {true, true, {}}, false},
        NodeCase{"AboutToBeRemoved", {true, false, {"other", kToBeDeletedTaint}}, false},
        NodeCase{"OtherTaints", {true, false, {"node.kubernetes.io/unschedulable"}}, true},
        NodeCase{"DeletingAndTainted", {true, true, {kToBeDeletedTaint}}, false}
    ),
    [](const auto& parameter) { return std::string(parameter.param.name); }
);

TEST_F(ProxyHealthTest, ANodeThatStaysAfterAllIsEligibleAgain) {
    health_.set_node({true, false, {kToBeDeletedTaint}});
    health_.set_node({true, false, {}});

    EXPECT_EQ(health_.healthz(after(0s)).status, 200U);
}

TEST(ProxyHealthFamiliesTest, AFamilyTheProxyDoesNotProgramIsNotShown) {
    const ProxyHealth health({Family::V4}, kPatience);

    EXPECT_EQ(health.livez(after(0s)).body.find("IPv6"), std::string::npos);
}

}  // namespace
}  // namespace steelyard::health
