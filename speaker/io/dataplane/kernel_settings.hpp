#pragma once

#include "speaker/io/netlink/sysctl.hpp"
#include "speaker/proxy/sysctls.hpp"

#include <optional>
#include <vector>

// The kernel that runs, and what the proxy's packet path needs of it.
namespace steelyard::dataplane {

[[nodiscard]] std::optional<proxy::KernelVersion> running_kernel();

[[nodiscard]] std::vector<netlink::Sysctl> proxy_settings(std::optional<proxy::KernelVersion> kernel
);

}  // namespace steelyard::dataplane
