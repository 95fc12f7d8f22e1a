#include "e2e/apiserver/admission/match.hpp"

#include "e2e/apiserver/storage/selector.hpp"

#include <algorithm>

namespace steelyard::apiserver {

namespace {

bool names(const Json& list, const std::string& wanted) {
    return std::any_of(list.begin(), list.end(), [&](const Json& entry) {
        return entry == wanted || entry == "*";
    });
}

// "*" is every resource without its subresources, "x/*" x with all of them, "*/y" y of any.
bool names_resource(const Json& list, const AdmissionAttributes& attributes) {
    return std::any_of(list.begin(), list.end(), [&](const Json& entry) {
        const std::string text = entry.is_string() ? entry.get<std::string>() : std::string{};
        const std::size_t slash = text.find('/');
        const std::string resource = text.substr(0, slash);
        const std::string sub = slash == std::string::npos ? std::string{} : text.substr(slash + 1);
        return (resource == "*" || resource == attributes.kind->plural) &&
               (sub == "*" || sub == attributes.subresource);
    });
}

bool rule_matches(
    const Json& rule, const AdmissionAttributes& attributes, const std::string& version
) {
    const std::string scope = text_at(rule, "scope");
    const bool in_scope =
        scope.empty() || scope == "*" || (scope == "Namespaced") == attributes.kind->namespaced;
    return in_scope && names(array_at(rule, "operations"), attributes.operation) &&
           names(array_at(rule, "apiGroups"), attributes.kind->group) &&
           names(array_at(rule, "apiVersions"), version) &&
           names_resource(array_at(rule, "resources"), attributes);
}

bool any_rule(
    const Json& webhook, const AdmissionAttributes& attributes, const std::string& version
) {
    const Json& rules = array_at(webhook, "rules");
    return std::any_of(rules.begin(), rules.end(), [&](const Json& rule) {
        return rule_matches(rule, attributes, version);
    });
}

// Objects outside namespaces always match, but for namespaces themselves.
bool namespace_matches(
    const Json& selector, const AdmissionAttributes& attributes, const Store& store
) {
    if (selector.empty()) {
        return true;
    }
    if (attributes.kind->resource() == "namespaces.") {
        const Json& own = attributes.object.is_null() ? attributes.old_object : attributes.object;
        return matches_labels(selector, own);
    }
    if (!attributes.kind->namespaced) {
        return true;
    }
    const Object ns = store.get("namespaces.", object_key("", attributes.ns));
    return ns != nullptr && matches_labels(selector, *ns);
}

bool object_matches(const Json& selector, const AdmissionAttributes& attributes) {
    if (selector.empty()) {
        return true;
    }
    return (!attributes.object.is_null() && matches_labels(selector, attributes.object)) ||
           (!attributes.old_object.is_null() && matches_labels(selector, attributes.old_object));
}

}  // namespace

std::optional<std::string> matched_version(
    const Json& webhook, const AdmissionAttributes& attributes, const Store& store
) {
    std::optional<std::string> version;
    if (any_rule(webhook, attributes, attributes.version)) {
        version = attributes.version;
    } else if (text_at(webhook, "matchPolicy") != "Exact") {
        for (const KindVersion& other : attributes.kind->versions) {
            if (other.served && any_rule(webhook, attributes, other.name)) {
                version = other.name;
                break;
            }
        }
    }
    const bool selected =
        version && namespace_matches(object_at(webhook, "namespaceSelector"), attributes, store) &&
        object_matches(object_at(webhook, "objectSelector"), attributes);
    return selected ? version : std::nullopt;
}

}  // namespace steelyard::apiserver
