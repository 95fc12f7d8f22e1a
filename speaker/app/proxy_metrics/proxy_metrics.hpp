#pragma once

#include "common/base/time.hpp"
#include "common/metrics/metrics.hpp"
#include "common/net/ip.hpp"
#include "speaker/io/dataplane/dataplane.hpp"

#include <array>
#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

// What the node's service proxy counts: kube-proxy's names and labels, so that its dashboards and
// alerts go on working, and steelyard_proxy_* for what kube-proxy has no name for. Its owner tells
// it what happens, from one thread; nothing here reads a clock. Times people compare with their
// own clocks are WallTime.
namespace steelyard::speaker {

class ProxyMetrics {
public:
    // `registry` outlives this. `families` are those the proxy programs; triggers older than
    // `started` are not counted, since their delay was not ours.
    ProxyMetrics(
        metrics::Registry& registry, const std::vector<net::Family>& families, WallTime started
    );

    // A Service changed. Changes are pending until the next on_sync_started().
    void on_service_change();
    // An EndpointSlice changed; `trigger` is its annotation
    // endpoints.kubernetes.io/last-change-trigger-time, absent when the slice was deleted.
    void on_endpoint_change(net::Family family, std::optional<WallTime> trigger);
    // There is something to write.
    void on_queued(WallTime now);

    // A write of all that is queued begins. Triggers that come in later wait for the next one.
    void on_sync_started();
    // The kernel of a family has it, `took` after the beginning; observes
    // network_programming_duration for each trigger the write took in.
    void on_synced(net::Family family, Duration took, WallTime now);
    // It does not: its triggers wait for the next sync.
    void on_sync_failed(net::Family family);

    // Services with a Local policy, endpoints somewhere and none here.
    void set_no_local_endpoints(net::Family family, std::size_t internal, std::size_t external);
    void on_healthz(unsigned status);
    void on_livez(unsigned status);

    // From what the data plane tells: of one write or audit...
    void on_report(const dataplane::Report& report);
    // ...and since its beginning.
    void set_counters(const dataplane::Counters& counters);
    // How large the wanted tables are, by kind: "services", "virtual_servers", "real_servers"...
    void set_objects(const std::map<std::string, std::size_t>& objects);

private:
    struct Triggers {
        std::vector<WallTime> queued;
        std::vector<WallTime> writing;
    };

    [[nodiscard]] Triggers& triggers(net::Family family);

    metrics::Registry& registry_;
    WallTime started_;
    std::vector<net::Family> families_;
    std::array<Triggers, 2> triggers_;
    std::size_t services_pending_ = 0;
    std::size_t endpoints_pending_ = 0;
};

}  // namespace steelyard::speaker
