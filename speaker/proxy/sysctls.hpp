#pragma once

#include <compare>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

// The kernel settings that the proxy's packet path needs, as kube-proxy sets them: the one list
// for whoever writes them, the data plane at its start and the privileged step before it.
namespace steelyard::proxy {

struct KernelVersion {
    unsigned major = 0;
    unsigned minor = 0;
    friend auto operator<=>(const KernelVersion&, const KernelVersion&) = default;
};
// Of uname's release, as 6.1.0-18-amd64; nullopt when it begins with no version.
[[nodiscard]] std::optional<KernelVersion> parse_kernel_version(std::string_view release);

struct Sysctl {
    std::string name;  // with slashes: net/ipv4/ip_forward
    std::string value;
    bool optional = false;  // some kernels do not have it, and serve all the same
};

[[nodiscard]] std::vector<Sysctl> required_sysctls(std::optional<KernelVersion> kernel);

}  // namespace steelyard::proxy
