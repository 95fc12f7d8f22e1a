#pragma once

#include "common/http/server/server.hpp"
#include "common/metrics/metrics.hpp"
#include "controller/app/controller.hpp"

#include <memory>

// What the controller answers over HTTP: /healthz (alive), /readyz (first plan made) and /metrics.
namespace steelyard::controller {

// `controller` and `registry` outlive the handler.
[[nodiscard]] http_server::Handler web_handler(Controller& controller, metrics::Registry& registry);

// On every address, IPv6 and IPv4; on IPv4 alone where the kernel has no IPv6.
[[nodiscard]] Result<std::unique_ptr<http_server::Server>> listen(
    const asio::any_io_executor& executor, std::uint16_t port, http_server::Handler handler
);

}  // namespace steelyard::controller
