#include "common/base/duration.hpp"
#include "speaker/options/proxy_settings.hpp"

#include <algorithm>
#include <chrono>
#include <utility>

// Settings checked against each other, with defaults, as the options the speaker runs with.
namespace steelyard::speaker {
namespace {

using std::chrono::seconds;

// A flag and a field may each have said it, so both are named.
Error wrong(std::string line) {
    return make_error(Errc::Invalid, std::move(line));
}

// The kernel takes whole seconds; a part of one must not turn into "leave it".
seconds whole_seconds(Duration time) {
    return std::chrono::ceil<seconds>(time);
}

template <class T>
void put(const std::optional<T>& told, T& into) {
    if (told) {
        into = *told;
    }
}

// The table of settings keeps it within the limits of `into`.
template <class T>
void put_number(const std::optional<std::int64_t>& told, T& into) {
    if (told) {
        into = static_cast<T>(*told);
    }
}

void put_time(const std::optional<Duration>& told, seconds& into) {
    if (told) {
        into = whole_seconds(*told);
    }
}

// At most one of each family, as kube-proxy's clusterCIDR and the API server's range have it.
Result<> check_pair(const std::optional<Cidrs>& cidrs, const char* name) {
    if (!cidrs || cidrs->size() < 2) {
        return {};
    }
    const bool pair =
        cidrs->size() == 2 && cidrs->front().address().family() != cidrs->back().address().family();
    if (pair) {
        return {};
    }
    std::string list;
    for (const net::Prefix& cidr : *cidrs) {
        list += (list.empty() ? "" : ",") + to_string(cidr);
    }
    return wrong(std::string(name) + ": \"" + list + "\" has more than one CIDR of an IP family");
}

Result<> apply_detection(const ProxySettings& settings, Options& options) {
    using Kind = proxy::LocalDetection::Kind;
    proxy::LocalDetection& detect = options.proxy.detect;
    const std::string mode = settings.detect_local_mode.value_or("ClusterCIDR");
    if (mode == "NodeCIDR") {
        detect.kind = Kind::NodeCidr;
    } else if (mode == "BridgeInterface") {
        detect.kind = Kind::BridgeInterface;
        detect.name = settings.bridge_interface.value_or("");
        if (!is_interface_name(detect.name)) {
            return bad_value(
                "detectLocal.bridgeInterface (--pod-bridge-interface)",
                detect.name,
                "the name of an interface, which detectLocalMode BridgeInterface needs"
            );
        }
    } else if (mode == "InterfaceNamePrefix") {
        detect.kind = Kind::InterfaceNamePrefix;
        detect.name = settings.interface_name_prefix.value_or("");
        if (!is_interface_name(detect.name)) {
            return bad_value(
                "detectLocal.interfaceNamePrefix (--pod-interface-name-prefix)",
                detect.name,
                "what names of interfaces begin with, which detectLocalMode InterfaceNamePrefix "
                "needs"
            );
        }
    } else if (settings.cluster_cidrs) {
        detect.kind = Kind::ClusterCidr;
        detect.cidrs = *settings.cluster_cidrs;
    } else if (settings.detect_local_mode) {
        options.notes.emplace_back(
            "detectLocalMode (--detect-local-mode) ClusterCIDR: there is no clusterCIDR "
            "(--cluster-cidr), so pods cannot be told from other clients"
        );
    }
    return {};
}

Result<> apply_times(const ProxySettings& settings, Options& options) {
    if (settings.sync_period.value_or(Duration{}) != Duration{}) {
        options.sync_period = *settings.sync_period;
    }
    put(settings.min_sync_period, options.min_sync_period);
    if (options.min_sync_period > options.sync_period) {
        return wrong(
            "ipvs.minSyncPeriod (--ipvs-min-sync-period): must not be more than ipvs.syncPeriod "
            "(--ipvs-sync-period)"
        );
    }
    proxy::ProxyConfig& config = options.proxy;
    put_time(settings.conntrack_tcp_established, config.conntrack.tcp_established_timeout);
    put_time(settings.conntrack_tcp_close_wait, config.conntrack.tcp_close_wait_timeout);
    put_time(settings.conntrack_udp, config.conntrack.udp_timeout);
    put_time(settings.conntrack_udp_stream, config.conntrack.udp_stream_timeout);
    put_time(settings.tcp_timeout, config.tcp_timeout);
    put_time(settings.tcp_fin_timeout, config.tcp_fin_timeout);
    put_time(settings.udp_timeout, config.udp_timeout);
    put(settings.drain_grace, config.drain_grace);
    if (config.tcp_timeout == seconds{0}) {
        config.tcp_timeout = default_tcp_timeout(config.conntrack);
    }
    return {};
}

// kube-proxy's defaults: every address, IPv4 too, and the loopback address of bindAddress' family.
void default_binds(const net::IpAddress& bind_address, Options& options) {
    const bool v4 = bind_address.is_v4();
    options.healthz_bind =
        net::Endpoint{v4 ? net::IpAddress::v4(0) : net::IpAddress::v6({}), kProxyHealthzPort};
    options.metrics_bind = net::Endpoint{
        v4 ? net::IpAddress::v4(0x7f000001) : net::IpAddress::parse("::1").value(),
        kProxyMetricsPort};
}

Result<> apply_binds(const ProxySettings& settings, Options& options) {
    const net::IpAddress address = settings.bind_address.value_or(net::IpAddress::v4(0));
    if (!address.is_unspecified()) {
        options.notes.push_back(
            "bindAddress (--bind-address): " + to_string(address) +
            " is not followed but for its IP family: nothing is bound to it, and the node's "
            "addresses are those of its interfaces"
        );
    }
    if (options.proxy.mode == proxy::Mode::Full) {
        default_binds(address, options);
    }
    if (settings.healthz_bind) {
        options.healthz_bind = settings.healthz_bind->endpoint;
    }
    if (settings.metrics_bind) {
        options.metrics_bind = settings.metrics_bind->endpoint;
    }
    put(settings.bind_address_hard_fail, options.bind_address_hard_fail);
    struct Port {
        const char* name;
        std::uint16_t number;
    };
    std::vector<Port> taken{
        {"--port", options.metrics_port},
        {"--health-probe-port", options.health_port},
        {"--bgp-listen-port", options.bgp_listen_port},
    };
    if (options.gossip_address) {
        taken.push_back({"--ml-bindport", options.gossip_port});
    }
    for (const auto& [name, bind] : {
             std::pair{"healthzBindAddress (--healthz-bind-address)", options.healthz_bind},
             std::pair{"metricsBindAddress (--metrics-bind-address)", options.metrics_bind},
         }) {
        if (!bind) {
            continue;
        }
        for (const Port& other : taken) {
            if (other.number == bind->port) {
                return wrong(
                    std::string(name) + ": \"" + to_string(*bind) + "\" has the port of " +
                    other.name
                );
            }
        }
        taken.push_back({name, bind->port});
    }
    return {};
}

proxy::Binding binding_of(const std::string& text) {
    if (text == "addresses") {
        return proxy::Binding::Addresses;
    }
    return text == "routes" ? proxy::Binding::Routes : proxy::Binding::Auto;
}

}  // namespace

// A connection that IPVS forgets while both ends still hold it is reset at its next packet. The
// kernel's 15 minutes are shorter than TCP's own keepalive (2 h), so an idle database connection
// would die of them; conntrack keeps such a connection for a day, and its table bounds IPVS's: each
// IPVS connection has an entry there.
seconds default_tcp_timeout(const proxy::ConntrackSettings& conntrack) {
    constexpr seconds kDay{86400};
    constexpr seconds kMost = 24 * kDay;
    return conntrack.tcp_established_timeout == seconds{0}
               ? kDay
               : std::min(conntrack.tcp_established_timeout, kMost);
}

Result<> apply_settings(const ProxySettings& settings, Options& options) {
    proxy::ProxyConfig& config = options.proxy;
    put(settings.scheduler, config.scheduler);
    put(settings.exclude_cidrs, config.exclude_cidrs);
    put(settings.masquerade_all, config.masquerade_all);
    put_number(settings.masquerade_bit, config.masquerade_bit);
    if (settings.node_port_addresses) {
        config.node_port_primary = settings.node_port_addresses->primary;
        config.node_port_addresses = settings.node_port_addresses->cidrs;
    }
    config.binding = binding_of(settings.vip_binding.value_or("auto"));
    put_number(settings.conntrack_max_per_core, config.conntrack.max_per_core);
    put_number(settings.conntrack_min, config.conntrack.min);
    put(settings.conntrack_tcp_be_liberal, config.conntrack.tcp_be_liberal);
    put(settings.service_cidrs, options.service_cidrs);
    if (settings.oom_score_adj) {
        options.oom_score_adj = static_cast<int>(*settings.oom_score_adj);
    }
    Result<> good = check_pair(settings.cluster_cidrs, "clusterCIDR (--cluster-cidr)");
    if (good) {
        good = check_pair(settings.service_cidrs, "--service-cluster-ip-range");
    }
    if (good) {
        good = apply_detection(settings, options);
    }
    if (good) {
        good = apply_times(settings, options);
    }
    if (good) {
        good = apply_binds(settings, options);
    }
    return good;
}

}  // namespace steelyard::speaker
