#include "speaker/options/kube_proxy_config.hpp"
#include "speaker/options/options.hpp"
#include "speaker/options/test_files.hpp"

#include <gmock/gmock.h>

namespace steelyard::speaker {
namespace {

using namespace std::chrono_literals;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using Arguments = std::vector<std::string>;

const char* nothing(const char* /*name*/) {
    return nullptr;
}

// Of /etc: the files of testdata. A kubeconfig lies where kubeadm's ConfigMap says it does when
// that is mounted at /var/lib/kube-proxy.
Result<std::string> files(const std::string& path) {
    constexpr std::string_view kFolder = "/etc/";
    if (path == "/var/lib/kube-proxy/kubeconfig.conf") {
        return std::string("kind: Config\n");
    }
    const std::string text =
        path.starts_with(kFolder) ? test_file(SY_TESTDATA "/" + path.substr(kFolder.size())) : "";
    return text.empty() ? Result<std::string>(make_error(Errc::NotFound, path + ": no such file"))
                        : text;
}

Result<std::string> files_without_kubeconfig(const std::string& path) {
    return path.starts_with("/var") ? make_error(Errc::NotFound, path) : files(path);
}

Parsed read(Arguments arguments, ReadFile read_file = files) {
    arguments.insert(arguments.begin(), "--node-name=n1");
    return parse_options(arguments, nothing, read_file);
}

Options options(const Arguments& arguments, ReadFile read_file = files) {
    const Parsed parsed = read(arguments, read_file);
    EXPECT_TRUE(parsed.options) << parsed.output;
    return parsed.options.value_or(Options{});
}

net::Prefix cidr(const char* text) {
    return net::Prefix::parse(text).value();
}

std::string bind(const std::optional<net::Endpoint>& endpoint) {
    return endpoint ? to_string(*endpoint) : "off";
}

// kube-proxy's defaults, but where its 15 minutes of an idle connection would hurt.
void expect_defaults(const Options& of) {
    EXPECT_EQ(of.proxy.mode, proxy::Mode::Full);
    EXPECT_EQ(of.proxy.scheduler, "rr");
    EXPECT_EQ(of.proxy.masquerade_bit, 14U);
    EXPECT_FALSE(of.proxy.masquerade_all);
    EXPECT_EQ(of.proxy.binding, proxy::Binding::Auto);
    EXPECT_THAT(of.proxy.node_port_addresses, IsEmpty());
    EXPECT_FALSE(of.proxy.node_port_primary);
    EXPECT_THAT(of.proxy.exclude_cidrs, IsEmpty());
    EXPECT_EQ(of.proxy.tcp_timeout, 24h);
    EXPECT_EQ(of.proxy.tcp_fin_timeout, 0s);
    EXPECT_EQ(of.proxy.udp_timeout, 0s);
    EXPECT_EQ(of.proxy.drain_grace, 30s);
    EXPECT_EQ(of.proxy.conntrack, proxy::ConntrackSettings{});
    EXPECT_EQ(of.sync_period, 30s);
    EXPECT_EQ(of.min_sync_period, 0s);
    EXPECT_EQ(bind(of.healthz_bind), "0.0.0.0:10256");
    EXPECT_EQ(bind(of.metrics_bind), "127.0.0.1:10249");
    EXPECT_FALSE(of.bind_address_hard_fail);
    EXPECT_FALSE(of.oom_score_adj);
    EXPECT_THAT(of.service_cidrs, IsEmpty());
}

TEST(ProxyOptionsTest, DefaultsAreKubeProxys) {
    const Options of = options({});

    expect_defaults(of);
    EXPECT_EQ(of.proxy.detect, proxy::LocalDetection{});
    EXPECT_THAT(of.notes, IsEmpty());
}

TEST(ProxyOptionsTest, WithKubeadmsFileTheyAreTheSame) {
    const Options of = options({"--config=/etc/kubeadm.conf"});

    expect_defaults(of);
    EXPECT_EQ(of.proxy.detect.kind, proxy::LocalDetection::Kind::ClusterCidr);
    EXPECT_THAT(of.proxy.detect.cidrs, ElementsAre(cidr("10.244.0.0/16")));
    EXPECT_EQ(of.kubeconfig, "/var/lib/kube-proxy/kubeconfig.conf");
    EXPECT_THAT(of.notes, IsEmpty());
}

TEST(ProxyOptionsTest, EveryFieldOfTheFileIsInForce) {
    const Options of = options({"--config=/etc/ipvs.conf"});

    EXPECT_EQ(of.node_name, "n1") << "a flag wins";
    EXPECT_EQ(of.proxy.scheduler, "wlc");
    EXPECT_EQ(of.proxy.masquerade_bit, 13U);
    EXPECT_TRUE(of.proxy.masquerade_all);
    EXPECT_THAT(of.proxy.exclude_cidrs, ElementsAre(cidr("198.51.100.0/24")));
    EXPECT_THAT(
        of.proxy.detect.cidrs, ElementsAre(cidr("10.244.0.0/16"), cidr("fd00:10:244::/56"))
    );
    EXPECT_THAT(
        of.proxy.node_port_addresses, ElementsAre(cidr("192.0.2.0/24"), cidr("2001:db8::/64"))
    );
    EXPECT_EQ(of.proxy.tcp_timeout, 900s);
    EXPECT_EQ(of.proxy.tcp_fin_timeout, 30s);
    EXPECT_EQ(of.proxy.udp_timeout, 90s);
    EXPECT_EQ(of.sync_period, 1min);
    EXPECT_EQ(of.min_sync_period, 100ms);
    const proxy::ConntrackSettings conntrack{65536, 262144, 7200s, 1800s, true, 20s, 180s};
    EXPECT_EQ(of.proxy.conntrack, conntrack);
    EXPECT_EQ(bind(of.healthz_bind), "[::]:10256");
    EXPECT_EQ(bind(of.metrics_bind), "0.0.0.0:10249");
    EXPECT_TRUE(of.bind_address_hard_fail);
    EXPECT_EQ(of.oom_score_adj, -999);
    EXPECT_THAT(
        of.notes,
        ElementsAre(
            HasSubstr("/etc/ipvs.conf: featureGates: {\"SomeGate\":true} is not followed"),
            HasSubstr("clientConnection.qps: 50"),
            HasSubstr("ipvs.warmUp: \"5s\"")
        )
    );
}

TEST(ProxyOptionsTest, TheFilesNodeNameCountsWhereNobodyElseNamedIt) {
    const Parsed parsed = parse_options({"--config=/etc/ipvs.conf"}, nothing, files);

    ASSERT_TRUE(parsed.options) << parsed.output;
    EXPECT_EQ(parsed.options->node_name, "worker-7");
}

// Each flag against a file that says otherwise.
TEST(ProxyOptionsTest, AFlagWinsOverTheFile) {
    struct Row {
        const char* flag;
        bool (*holds)(const Options&);
    };
    using O = const Options&;
    for (const Row& row : {
             Row{"--ipvs-scheduler=sh",
                 [](O o) {
                     return o.proxy.scheduler == "sh";
                 }},
             Row{"--ipvs-exclude-cidrs=203.0.113.0/24,2001:db8:1::/48",
                 [](O o) {
                     return o.proxy.exclude_cidrs.size() == 2;
                 }},
             Row{"--ipvs-tcp-timeout=2h",
                 [](O o) {
                     return o.proxy.tcp_timeout == 2h;
                 }},
             Row{"--ipvs-tcp-timeout=0s",
                 [](O o) {
                     return o.proxy.tcp_timeout == 2h;
                 }},
             Row{"--ipvs-tcpfin-timeout=1500ms",
                 [](O o) {
                     return o.proxy.tcp_fin_timeout == 2s;
                 }},
             Row{"--ipvs-udp-timeout=10s",
                 [](O o) {
                     return o.proxy.udp_timeout == 10s;
                 }},
             Row{"--ipvs-sync-period=2m",
                 [](O o) {
                     return o.sync_period == 2min;
                 }},
             Row{"--ipvs-min-sync-period=1s",
                 [](O o) {
                     return o.min_sync_period == 1s;
                 }},
             Row{"--masquerade-all=false",
                 [](O o) {
                     return !o.proxy.masquerade_all;
                 }},
             Row{"--iptables-masquerade-bit=0",
                 [](O o) {
                     return o.proxy.masquerade_bit == 0;
                 }},
             Row{"--cluster-cidr=10.0.0.0/8",
                 [](O o) {
                     return o.proxy.detect.cidrs == Cidrs{cidr("10.0.0.0/8")};
                 }},
             Row{"--detect-local-mode=NodeCIDR",
                 [](O o) {
                     return o.proxy.detect.kind == proxy::LocalDetection::Kind::NodeCidr;
                 }},
             Row{"--nodeport-addresses=primary",
                 [](O o) {
                     return o.proxy.node_port_primary && o.proxy.node_port_addresses.empty();
                 }},
             Row{"--healthz-bind-address=127.0.0.1",
                 [](O o) {
                     return bind(o.healthz_bind) == "127.0.0.1:10256";
                 }},
             Row{"--healthz-bind-address=",
                 [](O o) {
                     return !o.healthz_bind;
                 }},
             Row{"--metrics-bind-address=[::1]:9000",
                 [](O o) {
                     return bind(o.metrics_bind) == "[::1]:9000";
                 }},
             Row{"--bind-address-hard-fail=false",
                 [](O o) {
                     return !o.bind_address_hard_fail;
                 }},
             Row{"--oom-score-adj=-5",
                 [](O o) {
                     return o.oom_score_adj == -5;
                 }},
             Row{"--conntrack-max-per-core=0",
                 [](O o) {
                     return o.proxy.conntrack.max_per_core == 0;
                 }},
             Row{"--conntrack-min=7",
                 [](O o) {
                     return o.proxy.conntrack.min == 7;
                 }},
             Row{"--conntrack-tcp-timeout-established=8h",
                 [](O o) {
                     return o.proxy.conntrack.tcp_established_timeout == 8h;
                 }},
             Row{"--conntrack-tcp-timeout-close-wait=0s",
                 [](O o) {
                     return o.proxy.conntrack.tcp_close_wait_timeout == 0s;
                 }},
             Row{"--conntrack-tcp-be-liberal=false",
                 [](O o) {
                     return !o.proxy.conntrack.tcp_be_liberal;
                 }},
             Row{"--conntrack-udp-timeout=1s",
                 [](O o) {
                     return o.proxy.conntrack.udp_timeout == 1s;
                 }},
             Row{"--conntrack-udp-timeout-stream=1s",
                 [](O o) {
                     return o.proxy.conntrack.udp_stream_timeout == 1s;
                 }},
             Row{"--kubeconfig=/k",
                 [](O o) {
                     return o.kubeconfig == "/k";
                 }},
             Row{"--vip-binding=routes",
                 [](O o) {
                     return o.proxy.binding == proxy::Binding::Routes;
                 }},
             Row{"--drain-grace=5s",
                 [](O o) {
                     return o.proxy.drain_grace == 5s;
                 }},
             Row{"--service-cluster-ip-range=10.96.0.0/12,fd00::/108",
                 [](O o) {
                     return o.service_cidrs.size() == 2;
                 }},
             Row{"--proxy-mode=ipvs",
                 [](O o) {
                     return o.proxy.mode == proxy::Mode::Full;
                 }},
         }) {
        EXPECT_TRUE(row.holds(options({"--config=/etc/ipvs.conf", row.flag}))) << row.flag;
    }
}

TEST(ProxyOptionsTest, PodsMayBeKnownByTheirInterface) {
    const Options bridge =
        options({"--detect-local-mode=BridgeInterface", "--pod-bridge-interface=cbr0"});
    const Options prefix =
        options({"--detect-local-mode=InterfaceNamePrefix", "--pod-interface-name-prefix=veth"});

    EXPECT_EQ(bridge.proxy.detect.kind, proxy::LocalDetection::Kind::BridgeInterface);
    EXPECT_EQ(bridge.proxy.detect.name, "cbr0");
    EXPECT_EQ(prefix.proxy.detect.kind, proxy::LocalDetection::Kind::InterfaceNamePrefix);
    EXPECT_EQ(prefix.proxy.detect.name, "veth");
}

TEST(ProxyOptionsTest, AKubeconfigThatIsNotThereIsNoted) {
    const Options of = options({"--config=/etc/kubeadm.conf"}, files_without_kubeconfig);

    EXPECT_EQ(of.kubeconfig, "");
    EXPECT_THAT(of.notes, ElementsAre(HasSubstr("there is no such file; this pod's own account")));
}

TEST(ProxyOptionsTest, BesideAKubeProxyItsPortsAreItsOwn) {
    for (const char* mode : {"--proxy-mode=load-balancer", "--proxy-mode=announce-only"}) {
        const Options of = options({mode, "--config=/etc/ipvs.conf"});
        const Options told = options({mode, "--healthz-bind-address=127.0.0.1:9999"});

        EXPECT_EQ(bind(of.healthz_bind), "off");
        EXPECT_EQ(bind(of.metrics_bind), "off");
        EXPECT_EQ(bind(told.healthz_bind), "127.0.0.1:9999");
    }
}

// Of bindAddress the family counts, where an address to listen on was not given itself.
TEST(ProxyOptionsTest, TheFamilyOfTheBindAddressIsThatOfTheDefaultPorts) {
    struct Row {
        Arguments arguments;
        const char* healthz;
        const char* metrics;
    };
    for (const Row& row : {
             Row{{"--bind-address=0.0.0.0"}, "0.0.0.0:10256", "127.0.0.1:10249"},
             Row{{"--bind-address=::"}, "[::]:10256", "[::1]:10249"},
             Row{{"--bind-address=2001:db8::1"}, "[::]:10256", "[::1]:10249"},
             Row{{"--bind-address=::", "--healthz-bind-address=192.0.2.1"},
                 "192.0.2.1:10256",
                 "[::1]:10249"},
             Row{{"--bind-address=::", "--metrics-bind-address="}, "[::]:10256", "off"},
             Row{{"--config=/etc/ipvs.conf", "--bind-address=::"}, "[::]:10256", "0.0.0.0:10249"},
             Row{{"--config=/etc/six.conf"}, "[::]:10256", "[::1]:10249"},
             Row{{"--config=/etc/six.conf", "--bind-address=0.0.0.0"},
                 "0.0.0.0:10256",
                 "127.0.0.1:10249"},
             Row{{"--config=/etc/six.conf", "--proxy-mode=load-balancer"}, "off", "off"},
         }) {
        const Options of = options(row.arguments);

        EXPECT_EQ(bind(of.healthz_bind), row.healthz) << row.arguments.front();
        EXPECT_EQ(bind(of.metrics_bind), row.metrics) << row.arguments.front();
    }
}

TEST(ProxyOptionsTest, OfABindAddressTheRestIsNoted) {
    const Options of = options({"--bind-address=192.0.2.1"});

    EXPECT_THAT(of.notes, ElementsAre(HasSubstr("--bind-address): 192.0.2.1 is not followed but")));
    EXPECT_THAT(options({"--bind-address=::"}).notes, IsEmpty());
}

TEST(ProxyOptionsTest, KubeProxysOtherFlagsAreTakenAndNoted) {
    const Options of = options(
        {"-v=4",
         "--logtostderr",
         "--profiling=true",
         "--feature-gates=A=true,B=false",
         "--kube-api-qps",
         "50",
         "--bind-address=192.0.2.1"}
    );

    EXPECT_EQ(of.notes.size(), 6U);
    EXPECT_THAT(of.notes, testing::Contains(HasSubstr("--feature-gates is not followed: there")));
}

TEST(ProxyOptionsTest, AListMayBeGivenInParts) {
    const Options of =
        options({"--nodeport-addresses=192.0.2.0/24", "--nodeport-addresses=2001:db8::/64"});

    EXPECT_EQ(of.proxy.node_port_addresses.size(), 2U);
}

TEST(ProxyOptionsTest, InitAndCleanUpNeedNoNodeName) {
    EXPECT_TRUE(parse_options({"--init-only"}, nothing, files).options);
    EXPECT_TRUE(parse_options({"--cleanup"}, nothing, files).options);
}

TEST(ProxyOptionsTest, AWrongValueIsOneLineThatNamesItsFlag) {
    struct Row {
        Arguments arguments;
        const char* says;
    };
    for (const Row& row : {
             Row{{"--ipvs-scheduler=fast"}, "--ipvs-scheduler: \"fast\" is not one of rr"},
             Row{{"--ipvs-tcp-timeout=600h"}, "--ipvs-tcp-timeout: \"600h\" is not a time"},
             Row{{"--ipvs-sync-period=soon"}, "--ipvs-sync-period: \"soon\" is not a time from"},
             Row{{"--ipvs-min-sync-period=31s"}, "must not be more than ipvs.syncPeriod"},
             Row{{"--cluster-cidr=10.0.0.0/8,10.1.0.0/16"}, "more than one CIDR of an IP family"},
             Row{{"--service-cluster-ip-range=10.96.0.1"}, "--service-cluster-ip-range: \"10.9"},
             Row{{"--nodeport-addresses=primary,10.0.0.0/8"}, "or the word primary alone"},
             Row{{"--detect-local-mode=BridgeInterface"}, "detectLocal.bridgeInterface"},
             Row{{"--detect-local-mode=InterfaceNamePrefix",
                  "--pod-interface-name-prefix=veth -j ACCEPT"},
                 "what names of interfaces begin with"},
             Row{{"--oom-score-adj=low"}, "--oom-score-adj: \"low\" is not a number from -1000"},
             Row{{"--conntrack-min=99999999999999999999"}, "--conntrack-min: \"9999"},
             Row{{"--healthz-bind-address=10256"}, "--healthz-bind-address: \"10256\" is not an"},
             Row{{"--healthz-bind-address=:::10256"}, "\":::10256\" is not an address to listen"},
             Row{{"--healthz-bind-address=[::]"}, "such as 0.0.0.0:10256 or [::]:10256"},
             Row{{"--healthz-bind-address=[::]:0"}, "\"[::]:0\" is not an address to listen on"},
             Row{{"--healthz-bind-address=[0.0.0.0]:10256"}, "is not an address to listen on"},
             Row{{"--bind-address=eth0"}, "--bind-address: \"eth0\" is not an IP address such as"},
             Row{{"--metrics-bind-address=0.0.0.0:9120"}, "has the port of --port"},
             Row{{"--metrics-bind-address=0.0.0.0:10256"}, "has the port of healthzBindAddress"},
             Row{{"--masquerade-all=perhaps"}, "--masquerade-all"},
             Row{{"--vip-binding=both"}, "--vip-binding: \"both\" is not one of auto"},
             Row{{"--proxy-mode=iptables"}, "--proxy-mode"},
             Row{{"--config=/nowhere"}, "--config: /nowhere: no such file"},
         }) {
        const Parsed parsed = read(row.arguments);

        EXPECT_FALSE(parsed.options) << row.says;
        EXPECT_EQ(parsed.exit_status, 2) << row.says;
        EXPECT_THAT(parsed.output, HasSubstr(row.says));
        EXPECT_EQ(std::count(parsed.output.begin(), parsed.output.end(), '\n'), 1) << row.says;
    }
}

TEST(ProxyOptionsTest, AllMistakesOfTheFileAreTold) {
    const Parsed parsed = read({"--config=/etc/broken.conf"});

    EXPECT_FALSE(parsed.options);
    EXPECT_EQ(parsed.exit_status, 2);
    EXPECT_EQ(std::count(parsed.output.begin(), parsed.output.end(), '\n'), 13);
    EXPECT_THAT(
        parsed.output, HasSubstr("steelyard-speaker: /etc/broken.conf:14: ipvs.syncPeriod")
    );
}

TEST(ProxyOptionsTest, WhatIsWrittenSaysTheSameWhenRead) {
    for (const Arguments& arguments : {
             Arguments{"--config=/etc/kubeadm.conf"},
             Arguments{"--config=/etc/ipvs.conf"},
             Arguments{"--detect-local-mode=NodeCIDR", "--nodeport-addresses=primary"},
             Arguments{"--detect-local-mode=BridgeInterface", "--pod-bridge-interface=cbr0"},
         }) {
        const Options written = options(arguments);
        Mistakes mistakes;
        const auto config = read_kube_proxy_config(write_kube_proxy_config(written), mistakes);
        ASSERT_THAT(mistakes, IsEmpty());
        EXPECT_THAT(config.ignored, IsEmpty());
        Options again;
        ASSERT_TRUE(apply_settings(config.settings, again));

        again.proxy.answer_ping = written.proxy.answer_ping;
        EXPECT_EQ(again.proxy, written.proxy);
        EXPECT_EQ(again.healthz_bind, written.healthz_bind);
        EXPECT_EQ(again.metrics_bind, written.metrics_bind);
        EXPECT_EQ(again.sync_period, written.sync_period);
        EXPECT_EQ(again.min_sync_period, written.min_sync_period);
        EXPECT_EQ(again.oom_score_adj, written.oom_score_adj);
        EXPECT_EQ(again.bind_address_hard_fail, written.bind_address_hard_fail);
    }
}

}  // namespace
}  // namespace steelyard::speaker
