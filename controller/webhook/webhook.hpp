#pragma once

#include "common/kube/client/api.hpp"
#include "common/log/log.hpp"
#include "common/rt/task_group.hpp"
#include "controller/admission/snapshot.hpp"
#include "controller/certs/bundle.hpp"

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

// The admission and conversion webhook, on every replica: HTTPS with the certificate of a Secret.
// Each replica reads the Secret and serves; the leader makes and renews its content and keeps the
// caBundle of the ValidatingWebhookConfiguration and of the CustomResourceDefinition equal to it.
// With disable_cert_rotation the certificate comes from files and nothing is written anywhere.
// Paths: /validate and MetalLB's /validate-metallb-io-..., /convert.
namespace steelyard::webhook {

struct Options {
    std::string listen_address;  // numeric; "": every address, of both families where there are two
    std::uint16_t port = 9443;   // 0: any free one
    std::string ns = "metallb-system";
    std::string secret = "metallb-webhook-cert";
    std::string service = "metallb-webhook-service";
    std::string webhook_configuration = "metallb-webhook-configuration";
    std::string crd = "bgppeers.metallb.io";
    bool disable_cert_rotation = false;
    std::string cert_dir = "/tmp/k8s-webhook-server/serving-certs";  // tls.crt and tls.key
    certs::Policy policy;
    std::uint64_t seed = 1;  // of the watches' backoff
};

// Null while the configuration is not known yet.
using SnapshotSource = std::function<std::shared_ptr<const admission::Snapshot>()>;

class Webhook {
public:
    // Everything referred to outlives the tasks, and so does this object.
    Webhook(
        const asio::any_io_executor& executor,
        kube::KubeApi& api,
        log::Logger logger,
        Options options,
        SnapshotSource snapshot,
        std::function<WallTime()> wall_clock
    );
    Webhook(const Webhook&) = delete;
    Webhook& operator=(const Webhook&) = delete;
    ~Webhook();

    void start(rt::TaskGroup& tasks);
    // Whether this replica renews the certificate and publishes the caBundle; false at first.
    void set_leading(bool leading);
    // Looks at the clock now, rather than when the next renewal is due.
    void check_certificate();
    // Why nobody is served yet, in one line; "" when calls are answered.
    [[nodiscard]] std::string not_ready() const;
    [[nodiscard]] std::uint16_t port() const;  // 0 until it listens

private:
    class Impl;
    std::unique_ptr<Impl> impl_;
};

}  // namespace steelyard::webhook
