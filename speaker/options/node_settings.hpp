#pragma once

#include "speaker/proxy/config.hpp"
#include "speaker/proxy/sysctls.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

// The kernel settings of a node that serves Services, as a list: which file gets which value, and
// why. Deciding is pure; write_node_settings() is for `--init-only`, a privileged step before the
// speaker, since /proc/sys cannot be written from an ordinary container. Connection tracking is
// kube-proxy's: its defaults, and its rule for the size of the table.
namespace steelyard::speaker {

// A file that must hold a value.
struct NodeSetting {
    enum class Rule : std::uint8_t {
        Exactly,  // written when it differs
        AtLeast,  // a number: written when it is smaller
    };
    std::string path;  // absolute
    std::string value;
    Rule rule = Rule::Exactly;
    bool required = false;  // Services do not work without it

    friend bool operator==(const NodeSetting&, const NodeSetting&) = default;
};

// In the order of writing; nothing for announce-only, where the kernel's Services are another's.
[[nodiscard]] std::vector<NodeSetting> node_settings(
    const proxy::ProxyConfig& config, unsigned cores, std::optional<proxy::KernelVersion> kernel
);

// What came of them, a line each.
struct SettingsWritten {
    std::vector<std::string> changed;  // "PATH: OLD -> NEW"
    std::vector<std::string> missing;  // could not be written; the node serves all the same
    std::vector<std::string> fatal;    // could not be written, and Services need them
};

// Blocking; files of a few bytes each. `root` stands before every path, for tests.
[[nodiscard]] SettingsWritten write_node_settings(
    const std::vector<NodeSetting>& settings, const std::string& root = ""
);

}  // namespace steelyard::speaker
