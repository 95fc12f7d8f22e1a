#include "speaker/elect/elect.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>
#include <functional>
#include <string>
#include <vector>

namespace steelyard::elect {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

NodeFacts healthy(std::string name) {
    NodeFacts facts;
    facts.name = std::move(name);
    facts.alive = facts.reachable = facts.ready = true;
    return facts;
}

Facts nodes_named(const std::vector<std::string>& names, Order order) {
    Facts facts;
    facts.order = order;
    for (const std::string& name : names) {
        facts.nodes.push_back(healthy(name));
    }
    facts.fits.emplace_back(names.size());
    return facts;
}

Facts four_nodes(Order order) {
    return nodes_named({"node-a", "node-b", "node-c", "node-d"}, order);
}

Question ask(std::string_view address) {
    Question question;
    question.address = net::IpAddress::parse(address).value();
    return question;
}

std::vector<Question> ask_range(int count) {
    std::vector<Question> questions;
    for (int i = 0; i < count; ++i) {
        questions.push_back(ask("192.0.2." + std::to_string(i)));
    }
    return questions;
}

constexpr std::array kOrders = {Order::MetalLb, Order::Rendezvous};

std::vector<std::string> names(const std::vector<NodeIndex>& indexes, const Facts& facts) {
    std::vector<std::string> out;
    for (const NodeIndex i : indexes) {
        out.push_back(facts.nodes[i].name);
    }
    return out;
}

// Expected orders computed with an independent SHA-256 of "node#ip".
TEST(ElectTest, FollowsMetalLbOrderForBothFamilies) {
    const Facts facts = four_nodes(Order::MetalLb);

    const Verdict v4 = elect(facts, ask("192.0.2.10"));
    const Verdict v6 = elect(facts, ask("2001:db8::7"));

    EXPECT_EQ(v4.winner, 3U);
    EXPECT_THAT(names(v4.candidates, facts), ElementsAre("node-d", "node-c", "node-b", "node-a"));
    EXPECT_EQ(v6.winner, 2U);
    EXPECT_THAT(names(v6.candidates, facts), ElementsAre("node-c", "node-d", "node-b", "node-a"));
}

TEST(ElectTest, HashesTheServicesFirstAddressInAMixedRing) {
    Question question = ask("192.0.2.10");
    question.metallb_key = net::IpAddress::parse("2001:db8::7").value();

    EXPECT_EQ(elect(four_nodes(Order::MetalLb), question).winner, 2U);
}

TEST(ElectTest, NobodyWinsWithoutCandidates) {
    for (const Order order : kOrders) {
        Facts facts = four_nodes(order);
        for (NodeFacts& node : facts.nodes) {
            node.alive = false;
        }

        const Verdict verdict = elect(facts, ask("192.0.2.10"));

        EXPECT_EQ(verdict.winner, std::nullopt);
        EXPECT_THAT(verdict.candidates, IsEmpty());
        EXPECT_EQ(verdict.excluded.size(), 4U);
    }
}

TEST(ElectTest, NobodyWinsAmongNoNodes) {
    for (const Order order : kOrders) {
        EXPECT_EQ(elect(nodes_named({}, order), ask("192.0.2.10")).winner, std::nullopt);
    }
}

void serve_locally_all_but(Question& question, NodeIndex node) {
    question.local.emplace();
    for (NodeIndex i = 0; i < 4; ++i) {
        if (i != node) {
            question.local->push_back({i, 1});
        }
    }
}

struct ExclusionCase {
    const char* name;
    Reason reason;
    void (*spoil)(Facts&, Question&, NodeIndex);
};

class ExclusionTest : public testing::TestWithParam<ExclusionCase> {};

TEST_P(ExclusionTest, NamesTheRuleThatExcludesANode) {
    for (const Order order : kOrders) {
        Facts facts = four_nodes(order);
        Question question = ask("192.0.2.10");
        const NodeIndex first = elect(facts, question).winner.value();

        GetParam().spoil(facts, question, first);
        const Verdict verdict = elect(facts, question);

        EXPECT_TRUE(verdict.winner);
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
            [](Facts& f, Question&, NodeIndex i) {
                f.nodes[i].alive = false;
            }},
        ExclusionCase{
            "unreachable",
            Reason::Unreachable,
            [](Facts& f, Question&, NodeIndex i) {
                f.nodes[i].reachable = false;
            }},
        ExclusionCase{
            "notReady",
            Reason::NotReady,
            [](Facts& f, Question&, NodeIndex i) {
                f.nodes[i].ready = false;
            }},
        ExclusionCase{
            "nodeNetworkUnavailable",
            Reason::NetworkUnavailable,
            [](Facts& f, Question&, NodeIndex i) {
                f.nodes[i].network_unavailable = true;
            }},
        ExclusionCase{
            "nodeLabeledExcludeBalancers",
            Reason::ExcludedByLabel,
            [](Facts& f, Question&, NodeIndex i) {
                f.nodes[i].excluded_by_label = true;
            }},
        ExclusionCase{
            "notSelected",
            Reason::NotSelected,
            [](Facts& f, Question&, NodeIndex i) {
                f.fits[0][i].selected = false;
            }},
        ExclusionCase{
            "noLocalEndpoints",
            Reason::NoLocalEndpoint,
            [](Facts&, Question& q, NodeIndex i) {
                serve_locally_all_but(q, i);
            }},
        ExclusionCase{
            "notServable",
            Reason::NotServable,
            [](Facts&, Question& q, NodeIndex i) {
                q.unservable = {i};
            }},
        ExclusionCase{
            "noInterface",
            Reason::NoInterface,
            [](Facts& f, Question&, NodeIndex i) {
                f.fits[0][i].link = Link::None;
            }},
        ExclusionCase{
            "linkDown",
            Reason::LinkDown,
            [](Facts& f, Question&, NodeIndex i) {
                f.fits[0][i].link = Link::Down;
            }}
    ),
    [](const auto& instance) { return std::string(instance.param.name); }
);

