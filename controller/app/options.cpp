#include "controller/app/options.hpp"

#include "common/base/duration.hpp"
#include "common/base/error.hpp"
#include "common/log/log.hpp"

#include <CLI/CLI.hpp>
#include <charconv>

namespace steelyard::controller {
namespace {

constexpr const char* kName = "steelyard-controller";

Parsed fail(const std::string& line) {
    return {std::nullopt, std::string(kName) + ": " + line + "\n", 2};
}

Error wrong(const std::string& flag, const std::string& text, const std::string& accepted) {
    return {Errc::Invalid, flag + ": \"" + text + "\" is not accepted: give " + accepted};
}

// "" leaves the default.
Result<> read(const std::string& flag, const std::string& text, std::uint16_t& port) {
    if (text.empty()) {
        return {};
    }
    unsigned value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error != std::errc() || end != text.data() + text.size() || value > 65535) {
        return wrong(flag, text, "a port, 1 to 65535, or 0 for none");
    }
    port = static_cast<std::uint16_t>(value);
    return {};
}

Result<> read(const std::string& flag, const std::string& text, Duration& duration) {
    if (text.empty()) {
        return {};
    }
    const auto value = parse_duration(text);
    if (!value || *value <= Duration::zero()) {
        return wrong(flag, text, "a time such as 15s");
    }
    duration = *value;
    return {};
}

Result<> read(const std::string& flag, const std::string& text, WebhookMode& mode) {
    if (text.empty() || text == "enabled") {
        return {};
    }
    if (text != "disabled" && text != "onlywebhook") {
        return wrong(flag, text, "enabled, disabled or onlywebhook");
    }
    mode = text == "disabled" ? WebhookMode::Disabled : WebhookMode::OnlyWebhook;
    return {};
}

Result<> read(const std::string& flag, const std::string& text, controller_plan::IpMode& mode) {
    if (text.empty() || text == "keep") {
        return {};
    }
    if (text != controller_plan::kVip && text != controller_plan::kProxy) {
        return wrong(flag, text, "keep, VIP or Proxy");
    }
    mode = text == controller_plan::kVip ? controller_plan::IpMode::Vip
                                         : controller_plan::IpMode::Proxy;
    return {};
}

Result<> read_level(const std::string& text) {
    if (log::parse_level(text)) {
        return {};
    }
    return wrong("--log-level", text, "all, debug, info, warn, error or none");
}

// What is checked after the command line was read, as written.
struct Texts {
    std::string metrics_port;
    std::string health_port;
    std::string webhook_port;
    std::string webhook_mode;
    std::string ip_mode;
    std::string lease_duration;
    std::string renew_deadline;
    std::string retry_period;
};

Result<> read_all(const Texts& texts, Options& options) {
    kube::ElectionTimings& timings = options.election.timings;
    for (const Result<>& result : {
             read("--port", texts.metrics_port, options.metrics_port),
             read("--health-probe-port", texts.health_port, options.health_port),
             read("--webhook-port", texts.webhook_port, options.webhook.port),
             read("--webhook-mode", texts.webhook_mode, options.webhook.mode),
             read("--lb-ip-mode", texts.ip_mode, options.ip_mode),
             read("--lease-duration", texts.lease_duration, timings.lease_duration),
             read("--renew-deadline", texts.renew_deadline, timings.renew_deadline),
             read("--retry-period", texts.retry_period, timings.retry_period),
             read_level(options.log_level),
             kube::check(timings),
         }) {
        if (!result) {
            return result;
        }
    }
    return {};
}

// A flag whose value is text, and the variable of the environment that fills it.
struct Flag {
    const char* name;
    const char* variable;  // "": none
    const char* help;
    std::string* value;
};

std::vector<Flag> flags_of(Options& options, Texts& texts) {
    WebhookOptions& webhook = options.webhook;
    return {
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
        {"--lb-ip-mode",
         "",
         "keep, VIP, or Proxy (with speakers in --proxy-mode=load-balancer)",
         &texts.ip_mode},
        {"--port", "", "port of /metrics and /explain, 9120; 0 turns it off", &texts.metrics_port},
        {"--health-probe-port",
         "",
         "port of /healthz and /readyz, 17472; 0 turns it off",
         &texts.health_port},
        {"--pod-name", "METALLB_POD_NAME", "name of this pod", &options.pod_name},
        {"--ml-secret-name",
         "METALLB_ML_SECRET_NAME",
         "Secret with the gossip key, made if absent",
         &options.memberlist_secret_name},
        {"--deployment",
         "METALLB_DEPLOYMENT",
         "Deployment that owns that Secret",
         &options.deployment},
        {"--lease-name", "", "Lease the replicas elect a leader by", &options.election.lease},
        {"--lease-duration",
         "",
         "a silent leader is replaced after it, 12s",
         &texts.lease_duration},
        {"--renew-deadline", "", "a leader that cannot renew stops, 8s", &texts.renew_deadline},
        {"--retry-period", "", "between two tries for the Lease, 2s", &texts.retry_period},
        {"--webhook-mode", "", "enabled, disabled or onlywebhook", &texts.webhook_mode},
        {"--webhook-port", "", "port of the webhook, 9443", &texts.webhook_port},
        {"--cert-service-name", "", "Service of the webhook", &webhook.service},
        {"--webhook-secret", "", "Secret with the webhook's certificate", &webhook.secret},
        {"--cert-dir",
         "",
         "directory of tls.crt and tls.key, read with --disable-cert-rotation",
         &webhook.certificates},
    };
}

}  // namespace

Parsed parse_options(const std::vector<std::string>& arguments, Environment environment) {
    Options options;
    Texts texts;
    bool no_rotation = false;
    bool http2 = false;
    const std::vector<Flag> flags = flags_of(options, texts);
    CLI::App app(
        "Gives Services of type LoadBalancer their addresses.\n\n"
        "`steelyard-controller validate FILE...` checks manifests without a cluster."
    );
    app.name(kName);
    app.set_version_flag("--version", std::string(kName) + " " SY_VERSION);
    for (const Flag& flag : flags) {
        const std::string variable = flag.variable;
        app.add_option(
            flag.name, *flag.value, flag.help + (variable.empty() ? "" : " ($" + variable + ")")
        );
    }
    app.add_flag(
        "--leader-elect,!--no-leader-elect",
        options.election.enabled,
        "elect one replica to hand out addresses; =false when there is only one"
    );
    app.add_flag(
        "--disable-cert-rotation",
        no_rotation,
        "take the webhook's certificate from --cert-dir and write no caBundle"
    );
    app.add_flag("--webhook-http2", http2, "taken for MetalLB's sake; the webhook speaks HTTP/1.1");
    if (const auto ending = daemon::parse_flags(app, arguments)) {
        return ending->exit_status == 0 ? Parsed{std::nullopt, ending->text, 0}
                                        : fail(ending->text + "; --help lists the flags");
    }
    for (const Flag& flag : flags) {
        if (*flag.variable != '\0') {
            daemon::fill_from_environment(app, flag.name, flag.variable, *flag.value, environment);
        }
    }
    options.webhook.rotate = !no_rotation;
    if (http2) {
        options.ignored.emplace_back("--webhook-http2");
    }
    if (const auto result = read_all(texts, options); !result) {
        return fail(result.error().context);
    }
    return {options, "", 0};
}

}  // namespace steelyard::controller
