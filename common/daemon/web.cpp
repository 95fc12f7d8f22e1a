#include "common/daemon/web.hpp"

#include <memory>
#include <utility>

namespace steelyard::daemon {
namespace {

using http_server::Request;
using http_server::Response;
using http_server::text_response;

std::string list_of(const Pages& pages) {
    std::string text = "there are /healthz, /readyz, /metrics";
    for (const auto& [path, page] : pages.more) {
        text += ", " + path;
    }
    return text + "\n";
}

awaitable<Response> answer(
    Request request, std::shared_ptr<const Pages> pages, metrics::Registry& registry
) {
    if (request.method != "GET" && request.method != "HEAD") {
        co_return text_response(405, "only GET is answered here\n");
    }
    if (request.path == "/healthz") {
        co_return text_response(200, "ok\n");
    }
    if (request.path == "/readyz") {
        const std::string why = pages->not_ready();
        if (!why.empty()) {
            co_return text_response(503, why + "\n");
        }
        const std::string remark = pages->remark ? pages->remark() : "";
        co_return text_response(200, remark.empty() ? "ok\n" : "ok, but: " + remark + "\n");
    }
    if (request.path == "/metrics") {
        if (pages->refresh_metrics) {
            co_await pages->refresh_metrics();
        }
        Response response = text_response(200, registry.text());
        response.content_type = metrics::kContentType;
        co_return response;
    }
    const auto page = pages->more.find(request.path);
    if (page != pages->more.end()) {
        co_return page->second(request);
    }
    co_return text_response(404, list_of(*pages));
}

}  // namespace

http_server::Handler web_handler(Pages pages, metrics::Registry& registry) {
    auto shared = std::make_shared<const Pages>(std::move(pages));
    return [shared, &registry](Request request) {
        return answer(std::move(request), shared, registry);
    };
}

Result<std::unique_ptr<http_server::Server>> listen(
    const asio::any_io_executor& executor,
    const std::string& address,
    std::uint16_t port,
    const http_server::Handler& handler
) {
    http_server::ServerConfig config;
    config.port = port;
    config.listen_address = address.empty() ? "::" : address;
    auto server = http_server::Server::listen(executor, config, handler);
    if (!server && address.empty()) {
        config.listen_address = "0.0.0.0";
        return http_server::Server::listen(executor, config, handler);
    }
    return server;
}

}  // namespace steelyard::daemon
