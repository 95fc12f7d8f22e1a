#include "e2e/apiserver/api/route.hpp"

#include "e2e/apiserver/json/json.hpp"

namespace steelyard::apiserver {

std::optional<Route> parse_route(const std::string& path) {
    std::vector<std::string> parts;
    for (std::string& part : split(path, '/')) {
        if (!part.empty()) {
            parts.push_back(std::move(part));
        }
    }
    Route route;
    std::size_t at = 0;
    if (parts.size() >= 3 && parts[0] == "api") {
        route.version = parts[1];
        at = 2;
    } else if (parts.size() >= 4 && parts[0] == "apis") {
        route.group = parts[1];
        route.version = parts[2];
        at = 3;
    } else {
        return std::nullopt;
    }
    // The long-abandoned /watch/ prefix is not served. "namespaces/x/y" is y in x, but for the
    // namespace's own subresources.
    const std::size_t left = parts.size() - at;
    const bool own_subresource = left == 3 && route.group.empty() &&
                                 (parts[at + 2] == "status" || parts[at + 2] == "finalize");
    if (parts[at] == "namespaces" && left >= 3 && !own_subresource) {
        route.ns = parts[at + 1];
        at += 2;
    }
    route.plural = parts[at++];
    if (at < parts.size()) {
        route.name = parts[at++];
    }
    if (at < parts.size()) {
        route.subresource = parts[at++];
    }
    return at == parts.size() ? std::optional(route) : std::nullopt;
}

std::string verb_of(const std::string& method, const Route& route, const Query& query) {
    const bool collection = route.name.empty();
    if (method == "GET" || method == "HEAD") {
        if (query_true(query, "watch")) {
            return "watch";
        }
        return collection ? "list" : "get";
    }
    if (method == "POST") {
        return "create";
    }
    if (method == "PUT") {
        return "update";
    }
    if (method == "PATCH") {
        return "patch";
    }
    if (method == "DELETE") {
        return collection ? "deletecollection" : "delete";
    }
    return {};
}

std::string query_text(const Query& query, const std::string& name) {
    const auto found = query.find(name);
    return found == query.end() ? std::string{} : found->second;
}

bool query_true(const Query& query, const std::string& name) {
    const std::string text = query_text(query, name);
    return text == "true" || text == "1";
}

}  // namespace steelyard::apiserver
