#include "speaker/options/kube_proxy_config.hpp"

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

// Any text as kube-proxy's configuration file: lines of one line each; and what it says, written
// out and read again, says the same.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace steelyard::speaker;
    if (size > 1U << 14U) {
        return 0;
    }
    Mistakes mistakes;
    const KubeProxyConfig config =
        read_kube_proxy_config({reinterpret_cast<const char*>(data), size}, mistakes);
    const auto one_line = [](const std::string& line) {
        if (line.find('\n') != std::string::npos) {
            std::abort();
        }
    };
    for (const std::string& mistake : mistakes) {
        one_line(mistake);
    }
    for (const Ignored& ignored : config.ignored) {
        one_line(to_string(ignored));
    }
    Options options;
    if (!mistakes.empty() || !apply_settings(config.settings, options)) {
        return 0;
    }
    const KubeProxyConfig written =
        read_kube_proxy_config(write_kube_proxy_config(options), mistakes);
    Options again;
    if (!mistakes.empty() || !apply_settings(written.settings, again) ||
        again.proxy != options.proxy || again.healthz_bind != options.healthz_bind) {
        std::abort();
    }
    return 0;
}
