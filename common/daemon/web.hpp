#pragma once

#include "common/http/server/server.hpp"
#include "common/metrics/metrics.hpp"

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>

// What a daemon answers over HTTP: /healthz (the loop turns), /readyz, /metrics, and what else it
// has to tell.
namespace steelyard::daemon {

struct Pages {
    // Why the daemon is not ready, in one line; "" when it is.
    std::function<std::string()> not_ready;
    // What is wrong all the same, in one line; "" when nothing is. May be empty.
    std::function<std::string()> remark;
    // Brings gauges up to date before they are rendered; may be empty.
    std::function<awaitable<void>()> refresh_metrics;
    // Pages of the daemon's own, by path ("/explain").
    std::map<std::string, std::function<http_server::Response(const http_server::Request&)>> more;
};

// `registry` and what the pages refer to outlive the handler.
[[nodiscard]] http_server::Handler web_handler(Pages pages, metrics::Registry& registry);

// "" listens on every address, IPv6 and IPv4; on IPv4 alone where the kernel has no IPv6.
[[nodiscard]] Result<std::unique_ptr<http_server::Server>> listen(
    const asio::any_io_executor& executor,
    const std::string& address,
    std::uint16_t port,
    const http_server::Handler& handler
);

}  // namespace steelyard::daemon
