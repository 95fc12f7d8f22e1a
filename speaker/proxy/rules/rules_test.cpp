#include "speaker/proxy/rules/rules.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>
#include <sstream>

namespace steelyard::proxy {
namespace {

using net::Family;

std::string read(const std::string& path) {
    std::ifstream file(path);
    std::stringstream text;
    text << file.rdbuf();
    return text.str();
}

// Compares with testdata/<name>; SY_UPDATE_GOLDEN=1 rewrites it.
void expect_golden(const std::string& name, const std::string& text) {
    const std::string path = std::string(SY_TESTDATA) + "/" + name;
    if (std::getenv("SY_UPDATE_GOLDEN") != nullptr) {
        std::ofstream(path) << text;
    }
    EXPECT_EQ(text, read(path)) << path;
}

net::Prefix prefix(std::string_view text) {
    return net::Prefix::parse(text).value();
}

ProxyConfig with_pod_cidrs() {
    ProxyConfig config;
    config.detect.kind = LocalDetection::Kind::ClusterCidr;
    config.detect.cidrs = {prefix("10.244.0.0/16"), prefix("fd00:10::/48")};
    config.node_pod_cidrs = {prefix("10.244.1.0/24"), prefix("fd00:10:0:1::/64")};
    return config;
}

// What iptables-save prints after `restore` was fed to an empty node.
std::string as_saved(const std::vector<RuleTable>& rules) {
    std::string text;
    for (const RuleTable& table : rules) {
        text += "*" + table.name + "\n:OUTPUT ACCEPT [0:0]\n";
        for (const Chain& chain : table.chains) {
            text += ":" + chain.name + " - [0:0]\n";
        }
        for (const Jump& jump : table.jumps) {
            text += "-A " + jump.hook + " -j " + jump.target + "\n";
        }
        for (const Chain& chain : table.chains) {
            for (const std::string& rule : chain.rules) {
                text += "-A " + chain.name + " " + rule + "\n";
            }
        }
        text += "COMMIT\n";
    }
    return text;
}

TEST(RulesTest, PingsAreRefusedOnlyWhenToldTo) {
    ProxyConfig config;
    for (const Family family : {Family::V4, Family::V6}) {
        config.answer_ping = true;
        const std::string answered = *missing_rules(static_rules(config, family), "");
        config.answer_ping = false;
        const std::string refused = *missing_rules(static_rules(config, family), "");
        const char* const echo = family == Family::V4 ? "--icmp-type 8" : "--icmpv6-type 128";
        EXPECT_THAT(answered, testing::HasSubstr(echo));
        EXPECT_THAT(refused, testing::Not(testing::HasSubstr(echo)));
    }
}

TEST(RulesTest, AnEmptyNodeGetsEveryChainAndJump) {
    expect_golden("rules4.txt", *missing_rules(static_rules({}, Family::V4), ""));
    expect_golden("rules6.txt", *missing_rules(static_rules({}, Family::V6), ""));
    expect_golden(
        "rules4-pods.txt", *missing_rules(static_rules(with_pod_cidrs(), Family::V4), "")
    );
}

TEST(RulesTest, ANodeThatHasThemGetsNothing) {
    for (const Family family : {Family::V4, Family::V6}) {
        const auto rules = static_rules(with_pod_cidrs(), family);
        EXPECT_EQ(missing_rules(rules, as_saved(rules)), std::nullopt);
    }
}

TEST(RulesTest, OnlyTheChangedChainsAreRewritten) {
    const std::string saved = as_saved(static_rules({}, Family::V4));

    const auto text = missing_rules(static_rules(with_pod_cidrs(), Family::V4), saved);

    ASSERT_TRUE(text);
    EXPECT_THAT(
        *text,
        testing::StartsWith("*mangle\n:KUBE-MARK-PREROUTING - [0:0]\n-A KUBE-MARK-PREROUTING")
    );
    EXPECT_THAT(*text, testing::HasSubstr("*nat\n:KUBE-SERVICES - [0:0]\n"));
    EXPECT_THAT(*text, testing::Not(testing::HasSubstr(":KUBE-POSTROUTING")));
    EXPECT_THAT(*text, testing::Not(testing::HasSubstr("-I ")));
}

TEST(RulesTest, ALostJumpComesBackAndADoubledOneGoes) {
    const auto rules = static_rules({}, Family::V4);
    std::string saved = as_saved(rules);
    const std::string lost = "-A POSTROUTING -j KUBE-POSTROUTING\n";
    saved.erase(saved.find(lost), lost.size());
    const std::string doubled = "-A FORWARD -j KUBE-FORWARD\n";
    saved.insert(saved.find(doubled), doubled);

    EXPECT_EQ(
        missing_rules(rules, saved),
        "*nat\n-I POSTROUTING 1 -j KUBE-POSTROUTING\nCOMMIT\n"
        "*filter\n-D FORWARD -j KUBE-FORWARD\nCOMMIT\n"
    );
}

TEST(RulesTest, AJumpOfAnEarlierVersionGoes) {
    const auto rules = static_rules({}, Family::V4);
    std::string saved = as_saved(rules);
    const std::string kept = "-A OUTPUT -j KUBE-MARK-OUTPUT\n";
    ASSERT_NE(saved.find(kept), std::string::npos);
    saved.insert(saved.find(kept), "-A OUTPUT -j KUBE-IPVS-OUT-FILTER\n");

    EXPECT_EQ(missing_rules(rules, saved), "*mangle\n-D OUTPUT -j KUBE-IPVS-OUT-FILTER\nCOMMIT\n");
}

TEST(RulesTest, KubeProxysOwnJumpsAreReplaced) {
    const auto rules = static_rules({}, Family::V4);
    const std::string commented =
        "-A PREROUTING -m comment --comment \"kubernetes service portals\" -j KUBE-SERVICES\n";
    std::string saved = as_saved(rules);
    const std::string plain = "-A PREROUTING -j KUBE-SERVICES\n";
    saved.replace(saved.find(plain), plain.size(), commented);
    const std::string outwards = "-A OUTPUT -j KUBE-UNALLOCATED\n";
    saved.insert(saved.find(outwards), "-A OUTPUT -j KUBE-IPVS-OUT-FILTER\n");

    EXPECT_EQ(
        missing_rules(rules, saved),
        "*nat\n-D PREROUTING -m comment --comment \"kubernetes service portals\" -j KUBE-SERVICES\n"
        "-I PREROUTING 1 -j KUBE-SERVICES\nCOMMIT\n"
        "*filter\n-D OUTPUT -j KUBE-IPVS-OUT-FILTER\nCOMMIT\n"
    );
}

TEST(RulesTest, LoadBalancerModeLeavesKubeProxysNamesAlone) {
    ProxyConfig config;
    config.mode = Mode::LoadBalancer;

    const auto text = missing_rules(static_rules(config, Family::V4), "");

    EXPECT_THAT(*text, testing::Not(testing::HasSubstr("KUBE-")));
}

TEST(RulesTest, TheMasqueradeBitIsTheMark) {
    ProxyConfig config;
    config.masquerade_bit = 3;

    const auto text = missing_rules(static_rules(config, Family::V4), "");

    EXPECT_THAT(*text, testing::HasSubstr("-j MARK --set-xmark 0x8/0x8"));
    EXPECT_THAT(*text, testing::Not(testing::HasSubstr("0x4000")));
}

TEST(RulesTest, RemovalTakesOutWhatIsThereAndNothingElse) {
    const auto rules = static_rules({}, Family::V4);

    EXPECT_EQ(removal(rules, "*nat\n:PREROUTING ACCEPT [0:0]\nCOMMIT\n"), "");
    EXPECT_EQ(
        removal(
            rules,
            "*filter\n:FORWARD ACCEPT [0:0]\n:KUBE-FORWARD - [0:0]\n-A FORWARD -j KUBE-FORWARD\n"
            "-A FORWARD -j OTHER\nCOMMIT\n"
        ),
        "*filter\n:KUBE-FORWARD - [0:0]\n-D FORWARD -j KUBE-FORWARD\n-X KUBE-FORWARD\nCOMMIT\n"
    );
}

TEST(RulesTest, RemovalLeavesWhatOthersLeadInto) {
    // A port mapper of a CNI may be told to use KUBE-MARK-MASQ.
    const std::string foreign = "-A CNI-DN-1 -p tcp -j KUBE-MARK-MASQ\n";
    const std::string saved =
        "*nat\n:PREROUTING ACCEPT [0:0]\n:CNI-DN-1 - [0:0]\n:KUBE-MARK-MASQ - [0:0]\n"
        ":KUBE-NODE-PORT - [0:0]\n" +
        foreign + "-A CNI-DN-1 -j KUBE-NODE-PORT\n" +
        "-A KUBE-MARK-MASQ -j MARK --set-xmark 0x4000/0x4000\n"
        "-A KUBE-NODE-PORT -p tcp -m set --match-set KUBE-NODE-PORT-TCP dst -j KUBE-MARK-MASQ\n"
        "COMMIT\n";

    EXPECT_EQ(
        removal(static_rules({}, Family::V4), saved), "*nat\n:KUBE-NODE-PORT - [0:0]\nCOMMIT\n"
    );
}

TEST(RulesTest, RemovalTakesKubeProxysFormOfAJump) {
    EXPECT_EQ(
        removal(
            static_rules({}, Family::V4),
            "*filter\n:FORWARD ACCEPT [0:0]\n:KUBE-FORWARD - [0:0]\n:KUBE-FIREWALL - [0:0]\n"
            "-A FORWARD -m comment --comment \"kubernetes forwarding rules\" -j KUBE-FORWARD\n"
            "-A FORWARD -j KUBE-FIREWALL\nCOMMIT\n"
        ),
        "*filter\n:KUBE-FORWARD - [0:0]\n"
        "-D FORWARD -m comment --comment \"kubernetes forwarding rules\" -j KUBE-FORWARD\n"
        "-X KUBE-FORWARD\nCOMMIT\n"
    );
}

TEST(RulesTest, PodsAreKnownByTheInterfaceTheyCameIn) {
    ProxyConfig config;
    config.detect.kind = LocalDetection::Kind::BridgeInterface;
    config.detect.name = "cbr0";
    const auto bridge = missing_rules(static_rules(config, Family::V4), "");
    EXPECT_THAT(
        *bridge,
        testing::HasSubstr("-A KUBE-MARK-PREROUTING -i cbr0 -j SET --map-set KUBE-INTERNAL-MARK "
                           "dst,dst --map-mark\n")
    );
    EXPECT_THAT(
        *bridge,
        testing::HasSubstr("-A KUBE-SERVICES ! -i cbr0 -m set --match-set KUBE-CLUSTER-IP dst,dst "
                           "-j KUBE-MARK-MASQ\n")
    );

    config.detect.kind = LocalDetection::Kind::InterfaceNamePrefix;
    config.detect.name = "veth";
    const auto veth = missing_rules(static_rules(config, Family::V6), "");
    EXPECT_THAT(*veth, testing::HasSubstr("-A KUBE-SERVICES ! -i veth+ -m set"));
}

TEST(RulesTest, WithoutADetectorTheNodesOwnPodsAreInside) {
    ProxyConfig config = with_pod_cidrs();
    config.detect = {};
    const std::string text = *missing_rules(static_rules(config, Family::V6), "");
    EXPECT_THAT(
        text,
        testing::HasSubstr("-A KUBE-MARK-PREROUTING -s fd00:10:0:1::/64 -j SET --map-set "
                           "KUBE-6-INTERNAL-MARK dst,dst --map-mark\n")
    );
    EXPECT_THAT(
        text,
        testing::HasSubstr("-A KUBE-SERVICES -m set --match-set KUBE-6-CLUSTER-IP dst,dst "
                           "-m addrtype --src-type LOCAL -j KUBE-MARK-MASQ\n")
    );
}

TEST(RulesTest, OddSegmentsPassWhenConntrackIsLiberal) {
    ProxyConfig config;
    EXPECT_THAT(
        *missing_rules(static_rules(config, Family::V4), ""), testing::HasSubstr("INVALID")
    );
    config.conntrack.tcp_be_liberal = true;
    EXPECT_THAT(
        *missing_rules(static_rules(config, Family::V4), ""),
        testing::Not(testing::HasSubstr("INVALID"))
    );
}

TEST(RulesTest, AnySavedTextIsSurvived) {
    for (const char* saved : {"*", ":", "-A", "*nat\n-A \n-A X\n:\nCOMMIT", "\n\r\n \n"}) {
        EXPECT_TRUE(missing_rules(static_rules({}, Family::V4), saved)) << saved;
    }
}

}  // namespace
}  // namespace steelyard::proxy
