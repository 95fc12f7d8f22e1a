#include "speaker/proxy/sysctls.hpp"

#include <charconv>

namespace steelyard::proxy {

std::optional<KernelVersion> parse_kernel_version(std::string_view release) {
    const char* const end = release.data() + release.size();
    KernelVersion version;
    const auto [dot, error] = std::from_chars(release.data(), end, version.major);
    if (error != std::errc() || dot == end || *dot != '.') {
        return std::nullopt;
    }
    if (std::from_chars(dot + 1, end, version.minor).ec != std::errc()) {
        return std::nullopt;
    }
    return version;
}

std::vector<Sysctl> required_sysctls(std::optional<KernelVersion> kernel) {
    std::vector<Sysctl> sysctls = {
        // Masquerading and rules on the state of a connection need it.
        {"net/ipv4/vs/conntrack", "1"},
        // A connection to a real server that is gone ends at its next packet instead of vanishing.
        {"net/ipv4/vs/expire_nodest_conn", "1"},
        // Affinity does not hold on to a draining pod.
        {"net/ipv4/vs/expire_quiescent_template", "1"},
        {"net/ipv4/ip_forward", "1"},
        // A node without IPv6 has no such file.
        {"net/ipv6/conf/all/forwarding", "1", true},
        // strictARP, always: virtual addresses sit on a local device, and only the speaker decides
        // which node answers for them.
        {"net/ipv4/conf/all/arp_ignore", "1"},
        {"net/ipv4/conf/all/arp_announce", "2"},
    };
    // Before 5.9 a client that used a source port again lost its first packet; 0 avoids that.
    // Later kernels do right with their own default, whatever it is.
    if (kernel && *kernel >= KernelVersion{4, 1} && *kernel < KernelVersion{5, 9}) {
        sysctls.push_back({"net/ipv4/vs/conn_reuse_mode", "0", true});
    }
    return sysctls;
}

}  // namespace steelyard::proxy
