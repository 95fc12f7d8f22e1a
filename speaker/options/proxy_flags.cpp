#include "speaker/options/proxy_flags.hpp"

#include <CLI/CLI.hpp>
#include <charconv>
#include <variant>

namespace steelyard::speaker {
namespace {

using nlohmann::json;

struct IgnoredFlag {
    const char* flag;
    const char* why;
    bool truth = false;  // may stand without a value
};

constexpr const char* kLog = "--log-level says what is logged, always as JSON on standard output";
constexpr const char* kPace = "the API server sets the pace";
constexpr const char* kPeriod = "--ipvs-sync-period and --ipvs-min-sync-period count";
constexpr const char* kNoAdvisor = "nothing reads it";

constexpr IgnoredFlag kIgnoredFlags[] = {
    {"-v,--v", kLog},
    {"--vmodule", kLog},
    {"--logging-format", kLog},
    {"--log-flush-frequency", kLog},
    {"--log-json-info-buffer-size", kLog},
    {"--log-json-split-stream", kLog, true},
    {"--log-text-info-buffer-size", kLog},
    {"--log-text-split-stream", kLog, true},
    {"--log-backtrace-at,--log_backtrace_at", kLog},
    {"--log-dir,--log_dir", kLog},
    {"--log-file,--log_file", kLog},
    {"--log-file-max-size,--log_file_max_size", kLog},
    {"--logtostderr", kLog, true},
    {"--alsologtostderr", kLog, true},
    {"--stderrthreshold", kLog},
    {"--one-output,--one_output", kLog, true},
    {"--skip-headers,--skip_headers", kLog, true},
    {"--skip-log-headers,--skip_log_headers", kLog, true},
    {"--add-dir-header,--add_dir_header", kLog, true},
    {"--boot-id-file,--boot_id_file", kNoAdvisor},
    {"--machine-id-file,--machine_id_file", kNoAdvisor},
    {"--feature-gates", "there are no feature gates"},
    {"--kube-api-qps", kPace},
    {"--kube-api-burst", kPace},
    {"--kube-api-content-type", "the API server is asked for JSON"},
    {"--master", "--kubeconfig names the API server"},
    {"--config-sync-period", "every change is seen when it happens"},
    {"--iptables-sync-period", kPeriod},
    {"--iptables-min-sync-period", kPeriod},
    {"--iptables-localhost-nodeports", "NodePorts do not answer on 127.0.0.1", true},
    {"--nftables-sync-period", kPeriod},
    {"--nftables-min-sync-period", kPeriod},
    {"--profiling", "there are no profiling pages", true},
    {"--show-hidden-metrics-for-version", "there are no hidden metrics"},
    {"--proxy-port-range", "kube-proxy does not use it either"},
};

// The value as the file would have it: a number is one, a text is one.
json as_json(const Setting& setting, const std::string& text) {
    if (std::holds_alternative<Setting::Member<std::int64_t>>(setting.target)) {
        std::int64_t number = 0;
        const char* const end = text.data() + text.size();
        const auto [rest, error] = std::from_chars(text.data(), end, number);
        return error == std::errc() && rest == end && !text.empty() ? json(number) : json(text);
    }
    return text;
}

// Given twice it is the sum of both, where others are what was said last.
bool is_list(const Setting& setting) {
    return std::holds_alternative<Setting::Member<Cidrs>>(setting.target) ||
           std::holds_alternative<Setting::Member<NodePorts>>(setting.target);
}

// For a setting that may be told to be nothing.
bool turns_off(const Setting& setting, const std::string& text, ProxySettings& settings) {
    const auto* const bind = std::get_if<Setting::Member<Bind>>(&setting.target);
    if (bind == nullptr || !text.empty()) {
        return false;
    }
    settings.*(*bind) = Bind{};
    return true;
}

}  // namespace

void ProxyFlags::add_to(CLI::App& app) {
    constexpr const char* kGroup = "kube-proxy's";
    for (const Setting& setting : proxy_setting_table()) {
        if (setting.flag == nullptr) {
            continue;
        }
        Given& given = given_.emplace_back(Given{&setting, setting.flag, "", nullptr, {}});
        const bool truth = std::holds_alternative<Setting::Member<bool>>(setting.target);
        given.option = truth ? app.add_flag(setting.flag, given.truth, setting.help)
                             : app.add_option(setting.flag, given.text, setting.help);
        given.option->group(setting.field == nullptr ? "Options" : kGroup);
        if (is_list(setting)) {
            given.option->join(',');
        } else {
            given.option->take_last();
        }
    }
    for (const IgnoredFlag& ignored : kIgnoredFlags) {
        Given& given = given_.emplace_back(Given{nullptr, ignored.flag, ignored.why, nullptr, {}});
        given.option = ignored.truth ? app.add_flag(ignored.flag, given.truth)
                                     : app.add_option(ignored.flag, given.text);
        given.option->group("")->take_last();  // not in the help
    }
}

Result<> ProxyFlags::read(ProxySettings& settings) const {
    for (const Given& given : given_) {
        if (given.setting == nullptr || given.option->count() == 0 ||
            turns_off(*given.setting, given.text, settings)) {
            continue;
        }
        const bool truth = std::holds_alternative<Setting::Member<bool>>(given.setting->target);
        const json value = truth ? json(given.truth) : as_json(*given.setting, given.text);
        if (auto good = set_value(*given.setting, value, given.flag, settings); !good) {
            return good;
        }
    }
    return {};
}

std::vector<std::string> ProxyFlags::ignored() const {
    std::vector<std::string> lines;
    for (const Given& given : given_) {
        if (given.setting == nullptr && given.option->count() > 0) {
            lines.push_back(
                given.flag.substr(0, given.flag.find(',')) + " is not followed: " + given.why
            );
        }
    }
    return lines;
}

}  // namespace steelyard::speaker
