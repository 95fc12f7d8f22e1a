#include "speaker/elect/elect.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>
#include <string>
#include <vector>

namespace steelyard::elect {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

NodeFacts healthy(std::string name) {
    return NodeFacts{std::move(name), true, true, true, false, false};
}

std::vector<NodeFacts> four_nodes() {
    return {healthy("node-a"), healthy("node-b"), healthy("node-c"), healthy("node-d")};
}

Question ask(std::string_view address, std::size_t nodes) {
    Question question;
    question.address = net::IpAddress::parse(address).value();
    question.fits.resize(nodes);
    return question;
}

std::vector<std::string> names(
    const std::vector<NodeIndex>& indexes, const std::vector<NodeFacts>& nodes
) {
    std::vector<std::string> out;
    for (const NodeIndex i : indexes) {
        out.push_back(nodes[i].name);
    }
    return out;
}

// Expected orders computed with an independent SHA-256 of "node#ip".
TEST(ElectTest, FollowsMetalLbOrderForBothFamilies) {
    const auto nodes = four_nodes();

    const Verdict v4 = elect(ask("192.0.2.10", 4), nodes, Order::MetalLb);
    const Verdict v6 = elect(ask("2001:db8::7", 4), nodes, Order::MetalLb);

    EXPECT_EQ(v4.winner, 3U);
    EXPECT_THAT(names(v4.candidates, nodes), ElementsAre("node-d", "node-c", "node-b", "node-a"));
    EXPECT_EQ(v6.winner, 2U);
    EXPECT_THAT(names(v6.candidates, nodes), ElementsAre("node-c", "node-d", "node-b", "node-a"));
}

TEST(ElectTest, HashesTheServicesFirstAddressInAMixedRing) {
    const auto nodes = four_nodes();
    Question question = ask("192.0.2.10", 4);
    question.metallb_key = net::IpAddress::parse("2001:db8::7").value();

    EXPECT_EQ(elect(question, nodes, Order::MetalLb).winner, 2U);
}

TEST(ElectTest, NobodyWinsWithoutCandidates) {
    auto nodes = four_nodes();
    for (NodeFacts& node : nodes) {
        node.alive = false;
    }

    const Verdict verdict = elect(ask("192.0.2.10", 4), nodes, Order::Rendezvous);

    EXPECT_EQ(verdict.winner, std::nullopt);
    EXPECT_THAT(verdict.candidates, IsEmpty());
    EXPECT_EQ(verdict.excluded.size(), 4U);
}

TEST(ElectTest, NobodyWinsAmongNoNodes) {
    EXPECT_EQ(elect(ask("192.0.2.10", 0), {}, Order::MetalLb).winner, std::nullopt);
    EXPECT_EQ(elect(ask("192.0.2.10", 0), {}, Order::Rendezvous).winner, std::nullopt);
}

struct ExclusionCase {
    const char* name;
    Reason reason;
    std::function<void(NodeFacts&, Fit&, Policy&)> spoil;
};

class ExclusionTest : public testing::TestWithParam<ExclusionCase> {};

TEST_P(ExclusionTest, NamesTheRuleThatExcludesANode) {
    for (const Order order : {Order::MetalLb, Order::Rendezvous}) {
        auto nodes = four_nodes();
        Question question = ask("192.0.2.10", 4);
        const NodeIndex first = elect(question, nodes, order).winner.value();

        GetParam().spoil(nodes[first], question.fits[first], question.policy);
        const Verdict verdict = elect(question, nodes, order);

        EXPECT_NE(verdict.winner, first);
        EXPECT_THAT(verdict.excluded, ElementsAre(Exclusion{first, GetParam().reason}));
        EXPECT_EQ(to_string(GetParam().reason), GetParam().name);
        EXPECT_THAT(sentence(GetParam().reason), testing::Not(IsEmpty()));
    }
}

INSTANTIATE_TEST_SUITE_P(
    Reasons,
    ExclusionTest,
    testing::Values(
        ExclusionCase{
            "notAlive",
            Reason::NotAlive,
            [](NodeFacts& n, Fit&, Policy&) {
                n.alive = false;
            }},
        ExclusionCase{
            "unreachable",
            Reason::Unreachable,
            [](NodeFacts& n, Fit&, Policy&) {
                n.reachable = false;
            }},
        ExclusionCase{
            "notReady",
            Reason::NotReady,
            [](NodeFacts& n, Fit&, Policy&) {
                n.ready = false;
            }},
        ExclusionCase{
            "nodeNetworkUnavailable",
            Reason::NetworkUnavailable,
            [](NodeFacts& n, Fit&, Policy&) {
                n.network_unavailable = true;
            }},
        ExclusionCase{
            "nodeLabeledExcludeBalancers",
            Reason::ExcludedByLabel,
            [](NodeFacts& n, Fit&, Policy&) {
                n.excluded_by_label = true;
            }},
        ExclusionCase{
            "notSelected",
            Reason::NotSelected,
            [](NodeFacts&, Fit& f, Policy&) {
                f.selected = false;
            }},
        ExclusionCase{
            "noLocalEndpoints",
            Reason::NoLocalEndpoint,
            [](NodeFacts&, Fit& f, Policy& p) {
                f.has_local_endpoint = false;
                p = Policy::Local;
            }},
        ExclusionCase{
            "noInterface",
            Reason::NoInterface,
            [](NodeFacts&, Fit& f, Policy&) {
                f.has_interface = false;
            }}
    ),
    [](const auto& instance) { return std::string(instance.param.name); }
);

TEST(ElectTest, ClusterPolicyIgnoresWhereEndpointsAre) {
    auto nodes = four_nodes();
    Question question = ask("192.0.2.10", 4);
    for (Fit& fit : question.fits) {
        fit.has_local_endpoint = false;
    }

    EXPECT_EQ(elect(question, nodes, Order::MetalLb).winner, 3U);
}

TEST(ElectTest, PreferenceComesBeforeTheHash) {
    for (const Order order : {Order::MetalLb, Order::Rendezvous}) {
        auto nodes = four_nodes();
        Question question = ask("192.0.2.10", 4);
        question.fits[0].preference = 10;
        question.fits[1].preference = 5;

        const Verdict verdict = elect(question, nodes, order);

        EXPECT_EQ(verdict.winner, 0U);
        EXPECT_EQ(verdict.candidates[1], 1U);
    }
}

TEST(ElectTest, PreferredNodesAreNotBoundedByLoad) {
    const auto nodes = four_nodes();
    std::vector<Question> questions;
    for (int i = 0; i < 8; ++i) {
        questions.push_back(ask("192.0.2." + std::to_string(i), 4));
        questions.back().fits[2].preference = 1;
    }

    for (const auto& winner : elect_all(questions, nodes, Order::Rendezvous)) {
        EXPECT_EQ(winner, 2U);
    }
}

TEST(ElectTest, AFewAddressesSpreadOverAsManyNodes) {
    const auto nodes = four_nodes();
    std::vector<Question> questions;
    for (int i = 0; i < 4; ++i) {
        questions.push_back(ask("192.0.2." + std::to_string(i), 4));
    }

    const auto winners = elect_all(questions, nodes, Order::Rendezvous);

    EXPECT_THAT(winners, testing::UnorderedElementsAre(0U, 1U, 2U, 3U));
}

TEST(ElectTest, ExplainPutsTheBoundedWinnerFirst) {
    const auto nodes = four_nodes();
    std::vector<Question> questions;
    for (int i = 0; i < 40; ++i) {
        questions.push_back(ask("192.0.2." + std::to_string(i), 4));
    }

    const auto winners = elect_all(questions, nodes, Order::Rendezvous);

    for (std::size_t i = 0; i < questions.size(); ++i) {
        const Verdict verdict = explain(questions[i], nodes, Order::Rendezvous, winners[i]);
        EXPECT_EQ(verdict.candidates.front(), winners[i]);
        EXPECT_EQ(verdict.candidates.size(), 4U);
    }
}

TEST(LoadLimitTest, IsAQuarterAboveTheMeanButHoldsEverything) {
    EXPECT_EQ(load_limit(1, 5), 1U);
    EXPECT_EQ(load_limit(9, 3), 3U);
    EXPECT_EQ(load_limit(10, 3), 4U);
    EXPECT_EQ(load_limit(100, 10), 12U);
    EXPECT_EQ(load_limit(10000, 100), 125U);
}

}  // namespace
}  // namespace steelyard::elect
