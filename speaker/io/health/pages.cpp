#include "speaker/io/health/pages.hpp"

#include <memory>
#include <utility>

namespace steelyard::io_health {
namespace {

using http_server::Request;
using http_server::Response;

Response plain(unsigned status, std::string body) {
    Response response = http_server::text_response(status, std::move(body));
    response.headers = {{"Server", kServerName}, {"X-Content-Type-Options", "nosniff"}};
    return response;
}

bool is_read(const Request& request) {
    return request.method == "GET" || request.method == "HEAD";
}

Response only_get() {
    return plain(405, "only GET is answered here\n");
}

Response health_page(const HealthPages& pages, const Request& request) {
    if (!is_read(request)) {
        return only_get();
    }
    const bool healthz = request.path == "/healthz";
    if (!healthz && request.path != "/livez") {
        return plain(404, "there are /healthz, /livez\n");
    }
    Response response = to_http(healthz ? pages.healthz() : pages.livez());
    const auto& count = healthz ? pages.on_healthz : pages.on_livez;
    if (count) {
        count(response.status);
    }
    return response;
}

awaitable<Response> answer_health(Request request, std::shared_ptr<const HealthPages> pages) {
    co_return health_page(*pages, request);
}

std::string list_of(const MetricsPages& pages) {
    std::string text = "there are /healthz, /metrics, /proxyMode";
    text += pages.configz ? ", /configz" : "";
    text += pages.flagz ? ", /flagz" : "";
    return text + "\n";
}

Response metrics_page(const MetricsPages& pages, const std::string& path) {
    if (path == "/healthz") {
        return plain(200, "ok");
    }
    if (path == "/proxyMode") {
        return plain(200, "ipvs");
    }
    if (path == "/configz" && pages.configz) {
        Response response = plain(200, pages.configz());
        response.content_type = "application/json";
        return response;
    }
    if (path == "/flagz" && pages.flagz) {
        return plain(200, pages.flagz());
    }
    return plain(404, list_of(pages));
}

awaitable<Response> answer_metrics(
    Request request, std::shared_ptr<const MetricsPages> pages, metrics::Registry& registry
) {
    if (!is_read(request)) {
        co_return only_get();
    }
    if (request.path != "/metrics") {
        co_return metrics_page(*pages, request.path);
    }
    if (pages->refresh) {
        co_await pages->refresh();
    }
    Response response = plain(200, registry.text());
    response.content_type = metrics::kContentType;
    co_return response;
}

}  // namespace

Response to_http(health::Response response) {
    Response result;
    result.status = response.status;
    result.content_type = std::move(response.content_type);
    result.headers = std::move(response.headers);
    result.headers.emplace_back("Server", kServerName);
    result.body = std::move(response.body);
    return result;
}

http_server::Handler health_handler(HealthPages pages) {
    auto shared = std::make_shared<const HealthPages>(std::move(pages));
    return [shared](Request request) {
        return answer_health(std::move(request), shared);
    };
}

http_server::Handler metrics_handler(MetricsPages pages, metrics::Registry& registry) {
    auto shared = std::make_shared<const MetricsPages>(std::move(pages));
    return [shared, &registry](Request request) {
        return answer_metrics(std::move(request), shared, registry);
    };
}

}  // namespace steelyard::io_health
