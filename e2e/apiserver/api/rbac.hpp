#pragma once

#include "e2e/apiserver/api/api.hpp"

// Role-based access control as Kubernetes means it: what the stored Roles and ClusterRoles grant
// through their bindings. The group system:masters may do everything.
namespace steelyard::apiserver {

struct AccessQuestion {
    std::string verb;
    std::string group;
    std::string resource;  // with its subresource: "services/status"
    std::string ns;
    std::string name;
};

// A list, watch or deletecollection that a field selector narrows to one metadata.name asks for
// that name, so that resourceNames can grant it.
[[nodiscard]] AccessQuestion access_question(
    const std::string& verb, const Route& route, const Query& query
);
[[nodiscard]] bool allowed(const Store& store, const User& user, const AccessQuestion& question);
// The sentence of a 403, without its subject.
[[nodiscard]] std::string denial(const User& user, const AccessQuestion& question);

}  // namespace steelyard::apiserver
