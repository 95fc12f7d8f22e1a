#include "speaker/options/proxy_settings.hpp"

namespace steelyard::speaker {
namespace {

constexpr std::int64_t kDay = std::int64_t{24} * 3600;
constexpr std::int64_t kMostTime = 30 * kDay;  // what parse_duration() reads
constexpr std::int64_t kMostIpvs = 24 * kDay;  // the kernel counts in ticks of 1/1000 s, 31 bits
constexpr std::int64_t kMostDrain = kDay;

constexpr const char* kTime = "a time from 0s to 720h, such as 30s";
constexpr const char* kIpvsTime = "a time from 0s to 576h, such as 15m";
constexpr const char* kTruth = "true or false";
constexpr const char* kListen = "an address to listen on, such as 0.0.0.0:10256 or [::]:10256";
constexpr const char* kCidrs = "a list of CIDRs such as 10.96.0.0/12";
constexpr const char* kPairOfCidrs = "a CIDR such as 10.244.0.0/16, or one of each IP family";

Setting text(
    const char* flag,
    const char* field,
    Setting::Member<std::string> target,
    const char* help,
    const char* wanted,
    std::vector<std::string> words = {}
) {
    return {flag, field, target, help, wanted, 0, 0, std::move(words)};
}

Setting truth(const char* flag, const char* field, Setting::Member<bool> target, const char* help) {
    return {flag, field, target, help, kTruth};
}

Setting number(
    const char* flag,
    const char* field,
    Setting::Member<std::int64_t> target,
    std::int64_t least,
    std::int64_t most,
    const char* help,
    const char* wanted
) {
    return {flag, field, target, help, wanted, least, most};
}

Setting time(
    const char* flag,
    const char* field,
    Setting::Member<Duration> target,
    const char* help,
    const char* wanted = kTime,
    std::int64_t most = kMostTime
) {
    return {flag, field, target, help, wanted, 0, most};
}

Setting listen(
    const char* flag,
    const char* field,
    Setting::Member<Bind> target,
    std::uint16_t port,
    const char* help
) {
    return {flag, field, target, help, kListen, 0, 0, {}, port};
}

std::vector<Setting> general() {
    using S = ProxySettings;
    return {
        text(nullptr, "hostnameOverride", &S::node_name, "", "the name of a Node"),
        text(nullptr, "clientConnection.kubeconfig", &S::kubeconfig, "", "the path of a file"),
        {"--bind-address",
         "bindAddress",
         &S::bind_address,
         "of which the IP family counts, for the two below; 0.0.0.0",
         "an IP address such as 0.0.0.0 or ::"},
        listen(
            "--healthz-bind-address",
            "healthzBindAddress",
            &S::healthz_bind,
            kProxyHealthzPort,
            "of kube-proxy's /healthz and /livez; \"\": nowhere; 0.0.0.0:10256 or [::]:10256 in "
            "mode full"
        ),
        listen(
            "--metrics-bind-address",
            "metricsBindAddress",
            &S::metrics_bind,
            kProxyMetricsPort,
            "of kube-proxy's /metrics; \"\": nowhere; 127.0.0.1:10249 or [::1]:10249 in mode full"
        ),
        truth(
            "--bind-address-hard-fail",
            "bindAddressHardFail",
            &S::bind_address_hard_fail,
            "end when one of these is taken, in place of trying again"
        ),
        number(
            "--oom-score-adj",
            "oomScoreAdj",
            &S::oom_score_adj,
            -1000,
            1000,
            "of this process; what the kubelet gave it",
            "a number from -1000 to 1000"
        ),
    };
}

std::vector<Setting> ipvs() {
    using S = ProxySettings;
    const std::vector<std::string> schedulers{
        "rr", "wrr", "lc", "wlc", "lblc", "lblcr", "sh", "dh", "sed", "nq", "mh", "fo", "ovf"};
    return {
        text(
            "--ipvs-scheduler",
            "ipvs.scheduler",
            &S::scheduler,
            "rr",
            "one of rr, wrr, lc, wlc, lblc, lblcr, sh, dh, sed, nq, mh, fo, ovf",
            schedulers
        ),
        {"--ipvs-exclude-cidrs",
         "ipvs.excludeCIDRs",
         &S::exclude_cidrs,
         "virtual servers inside are left alone",
         kCidrs},
        truth(
            "--ipvs-strict-arp",
            "ipvs.strictARP",
            &S::strict_arp,
            "always so in modes full and load-balancer: addresses are announced by speakers"
        ),
        time(
            "--ipvs-tcp-timeout",
            "ipvs.tcpTimeout",
            &S::tcp_timeout,
            "of idle TCP connections; 0s: as --conntrack-tcp-timeout-established",
            kIpvsTime,
            kMostIpvs
        ),
        time(
            "--ipvs-tcpfin-timeout",
            "ipvs.tcpFinTimeout",
            &S::tcp_fin_timeout,
            "of TCP connections after a FIN; 0s: the kernel's 2m",
            kIpvsTime,
            kMostIpvs
        ),
        time(
            "--ipvs-udp-timeout",
            "ipvs.udpTimeout",
            &S::udp_timeout,
            "of idle UDP flows; 0s: the kernel's 5m",
            kIpvsTime,
            kMostIpvs
        ),
        time(
            "--ipvs-sync-period",
            "ipvs.syncPeriod",
            &S::sync_period,
            "between two audits of the kernel; 0s: 30s"
        ),
        time(
            "--ipvs-min-sync-period",
            "ipvs.minSyncPeriod",
            &S::min_sync_period,
            "at least, between two writes to the kernel; 0s"
        ),
        text(
            "--vip-binding",
            nullptr,
            &S::vip_binding,
            "virtual addresses on the device, as local routes, or routes beyond 2000: auto",
            "one of auto, addresses, routes",
            {"auto", "addresses", "routes"}
        ),
        time(
            "--drain-grace",
            nullptr,
            &S::drain_grace,
            "how long connections to an endpoint that vanished may go on, 30s",
            "a time from 0s to 24h, such as 30s",
            kMostDrain
        ),
    };
}

std::vector<Setting> traffic() {
    using S = ProxySettings;
    // The highest bit tells our own marks from others, so it cannot be asked for.
    constexpr const char* kBit = "a number from 0 to 30";
    return {
        truth(
            "--masquerade-all",
            "iptables.masqueradeAll",
            &S::masquerade_all,
            "masquerade all traffic to ClusterIPs"
        ),
        number(
            "--iptables-masquerade-bit",
            "iptables.masqueradeBit",
            &S::masquerade_bit,
            0,
            30,
            "of the packet mark that asks for masquerading, 14",
            kBit
        ),
        truth(nullptr, "nftables.masqueradeAll", &S::nft_masquerade_all, ""),
        number(nullptr, "nftables.masqueradeBit", &S::nft_masquerade_bit, 0, 30, "", kBit),
        {"--cluster-cidr",
         "clusterCIDR",
         &S::cluster_cidrs,
         "addresses of pods, one CIDR of each family",
         kPairOfCidrs,
         0,
         0,
         {},
         0,
         true},
        text(
            "--detect-local-mode",
            "detectLocalMode",
            &S::detect_local_mode,
            "how the cluster's own pods are known, ClusterCIDR",
            "one of ClusterCIDR, NodeCIDR, BridgeInterface, InterfaceNamePrefix",
            {"ClusterCIDR", "NodeCIDR", "BridgeInterface", "InterfaceNamePrefix"}
        ),
        text(
            "--pod-bridge-interface",
            "detectLocal.bridgeInterface",
            &S::bridge_interface,
            "the bridge of pods, with BridgeInterface",
            "the name of an interface, such as cbr0"
        ),
        text(
            "--pod-interface-name-prefix",
            "detectLocal.interfaceNamePrefix",
            &S::interface_name_prefix,
            "of pods' interfaces, with InterfaceNamePrefix",
            "what names of interfaces begin with, such as veth"
        ),
        {"--nodeport-addresses",
         "nodePortAddresses",
         &S::node_port_addresses,
         "where NodePorts answer: CIDRs, or primary alone; every address",
         "a list of CIDRs such as 192.0.2.0/24, or the word primary alone"},
        {"--service-cluster-ip-range",
         nullptr,
         &S::service_cidrs,
         "where ClusterIPs come from, beside the API's ServiceCIDRs",
         kPairOfCidrs},
    };
}

std::vector<Setting> conntrack() {
    using S = ProxySettings;
    constexpr std::int64_t kMostEntries = 1048576;
    constexpr const char* kEntries = "a number from 0 to 1048576";
    return {
        number(
            "--conntrack-max-per-core",
            "conntrack.maxPerCore",
            &S::conntrack_max_per_core,
            0,
            kMostEntries,
            "tracked connections per core, 32768; 0: as it is",
            kEntries
        ),
        number(
            "--conntrack-min",
            "conntrack.min",
            &S::conntrack_min,
            0,
            kMostEntries,
            "tracked connections at least, 131072",
            kEntries
        ),
        time(
            "--conntrack-tcp-timeout-established",
            "conntrack.tcpEstablishedTimeout",
            &S::conntrack_tcp_established,
            "of idle TCP connections, 24h; 0s: as it is"
        ),
        time(
            "--conntrack-tcp-timeout-close-wait",
            "conntrack.tcpCloseWaitTimeout",
            &S::conntrack_tcp_close_wait,
            "of TCP connections in CLOSE_WAIT, 1h; 0s: as it is"
        ),
        truth(
            "--conntrack-tcp-be-liberal",
            "conntrack.tcpBeLiberal",
            &S::conntrack_tcp_be_liberal,
            "packets outside of the TCP window are valid"
        ),
        time(
            "--conntrack-udp-timeout",
            "conntrack.udpTimeout",
            &S::conntrack_udp,
            "of UDP flows without an answer, 0s: as it is"
        ),
        time(
            "--conntrack-udp-timeout-stream",
            "conntrack.udpStreamTimeout",
            &S::conntrack_udp_stream,
            "of UDP flows, 0s: as it is"
        ),
    };
}

}  // namespace

std::span<const Setting> proxy_setting_table() {
    static const std::vector<Setting> kTable = [] {
        std::vector<Setting> all;
        for (const auto& part : {general(), ipvs(), traffic(), conntrack()}) {
            all.insert(all.end(), part.begin(), part.end());
        }
        return all;
    }();
    return kTable;
}

}  // namespace steelyard::speaker
