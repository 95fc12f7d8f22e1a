#pragma once

#include "common/base/time.hpp"
#include "speaker/options/options.hpp"
#include "speaker/options/values.hpp"

#include <nlohmann/json.hpp>

#include <chrono>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <variant>
#include <vector>

// What of the service proxy can be chosen, told by a flag or by a field of kube-proxy's
// configuration file: one table that says for each setting its flag, its field, its type and its
// limits. Both sources fill a ProxySettings, in which nothing is set that was not told; the flags'
// is laid over the file's, and apply() puts defaults where nobody said anything.
namespace steelyard::speaker {

// Where to listen; nothing: nowhere.
struct Bind {
    std::optional<net::Endpoint> endpoint;
    friend bool operator==(const Bind&, const Bind&) = default;
};

// nodePortAddresses: CIDRs, or the word `primary` alone.
struct NodePorts {
    bool primary = false;
    Cidrs cidrs;
    friend bool operator==(const NodePorts&, const NodePorts&) = default;
};

struct ProxySettings {
    template <class T>
    using Told = std::optional<T>;

    Told<std::string> node_name;
    Told<std::string> kubeconfig;
    Told<net::IpAddress> bind_address;  // of which the family alone counts
    Told<Bind> healthz_bind;
    Told<Bind> metrics_bind;
    Told<bool> bind_address_hard_fail;
    Told<std::int64_t> oom_score_adj;

    Told<std::string> scheduler;
    Told<Cidrs> exclude_cidrs;
    Told<bool> strict_arp;
    Told<Duration> tcp_timeout;
    Told<Duration> tcp_fin_timeout;
    Told<Duration> udp_timeout;
    Told<Duration> sync_period;
    Told<Duration> min_sync_period;

    Told<bool> masquerade_all;
    Told<std::int64_t> masquerade_bit;
    // Of the file's section `nftables`; its reader puts them in place of the two above in that
    // mode.
    Told<bool> nft_masquerade_all;
    Told<std::int64_t> nft_masquerade_bit;

    Told<Cidrs> cluster_cidrs;
    Told<std::string> detect_local_mode;
    Told<std::string> bridge_interface;
    Told<std::string> interface_name_prefix;
    Told<NodePorts> node_port_addresses;

    Told<std::int64_t> conntrack_max_per_core;
    Told<std::int64_t> conntrack_min;
    Told<Duration> conntrack_tcp_established;
    Told<Duration> conntrack_tcp_close_wait;
    Told<bool> conntrack_tcp_be_liberal;
    Told<Duration> conntrack_udp;
    Told<Duration> conntrack_udp_stream;

    // Ours; kube-proxy has no such thing.
    Told<std::string> vip_binding;
    Told<Duration> drain_grace;
    Told<Cidrs> service_cidrs;

    friend bool operator==(const ProxySettings&, const ProxySettings&) = default;
};

struct Setting {
    template <class T>
    using Member = std::optional<T> ProxySettings::*;
    using Target = std::variant<
        Member<bool>,
        Member<std::int64_t>,
        Member<Duration>,
        Member<std::string>,
        Member<Cidrs>,
        Member<net::IpAddress>,
        Member<Bind>,
        Member<NodePorts>>;

    const char* flag;   // nullptr: there is none
    const char* field;  // "ipvs.scheduler"; nullptr: there is none
    Target target;
    const char* help;
    const char* wanted;  // what is accepted: "a time from 0s to ..."
    // Limits: of a number, and of a time in seconds; what words a text may be, none: any.
    std::int64_t least = 0;
    std::int64_t most = 0;
    std::vector<std::string> words{};
    std::uint16_t default_port = 0;  // of a Bind
    bool text_list = false;  // the field is one text with commas, where others are lists of texts
};

[[nodiscard]] std::span<const Setting> proxy_setting_table();

// For a message: one line of JSON, and not much of it.
[[nodiscard]] std::string shown(const nlohmann::json& value);

// Reads a value of the type the setting has: texts, numbers, lists as JSON has them. Empty texts
// and lists and null mean "not told". `name` is how the teller calls the setting.
[[nodiscard]] Result<> set_value(
    const Setting& setting,
    const nlohmann::json& value,
    const std::string& name,
    ProxySettings& settings
);

// What `over` tells, and where it does not, what `under` tells.
[[nodiscard]] ProxySettings laid_over(const ProxySettings& over, const ProxySettings& under);

// Checks the settings against each other and puts them, or what holds without them, into
// `options`, whose proxy mode and other ports are known by then.
[[nodiscard]] Result<> apply_settings(const ProxySettings& settings, Options& options);

inline constexpr std::uint16_t kProxyHealthzPort = 10256;
inline constexpr std::uint16_t kProxyMetricsPort = 10249;

// How long an idle TCP connection is known to IPVS when nobody says: as long as to conntrack.
[[nodiscard]] std::chrono::seconds default_tcp_timeout(const proxy::ConntrackSettings& conntrack);

}  // namespace steelyard::speaker
