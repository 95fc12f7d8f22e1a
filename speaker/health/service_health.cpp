#include "speaker/health/service_health.hpp"

namespace steelyard::health {
namespace {

// Names of Kubernetes objects have nothing to escape; a body stays JSON whatever they are.
std::string quoted(const std::string& text) {
    std::string result = "\"";
    for (const char c : text) {
        if (c == '"' || c == '\\') {
            result += '\\';
        }
        const bool control = static_cast<unsigned char>(c) < 0x20;
        result += control ? ' ' : c;
    }
    return result + "\"";
}

}  // namespace

Response respond(const ServiceHealth& health, bool proxy_healthy) {
    const std::string count = std::to_string(health.local_endpoints);
    Response response;
    response.status = health.local_endpoints > 0 && proxy_healthy ? 200 : 503;
    response.content_type = "application/json";
    response.headers = {
        {"X-Content-Type-Options", "nosniff"}, {"X-Load-Balancing-Endpoint-Weight", count}};
    response.body = "{\n\t\"service\": {\n\t\t\"namespace\": " + quoted(health.service.ns);
    response.body += ",\n\t\t\"name\": " + quoted(health.service.name);
    response.body += "\n\t},\n\t\"localEndpoints\": " + count;
    response.body += ",\n\t\"serviceProxyHealthy\": ";
    response.body += proxy_healthy ? "true\n}" : "false\n}";
    return response;
}

}  // namespace steelyard::health
