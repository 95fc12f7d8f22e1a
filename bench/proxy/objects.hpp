#pragma once

#include "speaker/proxy/diff/op.hpp"
#include "speaker/proxy/planner.hpp"

#include <cstdint>
#include <string>
#include <vector>

// The cluster all parts are measured with: ClusterIP Services of one port, each with one
// EndpointSlice, on 500 nodes of which this one is n0.
namespace steelyard::bench {

inline constexpr std::uint32_t kServices = 10'000;
inline constexpr std::uint32_t kEndpoints = 5;

// Endpoint `index` of a Service; no two have the same, up to 16 of each.
struct Place {
    net::IpAddress address;
    std::string node;
};
[[nodiscard]] Place place(std::uint32_t service, std::uint32_t index);
[[nodiscard]] net::IpAddress cluster_ip(std::uint32_t service);

[[nodiscard]] proxy::Context context();
[[nodiscard]] proxy::ServiceRef service(std::uint32_t number);
[[nodiscard]] proxy::SliceRef slice(std::uint32_t number, const std::vector<Place>& endpoints);
// The first kEndpoints places.
[[nodiscard]] std::vector<Place> usual(std::uint32_t service);
// A planner that was told of the first `count`.
void fill(proxy::Planner& planner, std::uint32_t count);
// What makes an empty kernel serve them.
[[nodiscard]] std::vector<proxy::Op> ops_for(std::uint32_t count);

// The same as the API server writes them, managedFields and all.
[[nodiscard]] std::string service_json(std::uint32_t number);
[[nodiscard]] std::string slice_json(
    std::uint32_t number, const std::vector<Place>& endpoints, std::uint64_t version
);

}  // namespace steelyard::bench
