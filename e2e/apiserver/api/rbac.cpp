#include "e2e/apiserver/api/rbac.hpp"

#include "e2e/apiserver/storage/selector.hpp"

#include <algorithm>

namespace steelyard::apiserver {

namespace {

constexpr const char* kRbac = ".rbac.authorization.k8s.io";

bool names(const Json& list, const std::string& wanted) {
    return std::any_of(list.begin(), list.end(), [&](const Json& entry) {
        return entry == wanted || entry == "*";
    });
}

bool names_resource(const Json& list, const std::string& resource) {
    if (names(list, resource)) {
        return true;
    }
    // "*/status" stands for that subresource of everything.
    const std::size_t slash = resource.find('/');
    return slash != std::string::npos && names(list, "*" + resource.substr(slash));
}

bool rule_allows(const Json& rule, const AccessQuestion& question) {
    const Json& only = array_at(rule, "resourceNames");
    return names(array_at(rule, "verbs"), question.verb) &&
           names(array_at(rule, "apiGroups"), question.group) &&
           names_resource(array_at(rule, "resources"), question.resource) &&
           (only.empty() || (!question.name.empty() && names(only, question.name)));
}

bool binds(const Json& binding, const User& user) {
    for (const Json& subject : array_at(binding, "subjects")) {
        const std::string kind = text_at(subject, "kind");
        const std::string name = text_at(subject, "name");
        if (kind == "ServiceAccount") {
            const std::string ns = text_at(subject, "namespace");
            if (user.name == "system:serviceaccount:" + ns + ":" + name) {
                return true;
            }
        } else if (kind == "User" && user.name == name) {
            return true;
        } else if (kind == "Group" &&
                   std::find(user.groups.begin(), user.groups.end(), name) != user.groups.end()) {
            return true;
        }
    }
    return false;
}

bool role_allows(
    const Store& store, const Json& binding, const std::string& ns, const AccessQuestion& question
) {
    const std::string kind = text_at(binding, "roleRef.kind");
    const std::string name = text_at(binding, "roleRef.name");
    if (kind == "ClusterRole" && name == "cluster-admin") {
        return true;
    }
    const Object role = kind == "ClusterRole"
                            ? store.get(std::string("clusterroles") + kRbac, object_key("", name))
                            : store.get(std::string("roles") + kRbac, object_key(ns, name));
    if (role == nullptr) {
        return false;
    }
    const Json& rules = array_at(*role, "rules");
    return std::any_of(rules.begin(), rules.end(), [&](const Json& rule) {
        return rule_allows(rule, question);
    });
}

bool bindings_allow(
    const Store& store,
    const std::string& resource,
    const std::string& ns,
    const User& user,
    const AccessQuestion& question
) {
    for (const Object& binding : store.list(resource + kRbac, ns)) {
        if (binds(*binding, user) && role_allows(store, *binding, ns, question)) {
            return true;
        }
    }
    return false;
}

// The one metadata.name a field selector leaves, "" when it leaves several.
std::string selected_name(const std::string& selector) {
    const auto fields = parse_field_selector(selector);
    if (!fields) {
        return {};
    }
    for (const Requirement& field : *fields) {
        if (field.key == "metadata.name" && field.op == Operator::In && field.values.size() == 1) {
            return field.values.front();
        }
    }
    return {};
}

}  // namespace

AccessQuestion access_question(const std::string& verb, const Route& route, const Query& query) {
    AccessQuestion question;
    question.verb = verb;
    question.group = route.group;
    question.resource =
        route.subresource.empty() ? route.plural : route.plural + "/" + route.subresource;
    question.ns = route.ns;
    question.name = route.name;
    if (question.name.empty() &&
        (verb == "list" || verb == "watch" || verb == "deletecollection")) {
        question.name = selected_name(query_text(query, "fieldSelector"));
    }
    return question;
}

bool allowed(const Store& store, const User& user, const AccessQuestion& question) {
    if (std::find(user.groups.begin(), user.groups.end(), "system:masters") != user.groups.end()) {
        return true;
    }
    if (bindings_allow(store, "clusterrolebindings", "", user, question)) {
        return true;
    }
    return !question.ns.empty() &&
           bindings_allow(store, "rolebindings", question.ns, user, question);
}

std::string denial(const User& user, const AccessQuestion& question) {
    std::string where =
        question.ns.empty() ? " at the cluster scope" : " in the namespace \"" + question.ns + "\"";
    return "User \"" + user.name + "\" cannot " + question.verb + " resource \"" +
           question.resource + "\" in API group \"" + question.group + "\"" + where;
}

}  // namespace steelyard::apiserver
