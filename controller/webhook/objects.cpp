#include "controller/webhook/objects.hpp"

#include "common/base/base64.hpp"

#include <array>
#include <utility>

namespace steelyard::webhook {
namespace {

using nlohmann::json;

constexpr std::array kSecretKeys = {
    "ca.crt", "ca.key", "tls.crt", "tls.key", "next-ca.crt", "next-ca.key", "former-tls.crt"};

const json& member(const json& object, const char* name) {
    static const json kNull;
    if (!object.is_object()) {
        return kNull;
    }
    const auto found = object.find(name);
    return found == object.end() ? kNull : *found;
}

std::string text_of(const json& object, const char* name) {
    const json& value = member(object, name);
    return value.is_string() ? value.get<std::string>() : std::string();
}

// What is no base 64 reads as empty: it is as good as missing.
std::string bytes_of(const json& object, const char* name) {
    return decode_base64(text_of(object, name)).value_or(std::string());
}

Result<kube::ObjectMeta> meta_of(const json& object) {
    const json& metadata = member(object, "metadata");
    kube::ObjectMeta meta;
    meta.key = {text_of(metadata, "namespace"), text_of(metadata, "name")};
    meta.resource_version = text_of(metadata, "resourceVersion");
    if (meta.key.name.empty()) {
        return make_error(Errc::Invalid, "an object without metadata.name");
    }
    return meta;
}

// nullopt for a webhook that is called by URL.
std::optional<Caller> caller_of(const std::string& name, const json& client_config) {
    const json& service = member(client_config, "service");
    if (!service.is_object()) {
        return std::nullopt;
    }
    Caller caller;
    caller.name = name;
    caller.service = {text_of(service, "namespace"), text_of(service, "name")};
    caller.ca_bundle = bytes_of(client_config, "caBundle");
    return caller;
}

template <class T>
json identity_of(const kube::ObjectMeta& meta) {
    const kube::ResourceType& type = kube::Resource<T>::kType;
    json object = json::object();
    object["apiVersion"] =
        (type.group.empty() ? "" : std::string(type.group) + "/") + std::string(type.version);
    object["kind"] = type.kind;
    object["metadata"]["name"] = meta.key.name;
    return object;
}

}  // namespace

json new_secret(const kube::ObjectKey& key, const certs::Bundle& bundle) {
    kube::ObjectMeta meta;
    meta.key = key;
    json object = identity_of<CertificateSecret>(meta);
    object["metadata"]["namespace"] = key.ns;
    object["type"] = "Opaque";
    for (const auto& [name, value] : certs::to_secret(bundle)) {
        object["data"][name] = encode_base64(value);
    }
    return object;
}

json secret_patch(const CertificateSecret& secret, const certs::Bundle& bundle) {
    json patch = json::object();
    patch["metadata"]["resourceVersion"] = secret.meta.resource_version;
    const certs::SecretData data = certs::to_secret(bundle);
    for (const char* name : kSecretKeys) {
        const auto found = data.find(name);
        if (found != data.end()) {
            patch["data"][name] = encode_base64(found->second);
        } else if (secret.data.contains(name)) {
            patch["data"][name] = nullptr;
        }
    }
    return patch;
}

std::optional<json> authority_patch(
    const WebhookConfiguration& object, const kube::ObjectKey& service, const std::string& authority
) {
    json list = json::array();
    bool differs = false;
    for (const Caller& caller : object.callers) {
        if (caller.service == service) {
            json entry = json::object();
            entry["name"] = caller.name;
            entry["clientConfig"]["caBundle"] = encode_base64(authority);
            list.push_back(std::move(entry));
            differs = differs || caller.ca_bundle != authority;
        }
    }
    if (!differs) {
        return std::nullopt;
    }
    json patch = identity_of<WebhookConfiguration>(object.meta);
    patch["webhooks"] = std::move(list);
    return patch;
}

std::optional<json> authority_patch(
    const CustomResource& object, const kube::ObjectKey& service, const std::string& authority
) {
    if (!object.converter || object.converter->service != service ||
        object.converter->ca_bundle == authority) {
        return std::nullopt;
    }
    json patch = identity_of<CustomResource>(object.meta);
    patch["spec"]["conversion"]["webhook"]["clientConfig"]["caBundle"] = encode_base64(authority);
    return patch;
}

Result<CertificateSecret> decode_certificate_secret(const json& object) {
    auto meta = meta_of(object);
    if (!meta) {
        return meta.error();
    }
    CertificateSecret secret;
    secret.meta = std::move(*meta);
    const json& data = member(object, "data");
    for (const char* name : kSecretKeys) {
        if (!member(data, name).is_null()) {
            secret.data.emplace(name, bytes_of(data, name));
        }
    }
    return secret;
}

Result<WebhookConfiguration> decode_webhook_configuration(const json& object) {
    auto meta = meta_of(object);
    if (!meta) {
        return meta.error();
    }
    WebhookConfiguration configuration;
    configuration.meta = std::move(*meta);
    const json& webhooks = member(object, "webhooks");
    if (webhooks.is_array()) {
        for (const json& webhook : webhooks) {
            if (auto caller =
                    caller_of(text_of(webhook, "name"), member(webhook, "clientConfig"))) {
                configuration.callers.push_back(std::move(*caller));
            }
        }
    }
    return configuration;
}

Result<CustomResource> decode_custom_resource(const json& object) {
    auto meta = meta_of(object);
    if (!meta) {
        return meta.error();
    }
    CustomResource resource;
    resource.meta = std::move(*meta);
    const json& conversion = member(member(object, "spec"), "conversion");
    if (text_of(conversion, "strategy") == "Webhook") {
        resource.converter = caller_of("", member(member(conversion, "webhook"), "clientConfig"));
    }
    return resource;
}

}  // namespace steelyard::webhook
