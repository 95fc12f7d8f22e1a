#pragma once

#include "common/kube/model/meta.hpp"
#include "speaker/health/response.hpp"

#include <cstddef>
#include <cstdint>

// What a Service's healthCheckNodePort answers: whether an external load balancer should send this
// node traffic for it. The answer is kube-proxy's to the byte, since load balancers and people's
// checks read it: any path, any method, a JSON body indented by tabs.
namespace steelyard::health {

struct ServiceHealth {
    kube::ObjectKey service;
    std::uint16_t port = 0;  // healthCheckNodePort
    // Distinct local ready endpoint addresses over all ports; terminating ones don't count.
    std::size_t local_endpoints = 0;
    friend bool operator==(const ServiceHealth&, const ServiceHealth&) = default;
};

// 200 when there is a local endpoint and the proxy keeps up, else 503.
[[nodiscard]] Response respond(const ServiceHealth& health, bool proxy_healthy);

}  // namespace steelyard::health
