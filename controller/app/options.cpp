#include "controller/app/options.hpp"

#include "common/base/error.hpp"
#include "common/log/log.hpp"

#include <CLI/CLI.hpp>
#include <charconv>

namespace steelyard::controller {
namespace {

constexpr const char* kName = "steelyard-controller";

// A flag whose value may come from an environment variable.
struct Flag {
    const char* name;
    const char* variable;  // "": none
    const char* help;
    std::string* value;
};

Parsed fail(const std::string& line) {
    return {std::nullopt, std::string(kName) + ": " + line + "\n", 2};
}

Result<> parse_port(const char* flag, const std::string& text, std::uint16_t& port) {
    if (text.empty()) {
        return {};
    }
    unsigned value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error != std::errc() || end != text.data() + text.size() || value > 65535) {
        return make_error(
            Errc::Invalid,
            std::string(flag) + ": \"" + text + "\" is not a port: give 1 to 65535, or 0 for none"
        );
    }
    port = static_cast<std::uint16_t>(value);
    return {};
}

}  // namespace

Parsed parse_options(const std::vector<std::string>& arguments, Environment environment) {
    Options options;
    std::string metrics_port;
    std::string health_port;
    const std::vector<Flag> flags{
        {"--namespace", "METALLB_NAMESPACE", "namespace of the metallb.io objects", &options.ns},
        {"--kubeconfig",
         "",
         "kubeconfig file; the pod's own account without it",
         &options.kubeconfig},
        {"--log-level", "", "all, debug, info, warn, error or none", &options.log_level},
        {"--lb-class",
         "",
         "serve Services of this loadBalancerClass only",
         &options.load_balancer_class},
        {"--port", "", "port of /metrics, 9120; 0 turns it off", &metrics_port},
        {"--health-probe-port",
         "",
         "port of /healthz and /readyz, 17472; 0 turns it off",
         &health_port},
        {"--pod-name", "METALLB_POD_NAME", "name of this pod", &options.pod_name},
        {"--ml-secret-name",
         "METALLB_ML_SECRET_NAME",
         "Secret with the gossip key, made if absent",
         &options.memberlist_secret_name},
        {"--deployment",
         "METALLB_DEPLOYMENT",
         "Deployment that owns that Secret",
         &options.deployment},
    };
    CLI::App app("Gives Services of type LoadBalancer their addresses.");
    app.name(kName);
    app.set_version_flag("--version", std::string(kName) + " " SY_VERSION);
    for (const Flag& flag : flags) {
        const std::string variable = flag.variable;
        app.add_option(
            flag.name, *flag.value, flag.help + (variable.empty() ? "" : " ($" + variable + ")")
        );
    }
    if (const auto ending = daemon::parse_flags(app, arguments)) {
        return ending->exit_status == 0 ? Parsed{std::nullopt, ending->text, 0}
                                        : fail(ending->text + "; --help lists the flags");
    }
    for (const Flag& flag : flags) {
        if (*flag.variable != '\0') {
            daemon::fill_from_environment(app, flag.name, flag.variable, *flag.value, environment);
        }
    }
    for (const Result<>& result :
         {parse_port("--port", metrics_port, options.metrics_port),
          parse_port("--health-probe-port", health_port, options.health_port)}) {
        if (!result) {
            return fail(result.error().context);
        }
    }
    if (!log::parse_level(options.log_level)) {
        return fail(
            "--log-level: \"" + options.log_level +
            "\" is not a level: give all, debug, info, warn, error or none"
        );
    }
    return {options, "", 0};
}

}  // namespace steelyard::controller
