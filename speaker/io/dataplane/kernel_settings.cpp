#include "speaker/io/dataplane/kernel_settings.hpp"

#include <sys/utsname.h>

namespace steelyard::dataplane {

std::optional<proxy::KernelVersion> running_kernel() {
    utsname name{};
    return ::uname(&name) == 0 ? proxy::parse_kernel_version(name.release) : std::nullopt;
}

std::vector<netlink::Sysctl> proxy_settings(std::optional<proxy::KernelVersion> kernel) {
    std::vector<netlink::Sysctl> settings;
    for (const proxy::Sysctl& sysctl : proxy::required_sysctls(kernel)) {
        settings.push_back({sysctl.name, sysctl.value, sysctl.optional});
    }
    return settings;
}

}  // namespace steelyard::dataplane