TEST(ElectTest, ANodeThatServesNothingIsNoCandidateForAnyAddress) {
    Facts facts = four_nodes(Order::Rendezvous);
    facts.nodes[1].forwards = false;

    const Verdict verdict = elect(facts, ask("192.0.2.10"));

    EXPECT_THAT(verdict.excluded, ElementsAre(Exclusion{1, Reason::NotServable}));
}

TEST(ElectTest, ANodeThatDidNotTellItsInterfacesIsACandidate) {
    Facts facts = four_nodes(Order::Rendezvous);
    facts.fits[0][1].link = Link::Unknown;
    facts.fits[0][2].link = Link::Up;

    EXPECT_THAT(elect(facts, ask("192.0.2.10")).excluded, IsEmpty());
}

TEST(ElectTest, AnAddressThatANodeCannotServeTakesTheNextBest) {
    Facts facts = four_nodes(Order::Rendezvous);
    facts.fits[0][2].preference = 10;
    facts.fits[0][0].preference = 5;
    Question question = ask("192.0.2.10");
    EXPECT_EQ(elect(facts, question).winner, 2U);

    question.unservable = {2};
    EXPECT_EQ(elect(facts, question).winner, 0U);

    question.unservable = {1, 3};  // nobody who would have won
    EXPECT_EQ(elect(facts, question).winner, 2U);
}

struct StandingCase {
    Standing rest;
    Standing first;
    bool keeps;
};

TEST(ElectTest, OnlyTheBestStandingPresentCounts) {
    using enum Standing;
    for (const StandingCase& c :
         {StandingCase{Settled, Settling, false},
          StandingCase{Settled, Draining, false},
          StandingCase{Settling, Draining, false},
          StandingCase{Settling, Settling, true},
          StandingCase{Draining, Draining, true}}) {
        Facts facts = four_nodes(Order::Rendezvous);
        const Question question = ask("192.0.2.10");
        const NodeIndex first = elect(facts, question).winner.value();
        for (NodeFacts& node : facts.nodes) {
            node.standing = c.rest;
        }
        facts.nodes[first].standing = c.first;

        const Verdict verdict = elect(facts, question);

        EXPECT_EQ(verdict.winner == first, c.keeps);
        EXPECT_THAT(verdict.excluded, IsEmpty());
        EXPECT_EQ(verdict.candidates.back() == first, !c.keeps);
    }
}

TEST(ElectTest, ALoneDrainingNodeGoesOnServing) {
    Facts facts = nodes_named({"only"}, Order::Rendezvous);
    facts.nodes[0].standing = Standing::Draining;

    EXPECT_EQ(elect(facts, ask("192.0.2.10")).winner, 0U);
}

TEST(ElectTest, StandingComesBeforePreference) {
    Facts facts = four_nodes(Order::Rendezvous);
    facts.fits[0][1].preference = 100;
    facts.nodes[1].standing = Standing::Settling;

    EXPECT_NE(elect(facts, ask("192.0.2.10")).winner, 1U);
}

TEST(ElectTest, MetalLbOrderKnowsNoStanding) {
    Facts facts = four_nodes(Order::MetalLb);
    facts.nodes[3].standing = Standing::Draining;

    EXPECT_EQ(elect(facts, ask("192.0.2.10")).winner, 3U);
}

TEST(ElectTest, PreferenceComesBeforeTheHash) {
    for (const Order order : kOrders) {
        Facts facts = four_nodes(order);
        facts.fits[0][0].preference = 10;
        facts.fits[0][1].preference = 5;

        const Verdict verdict = elect(facts, ask("192.0.2.10"));

        EXPECT_EQ(verdict.winner, 0U);
        EXPECT_EQ(verdict.candidates[1], 1U);
    }
}

