#include "speaker/options/options.hpp"

#include "common/base/duration.hpp"

#include <CLI/CLI.hpp>
#include <charconv>
#include <map>

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
    std::string profile = "fast";
    std::string mode = "full";
    std::vector<std::string> peers;
    std::string watch_ring = "on";
    std::string watch_ring_interval = "100ms";
    std::string failback_delay = "0s";
    std::string announce_refresh = "180s";
    std::string answer_ping = "auto";
    std::string bgp_drain_wait = "2s";
    bool wan = false;
};

const std::map<std::string, proxy::Mode>& proxy_modes() {
    static const std::map<std::string, proxy::Mode> kModes{
        {"full", proxy::Mode::Full},
        {"load-balancer", proxy::Mode::LoadBalancer},
        {"announce-only", proxy::Mode::AnnounceOnly},
    };
    return kModes;
}

const std::map<std::string, AnswerPing>& answer_ping_values() {
    static const std::map<std::string, AnswerPing> kValues{
        {"auto", AnswerPing::Auto}, {"on", AnswerPing::On}, {"off", AnswerPing::Off}};
    return kValues;
}

Error bad_value(std::string_view flag, std::string_view value, std::string_view wanted) {
    return make_error(
        Errc::Invalid,
        std::string(flag) + ": \"" + std::string(value) + "\" is not " + std::string(wanted)
    );
}

std::optional<std::uint16_t> parse_port(std::string_view text) {
    unsigned port = 0;
    const char* const end = text.data() + text.size();
    const auto [rest, error] = std::from_chars(text.data(), end, port);
    if (error != std::errc() || rest != end || port == 0 || port > 65535) {
        return std::nullopt;
    }
    return static_cast<std::uint16_t>(port);
}

// "192.0.2.1", "192.0.2.1:7946", "2001:db8::1" or "[2001:db8::1]:7946".
std::optional<net::Endpoint> parse_peer(std::string_view text, std::uint16_t default_port) {
    if (const auto address = net::IpAddress::parse(text)) {
        return net::Endpoint{*address, default_port};
    }
    const std::size_t colon = text.rfind(':');
    if (colon == std::string_view::npos) {
        return std::nullopt;
    }
    std::string_view host = text.substr(0, colon);
    const bool bracketed = host.size() > 2 && host.front() == '[' && host.back() == ']';
    if (bracketed) {
        host = host.substr(1, host.size() - 2);
    }
    const auto address = net::IpAddress::parse(host);
    const auto port = parse_port(text.substr(colon + 1));
    if (!address || !port || bracketed == address->is_v4()) {
        return std::nullopt;
    }
    return net::Endpoint{*address, *port};
}

Result<> apply_gossip_texts(const Texts& texts, Options& options) {
    if (!texts.bind_address.empty()) {
        const auto address = net::IpAddress::parse(texts.bind_address);
        if (!address) {
            return bad_value("--ml-bindaddr", texts.bind_address, "an IP address");
        }
        options.gossip_address = *address;
    }
    if (!texts.bind_port.empty()) {
        const auto port = parse_port(texts.bind_port);
        if (!port) {
            return bad_value("--ml-bindport", texts.bind_port, "a port from 1 to 65535");
        }
        options.gossip_port = *port;
    }
    for (const std::string& text : texts.peers) {
        const auto peer = parse_peer(text, options.gossip_port);
        if (!peer) {
            return bad_value(
                "--ml-peers", text, "an IP address, or one with a port such as 192.0.2.12:7946"
            );
        }
        if (options.gossip_address && peer->address.family() != options.gossip_address->family()) {
            return bad_value("--ml-peers", text, "of the same IP family as --ml-bindaddr");
        }
        options.gossip_peers.push_back(*peer);
    }
    options.gossip_profile = gossip::parse_profile(texts.wan ? "wan" : texts.profile).value();
    return {};
}

Result<> apply_durations(const Texts& texts, Options& options) {
    using namespace std::chrono_literals;
    struct Field {
        const char* flag;
        const std::string& text;
        Duration least;
        Duration most;
        const char* wanted;
        Duration& value;
    };
    for (const Field& field : {
             Field{
                 "--watch-ring-interval",
                 texts.watch_ring_interval,
                 10ms,
                 1s,
                 "a time from 10ms to 1s, such as 100ms",
                 options.watch_ring_interval},
             Field{
                 "--failback-delay",
                 texts.failback_delay,
                 0s,
                 24h,
                 "a time from 0s to 24h, such as 30s or 5m",
                 options.failback_delay},
             Field{
                 "--announce-refresh",
                 texts.announce_refresh,
                 0s,
                 24h,
                 "a time from 0s (none) to 24h, such as 180s",
                 options.announce_refresh},
             Field{
                 "--bgp-drain-wait",
                 texts.bgp_drain_wait,
                 0s,
                 10s,
                 "a time from 0s to 10s, such as 2s",
                 options.bgp_drain_wait},
         }) {
        const auto duration = parse_duration(field.text);
        if (!duration || *duration < field.least || *duration > field.most) {
            return bad_value(field.flag, field.text, field.wanted);
        }
        field.value = *duration;
    }
    return {};
}

