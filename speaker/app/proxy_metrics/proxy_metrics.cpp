#include "speaker/app/proxy_metrics/proxy_metrics.hpp"

#include <algorithm>
#include <chrono>
#include <initializer_list>
#include <utility>

namespace steelyard::speaker {
namespace {

using metrics::Labels;
using Samples = std::map<Labels, double>;

// A trigger a sync cannot take in (the kernel refuses it for hours) is no reason to keep more.
constexpr std::size_t kMaxTriggers = 10000;

constexpr const char* kSyncDuration = "kubeproxy_sync_proxy_rules_duration_seconds";
constexpr const char* kProgramming = "kubeproxy_network_programming_duration_seconds";
constexpr const char* kLastSync = "kubeproxy_sync_proxy_rules_last_timestamp_seconds";
constexpr const char* kLastQueued = "kubeproxy_sync_proxy_rules_last_queued_timestamp_seconds";
constexpr const char* kServicesPending = "kubeproxy_sync_proxy_rules_service_changes_pending";
constexpr const char* kServicesTotal = "kubeproxy_sync_proxy_rules_service_changes_total";
constexpr const char* kEndpointsPending = "kubeproxy_sync_proxy_rules_endpoint_changes_pending";
constexpr const char* kEndpointsTotal = "kubeproxy_sync_proxy_rules_endpoint_changes_total";
constexpr const char* kNoLocal = "kubeproxy_sync_proxy_rules_no_local_endpoints_total";
constexpr const char* kRestoreFailures =
    "kubeproxy_sync_proxy_rules_iptables_restore_failures_total";
constexpr const char* kHealthz = "kubeproxy_proxy_healthz_total";
constexpr const char* kLivez = "kubeproxy_proxy_livez_total";
constexpr const char* kPurgeDuration = "kubeproxy_conntrack_reconciler_sync_duration_seconds";
constexpr const char* kPurged = "kubeproxy_conntrack_reconciler_deleted_entries_total";

double seconds(Duration duration) {
    return std::chrono::duration<double>(duration).count();
}

double unix_seconds(WallTime time) {
    return std::chrono::duration<double>(time.time_since_epoch()).count();
}

double number(std::uint64_t count) {
    return static_cast<double>(count);
}

std::size_t index(net::Family family) {
    return family == net::Family::V4 ? 0 : 1;
}

Labels of(net::Family family) {
    return {{"ip_family", std::string(to_string(family))}};
}

// 1 ms, 2 ms, 4 ms and so on: 15 of them.
std::vector<double> doubling_buckets() {
    std::vector<double> buckets;
    for (double bound = 0.001; buckets.size() < 15; bound *= 2) {
        buckets.push_back(bound);
    }
    return buckets;
}

// Fine to a second, coarse to five minutes.
std::vector<double> programming_buckets() {
    std::vector<double> buckets{0.25, 0.5};
    const auto add = [&](int from, int to, int step) {
        for (int bound = from; bound <= to; bound += step) {
            buckets.push_back(bound);
        }
    };
    add(1, 59, 1);
    add(60, 115, 5);
    add(120, 300, 30);
    return buckets;
}

struct Metric {
    const char* name;
    const char* help;
};

constexpr std::array kGauges{
    Metric{kLastSync, "When the kernel of a family last got all that was wanted, Unix time."},
    Metric{kLastQueued, "When something to write last came in, Unix time."},
    Metric{kServicesPending, "Service changes that no write has taken in yet."},
    Metric{kEndpointsPending, "EndpointSlice changes that no write has taken in yet."},
    Metric{kNoLocal, "Services with a Local traffic policy and endpoints, but none on this node."},
    Metric{"steelyard_proxy_failing_objects", "Objects the kernel refuses, to be tried again."},
    Metric{"steelyard_proxy_unservable_addresses", "Addresses that do not serve because of that."},
    Metric{"steelyard_proxy_adopted_objects", "Objects found in place at the start and kept."},
    Metric{"steelyard_proxy_objects", "How many objects the wanted tables have."},
};

constexpr std::array kCounters{
    Metric{kServicesTotal, "Service changes seen."},
    Metric{kEndpointsTotal, "EndpointSlice changes seen."},
    Metric{kRestoreFailures, "Runs of iptables-restore that failed."},
    Metric{kHealthz, "Answers of /healthz, by HTTP status."},
    Metric{kLivez, "Answers of /livez, by HTTP status."},
    Metric{kPurged, "Stale connection tracking entries deleted."},
    Metric{"steelyard_proxy_syncs_total", "Changes written and whole states read back."},
    Metric{"steelyard_proxy_writes_total", "Writes the kernel acknowledged, by what was written."},
    Metric{"steelyard_proxy_sends_total", "System calls that carried them."},
    Metric{"steelyard_proxy_refusals_total", "Writes the kernel refused, repeated ones too."},
    Metric{"steelyard_proxy_audits_total", "Times the whole kernel state was read back."},
    Metric{"steelyard_proxy_repaired_total", "Objects that somebody else had changed, put right."},
    Metric{"steelyard_proxy_alarms_total", "Audits because a short look found tables missing."},
    Metric{"steelyard_proxy_rule_restores_total", "Runs of iptables-restore."},
};

template <std::size_t N>
const char* help_of(const std::array<Metric, N>& list, const std::string& name) {
    const auto* found = std::find_if(list.begin(), list.end(), [&](const Metric& entry) {
        return name == entry.name;
    });
    return found == list.end() ? "" : found->help;
}

metrics::GaugeFamily& gauge(metrics::Registry& registry, const std::string& name) {
    return registry.gauge(name, help_of(kGauges, name));
}

metrics::CounterFamily& counter(metrics::Registry& registry, const std::string& name) {
    return registry.counter(name, help_of(kCounters, name));
}

metrics::HistogramFamily& sync_duration(metrics::Registry& registry) {
    return registry.histogram(
        kSyncDuration, "How long a write of what had changed took.", doubling_buckets()
    );
}

metrics::HistogramFamily& programming(metrics::Registry& registry) {
    return registry.histogram(
        kProgramming,
        "From the change of a Service or a pod to the kernel having it.",
        programming_buckets()
    );
}

metrics::HistogramFamily& purge_duration(metrics::Registry& registry) {
    return registry.histogram(
        kPurgeDuration, "How long a purge of connection tracking took.", doubling_buckets()
    );
}

Samples by_label(const char* label, const std::map<std::string, std::size_t>& counts) {
    Samples samples;
    for (const auto& [kind, count] : counts) {
        samples[{{label, kind}}] = number(count);
    }
    return samples;
}

}  // namespace

ProxyMetrics::ProxyMetrics(
    metrics::Registry& registry, const std::vector<net::Family>& families, WallTime started
)
    : registry_(registry), started_(started), families_(families) {
    for (const net::Family family : families) {
        set_no_local_endpoints(family, 0, 0);
    }
    for (const char* name : {kServicesTotal, kEndpointsTotal}) {
        counter(registry_, name).add(0);
    }
    counter(registry_, "steelyard_proxy_sends_total").add(0);
    set_counters({});
    gauge(registry_, kServicesPending).set(0);
    gauge(registry_, kEndpointsPending).set(0);
}

ProxyMetrics::Triggers& ProxyMetrics::triggers(net::Family family) {
    return triggers_[index(family)];
}

void ProxyMetrics::on_service_change() {
    counter(registry_, kServicesTotal).add();
    gauge(registry_, kServicesPending).set(number(++services_pending_));
}

void ProxyMetrics::on_endpoint_change(net::Family family, std::optional<WallTime> trigger) {
    counter(registry_, kEndpointsTotal).add();
    gauge(registry_, kEndpointsPending).set(number(++endpoints_pending_));
    std::vector<WallTime>& queued = triggers(family).queued;
    if (trigger && *trigger >= started_ && queued.size() < kMaxTriggers) {
        queued.push_back(*trigger);
    }
}

void ProxyMetrics::on_queued(WallTime now) {
    for (const net::Family family : families_) {
        gauge(registry_, kLastQueued).set(of(family), unix_seconds(now));
    }
}

void ProxyMetrics::on_sync_started() {
    services_pending_ = 0;
    endpoints_pending_ = 0;
    gauge(registry_, kServicesPending).set(0);
    gauge(registry_, kEndpointsPending).set(0);
    for (Triggers& family : triggers_) {
        family.writing.insert(family.writing.end(), family.queued.begin(), family.queued.end());
        family.queued.clear();
    }
}

void ProxyMetrics::on_synced(net::Family family, Duration took, WallTime now) {
    sync_duration(registry_).observe(of(family), seconds(took));
    gauge(registry_, kLastSync).set(of(family), unix_seconds(now));
    std::vector<WallTime>& written = triggers(family).writing;
    for (const WallTime trigger : written) {
        // Clocks of two machines may disagree.
        const double delay = std::max(0.0, unix_seconds(now) - unix_seconds(trigger));
        programming(registry_).observe(of(family), delay);
    }
    written.clear();
}

void ProxyMetrics::on_sync_failed(net::Family family) {
    Triggers& waiting = triggers(family);
    const std::size_t room = kMaxTriggers - std::min(kMaxTriggers, waiting.queued.size());
    const std::size_t count = std::min(room, waiting.writing.size());
    waiting.queued.insert(
        waiting.queued.end(),
        waiting.writing.begin(),
        waiting.writing.begin() + static_cast<std::ptrdiff_t>(count)
    );
    waiting.writing.clear();
}

void ProxyMetrics::set_no_local_endpoints(
    net::Family family, std::size_t internal, std::size_t external
) {
    metrics::GaugeFamily& services = gauge(registry_, kNoLocal);
    Labels labels = of(family);
    labels["traffic_policy"] = "internal";
    services.set(labels, number(internal));
    labels["traffic_policy"] = "external";
    services.set(labels, number(external));
}

void ProxyMetrics::on_healthz(unsigned status) {
    counter(registry_, kHealthz).add({{"code", std::to_string(status)}}, 1);
}

void ProxyMetrics::on_livez(unsigned status) {
    counter(registry_, kLivez).add({{"code", std::to_string(status)}}, 1);
}

void ProxyMetrics::on_report(const dataplane::Report& report) {
    counter(registry_, "steelyard_proxy_sends_total").add(number(report.sends));
    Samples failing;
    for (const dataplane::Failure& failure : report.failures) {
        failing[{{"kind", failure.kind}}] += 1;
    }
    gauge(registry_, "steelyard_proxy_failing_objects").replace(failing);
    for (const dataplane::Purge& purge : report.purges) {
        purge_duration(registry_).observe(of(purge.family), seconds(purge.took));
    }
    gauge(registry_, "steelyard_proxy_unservable_addresses").set(number(report.unservable.size()));
}

void ProxyMetrics::set_counters(const dataplane::Counters& counters) {
    Samples writes;
    for (const auto& [kind, count] : std::initializer_list<std::pair<const char*, std::uint64_t>>{
             {"virtual_server", counters.virtual_server_writes},
             {"real_server", counters.real_server_writes},
             {"address", counters.address_writes},
             {"route", counters.route_writes},
             {"set_entry", counters.set_entry_writes}}) {
        writes[{{"kind", kind}}] = number(count);
    }
    counter(registry_, "steelyard_proxy_writes_total").replace(writes);
    gauge(registry_, "steelyard_proxy_adopted_objects").set(number(counters.adopted));
    for (const auto& [name, count] : std::initializer_list<std::pair<const char*, std::uint64_t>>{
             {"steelyard_proxy_syncs_total", counters.syncs},
             {"steelyard_proxy_audits_total", counters.audits},
             {"steelyard_proxy_refusals_total", counters.refusals},
             {"steelyard_proxy_repaired_total", counters.drifts},
             {"steelyard_proxy_alarms_total", counters.alarms}}) {
        counter(registry_, name).replace({{Labels(), number(count)}});
    }
    using ByFamily = dataplane::Counters::ByFamily;
    for (const auto& [name, totals] : std::initializer_list<std::pair<const char*, ByFamily>>{
             {"steelyard_proxy_rule_restores_total", counters.rule_restores},
             {kRestoreFailures, counters.rule_restore_failures},
             {kPurged, counters.conntrack_deleted}}) {
        Samples samples;
        for (const net::Family family : families_) {
            samples[of(family)] = number(totals[index(family)]);
        }
        counter(registry_, name).replace(samples);
    }
}

void ProxyMetrics::set_objects(const std::map<std::string, std::size_t>& objects) {
    gauge(registry_, "steelyard_proxy_objects").replace(by_label("kind", objects));
}

}  // namespace steelyard::speaker
