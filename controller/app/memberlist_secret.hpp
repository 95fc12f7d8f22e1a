#pragma once

#include "common/kube/client/api.hpp"
#include "common/log/log.hpp"

#include <nlohmann/json.hpp>

#include <functional>
#include <string>

// The Secret with the key the speakers encrypt their gossip with. Made when it is absent, never
// read or changed: an existing one, MetalLB's too, stays.
namespace steelyard::controller {

struct MemberlistSecret {
    std::string ns;
    std::string name;
    std::string deployment;  // owner, so that removing it removes the Secret; "": none
};

// The Secret as created; `key` is what the file `secretkey` will hold. Without an owner when
// `deployment` is null.
[[nodiscard]] nlohmann::json secret_object(
    const MemberlistSecret& secret, const std::string& key, const nlohmann::json& deployment
);
// 128 bytes from the system's generator, as base64.
[[nodiscard]] Result<std::string> random_key();

// Tries until the Secret exists.
awaitable<void> ensure_memberlist_secret(
    kube::KubeApi& api, log::Logger logger, MemberlistSecret secret
);

}  // namespace steelyard::controller
