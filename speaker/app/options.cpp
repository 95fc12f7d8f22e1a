#include "speaker/app/options.hpp"

#include <CLI/CLI.hpp>
#include <map>
#include <sstream>

namespace steelyard::speaker {
namespace {

// A flag whose value may come from an environment variable.
struct Fallback {
    const char* flag;
    const char* variable;
    std::string* value;
};

std::string accepted(const CLI::Validator& validator) {
    return validator.get_description();
}

// Text values that are turned into types once CLI11 is done with the syntax.
struct Texts {
    std::string bind_address;
    std::string bind_port;
    std::string cluster_cidr;
};

const std::map<std::string, proxy::Mode>& proxy_modes() {
    static const std::map<std::string, proxy::Mode> kModes{
        {"full", proxy::Mode::Full},
        {"load-balancer", proxy::Mode::LoadBalancer},
        {"announce-only", proxy::Mode::AnnounceOnly},
    };
    return kModes;
}

Error bad_value(std::string_view flag, std::string_view value, std::string_view wanted) {
    return make_error(
        Errc::Invalid,
        std::string(flag) + ": \"" + std::string(value) + "\" is not " + std::string(wanted)
    );
}

Result<> apply_texts(const Texts& texts, Options& options) {
    if (!texts.bind_address.empty()) {
        const auto address = net::IpAddress::parse(texts.bind_address);
        if (!address) {
            return bad_value("--ml-bindaddr", texts.bind_address, "an IP address");
        }
        options.gossip_address = *address;
    }
    if (!texts.bind_port.empty()) {
        std::istringstream stream(texts.bind_port);
        unsigned port = 0;
        if (!(stream >> port) || !stream.eof() || port == 0 || port > 65535) {
            return bad_value("--ml-bindport", texts.bind_port, "a port from 1 to 65535");
        }
        options.gossip_port = static_cast<std::uint16_t>(port);
    }
    if (!texts.cluster_cidr.empty()) {
        const auto prefix = net::Prefix::parse(texts.cluster_cidr);
        if (!prefix) {
            return bad_value("--cluster-cidr", texts.cluster_cidr, "a CIDR such as 10.244.0.0/16");
        }
        options.proxy.pod_cidrs = {*prefix};
    }
    return {};
}

Result<> check(const Options& options) {
    if (options.node_name.empty()) {
        return make_error(
            Errc::Invalid,
            "--node-name (or METALLB_NODE_NAME) is required: the name of this Node object"
        );
    }
    if (options.gossip_address && options.gossip_labels.empty()) {
        return make_error(
            Errc::Invalid,
            "--ml-labels (or METALLB_ML_LABELS) is required with --ml-bindaddr: the labels of the "
            "speaker pods, such as app=metallb,component=speaker"
        );
    }
    return {};
}

}  // namespace

Parsed parse_options(const std::vector<std::string>& arguments, Environment environment) {
    Options options;
    Texts texts;
    std::string profile = "fast";
    std::string mode = "full";
    bool wan = false;
    CLI::App app("Announces load balancer addresses and programs this node's service proxy.");
    app.name("steelyard-speaker");
    app.set_version_flag("--version", "steelyard-speaker " SY_VERSION);
    const CLI::IsMember levels({"all", "debug", "info", "warn", "error", "none"});
    const CLI::IsMember mode_names({"full", "load-balancer", "announce-only"});
    const CLI::IsMember profile_names({"fast", "lan", "wan"});
    const CLI::IsMember schedulers(
        {"rr", "wrr", "lc", "wlc", "lblc", "lblcr", "sh", "dh", "sed", "nq", "mh", "fo", "ovf"}
    );
    app.add_option("--node-name", options.node_name, "name of this Node ($METALLB_NODE_NAME)");
    app.add_option("--namespace", options.ns, "namespace of our objects ($METALLB_NAMESPACE)");
    app.add_option("--pod-name", options.pod_name, "name of this pod ($METALLB_POD_NAME)");
    app.add_option("--kubeconfig", options.kubeconfig, "kubeconfig file; in-cluster without it");
    app.add_option("--log-level", options.log_level, accepted(levels))->check(levels);
    app.add_option("--lb-class", options.load_balancer_class, "only Services of this class");
    app.add_flag(
        "--ignore-exclude-lb", options.ignore_exclude_label, "announce from excluded nodes too"
    );
    app.add_option("--port", options.metrics_port, "port of /metrics; 0 turns it off");
    app.add_option("--health-probe-port", options.health_port, "port of /healthz, on 127.0.0.1");
    app.add_option("--ml-bindaddr", texts.bind_address, "gossip address ($METALLB_ML_BIND_ADDR)");
    app.add_option("--ml-bindport", texts.bind_port, "gossip port, 7946 ($METALLB_ML_BIND_PORT)");
    app.add_option(
        "--ml-labels", options.gossip_labels, "labels of speaker pods ($METALLB_ML_LABELS)"
    );
    app.add_option(
        "--ml-secret-key-path", options.gossip_key_path, "($METALLB_ML_SECRET_KEY_PATH)"
    );
    app.add_flag("--ml-wan-config", wan, "the same as --ml-profile=wan");
    app.add_option("--ml-profile", profile, "gossip timing: " + accepted(profile_names))
        ->check(profile_names);
    app.add_option("--proxy-mode", mode, accepted(mode_names))->check(mode_names);
    app.add_option("--ipvs-scheduler", options.proxy.scheduler, accepted(schedulers))
        ->check(schedulers);
    app.add_flag(
        "--masquerade-all", options.proxy.masquerade_all, "masquerade all traffic to ClusterIPs"
    );
    app.add_option(
        "--cluster-cidr", texts.cluster_cidr, "pod addresses, not masqueraded to ClusterIPs"
    );

    if (const auto ending = daemon::parse_flags(app, arguments)) {
        return ending->exit_status == 0
                   ? Parsed{std::nullopt, ending->text, 0}
                   : Parsed{std::nullopt, "steelyard-speaker: " + ending->text + "\n", 2};
    }

    for (const Fallback& fallback : {
             Fallback{"--node-name", "METALLB_NODE_NAME", &options.node_name},
             Fallback{"--namespace", "METALLB_NAMESPACE", &options.ns},
             Fallback{"--pod-name", "METALLB_POD_NAME", &options.pod_name},
             Fallback{"--ml-bindaddr", "METALLB_ML_BIND_ADDR", &texts.bind_address},
             Fallback{"--ml-bindport", "METALLB_ML_BIND_PORT", &texts.bind_port},
             Fallback{"--ml-labels", "METALLB_ML_LABELS", &options.gossip_labels},
             Fallback{
                 "--ml-secret-key-path", "METALLB_ML_SECRET_KEY_PATH", &options.gossip_key_path},
         }) {
        daemon::fill_from_environment(
            app, fallback.flag, fallback.variable, *fallback.value, environment
        );
    }
    options.proxy.mode = proxy_modes().at(mode);
    options.gossip_profile = gossip::parse_profile(wan ? "wan" : profile).value();
    Result<> good = apply_texts(texts, options);
    if (good) {
        good = check(options);
    }
    if (!good) {
        return {std::nullopt, "steelyard-speaker: " + good.error().context + "\n", 2};
    }
    return {options, "", 0};
}

}  // namespace steelyard::speaker
