#include "speaker/options/kube_proxy_config.hpp"

#include <chrono>
#include <sstream>
#include <string_view>

namespace steelyard::speaker {
namespace {

// As Go writes a duration, in one unit.
std::string time_text(Duration time) {
    using namespace std::chrono;
    const auto whole = duration_cast<seconds>(time);
    if (whole == time) {
        return std::to_string(whole.count()) + "s";
    }
    return std::to_string(duration_cast<nanoseconds>(time).count()) + "ns";
}

std::string quoted(const std::string& text) {
    return nlohmann::json(text).dump(-1, ' ', true, nlohmann::json::error_handler_t::replace);
}

std::string list(const Cidrs& cidrs) {
    std::string text;
    for (const net::Prefix& cidr : cidrs) {
        text += (text.empty() ? "" : ",") + to_string(cidr);
    }
    return text;
}

std::string flow_list(const Cidrs& cidrs) {
    std::string text;
    for (const net::Prefix& cidr : cidrs) {
        text += (text.empty() ? "" : ", ") + quoted(to_string(cidr));
    }
    return "[" + text + "]";
}

std::string bind_text(const std::optional<net::Endpoint>& bind) {
    return quoted(bind ? to_string(*bind) : "");
}

std::string_view detect_text(proxy::LocalDetection::Kind kind) {
    using Kind = proxy::LocalDetection::Kind;
    switch (kind) {
        case Kind::None:
            return "";
        case Kind::ClusterCidr:
            return "ClusterCIDR";
        case Kind::NodeCidr:
            return "NodeCIDR";
        case Kind::BridgeInterface:
            return "BridgeInterface";
        case Kind::InterfaceNamePrefix:
            return "InterfaceNamePrefix";
    }
    return "";
}

std::string_view truth(bool value) {
    return value ? "true" : "false";
}

}  // namespace

std::string write_kube_proxy_config(const Options& options) {
    using Kind = proxy::LocalDetection::Kind;
    const proxy::ProxyConfig& config = options.proxy;
    const proxy::LocalDetection& detect = config.detect;
    const auto name_for = [&](Kind kind) {
        return quoted(detect.kind == kind ? detect.name : "");
    };
    std::ostringstream out;
    out << "apiVersion: kubeproxy.config.k8s.io/v1alpha1\n"
        << "kind: KubeProxyConfiguration\n"
        << "mode: ipvs\n"
        << "hostnameOverride: " << quoted(options.node_name) << "\n"
        << "clientConnection:\n"
        << "  kubeconfig: " << quoted(options.kubeconfig) << "\n"
        << "healthzBindAddress: " << bind_text(options.healthz_bind) << "\n"
        << "metricsBindAddress: " << bind_text(options.metrics_bind) << "\n"
        << "bindAddressHardFail: " << truth(options.bind_address_hard_fail) << "\n";
    if (options.oom_score_adj) {
        out << "oomScoreAdj: " << *options.oom_score_adj << "\n";
    }
    out << "clusterCIDR: " << quoted(detect.kind == Kind::ClusterCidr ? list(detect.cidrs) : "")
        << "\n"
        << "detectLocalMode: " << quoted(std::string(detect_text(detect.kind))) << "\n"
        << "detectLocal:\n"
        << "  bridgeInterface: " << name_for(Kind::BridgeInterface) << "\n"
        << "  interfaceNamePrefix: " << name_for(Kind::InterfaceNamePrefix) << "\n"
        << "nodePortAddresses: "
        << (config.node_port_primary ? "[primary]" : flow_list(config.node_port_addresses)) << "\n"
        << "iptables:\n"
        << "  masqueradeAll: " << truth(config.masquerade_all) << "\n"
        << "  masqueradeBit: " << config.masquerade_bit << "\n"
        << "ipvs:\n"
        << "  scheduler: " << quoted(config.scheduler) << "\n"
        << "  excludeCIDRs: " << flow_list(config.exclude_cidrs) << "\n"
        << "  strictARP: " << truth(config.mode != proxy::Mode::AnnounceOnly) << "\n"
        << "  syncPeriod: " << time_text(options.sync_period) << "\n"
        << "  minSyncPeriod: " << time_text(options.min_sync_period) << "\n"
        << "  tcpTimeout: " << time_text(config.tcp_timeout) << "\n"
        << "  tcpFinTimeout: " << time_text(config.tcp_fin_timeout) << "\n"
        << "  udpTimeout: " << time_text(config.udp_timeout) << "\n"
        << "conntrack:\n"
        << "  maxPerCore: " << config.conntrack.max_per_core << "\n"
        << "  min: " << config.conntrack.min << "\n"
        << "  tcpEstablishedTimeout: " << time_text(config.conntrack.tcp_established_timeout)
        << "\n"
        << "  tcpCloseWaitTimeout: " << time_text(config.conntrack.tcp_close_wait_timeout) << "\n"
        << "  tcpBeLiberal: " << truth(config.conntrack.tcp_be_liberal) << "\n"
        << "  udpTimeout: " << time_text(config.conntrack.udp_timeout) << "\n"
        << "  udpStreamTimeout: " << time_text(config.conntrack.udp_stream_timeout) << "\n";
    return out.str();
}

}  // namespace steelyard::speaker
