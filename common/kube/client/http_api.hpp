#pragma once

#include "common/kube/client/api.hpp"
#include "common/kube/client/config.hpp"

#include <memory>

// The real KubeApi: HTTP/1.1 over TLS (or plain, for tests). One-shot calls reuse kept-alive
// connections, each stream has its own, so a watch never delays a write. Tokens and certificates
// are read again when their files change.
namespace steelyard::kube {

class HttpKubeApi final : public KubeApi {
public:
    // Fails when a certificate, key or token of `config` cannot be read.
    static Result<std::unique_ptr<HttpKubeApi>> make(ClientConfig config);
    ~HttpKubeApi() override;

    awaitable<Result<nlohmann::json>> get(ObjectRef ref) override;
    awaitable<Result<nlohmann::json>> list(Collection collection) override;
    awaitable<Result<nlohmann::json>> create(ResourceType type, nlohmann::json object) override;
    awaitable<Result<nlohmann::json>> update(ObjectRef ref, nlohmann::json object) override;
    awaitable<Result<nlohmann::json>> patch(ObjectRef ref, PatchType type, nlohmann::json patch)
        override;
    awaitable<Result<nlohmann::json>> remove(ObjectRef ref, nlohmann::json preconditions) override;
    awaitable<Result<>> create_only(ResourceType type, nlohmann::json object) override;
    awaitable<Result<>> patch_only(ObjectRef ref, PatchType type, nlohmann::json patch) override;
    awaitable<Result<StreamResponse>> stream(std::string target) override;

private:
    struct Impl;
    explicit HttpKubeApi(std::unique_ptr<Impl> impl);
    std::unique_ptr<Impl> impl_;
};

}  // namespace steelyard::kube
