#pragma once

#include "common/rt/asio.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

// Finds a kube-proxy that runs on this node: two of them would undo each other's work. From a pod
// its process is not visible, but on the host's network its metrics port is, and that answers
// /proxyMode like nobody else's, but for a Steelyard in its place, which says who it is. One whose
// metrics address was moved off the loopback addresses or switched off is not found.
namespace steelyard::speaker {

inline constexpr std::uint16_t kKubeProxyMetricsPort = 10249;
inline constexpr std::string_view kOurServerName = "steelyard";  // as io/health/pages.hpp sends it

// The mode a kube-proxy on 127.0.0.1 or [::1] says it runs in, "ipvs" for one; within 4 s.
[[nodiscard]] awaitable<std::optional<std::string>> running_kube_proxy(
    std::uint16_t metrics_port = kKubeProxyMetricsPort
);

}  // namespace steelyard::speaker
