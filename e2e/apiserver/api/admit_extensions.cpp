#include "e2e/apiserver/api/admit.hpp"

#include <set>

// Defaults and checks of the kinds that extend the API server: CustomResourceDefinitions and
// admission webhooks. What both have in common is the clientConfig of a webhook.
namespace steelyard::apiserver {

namespace {

void set_default(Json& object, const char* field, Json value) {
    if (!object.contains(field) || object[field].is_null()) {
        object[field] = std::move(value);
    }
}

FieldError required(std::string path, const std::string& detail = {}) {
    return {
        std::move(path),
        "FieldValueRequired",
        detail.empty() ? "Required value" : "Required value: " + detail};
}

FieldError wrong(const std::string& path, const Json& value, const std::string& why) {
    return {path, "FieldValueInvalid", "Invalid value: " + dump(value) + ": " + why};
}

FieldError unsupported(const std::string& path, const std::string& value, const char* accepted) {
    return {
        path,
        "FieldValueNotSupported",
        "Unsupported value: \"" + value + "\": supported values: " + accepted};
}

void default_client_config(Json& config) {
    Json* service = find(config, "service");
    if (service != nullptr && service->is_object()) {
        set_default(*service, "port", 443);
    }
}

void validate_client_config(const Json& config, const std::string& path, FieldErrors& errors) {
    const std::string url = text_at(config, "url");
    const Json* service = find(config, "service");
    if (url.empty() == (service == nullptr)) {
        errors.push_back(required(path, "exactly one of url or service is required"));
        return;
    }
    if (service == nullptr) {
        if (!url.starts_with("https://")) {
            errors.push_back(wrong(
                path + ".url",
                url,
                "'https' is the only allowed URL scheme; desired format: "
                "https://host[/path]"
            ));
        }
        return;
    }
    for (const char* field : {"name", "namespace"}) {
        if (text_at(*service, field).empty()) {
            errors.push_back(required(
                path + ".service." + field, std::string("service ") + field + " is required"
            ));
        }
    }
    const std::int64_t port = integer_at(*service, "port").value_or(443);
    if (port < 1 || port > 65535) {
        errors.push_back(wrong(
            path + ".service.port",
            Json(port),
            "port is not valid: must be between 1 and 65535, inclusive"
        ));
    }
    const std::string at = text_at(*service, "path");
    if (!at.empty() && !at.starts_with('/')) {
        errors.push_back(
            wrong(path + ".service.path", at, "must start with a '/'; desired format: /path")
        );
    }
}

void validate_conversion(const Json& conversion, FieldErrors& errors) {
    const std::string strategy = text_at(conversion, "strategy");
    const Json* webhook = find(conversion, "webhook");
    if (strategy == "None") {
        if (webhook != nullptr && !webhook->is_null()) {
            errors.push_back(
                {"spec.conversion.webhook",
                 "FieldValueForbidden",
                 "Forbidden: should not be set when strategy is not set to Webhook"}
            );
        }
        return;
    }
    if (strategy != "Webhook") {
        errors.push_back(unsupported("spec.conversion.strategy", strategy, R"("None", "Webhook")"));
        return;
    }
    const std::string path = "spec.conversion.webhook";
    if (webhook == nullptr || find(*webhook, "clientConfig") == nullptr) {
        errors.push_back(
            required(path + ".clientConfig", "required when strategy is set to Webhook")
        );
        return;
    }
    validate_client_config(*find(*webhook, "clientConfig"), path + ".clientConfig", errors);
    if (array_at(*webhook, "conversionReviewVersions").empty()) {
        errors.push_back(required(path + ".conversionReviewVersions"));
    }
}

void default_definition(Json& crd) {
    Json& spec = crd["spec"];
    Json& names = spec["names"];
    std::string singular = text_at(names, "kind");
    for (char& c : singular) {
        c = c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
    }
    set_default(names, "singular", singular);
    set_default(names, "listKind", text_at(names, "kind") + "List");
    set_default(spec, "conversion", Json{{"strategy", "None"}});
    Json& conversion = spec["conversion"];
    set_default(conversion, "strategy", "None");
    if (Json* config = find(conversion, "webhook.clientConfig")) {
        default_client_config(*config);
    }
}

FieldErrors validate_definition(const Json& crd) {
    FieldErrors errors;
    for (const char* path : {"spec.group", "spec.names.plural", "spec.names.kind", "spec.scope"}) {
        if (text_at(crd, path).empty()) {
            errors.push_back(required(path));
        }
    }
    const std::string want = text_at(crd, "spec.names.plural") + "." + text_at(crd, "spec.group");
    if (text_at(crd, "metadata.name") != want) {
        errors.push_back(
            {"metadata.name",
             "FieldValueInvalid",
             "Invalid value: \"" + text_at(crd, "metadata.name") +
                 "\": must be spec.names.plural+\".\"+spec.group"}
        );
    }
    std::size_t stored = 0;
    const Json& versions = array_at(crd, "spec.versions");
    for (std::size_t i = 0; i < versions.size(); ++i) {
        stored += true_at(versions[i], "storage") ? 1U : 0U;
        if (find(versions[i], "schema.openAPIV3Schema") == nullptr) {
            errors.push_back(required(
                "spec.versions[" + std::to_string(i) + "].schema.openAPIV3Schema",
                "schemas are required"
            ));
        }
    }
    validate_conversion(object_at(crd, "spec.conversion"), errors);
    if (stored != 1) {
        errors.push_back(
            {"spec.versions",
             "FieldValueInvalid",
             "Invalid value: must have exactly one version marked as storage version"}
        );
    }
    return errors;
}

void default_webhook(Json& webhook) {
    set_default(webhook, "failurePolicy", "Fail");
    set_default(webhook, "matchPolicy", "Equivalent");
    set_default(webhook, "namespaceSelector", Json::object());
    set_default(webhook, "objectSelector", Json::object());
    set_default(webhook, "timeoutSeconds", 10);
    if (Json* config = find(webhook, "clientConfig")) {
        default_client_config(*config);
    }
    if (Json* rules = find(webhook, "rules"); rules != nullptr && rules->is_array()) {
        for (Json& rule : *rules) {
            if (rule.is_object()) {
                set_default(rule, "scope", "*");
            }
        }
    }
}

void validate_rules(const Json& webhook, const std::string& path, FieldErrors& errors) {
    const Json& rules = array_at(webhook, "rules");
    for (std::size_t i = 0; i < rules.size(); ++i) {
        const std::string at = path + ".rules[" + std::to_string(i) + "]";
        for (const char* field : {"operations", "apiGroups", "apiVersions", "resources"}) {
            if (array_at(rules[i], field).empty()) {
                errors.push_back(required(at + "." + field));
            }
        }
        const std::string scope = text_at(rules[i], "scope");
        if (scope != "*" && scope != "Cluster" && scope != "Namespaced") {
            errors.push_back(unsupported(at + ".scope", scope, R"("*", "Cluster", "Namespaced")"));
        }
    }
}

void validate_webhook(const Json& webhook, const std::string& path, FieldErrors& errors) {
    const std::string name = text_at(webhook, "name");
    if (split(name, '.').size() < 3) {
        errors.push_back(wrong(
            path + ".name",
            name,
            "should be a domain with at least three segments separated by dots"
        ));
    }
    const Json* config = find(webhook, "clientConfig");
    validate_client_config(
        config == nullptr ? Json::object() : *config, path + ".clientConfig", errors
    );
    const std::string effects = text_at(webhook, "sideEffects");
    if (effects.empty()) {
        errors.push_back(required(path + ".sideEffects", "must specify one of None, NoneOnDryRun"));
    } else if (effects != "None" && effects != "NoneOnDryRun") {
        errors.push_back(unsupported(path + ".sideEffects", effects, R"("None", "NoneOnDryRun")"));
    }
    if (array_at(webhook, "admissionReviewVersions").empty()) {
        errors.push_back(
            required(path + ".admissionReviewVersions", "must specify one of v1, v1beta1")
        );
    }
    const std::int64_t timeout = integer_at(webhook, "timeoutSeconds").value_or(0);
    if (timeout < 1 || timeout > 30) {
        errors.push_back(wrong(
            path + ".timeoutSeconds",
            Json(timeout),
            "the timeout value must be between 1 and 30 seconds"
        ));
    }
    const std::string policy = text_at(webhook, "failurePolicy");
    if (policy != "Fail" && policy != "Ignore") {
        errors.push_back(unsupported(path + ".failurePolicy", policy, R"("Fail", "Ignore")"));
    }
    const std::string match = text_at(webhook, "matchPolicy");
    if (match != "Exact" && match != "Equivalent") {
        errors.push_back(unsupported(path + ".matchPolicy", match, R"("Equivalent", "Exact")"));
    }
    validate_rules(webhook, path, errors);
}

}  // namespace

FieldErrors admit_definition(Json& definition) {
    const Json* names = find(definition, "spec.names");
    if (names == nullptr || !names->is_object()) {
        return {required("spec.names")};
    }
    default_definition(definition);
    return validate_definition(definition);
}

FieldErrors admit_webhook_configuration(Json& configuration) {
    FieldErrors errors;
    Json* webhooks = find(configuration, "webhooks");
    if (webhooks == nullptr || !webhooks->is_array()) {
        return errors;
    }
    std::set<std::string> names;
    for (std::size_t i = 0; i < webhooks->size(); ++i) {
        Json& webhook = (*webhooks)[i];
        const std::string path = "webhooks[" + std::to_string(i) + "]";
        if (!webhook.is_object()) {
            errors.push_back(wrong(path, webhook, "want an object"));
            continue;
        }
        default_webhook(webhook);
        validate_webhook(webhook, path, errors);
        const std::string name = text_at(webhook, "name");
        if (!names.insert(name).second) {
            errors.push_back(
                {path + ".name", "FieldValueDuplicate", "Duplicate value: \"" + name + "\""}
            );
        }
    }
    return errors;
}

}  // namespace steelyard::apiserver
