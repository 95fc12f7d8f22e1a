#pragma once

#include "common/daemon/flags.hpp"
#include "common/kube/lease/timings.hpp"
#include "controller/plan/planner.hpp"

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

// What the controller is told on its command line and in its environment: MetalLB's names and
// defaults. A flag wins over its variable. Nothing here reads a file or the environment by itself.
namespace steelyard::controller {

// Whether this replica answers the API server's questions about configuration, and whether it does
// anything else.
enum class WebhookMode { Enabled, Disabled, OnlyWebhook };

struct ElectionOptions {
    bool enabled = true;  // false: the only replica
    std::string lease = "steelyard-controller";
    // Shorter than client-go's: a leader that died is replaced within 15 s, lists included, and
    // safety does not rest on the Lease.
    kube::ElectionTimings timings{
        std::chrono::seconds(12), std::chrono::seconds(8), std::chrono::seconds(2)};
};

struct WebhookOptions {
    WebhookMode mode = WebhookMode::Enabled;
    std::uint16_t port = 9443;
    std::string service = "metallb-webhook-service";  // the certificate is made out to its name
    std::string secret = "metallb-webhook-cert";      // where the replicas share it
    // tls.crt and tls.key, read when rotate is false.
    std::string certificates = "/tmp/k8s-webhook-server/serving-certs";
    bool rotate = true;  // false: somebody else looks after certificate and caBundle
};

struct Options {
    std::string ns;          // where the metallb.io objects live; "": that of our own pod
    std::string kubeconfig;  // "": in-cluster configuration
    std::string log_level = "info";
    std::string load_balancer_class;  // "": Services without a class
    controller_plan::IpMode ip_mode = controller_plan::IpMode::Keep;
    std::uint16_t metrics_port = 9120;   // 0: off
    std::uint16_t health_port = 17472;   // 0: off
    std::string pod_name;                // what the Lease calls this replica, with something random
    std::string memberlist_secret_name;  // "": make no Secret
    std::string deployment;              // owner of that Secret; "": none
    ElectionOptions election;
    WebhookOptions webhook;
    std::vector<std::string> ignored;  // flags taken for the sake of existing manifests
};

// What parsing came to: options to run with, or text to print and leave with.
struct Parsed {
    std::optional<Options> options;
    std::string output;  // help or version (exit 0), or one line of error (exit 2)
    int exit_status = 0;
};

using daemon::Environment;

[[nodiscard]] Parsed parse_options(
    const std::vector<std::string>& arguments, Environment environment
);

}  // namespace steelyard::controller
