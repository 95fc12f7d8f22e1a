#include "speaker/options/node_settings.hpp"

#include <algorithm>
#include <charconv>
#include <chrono>
#include <filesystem>
#include <fstream>
#include <optional>
#include <system_error>
#include <utility>

namespace steelyard::speaker {
namespace {

using Rule = NodeSetting::Rule;

constexpr const char* kForwarding6 = "net/ipv6/conf/all/forwarding";
constexpr std::uint64_t kMostConnections = 1048576;  // kube-proxy's limit

std::string sys(const std::string& name) {
    return "/proc/sys/" + name;
}

void add_conntrack(
    const proxy::ConntrackSettings& conntrack, unsigned cores, std::vector<NodeSetting>& settings
) {
    if (conntrack.max_per_core > 0) {
        const std::uint64_t wanted = std::max<std::uint64_t>(
            conntrack.min, std::uint64_t{conntrack.max_per_core} * std::max(cores, 1U)
        );
        const std::uint64_t most = std::min(wanted, kMostConnections);
        // The buckets first, so that the table does not grow into long chains. A node that was
        // given more of them keeps them.
        settings.push_back(
            {"/sys/module/nf_conntrack/parameters/hashsize",
             std::to_string(most / 4),
             Rule::AtLeast,
             false}
        );
        settings.push_back({sys("net/netfilter/nf_conntrack_max"), std::to_string(most)});
    }
    struct Timeout {
        const char* name;
        std::chrono::seconds time;
    };
    for (const Timeout& timeout : {
             Timeout{"tcp_timeout_established", conntrack.tcp_established_timeout},
             Timeout{"tcp_timeout_close_wait", conntrack.tcp_close_wait_timeout},
             Timeout{"udp_timeout", conntrack.udp_timeout},
             Timeout{"udp_timeout_stream", conntrack.udp_stream_timeout},
         }) {
        if (timeout.time.count() > 0) {
            settings.push_back(
                {sys(std::string("net/netfilter/nf_conntrack_") + timeout.name),
                 std::to_string(timeout.time.count())}
            );
        }
    }
    if (conntrack.tcp_be_liberal) {
        settings.push_back({sys("net/netfilter/nf_conntrack_tcp_be_liberal"), "1"});
    }
}

std::optional<std::uint64_t> number(const std::string& text) {
    std::uint64_t value = 0;
    const char* const end = text.data() + text.size();
    const auto [rest, error] = std::from_chars(text.data(), end, value);
    return error == std::errc() && rest == end ? std::optional(value) : std::nullopt;
}

bool holds(const NodeSetting& setting, const std::string& value) {
    if (setting.rule == Rule::AtLeast) {
        const auto now = number(value);
        const auto wanted = number(setting.value);
        return now && wanted && *now >= *wanted;
    }
    return value == setting.value;
}

std::optional<std::string> first_line(const std::string& path) {
    std::ifstream file(path);
    std::string line;
    return file && std::getline(file, line) ? std::optional(std::move(line)) : std::nullopt;
}

bool write(const std::string& path, const std::string& value) {
    std::ofstream file(path);
    file << value << std::flush;
    return static_cast<bool>(file);
}

// A kernel that begins to forward IPv6 stops to take routes from router advertisements, unless told
// to (accept_ra 2): a node that learnt its default route so would lose it half an hour later.
void keep_router_advertisements(const std::string& root, SettingsWritten& written) {
    if (first_line(root + sys(kForwarding6)) != "0") {
        return;
    }
    std::error_code none;
    std::vector<std::string> names;
    for (const auto& folder :
         std::filesystem::directory_iterator(root + sys("net/ipv6/conf"), none)) {
        names.push_back(folder.path().filename().string());
    }
    std::sort(names.begin(), names.end());
    for (const std::string& name : names) {
        const std::string path = sys("net/ipv6/conf/" + name + "/accept_ra");
        if (first_line(root + path) == "1" && write(root + path, "2")) {
            written.changed.push_back(path + ": 1 -> 2");
        }
    }
}

}  // namespace

std::vector<NodeSetting> node_settings(
    const proxy::ProxyConfig& config, unsigned cores, std::optional<proxy::KernelVersion> kernel
) {
    if (config.mode == proxy::Mode::AnnounceOnly) {
        return {};
    }
    std::vector<NodeSetting> settings;
    for (const proxy::Sysctl& sysctl : proxy::required_sysctls(kernel)) {
        settings.push_back({sys(sysctl.name), sysctl.value, Rule::Exactly, !sysctl.optional});
    }
    if (config.mode == proxy::Mode::Full) {  // else they are kube-proxy's
        add_conntrack(config.conntrack, cores, settings);
    }
    return settings;
}

SettingsWritten write_node_settings(
    const std::vector<NodeSetting>& settings, const std::string& root
) {
    SettingsWritten written;
    for (const NodeSetting& setting : settings) {
        auto& failures = setting.required ? written.fatal : written.missing;
        const auto value = first_line(root + setting.path);
        if (!value) {
            failures.push_back(setting.path + ": this kernel does not have it");
            continue;
        }
        if (holds(setting, *value)) {
            continue;
        }
        if (setting.path == sys(kForwarding6)) {
            keep_router_advertisements(root, written);
        }
        if (write(root + setting.path, setting.value)) {
            written.changed.push_back(setting.path + ": " + *value + " -> " + setting.value);
        } else {
            failures.push_back(
                setting.path + " is " + *value + ", should be " + setting.value +
                ", and cannot be written"
            );
        }
    }
    return written;
}

}  // namespace steelyard::speaker
