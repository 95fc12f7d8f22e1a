#pragma once

#include <map>
#include <optional>
#include <string>

// Where a request goes: /api/v1/namespaces/default/services/web/status and the like, and the verb
// it stands for, as authorization names it.
namespace steelyard::apiserver {

using Query = std::multimap<std::string, std::string>;

struct Route {
    std::string group;
    std::string version;
    std::string ns;
    std::string plural;
    std::string name;
    std::string subresource;
};

// Nothing when the path does not lead to a resource.
[[nodiscard]] std::optional<Route> parse_route(const std::string& path);
// "get", "list", "watch", "create", "update", "patch", "delete", "deletecollection"; empty for a
// method the API does not know.
[[nodiscard]] std::string verb_of(
    const std::string& method, const Route& route, const Query& query
);
[[nodiscard]] std::string query_text(const Query& query, const std::string& name);
[[nodiscard]] bool query_true(const Query& query, const std::string& name);

}  // namespace steelyard::apiserver