Result<> apply_texts(const Texts& texts, Options& options) {
    if (auto good = apply_gossip_texts(texts, options); !good) {
        return good;
    }
    if (!texts.cluster_cidr.empty()) {
        const auto prefix = net::Prefix::parse(texts.cluster_cidr);
        if (!prefix) {
            return bad_value("--cluster-cidr", texts.cluster_cidr, "a CIDR such as 10.244.0.0/16");
        }
        options.proxy.detect.kind = proxy::LocalDetection::Kind::ClusterCidr;
        options.proxy.detect.cidrs = {*prefix};
    }
    options.proxy.mode = proxy_modes().at(texts.mode);
    options.answer_ping = answer_ping_values().at(texts.answer_ping);
    options.proxy.answer_ping = options.answer_ping != AnswerPing::Off;
    options.watch_ring = texts.watch_ring == "on";
    return apply_durations(texts, options);
}

Result<> check(const Options& options) {
    const auto wrong = [](const char* line) {
        return make_error(Errc::Invalid, line);
    };
    if (options.node_name.empty()) {
        return wrong("--node-name (or METALLB_NODE_NAME) is required: the name of this Node object"
        );
    }
    if (!options.gossip_address) {
        return {};
    }
    if (options.gossip_labels.empty() && options.gossip_peers.empty()) {
        return wrong(
            "--ml-labels (or METALLB_ML_LABELS) is required with --ml-bindaddr: the labels of the "
            "speaker pods, such as app=metallb,component=speaker; or --ml-peers names them"
        );
    }
    if (options.gossip_key_path.empty() && !options.gossip_insecure) {
        return wrong(
            "--ml-secret-key-path (or METALLB_ML_SECRET_KEY_PATH) is required with --ml-bindaddr: "
            "the folder where the Secret with the gossip key is mounted; --ml-insecure does "
            "without a key, and then anybody on the network can take addresses away"
        );
    }
    if (!options.gossip_key_path.empty() && options.gossip_insecure) {
        return wrong(
            "--ml-insecure: there is a key in --ml-secret-key-path (or METALLB_ML_SECRET_KEY_PATH);"
            " leave one of the two out"
        );
    }
    if (options.watch_ring && options.watch_ring_port == options.gossip_port) {
        return wrong("--watch-ring-port: must differ from --ml-bindport");
    }
    return {};
}

void add_bgp_flags(CLI::App& app, Options& options, Texts& texts) {
    app.add_option("--bgp-listen-port", options.bgp_listen_port, "for calls of peers; 0: none, 179")
        ->check(CLI::Range(0, 65535));
    app.add_option(
        "--bgp-default-local-pref", options.bgp_default_local_pref, "to iBGP peers, 100"
    );
    app.add_option(
        "--bgp-drain-wait", texts.bgp_drain_wait, "from graceful shutdown to withdrawal, 2s"
    );
    app.add_flag(
        "--bfd-realtime", options.bfd_realtime, "real-time priority for BFD (needs SYS_NICE)"
    );
}

// The flags of gossip, the watch ring and layer 2.
void add_network_flags(CLI::App& app, Options& options, Texts& texts) {
    const CLI::IsMember profile_names({"fast", "lan", "wan"});
    const CLI::IsMember on_off({"on", "off"});
    const CLI::IsMember pings({"auto", "on", "off"});
    app.add_option("--ml-bindaddr", texts.bind_address, "gossip address ($METALLB_ML_BIND_ADDR)");
    app.add_option("--ml-bindport", texts.bind_port, "gossip port, 7946 ($METALLB_ML_BIND_PORT)");
    app.add_option(
        "--ml-labels", options.gossip_labels, "labels of speaker pods ($METALLB_ML_LABELS)"
    );
    app.add_option("--ml-peers", texts.peers, "addresses to join instead of pods: ip[:port],...")
        ->delimiter(',');
    app.add_option(
        "--ml-secret-key-path",
        options.gossip_key_path,
        "folder with the gossip key ($METALLB_ML_SECRET_KEY_PATH)"
    );
    app.add_flag("--ml-insecure", options.gossip_insecure, "gossip without a key");
    app.add_flag("--ml-wan-config", texts.wan, "the same as --ml-profile=wan");
    app.add_option("--ml-profile", texts.profile, "gossip timing: " + accepted(profile_names))
        ->check(profile_names);
    app.add_option("--watch-ring", texts.watch_ring, "find dead nodes fast: " + accepted(on_off))
        ->check(on_off);
    app.add_option("--watch-ring-port", options.watch_ring_port, "its UDP port, 7947")
        ->check(CLI::Range(1, 65535));
    app.add_option("--watch-ring-interval", texts.watch_ring_interval, "its heartbeat, 100ms");
    app.add_option(
        "--failback-delay", texts.failback_delay, "how long a node that is back gets nothing, 0s"
    );
    app.add_option("--announce-pps", options.announce_pps, "gratuitous packets a second, 15")
        ->check(CLI::Range(1, 10000));
    app.add_option("--announce-refresh", texts.announce_refresh, "time between refreshes, 180s");
    app.add_option("--answer-ping", texts.answer_ping, "answer ICMP echo: " + accepted(pings))
        ->check(pings);
}

}  // namespace

Parsed parse_options(
    const std::vector<std::string>& arguments, Environment environment, ReadFile /*read_file*/
) {
    Options options;
    Texts texts;
    CLI::App app("Announces load balancer addresses and programs this node's service proxy.");
    app.name("steelyard-speaker");
    app.set_version_flag("--version", "steelyard-speaker " SY_VERSION);
    const CLI::IsMember levels({"all", "debug", "info", "warn", "error", "none"});
    const CLI::IsMember mode_names({"full", "load-balancer", "announce-only"});
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
    add_network_flags(app, options, texts);
    add_bgp_flags(app, options, texts);
    app.add_option("--proxy-mode", texts.mode, accepted(mode_names))->check(mode_names);
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
