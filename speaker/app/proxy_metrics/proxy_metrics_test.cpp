#include "speaker/app/proxy_metrics/proxy_metrics.hpp"

#include <gmock/gmock.h>

namespace steelyard::speaker {
namespace {

using namespace std::chrono_literals;
using testing::HasSubstr;
using testing::Not;

constexpr WallTime kStart{1000s};

class ProxyMetricsTest : public testing::Test {
protected:
    [[nodiscard]] std::string text() const { return registry_.text(); }

    metrics::Registry registry_;
    ProxyMetrics metrics_{registry_, {net::Family::V4, net::Family::V6}, kStart};
};

TEST_F(ProxyMetricsTest, CountersAndPendingChangesStandAtZeroFromTheStart) {
    for (const char* line : {
             "\nkubeproxy_sync_proxy_rules_service_changes_total 0\n",
             "\nkubeproxy_sync_proxy_rules_service_changes_pending 0\n",
             "\nkubeproxy_sync_proxy_rules_endpoint_changes_total 0\n",
             "\nkubeproxy_sync_proxy_rules_endpoint_changes_pending 0\n",
             "\nkubeproxy_sync_proxy_rules_iptables_restore_failures_total{ip_family=\"IPv6\"} 0\n",
             "\nkubeproxy_conntrack_reconciler_deleted_entries_total{ip_family=\"IPv4\"} 0\n",
         }) {
        EXPECT_THAT(text(), HasSubstr(line));
    }
}

TEST_F(ProxyMetricsTest, ASyncIsCountedForItsFamily) {
    metrics_.on_queued(kStart + 10s);
    metrics_.on_sync_started();
    metrics_.on_synced(net::Family::V4, 3ms, kStart + 11s);

    EXPECT_THAT(
        text(), HasSubstr("rules_last_queued_timestamp_seconds{ip_family=\"IPv6\"} 1010\n")
    );
    EXPECT_THAT(text(), HasSubstr("rules_last_timestamp_seconds{ip_family=\"IPv4\"} 1011\n"));
    EXPECT_THAT(text(), HasSubstr("rules_duration_seconds_count{ip_family=\"IPv4\"} 1\n"));
    EXPECT_THAT(text(), Not(HasSubstr("rules_duration_seconds_count{ip_family=\"IPv6\"}")));
}

TEST_F(ProxyMetricsTest, DurationsOfSyncsFallIntoFifteenDoublingBuckets) {
    metrics_.on_synced(net::Family::V4, 3ms, kStart);

    const std::string name =
        "kubeproxy_sync_proxy_rules_duration_seconds_bucket{ip_family=\"IPv4\",le=";
    EXPECT_THAT(text(), HasSubstr(name + "\"0.001\"} 0\n"));
    EXPECT_THAT(text(), HasSubstr(name + "\"0.002\"} 0\n"));
    EXPECT_THAT(text(), HasSubstr(name + "\"0.004\"} 1\n"));
    EXPECT_THAT(text(), HasSubstr(name + "\"16.384\"} 1\n"));
    EXPECT_THAT(text(), HasSubstr(name + "\"+Inf\"} 1\n"));
    EXPECT_THAT(text(), Not(HasSubstr("32.768")));
}

TEST_F(ProxyMetricsTest, ProgrammingIsMeasuredFromTheTrigger) {
    metrics_.on_endpoint_change(net::Family::V4, kStart + 1s);
    metrics_.on_sync_started();
    metrics_.on_synced(net::Family::V4, 1ms, kStart + 3s);

    const std::string name = "kubeproxy_network_programming_duration_seconds";
    EXPECT_THAT(text(), HasSubstr(name + "_sum{ip_family=\"IPv4\"} 2\n"));
    for (const char* bound : {"0.25", "0.5", "1"}) {
        EXPECT_THAT(
            text(), HasSubstr(name + "_bucket{ip_family=\"IPv4\",le=\"" + bound + "\"} 0\n")
        );
    }
    for (const char* bound : {"2", "59", "60", "65", "115", "120", "150", "300", "+Inf"}) {
        EXPECT_THAT(
            text(), HasSubstr(name + "_bucket{ip_family=\"IPv4\",le=\"" + bound + "\"} 1\n")
        );
    }
}

struct TriggerCase {
    const char* name;
    std::optional<WallTime> trigger;
    bool counted;
};
class TriggerTest : public ProxyMetricsTest, public testing::WithParamInterface<TriggerCase> {};

TEST_P(TriggerTest, CountsWhenTheDelayWasOurs) {
    metrics_.on_endpoint_change(net::Family::V6, GetParam().trigger);
    metrics_.on_sync_started();
    metrics_.on_synced(net::Family::V6, 1ms, kStart + 5s);

    const auto line =
        HasSubstr("kubeproxy_network_programming_duration_seconds_count{ip_family=\"IPv6\"} 1\n");
    if (GetParam().counted) {
        EXPECT_THAT(text(), line);
    } else {
        EXPECT_THAT(text(), Not(line));
    }
    EXPECT_THAT(text(), HasSubstr("\nkubeproxy_sync_proxy_rules_endpoint_changes_total 1\n"));
}

INSTANTIATE_TEST_SUITE_P(
    All,
    TriggerTest,
    testing::Values(
        TriggerCase{"SinceTheStart", kStart + 1s, true},
        TriggerCase{"AClockAhead", kStart + 9s, true},
        TriggerCase{"BeforeTheStart", kStart - 1s, false},
        TriggerCase{"ASliceWasDeleted", std::nullopt, false}
    ),
    [](const auto& parameter) { return std::string(parameter.param.name); }
);

TEST_F(ProxyMetricsTest, WhatComesInDuringASyncWaitsForTheNext) {
    metrics_.on_sync_started();
    metrics_.on_endpoint_change(net::Family::V4, kStart + 1s);
    metrics_.on_service_change();
    metrics_.on_synced(net::Family::V4, 1ms, kStart + 2s);

    EXPECT_THAT(text(), Not(HasSubstr("network_programming_duration_seconds_count")));
    EXPECT_THAT(text(), HasSubstr("endpoint_changes_pending 1\n"));
    EXPECT_THAT(text(), HasSubstr("service_changes_pending 1\n"));

    metrics_.on_sync_started();
    metrics_.on_synced(net::Family::V4, 1ms, kStart + 3s);

    EXPECT_THAT(
        text(), HasSubstr("network_programming_duration_seconds_count{ip_family=\"IPv4\"} 1\n")
    );
    EXPECT_THAT(text(), HasSubstr("endpoint_changes_pending 0\n"));
    EXPECT_THAT(text(), HasSubstr("service_changes_pending 0\n"));
}

TEST_F(ProxyMetricsTest, TriggersOfASyncThatFailedWaitForOneThatDoesNot) {
    metrics_.on_endpoint_change(net::Family::V4, kStart + 1s);
    metrics_.on_sync_started();
    metrics_.on_sync_failed(net::Family::V4);
    metrics_.on_sync_started();
    metrics_.on_synced(net::Family::V4, 1ms, kStart + 31s);

    EXPECT_THAT(
        text(), HasSubstr("network_programming_duration_seconds_sum{ip_family=\"IPv4\"} 30\n")
    );
}

TEST_F(ProxyMetricsTest, NoLocalEndpointsAreToldByPolicy) {
    metrics_.set_no_local_endpoints(net::Family::V4, 2, 3);

    const std::string name = "kubeproxy_sync_proxy_rules_no_local_endpoints_total";
    EXPECT_THAT(text(), HasSubstr(name + "{ip_family=\"IPv4\",traffic_policy=\"internal\"} 2\n"));
    EXPECT_THAT(text(), HasSubstr(name + "{ip_family=\"IPv4\",traffic_policy=\"external\"} 3\n"));
}

TEST_F(ProxyMetricsTest, HealthAnswersAreCountedByStatus) {
    metrics_.on_healthz(200);
    metrics_.on_healthz(200);
    metrics_.on_healthz(503);
    metrics_.on_livez(200);

    EXPECT_THAT(text(), HasSubstr("kubeproxy_proxy_healthz_total{code=\"200\"} 2\n"));
    EXPECT_THAT(text(), HasSubstr("kubeproxy_proxy_healthz_total{code=\"503\"} 1\n"));
    EXPECT_THAT(text(), HasSubstr("kubeproxy_proxy_livez_total{code=\"200\"} 1\n"));
}

TEST_F(ProxyMetricsTest, PurgesOfConnectionTrackingAreTimedAndCounted) {
    dataplane::Report report;
    report.purges.push_back({net::Family::V6, 5ms, 7});
    metrics_.on_report(report);
    dataplane::Counters counters;
    counters.conntrack_deleted = {0, 7};
    metrics_.set_counters(counters);

    EXPECT_THAT(
        text(),
        HasSubstr("conntrack_reconciler_sync_duration_seconds_count{ip_family=\"IPv6\"} 1\n")
    );
    EXPECT_THAT(
        text(), HasSubstr("conntrack_reconciler_deleted_entries_total{ip_family=\"IPv6\"} 7\n")
    );
}

TEST_F(ProxyMetricsTest, FailedRestoresAreToldByFamily) {
    dataplane::Counters counters;
    counters.rule_restore_failures = {2, 1};
    metrics_.set_counters(counters);

    const std::string name = "kubeproxy_sync_proxy_rules_iptables_restore_failures_total";
    EXPECT_THAT(text(), HasSubstr(name + "{ip_family=\"IPv4\"} 2\n"));
    EXPECT_THAT(text(), HasSubstr(name + "{ip_family=\"IPv6\"} 1\n"));
}

TEST_F(ProxyMetricsTest, SendsAddUpAndFailuresAreThoseOfNow) {
    dataplane::Report report;
    report.sends = 2;
    report.failures.emplace_back().kind = "virtual_server";
    report.failures.emplace_back().kind = "virtual_server";
    report.unservable.insert(net::IpAddress::v4(1));
    metrics_.on_report(report);
    EXPECT_THAT(text(), HasSubstr("steelyard_proxy_failing_objects{kind=\"virtual_server\"} 2\n"));
    EXPECT_THAT(text(), HasSubstr("\nsteelyard_proxy_unservable_addresses 1\n"));

    report.failures.clear();
    metrics_.on_report(report);

    EXPECT_THAT(text(), Not(HasSubstr("steelyard_proxy_failing_objects{")));
    EXPECT_THAT(text(), HasSubstr("\nsteelyard_proxy_sends_total 4\n"));
}

TEST_F(ProxyMetricsTest, TotalsOfTheDataPlaneAreTakenAsTheyAre) {
    dataplane::Counters counters;
    counters.syncs = 1;
    counters.real_server_writes = 2;
    counters.adopted = 3;
    counters.drifts = 4;
    counters.alarms = 5;
    metrics_.set_counters(counters);
    counters.real_server_writes = 7;
    metrics_.set_counters(counters);

    EXPECT_THAT(text(), HasSubstr("\nsteelyard_proxy_syncs_total 1\n"));
    EXPECT_THAT(text(), HasSubstr("steelyard_proxy_writes_total{kind=\"real_server\"} 7\n"));
    EXPECT_THAT(text(), HasSubstr("steelyard_proxy_writes_total{kind=\"route\"} 0\n"));
    EXPECT_THAT(text(), HasSubstr("\nsteelyard_proxy_adopted_objects 3\n"));
    EXPECT_THAT(text(), HasSubstr("\nsteelyard_proxy_repaired_total 4\n"));
    EXPECT_THAT(text(), HasSubstr("\nsteelyard_proxy_alarms_total 5\n"));
}

TEST_F(ProxyMetricsTest, EveryFamilyOfSamplesSaysWhatItIs) {
    metrics_.on_synced(net::Family::V4, 1ms, kStart);
    metrics_.on_queued(kStart);
    metrics_.on_healthz(200);
    metrics_.on_livez(200);
    metrics_.on_report({});
    metrics_.set_objects({{"services", 1}});

    const std::string rendered = text();
    for (std::size_t at = rendered.find("# HELP "); at != std::string::npos;
         at = rendered.find("# HELP ", at + 1)) {
        const std::string line = rendered.substr(at, rendered.find('\n', at) - at);
        EXPECT_GT(line.size(), line.find(' ', 7) + 5) << line;
    }
}

}  // namespace
}  // namespace steelyard::speaker
