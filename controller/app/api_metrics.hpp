#pragma once

#include "common/metrics/metrics.hpp"

// The counters that several parts of the controller add to, under MetalLB's names.
namespace steelyard::controller {

[[nodiscard]] inline metrics::CounterFamily& updates_counter(metrics::Registry& registry) {
    return registry.counter(
        "metallb_k8s_client_updates_total", "Changes of Kubernetes objects that were handled."
    );
}

[[nodiscard]] inline metrics::CounterFamily& update_errors_counter(metrics::Registry& registry) {
    return registry.counter(
        "metallb_k8s_client_update_errors_total",
        "Objects that could not be read and writes that failed."
    );
}

}  // namespace steelyard::controller
