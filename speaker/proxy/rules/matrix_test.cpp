#include "speaker/proxy/rules/testing/play.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <set>
#include <string_view>

// Every kind of client, frontend, policy and configuration: what the plan, the sets and the rules
// together do with a packet is what is expected of a proxy.
namespace steelyard::proxy::oracle {
namespace {

using net::Family;

constexpr std::array kFamilies{Family::V4, Family::V6};

class MatrixTest : public testing::Test {
protected:
    void play_all(const Variant& variant) {
        for (const Setting& setting : all_settings()) {
            const Tracer tracer(
                static_rules(setting.config, variant.family), variant.family, "KUBE"
            );
            play(setting, variant, tracer, [&](const std::string& fault) {
                ++cases_;
                // Ten faults tell as much as a thousand.
                if (!fault.empty() && ++faults_ <= 10) {
                    ADD_FAILURE() << fault;
                }
                return true;
            });
        }
    }

    std::size_t cases_ = 0;
    std::size_t faults_ = 0;
};

TEST_F(MatrixTest, EveryClientReachesWhatItShould) {
    for (const Family family : kFamilies) {
        for (const net::Protocol protocol :
             {net::Protocol::Tcp, net::Protocol::Udp, net::Protocol::Sctp}) {
            Variant variant;
            variant.family = family;
            variant.protocol = protocol;
            play_all(variant);
        }
    }
    EXPECT_GT(cases_, 18000U);
    EXPECT_EQ(faults_, 0U);
}

TEST_F(MatrixTest, SessionAffinityChangesNothingOfThat) {
    for (const Family family : kFamilies) {
        for (const std::uint16_t port : {kEndpointPort, kPort}) {
            Variant variant;
            variant.family = family;
            variant.affinity = true;
            variant.endpoint_port = port;
            play_all(variant);
        }
    }
    EXPECT_EQ(faults_, 0U);
}

TEST_F(MatrixTest, NorDoesTheWayInWhichAddressesAreBound) {
    for (const Family family : kFamilies) {
        Variant variant;
        variant.family = family;
        variant.as_routes = true;
        play_all(variant);
    }
    EXPECT_EQ(faults_, 0U);
}

TEST_F(MatrixTest, SourceRangesHoldEveryKindOfClient) {
    for (const Family family : kFamilies) {
        for (const bool as_routes : {false, true}) {
            Variant variant;
            variant.family = family;
            variant.restricted = true;
            variant.as_routes = as_routes;
            variant.affinity = as_routes;
            play_all(variant);
        }
    }
    EXPECT_EQ(faults_, 0U);
}

// Rules that the matrix does not need, each with its reason.
bool beside_the_matrix(const std::string& rule) {
    constexpr std::array<std::string_view, 18> kBeside{
        // No packet of the matrix comes in with a mark.
        "KUBE-MARK-PREROUTING -m mark",
        // WalkTest and RulesTest have these.
        "KUBE-UNALLOCATED",
        "KUBE-FORWARD",
        "KUBE-MARK-PREROUTING -m conntrack --ctstate ESTABLISHED",
        "KUBE-MARK-OUTPUT ! -o lo",
        "KUBE-IPVS-FILTER -m conntrack ! --ctstate NEW",
        "KUBE-IPVS-FILTER -m set --match-set KUBE-IPVS-IPS",
        "KUBE-IPVS-FILTER -p icmp",
        "HEALTH-CHECK-NODE-PORT",
        "-s 127.0.0.0/8 -j RETURN",
        "AFFINITY-MARK",
        // Against rules of others: what is ours goes no further down their chains.
        "--dst-type LOCAL -j ACCEPT",
        "KUBE-SERVICES -m set --match-set KUBE-CLUSTER-IP dst,dst -j ACCEPT",
        "KUBE-SERVICES -m set --match-set KUBE-LOAD-BALANCER dst,dst -j ACCEPT",
        // Of two that say the same of a packet either may go. The node's own packets have a
        // virtual address as their source or one of the node's, and both are masqueraded.
        "KUBE-POSTROUTING ! -o lo",
        "KUBE-CLUSTER-IP dst,dst -m addrtype --src-type LOCAL -j KUBE-MARK-MASQ",
        "KUBE-SHORT-CIRCUIT -m addrtype --src-type LOCAL",
        // kube-proxy's; the node's own packets have met their virtual server before INPUT.
        "KUBE-SOURCE-RANGES-FIREWALL -m set --match-set KUBE-LOAD-BALANCER-SOURCE-IP",
    };
    return std::any_of(kBeside.begin(), kBeside.end(), [&](std::string_view text) {
        return rule.find(text) != std::string::npos;
    });
}

TEST_F(MatrixTest, EveryRuleIsNeeded) {
    std::vector<Variant> variants(6);
    variants[1].protocol = net::Protocol::Udp;
    variants[2].protocol = net::Protocol::Sctp;
    variants[3].affinity = true;
    variants[3].endpoint_port = kPort;
    variants[4].restricted = true;
    variants[5].restricted = true;
    variants[5].as_routes = true;
    std::set<std::string> idle;
    std::set<std::string> needed;
    for (const Setting& setting : all_settings()) {
        if (setting.fields.masquerade_all == setting.fields.node_pod_cidrs_known) {
            continue;  // half of them have every rule
        }
        const auto rules = static_rules(setting.config, Family::V4);
        for (std::size_t table = 0; table < rules.size(); ++table) {
            for (std::size_t chain = 0; chain < rules[table].chains.size(); ++chain) {
                const auto& texts = rules[table].chains[chain].rules;
                for (std::size_t rule = 0; rule < texts.size(); ++rule) {
                    const std::string name = rules[table].chains[chain].name + " " + texts[rule];
                    if (beside_the_matrix(name) || needed.contains(name)) {
                        continue;
                    }
                    auto without = rules;
                    auto& left = without[table].chains[chain].rules;
                    left.erase(left.begin() + static_cast<std::ptrdiff_t>(rule));
                    const Tracer tracer(without, Family::V4, "KUBE");
                    bool noticed = false;
                    for (const Variant& variant : variants) {
                        noticed = noticed || !play(setting, variant, tracer, [](const auto& fault) {
                                      return fault.empty();
                                  });
                    }
                    (noticed ? needed : idle).insert(name);
                }
            }
        }
    }
    for (const std::string& rule : needed) {
        idle.erase(rule);
    }
    EXPECT_THAT(idle, testing::IsEmpty());
}

}  // namespace
}  // namespace steelyard::proxy::oracle
