#pragma once

#include "common/http/server/server.hpp"
#include "common/metrics/metrics.hpp"
#include "speaker/health/proxy_health.hpp"

#include <functional>
#include <string>

// What kube-proxy's two ports answer, as handlers for a ProxyPort. Every page says
// `Server: steelyard`: /proxyMode answers as kube-proxy's does, and that tells the two apart.
namespace steelyard::io_health {

inline constexpr const char* kServerName = "steelyard";

// A health response over HTTP.
[[nodiscard]] http_server::Response to_http(health::Response response);

// healthzBindAddress: /healthz and /livez.
struct HealthPages {
    std::function<health::Response()> healthz;
    std::function<health::Response()> livez;
    // For kubeproxy_proxy_healthz_total and _livez_total; may be empty.
    std::function<void(unsigned status)> on_healthz;
    std::function<void(unsigned status)> on_livez;
};
[[nodiscard]] http_server::Handler health_handler(HealthPages pages);

// metricsBindAddress: /metrics, /healthz ("ok" while the loop turns), /proxyMode, /configz.
struct MetricsPages {
    // Brings gauges up to date before they are rendered; may be empty.
    std::function<awaitable<void>()> refresh;
    // The configuration in use as a JSON object; may be empty: no such page then.
    std::function<std::string()> configz;
    // One flag a line; may be empty: no such page then.
    std::function<std::string()> flagz;
};
// `registry` and what the pages refer to outlive the handler.
[[nodiscard]] http_server::Handler metrics_handler(MetricsPages pages, metrics::Registry& registry);

}  // namespace steelyard::io_health
