#include "speaker/options/kube_proxy_config.hpp"

#include "speaker/options/test_files.hpp"

#include <gmock/gmock.h>

namespace steelyard::speaker {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

constexpr const char* kHead =
    "apiVersion: kubeproxy.config.k8s.io/v1alpha1\nkind: KubeProxyConfiguration\n";

std::vector<std::string> fields(const std::vector<Ignored>& ignored) {
    std::vector<std::string> names;
    for (const Ignored& each : ignored) {
        names.push_back(each.field);
    }
    return names;
}

TEST(KubeProxyConfigTest, WhatKubeadmWritesTellsTheClusterCidrAndNothingElse) {
    Mistakes mistakes;
    const KubeProxyConfig config =
        read_kube_proxy_config(test_file(SY_TESTDATA "/kubeadm.conf"), mistakes);

    EXPECT_THAT(mistakes, IsEmpty());
    EXPECT_THAT(fields(config.ignored), IsEmpty());
    ProxySettings expected;
    expected.kubeconfig = "/var/lib/kube-proxy/kubeconfig.conf";
    expected.bind_address = net::IpAddress::v4(0);
    expected.cluster_cidrs = Cidrs{net::Prefix::parse("10.244.0.0/16").value()};
    // Told, and no different from their defaults.
    expected.bind_address_hard_fail = expected.strict_arp = expected.masquerade_all = false;
    expected.conntrack_tcp_be_liberal = false;
    expected.sync_period = expected.min_sync_period = Duration{};
    expected.tcp_timeout = expected.tcp_fin_timeout = expected.udp_timeout = Duration{};
    expected.conntrack_udp = expected.conntrack_udp_stream = Duration{};
    EXPECT_EQ(config.settings, expected);
}

TEST(KubeProxyConfigTest, EveryMistakeIsOneLineWithItsFieldValueAndWhatIsAccepted) {
    Mistakes mistakes;
    static_cast<void>(read_kube_proxy_config(test_file(SY_TESTDATA "/broken.conf"), mistakes));

    std::sort(mistakes.begin(), mistakes.end(), [](const auto& left, const auto& right) {
        return std::stoi(left) < std::stoi(right);
    });
    EXPECT_THAT(
        mistakes,
        ElementsAre(
            R"(3: mode: "userspace" is not one of "", ipvs, iptables, nftables)",
            R"(4: clusterCIDR: "10.244.0.0" is not a CIDR such as 10.244.0.0/16, or one of each IP family)",
            R"(5: bindAddressHardFail: "yes" is not true or false)",
            R"(6: healthzBindAddress: "localhost:10256" is not an address to listen on, such as 0.0.0.0:10256 or [::]:10256)",
            R"(7: nodePortAddresses: ["primary","192.0.2.0/24"] is not a list of CIDRs such as 192.0.2.0/24, or the word primary alone)",
            R"(8: oomScoreAdj: -2000 is not a number from -1000 to 1000)",
            R"(10: iptables.masqueradeBit: 31 is not a number from 0 to 30)",
            R"(12: ipvs.scheduler: "fastest" is not one of rr, wrr, lc, wlc, lblc, lblcr, sh, dh, sed, nq, mh, fo, ovf)",
            R"(13: ipvs.excludeCIDRs: "198.51.100.7" is not a list of CIDRs such as 10.96.0.0/12)",
            R"(14: ipvs.syncPeriod: 30 is not a time from 0s to 720h, such as 30s)",
            R"(15: ipvs.minSyncPeriod: "-1s" is not a time from 0s to 720h, such as 30s)",
            R"(16: conntrack: ["maxPerCore"] is not a section of fields)",
            R"(17: detectLocalMode: "Guess" is not one of ClusterCIDR, NodeCIDR, BridgeInterface, InterfaceNamePrefix)"
        )
    );
}

TEST(KubeProxyConfigTest, WhatIsNoSuchFileIsRefused) {
    struct Row {
        const char* text;
        const char* says;
    };
    for (const Row& row : {
             Row{"", "1: expected one KubeProxyConfiguration, found 0"},
             Row{"a: 1\n---\nb: 2\n", "found 2"},
             Row{"[1]", "1: is not a KubeProxyConfiguration: expected a YAML mapping"},
             Row{"kind: [", "not YAML"},
             Row{"kind: KubeProxyConfiguration\n", R"(1: apiVersion: "" is not kubeproxy.config.)"},
             Row{"apiVersion: kubeproxy.config.k8s.io/v1beta1\nkind: KubeProxyConfiguration\n",
                 R"(1: apiVersion: "kubeproxy.config.k8s.io/v1beta1" is not)"},
             Row{"apiVersion: kubeproxy.config.k8s.io/v1alpha1\nkind: Pod\n",
                 R"(2: kind: "Pod" is not KubeProxyConfiguration)"},
             Row{"kind: 1\napiVersion: kubeproxy.config.k8s.io/v1alpha1\n", "1: kind: 1 is not"},
         }) {
        Mistakes mistakes;
        static_cast<void>(read_kube_proxy_config(row.text, mistakes));

        EXPECT_THAT(mistakes, ElementsAre(HasSubstr(row.says))) << row.text;
    }
}

TEST(KubeProxyConfigTest, WhatIsNotFollowedIsTold) {
    struct Row {
        const char* text;
        const char* says;  // "": nothing
    };
    for (const Row& row : {
             Row{"mode: iptables", R"(mode: "iptables" is not followed: Services are programmed)"},
             Row{"mode: nftables", R"(mode: "nftables" is not followed)"},
             Row{"mode: ipvs", ""},
             Row{"featureGates: {A: true}", R"(featureGates: {"A":true} is not followed)"},
             Row{"featureGates: {}", ""},
             Row{"clientConnection: {qps: 50}", "clientConnection.qps: 50 is not followed"},
             Row{"clientConnection: {qps: 5, burst: 10}", ""},
             Row{"logging: {verbosity: 4}", R"(logging: {"verbosity":4} is not followed)"},
             Row{"bindAddress: '::'", ""},
             Row{"enableProfiling: true", "enableProfiling: true is not followed"},
             Row{"iptables: {syncPeriod: 1m}", "iptables.syncPeriod: \"1m\" is not followed"},
             Row{"iptables: {syncPeriod: 30s, minSyncPeriod: 1s}", ""},
             Row{"winkernel: {enableDSR: true}", "winkernel: {\"enableDSR\":true} is not"},
             Row{"ipvs: {warmUp: 5s}", "ipvs.warmUp: \"5s\" is not followed: there is no such"},
             Row{"ipvs: {warmUp: 0s}", ""},
             Row{"speed: high", "speed: \"high\" is not followed: there is no such field"},
             Row{"ipvs.scheduler: wlc", "\"ipvs.scheduler\": \"wlc\" is not followed: there is no"},
         }) {
        Mistakes mistakes;
        const auto config = read_kube_proxy_config(std::string(kHead) + row.text, mistakes);

        EXPECT_THAT(mistakes, IsEmpty()) << row.text;
        ASSERT_EQ(config.ignored.size(), *row.says == '\0' ? 0U : 1U) << row.text;
        if (!config.ignored.empty()) {
            EXPECT_THAT(to_string(config.ignored.front()), HasSubstr(row.says));
        }
    }
}

TEST(KubeProxyConfigTest, InNftablesModeItsOwnSectionSaysHowToMasquerade) {
    const std::string sections =
        "iptables: {masqueradeAll: false, masqueradeBit: 13}\n"
        "nftables: {masqueradeAll: true, masqueradeBit: 12}\n";
    Mistakes mistakes;

    const auto nft = read_kube_proxy_config(kHead + sections + "mode: nftables", mistakes);
    const auto ipvs = read_kube_proxy_config(kHead + sections + "mode: ipvs", mistakes);

    EXPECT_EQ(nft.settings.masquerade_all, true);
    EXPECT_EQ(nft.settings.masquerade_bit, 12);
    EXPECT_EQ(ipvs.settings.masquerade_all, false);
    EXPECT_EQ(ipvs.settings.masquerade_bit, 13);
}

TEST(KubeProxyConfigTest, NodePortsAreForTheFirstAddressesOfTheNodeWhenThatIsAllThatIsSaid) {
    Mistakes mistakes;

    const auto config =
        read_kube_proxy_config(std::string(kHead) + "nodePortAddresses: [primary]", mistakes);

    EXPECT_THAT(mistakes, IsEmpty());
    EXPECT_EQ(config.settings.node_port_addresses, (NodePorts{true, {}}));
}

}  // namespace
}  // namespace steelyard::speaker
