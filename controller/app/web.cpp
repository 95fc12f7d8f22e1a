#include "controller/app/web.hpp"

#include <utility>

namespace steelyard::controller {
namespace {

http_server::Response answer(
    const http_server::Request& request, Controller& controller, metrics::Registry& registry
) {
    if (request.method != "GET" && request.method != "HEAD") {
        return http_server::text_response(405, "only GET is answered here\n");
    }
    if (request.path == "/healthz") {
        return http_server::text_response(200, "ok\n");
    }
    if (request.path == "/readyz") {
        return controller.ready()
                   ? http_server::text_response(200, "ok\n")
                   : http_server::text_response(503, "the first lists are not complete\n");
    }
    if (request.path == "/metrics") {
        controller.update_gauges();
        http_server::Response response = http_server::text_response(200, registry.text());
        response.content_type = metrics::kContentType;
        return response;
    }
    return http_server::text_response(404, "there are /healthz, /readyz and /metrics\n");
}

}  // namespace

http_server::Handler web_handler(Controller& controller, metrics::Registry& registry) {
    return
        [&controller, &registry](http_server::Request request) -> awaitable<http_server::Response> {
            co_return answer(request, controller, registry);
        };
}

Result<std::unique_ptr<http_server::Server>> listen(
    const asio::any_io_executor& executor, std::uint16_t port, http_server::Handler handler
) {
    http_server::ServerConfig config;
    config.port = port;
    config.listen_address = "::";
    auto server = http_server::Server::listen(executor, config, handler);
    if (server) {
        return server;
    }
    config.listen_address = "0.0.0.0";
    return http_server::Server::listen(executor, config, std::move(handler));
}

}  // namespace steelyard::controller
