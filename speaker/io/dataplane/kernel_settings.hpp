#pragma once

#include "speaker/io/netlink/sysctl.hpp"

#include <compare>
#include <optional>
#include <string_view>
#include <vector>

// The kernel settings that the proxy's packet path needs, as kube-proxy sets them.
namespace steelyard::dataplane {

struct KernelVersion {
    unsigned major = 0;
    unsigned minor = 0;
    friend auto operator<=>(const KernelVersion&, const KernelVersion&) = default;
};
// Of uname's release, as 6.1.0-18-amd64; nullopt when it begins with no version.
[[nodiscard]] std::optional<KernelVersion> parse_kernel_version(std::string_view release);
[[nodiscard]] std::optional<KernelVersion> running_kernel();

[[nodiscard]] std::vector<netlink::Sysctl> proxy_settings(std::optional<KernelVersion> kernel);

}  // namespace steelyard::dataplane
