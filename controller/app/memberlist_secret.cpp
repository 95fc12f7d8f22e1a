#include "controller/app/memberlist_secret.hpp"

#include "common/base/base64.hpp"
#include "common/rt/sleep.hpp"

#include <openssl/rand.h>

#include <array>

namespace steelyard::controller {
namespace {

using nlohmann::json;

constexpr kube::ResourceType kSecretType{"", "v1", "secrets", "Secret", true};
constexpr kube::ResourceType kDeploymentType{"apps", "v1", "deployments", "Deployment", true};
constexpr Duration kRetryDelay = std::chrono::seconds(5);

bool is_object_with_uid(const json& object) {
    return object.is_object() && object.contains("metadata") &&
           object["metadata"].contains("uid") && object["metadata"].contains("name");
}

// Null when there is none, or it cannot be read: the Secret is worth more than its owner.
awaitable<json> owner_of(kube::KubeApi& api, const log::Logger& logger, MemberlistSecret secret) {
    if (secret.deployment.empty()) {
        co_return json();
    }
    const kube::ObjectKey key{secret.ns, secret.deployment};
    const kube::ObjectRef ref(kDeploymentType, key);
    const auto deployment = co_await api.get(ref);
    if (deployment) {
        co_return *deployment;
    }
    logger.warn(
        "the gossip Secret gets no owner: the Deployment cannot be read",
        {{"deployment", to_string(key)}, {"error", to_string(deployment.error())}}
    );
    co_return json();
}

awaitable<Result<>> try_once(
    kube::KubeApi& api, const log::Logger& logger, MemberlistSecret secret
) {
    const kube::ObjectKey key{secret.ns, secret.name};
    const kube::ObjectRef ref(kSecretType, key);
    const auto existing = co_await api.get(ref);
    if (existing) {
        co_return Result<>{};
    }
    if (!is(existing.error(), Errc::NotFound)) {
        co_return existing.error();
    }
    const json owner = co_await owner_of(api, logger, secret);
    const auto bytes = random_key();
    if (!bytes) {
        co_return bytes.error();
    }
    const json object = secret_object(secret, *bytes, owner);
    const auto created = co_await api.create(kSecretType, object);
    // Somebody else was faster: that Secret is as good.
    if (!created && !is(created.error(), Errc::Conflict)) {
        co_return created.error();
    }
    if (created) {
        logger.info("made the gossip Secret", {{"secret", to_string(key)}});
    }
    co_return Result<>{};
}

}  // namespace

json secret_object(const MemberlistSecret& secret, const std::string& key, const json& deployment) {
    json object = json::object();
    object["apiVersion"] = "v1";
    object["kind"] = "Secret";
    object["type"] = "Opaque";
    object["metadata"]["name"] = secret.name;
    object["metadata"]["namespace"] = secret.ns;
    object["data"]["secretkey"] = encode_base64(key);
    if (is_object_with_uid(deployment)) {
        json owner = json::object();
        owner["apiVersion"] = "apps/v1";
        owner["kind"] = "Deployment";
        owner["name"] = deployment["metadata"]["name"];
        owner["uid"] = deployment["metadata"]["uid"];
        object["metadata"]["ownerReferences"] = json::array();
        object["metadata"]["ownerReferences"].push_back(std::move(owner));
    }
    return object;
}

Result<std::string> random_key() {
    std::array<unsigned char, 128> bytes{};
    if (RAND_bytes(bytes.data(), static_cast<int>(bytes.size())) != 1) {
        return make_error(Errc::Internal, "the system gives no random bytes for the gossip key");
    }
    return encode_base64(std::string(bytes.begin(), bytes.end()));
}

awaitable<void> ensure_memberlist_secret(
    kube::KubeApi& api, log::Logger logger, MemberlistSecret secret
) {
    for (;;) {
        const Result<> result = co_await try_once(api, logger, secret);
        if (result) {
            co_return;
        }
        logger.warn(
            "the gossip Secret could not be made, will retry",
            {{"secret", secret.ns + "/" + secret.name}, {"error", to_string(result.error())}}
        );
        co_await rt::sleep_for(kRetryDelay);
    }
}

}  // namespace steelyard::controller
