#include "speaker/proxy/select/select_test_support.hpp"

namespace steelyard::proxy {
namespace {

using namespace testing_support;
using Slices = std::vector<std::shared_ptr<const kube::EndpointSlice>>;

Candidates collected(
    const Slices& slices, const std::set<std::string, std::less<>>& unreachable = {}
) {
    return collect(slices, net::Family::V4, kube::ServicePort(), "a", unreachable);
}

Selection selected(
    const std::vector<std::string>& endpoints,
    const std::set<std::string, std::less<>>& unreachable = {}
) {
    return select(collected({slice(endpoints)}, unreachable), {"a", "v"});
}

std::string all(const Candidates& candidates) {
    std::vector<net::Endpoint> endpoints;
    for (const auto& [endpoint, candidate] : candidates) {
        endpoints.push_back(endpoint);
    }
    return numbers(endpoints);
}

TEST(CollectTest, TakesTheEndpointsOfEverySliceOfTheServicePort) {
    auto other_port = std::make_shared<kube::EndpointSlice>(*slice({"3@c"}));
    other_port->ports[0].name = "admin";
    auto other_protocol = std::make_shared<kube::EndpointSlice>(*slice({"4@c"}));
    other_protocol->ports[0].protocol = net::Protocol::Udp;
    auto other_family = std::make_shared<kube::EndpointSlice>(*slice({"5@c"}));
    other_family->family = net::Family::V6;
    auto headless = std::make_shared<kube::EndpointSlice>(*slice({"6@c"}));
    headless->headless = true;
    auto without_number = std::make_shared<kube::EndpointSlice>(*slice({"7@c"}));
    without_number->ports[0].port = 0;

    EXPECT_EQ(
        all(collected(
            {slice({"1@a"}),
             slice({"2@b"}),
             other_port,
             other_protocol,
             other_family,
             headless,
             without_number}
        )),
        "1 2"
    );
}

TEST(CollectTest, APortMayHaveAnotherNumberInEverySlice) {
    auto other = std::make_shared<kube::EndpointSlice>(*slice({"1@b"}));
    other->ports[0].port = 8080;
    const Candidates candidates = collected({slice({"1@a"}), other});
    ASSERT_EQ(candidates.size(), 2U);
    EXPECT_EQ(candidates.begin()->first.port, 80);
    EXPECT_EQ(candidates.rbegin()->first.port, 8080);
}

TEST(CollectTest, TheLivingPodOfAReusedAddressWinsInWhateverOrder) {
    for (const Slices& slices :
         {Slices{slice({"1@b t"}), slice({"1@a"})},
          Slices{slice({"1@a"}), slice({"1@b t"})},
          Slices{slice({"1@b x"}), slice({"1@a"})},
          Slices{slice({"1@b t", "1@a", "1@b t"})}}) {
        const Candidates candidates = collected(slices);
        ASSERT_EQ(candidates.size(), 1U);
        EXPECT_TRUE(candidates.begin()->second.ready);
        EXPECT_EQ(candidates.begin()->second.node, "a");
    }
}

TEST(CollectTest, WithoutANodeNothingIsLocal) {
    const auto made = slice({"1@"});
    const Candidates candidates =
        collect(std::span(&made, 1), net::Family::V4, kube::ServicePort(), "", {});
    EXPECT_FALSE(candidates.begin()->second.local);
}

TEST(SelectTest, WhatIsListedAndNotChosenIsIdle) {
    struct Row {
        std::vector<std::string> endpoints;
        const char* cluster;
        const char* local;
    };
    for (const Row& row : {
             Row{{"1@a", "2@b"}, "", ""},
             Row{{"1@a t", "2@b"}, "1", ""},  // still the choice of a Local policy
             Row{{"1@a", "2@a t", "3@b t", "4@b x"}, "2 3 4", "2"},
             Row{{"1@a d", "2@b x"}, "1 2", "1"},
             Row{{"1@a z=w", "2@b z=v"}, "1", ""},  // its connections live on
         }) {
        const Selection selection = selected(row.endpoints);
        EXPECT_EQ(numbers(selection.cluster.idle), row.cluster) << row.endpoints.front();
        EXPECT_EQ(numbers(selection.local.idle), row.local) << row.endpoints.front();
    }
}

TEST(SelectTest, DeadNodesArePassedOverWhileOthersRemain) {
    struct Row {
        std::vector<std::string> endpoints;
        const char* usable;
    };
    for (const Row& row : {
             Row{{"1@a", "2@dead", "3@c"}, "1 3"},
             Row{{"1@dead", "2@c t"}, "2"},        // who answers goes before who is ready
             Row{{"1@dead", "2@dead"}, "1 2"},     // nobody else: perhaps they live after all
             Row{{"1@dead z=v", "2@c z=w"}, "2"},  // a zone whose nodes are all dead
             Row{{"1@dead", "2@c x"}, "1"},
             Row{{"1@dead z=v", "2@b z=w", "3@c z=w"}, "2 3"},  // no hint for here is left
             Row{{"1@a", "2@dead t", "3@dead x"}, "1"},
         }) {
        const Selection selection = selected(row.endpoints, {"dead"});
        EXPECT_EQ(numbers(selection.cluster.usable), row.usable) << row.endpoints.front();
        EXPECT_EQ(numbers(selection.cluster.idle), row.endpoints[1] == "2@c x" ? "2" : "")
            << row.endpoints.front();
    }
}

TEST(SelectTest, ThisNodeIsNeverDeadToItself) {
    const Selection selection = selected({"1@a", "2@b"}, {"a"});
    EXPECT_EQ(numbers(selection.cluster.usable), "1 2");
    EXPECT_EQ(numbers(selection.local.usable), "1");
}

}  // namespace
}  // namespace steelyard::proxy
