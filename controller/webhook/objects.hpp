#pragma once

#include "common/kube/model/resource.hpp"
#include "controller/certs/bundle.hpp"

#include <nlohmann/json.hpp>

#include <optional>
#include <string>
#include <vector>

// The three API objects the webhook lives by, reduced to what it reads, and the patches it writes.
// Pure. Private to this room.
namespace steelyard::webhook {

// The core/v1 Secret with the certificate.
struct CertificateSecret {
    kube::ObjectMeta meta;
    certs::SecretData data;  // decoded; only the keys of certs::to_secret()
    friend bool operator==(const CertificateSecret&, const CertificateSecret&) = default;
};

// Where an object tells API servers to call a Service, and whom to trust there.
struct Caller {
    std::string name;  // of the webhook, "" for a conversion
    kube::ObjectKey service;
    std::string ca_bundle;  // PEM
    friend bool operator==(const Caller&, const Caller&) = default;
};

struct WebhookConfiguration {
    kube::ObjectMeta meta;
    std::vector<Caller> callers;
    friend bool operator==(const WebhookConfiguration&, const WebhookConfiguration&) = default;
};

struct CustomResource {
    kube::ObjectMeta meta;
    std::optional<Caller> converter;
    friend bool operator==(const CustomResource&, const CustomResource&) = default;
};

// The Secret to create, and the patch that makes its content that of the bundle and fails when it
// changed meanwhile.
[[nodiscard]] nlohmann::json new_secret(const kube::ObjectKey& key, const certs::Bundle& bundle);
[[nodiscard]] nlohmann::json secret_patch(
    const CertificateSecret& secret, const certs::Bundle& bundle
);
// For server-side apply: the caBundle of each caller of the Service, and nothing else. nullopt when
// it stands there already, or when nobody calls the Service.
[[nodiscard]] std::optional<nlohmann::json> authority_patch(
    const WebhookConfiguration& object, const kube::ObjectKey& service, const std::string& authority
);
[[nodiscard]] std::optional<nlohmann::json> authority_patch(
    const CustomResource& object, const kube::ObjectKey& service, const std::string& authority
);

[[nodiscard]] Result<CertificateSecret> decode_certificate_secret(const nlohmann::json& object);
[[nodiscard]] Result<WebhookConfiguration> decode_webhook_configuration(const nlohmann::json& object
);
[[nodiscard]] Result<CustomResource> decode_custom_resource(const nlohmann::json& object);

}  // namespace steelyard::webhook

namespace steelyard::kube {

template <>
struct Resource<webhook::CertificateSecret> {
    static constexpr ResourceType kType{"", "v1", "secrets", "Secret", true};
    static Result<webhook::CertificateSecret> decode(const nlohmann::json& object) {
        return webhook::decode_certificate_secret(object);
    }
};
template <>
struct Resource<webhook::WebhookConfiguration> {
    static constexpr ResourceType kType{
        "admissionregistration.k8s.io",
        "v1",
        "validatingwebhookconfigurations",
        "ValidatingWebhookConfiguration",
        false};
    static Result<webhook::WebhookConfiguration> decode(const nlohmann::json& object) {
        return webhook::decode_webhook_configuration(object);
    }
};
template <>
struct Resource<webhook::CustomResource> {
    static constexpr ResourceType kType{
        "apiextensions.k8s.io",
        "v1",
        "customresourcedefinitions",
        "CustomResourceDefinition",
        false};
    static Result<webhook::CustomResource> decode(const nlohmann::json& object) {
        return webhook::decode_custom_resource(object);
    }
};

}  // namespace steelyard::kube