TEST(ElectTest, ServingMoreOfTheLocalServicesComesFirst) {
    Facts facts = four_nodes(Order::Rendezvous);
    facts.fits[0][0].preference = 10;
    facts.nodes[1].standing = Standing::Draining;
    Question question = ask("192.0.2.10");
    question.local = {{0, 1}, {1, 2}, {3, 1}};

    EXPECT_THAT(
        names(elect(facts, question).candidates, facts), ElementsAre("node-b", "node-a", "node-d")
    );
}

TEST(ElectTest, PreferredNodesAreNotBoundedByLoad) {
    Facts facts = four_nodes(Order::Rendezvous);
    facts.fits[0][2].preference = 1;

    for (const auto& winner : elect_all(facts, ask_range(8))) {
        EXPECT_EQ(winner, 2U);
    }
}

TEST(ElectTest, AFewAddressesSpreadOverAsManyNodes) {
    const auto winners = elect_all(four_nodes(Order::Rendezvous), ask_range(4));

    EXPECT_THAT(winners, testing::UnorderedElementsAre(0U, 1U, 2U, 3U));
}

TEST(ElectTest, ExplainPutsTheBoundedWinnerFirst) {
    const Facts facts = four_nodes(Order::Rendezvous);
    const std::vector<Question> questions = ask_range(40);

    const auto winners = elect_all(facts, questions);

    for (std::size_t i = 0; i < questions.size(); ++i) {
        const Verdict verdict = explain(facts, questions[i], winners[i]);
        EXPECT_EQ(verdict.candidates.front(), winners[i]);
        EXPECT_EQ(verdict.candidates.size(), 4U);
    }
}

// In a mixed ring: d, c, b, a is the order of 192.0.2.10.
class MixedRingTest : public testing::Test {
protected:
    MixedRingTest() : facts_(four_nodes(Order::MetalLb)) {}

    Facts facts_;
    const Question question_ = ask("192.0.2.10");
};

TEST_F(MixedRingTest, WhatMetalLbDoesNotKnowDoesNotTakeAnAddressFromItsSpeaker) {
    facts_.nodes[3].foreign = true;
    facts_.nodes[2].ready = false;

    EXPECT_EQ(elect(facts_, question_).winner, 3U);
}

TEST_F(MixedRingTest, OneOfOurNodesStandsInForOneThatMetalLbBelievesIn) {
    facts_.nodes[3].ready = false;
    facts_.nodes[2].foreign = true;

    const Verdict verdict = elect(facts_, question_);

    // node-c would be next, but it stays silent: it knows nothing of node-d's trouble.
    EXPECT_EQ(verdict.winner, 1U);
    EXPECT_THAT(names(verdict.candidates, facts_), ElementsAre("node-b", "node-a"));
    EXPECT_THAT(
        verdict.excluded,
        ElementsAre(Exclusion{2, Reason::ForeignDefers}, Exclusion{3, Reason::NotReady})
    );
}

TEST_F(MixedRingTest, NobodyWinsWhenNoneOfOursCanStandIn) {
    facts_.nodes[3].ready = false;
    for (const NodeIndex i : {0U, 1U, 2U}) {
        facts_.nodes[i].foreign = true;
    }

    EXPECT_EQ(elect(facts_, question_).winner, std::nullopt);
}

TEST_F(MixedRingTest, AForeignNodeTakesOverFromOneThatMetalLbSeesGone) {
    facts_.nodes[3].alive = false;
    facts_.nodes[2].foreign = true;

    EXPECT_EQ(elect(facts_, question_).winner, 2U);
}

// Each accused by the other, or all by kernels that refuse a whole family: nobody would answer.
TEST(ElectTest, VerdictsAndOverflowsThatLeaveNobodyLeaveEverybody) {
    Facts facts = four_nodes(Order::Rendezvous);
    const Question question = ask("192.0.2.10");
    const auto undisturbed = elect(facts, question).winner;
    for (const bool reachable : {false, true}) {
        for (NodeFacts& node : facts.nodes) {
            node.reachable = reachable;
            node.forwards = !reachable;
        }

        const Verdict verdict = elect(facts, question);

        EXPECT_EQ(verdict.winner, undisturbed);
        EXPECT_EQ(verdict.candidates.size(), 1U);
        EXPECT_EQ(verdict.excluded.size(), 3U);
    }
}

TEST(ElectTest, ALastResortIsNoneWhileThereIsACandidate) {
    Facts facts = four_nodes(Order::Rendezvous);
    facts.nodes[0].standing = Standing::Draining;
    for (const NodeIndex i : {1U, 2U, 3U}) {
        facts.nodes[i].reachable = false;
    }

    EXPECT_EQ(elect(facts, ask("192.0.2.10")).winner, 0U);
}

TEST(ElectTest, ALastResortMustStillBeReadyAndForwardTheAddress) {
    Facts facts = four_nodes(Order::Rendezvous);
    for (NodeFacts& node : facts.nodes) {
        node.forwards = false;
    }
    facts.nodes[1].ready = false;
    Question question = ask("192.0.2.10");
    question.unservable = {0, 2};

    EXPECT_EQ(elect(facts, question).winner, 3U);
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
