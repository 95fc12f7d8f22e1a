#include "speaker/options/network_flags.hpp"

#include "common/base/duration.hpp"
#include "speaker/options/values.hpp"

#include <CLI/CLI.hpp>
#include <map>

namespace steelyard::speaker {
namespace {

std::string accepted(const CLI::Validator& validator) {
    return validator.get_description();
}

const std::map<std::string, AnswerPing>& answer_ping_values() {
    static const std::map<std::string, AnswerPing> kValues{
        {"auto", AnswerPing::Auto}, {"on", AnswerPing::On}, {"off", AnswerPing::Off}};
    return kValues;
}

Result<> apply_gossip_texts(const NetworkTexts& texts, Options& options) {
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
        const auto peer = parse_endpoint(text, options.gossip_port);
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

Result<> apply_durations(const NetworkTexts& texts, Options& options) {
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

void add_bgp_flags(CLI::App& app, Options& options, NetworkTexts& texts) {
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
void add_gossip_flags(CLI::App& app, Options& options, NetworkTexts& texts) {
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

void add_network_flags(CLI::App& app, Options& options, NetworkTexts& texts) {
    add_gossip_flags(app, options, texts);
    add_bgp_flags(app, options, texts);
}

Result<> apply_network_flags(const NetworkTexts& texts, Options& options) {
    if (auto good = apply_gossip_texts(texts, options); !good) {
        return good;
    }
    options.answer_ping = answer_ping_values().at(texts.answer_ping);
    options.watch_ring = texts.watch_ring == "on";
    return apply_durations(texts, options);
}

}  // namespace steelyard::speaker
