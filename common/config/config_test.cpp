#include "common/config/config_test_support.hpp"

#include <gmock/gmock.h>

namespace steelyard::config {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;

kube::L2Advertisement l2(std::string name) {
    return named<kube::L2Advertisement>(std::move(name));
}

TEST(ConfigTest, NothingIsAValidConfigWithoutPools) {
    const ParseResult result = parse({});

    ASSERT_TRUE(result.config);
    EXPECT_THAT(result.config->pools, IsEmpty());
}

TEST(ConfigTest, PoolsComeSortedByNameWithRangesInTheOrderWritten) {
    const ParseResult result = parse(
        {{pool("b", {"10.0.1.0/24"}), pool("a", {"10.0.0.20 - 10.0.0.30", "10.0.0.5/32"})}, {}}
    );

    ASSERT_TRUE(result.config);
    ASSERT_THAT(result.config->pools, SizeIs(2));
    EXPECT_EQ(result.config->pools[0].name, "a");
    EXPECT_EQ(to_string(result.config->pools[0].ranges[0]), "10.0.0.20-10.0.0.30");
    EXPECT_EQ(to_string(result.config->pools[0].ranges[1]), "10.0.0.5-10.0.0.5");
}

TEST(ConfigTest, EveryMistakeIsListedNotOnlyTheFirst) {
    kube::IpAddressPool bad = pool("bad", {"10.0.0.1", "nonsense"});
    bad.service_allocation.emplace();
    bad.service_allocation->namespaces = {"x", "x"};

    const ParseResult result = parse({{bad, pool("empty", {})}, {}});

    EXPECT_FALSE(result.config);
    ASSERT_THAT(result.problems, SizeIs(4));
    EXPECT_THAT(
        to_string(result.problems[0]),
        HasSubstr("IPAddressPool metallb-system/bad: spec.addresses[0]: \"10.0.0.1\": give a CIDR")
    );
    EXPECT_EQ(result.problems[1].value, "nonsense");
    EXPECT_EQ(result.problems[2].field, "spec.serviceAllocation.namespaces[1]");
    EXPECT_EQ(result.problems[3].key.name, "empty");
}

TEST(ConfigTest, OverlapBetweenPoolsNamesBoth) {
    const ParseResult result =
        parse({{pool("wide", {"10.0.0.0/16"}), pool("narrow", {"10.0.7.8/32"})}, {}});

    EXPECT_FALSE(result.config);
    ASSERT_THAT(result.problems, SizeIs(1));
    EXPECT_EQ(result.problems[0].key.name, "narrow");
    EXPECT_THAT(
        result.problems[0].accepted,
        HasSubstr("\"10.0.0.0/16\" of IPAddressPool metallb-system/wide spec.addresses[0]")
    );
}

TEST(ConfigTest, OverlapIsFoundBehindARangeThatEndsEarly) {
    // Sorted by start, 10.0.0.9 comes after .4-.5, which it does not touch; it lies in .0-.255.
    const ParseResult result =
        parse({{pool("p", {"10.0.0.0/24", "10.0.0.4-10.0.0.5", "10.0.0.9/32"})}, {}});

    EXPECT_THAT(result.problems, SizeIs(2));
}

TEST(ConfigTest, NeighbouringRangesDoNotOverlap) {
    EXPECT_TRUE(parse({{pool("p", {"10.0.0.0/25", "10.0.0.128/25", "fd00::/64"})}, {}}).config);
}

TEST(ConfigTest, AdvertisementWithoutPoolsMeansAllOfThem) {
    const ParseResult result =
        parse({{pool("a", {"10.0.0.0/24"}), pool("b", {"10.0.1.0/24"})}, {l2("all")}});

    ASSERT_TRUE(result.config);
    EXPECT_THAT(result.config->l2_advertisements[0].pools, ElementsAre("a", "b"));
}

TEST(ConfigTest, AdvertisementTakesNamedAndSelectedPoolsTogether) {
    kube::IpAddressPool gold = pool("gold", {"10.0.2.0/24"});
    gold.meta.labels["tier"] = "gold";
    kube::L2Advertisement advertisement = l2("some");
    advertisement.ip_address_pools = {"a", "unknown"};
    advertisement.ip_address_pool_selectors = {label("tier", "gold")};

    const ParseResult result =
        parse({{pool("a", {"10.0.0.0/24"}), pool("b", {"10.0.1.0/24"}), gold}, {advertisement}});

    ASSERT_TRUE(result.config);
    EXPECT_THAT(result.config->l2_advertisements[0].pools, ElementsAre("a", "gold"));
}

TEST(ConfigTest, AdvertisementThatSelectsNothingAdvertisesNothing) {
    kube::L2Advertisement advertisement = l2("none");
    advertisement.ip_address_pools = {"unknown"};

    const ParseResult result = parse({{pool("a", {"10.0.0.0/24"})}, {advertisement}});

    ASSERT_TRUE(result.config);
    EXPECT_THAT(result.config->l2_advertisements[0].pools, IsEmpty());
}

TEST(ConfigTest, AProblemIsOneLineWhateverTheUserWrote) {
    const ParseResult result = parse({{pool("p", {"a\nb\x7f"})}, {}});

    ASSERT_THAT(result.problems, SizeIs(1));
    EXPECT_THAT(to_string(result.problems[0]), HasSubstr("\"a?b?\""));
}

struct BadL2 {
    const char* name;
    void (*spoil)(kube::L2Advertisement&);
    const char* field;
};

class BadL2Test : public testing::TestWithParam<BadL2> {};

TEST_P(BadL2Test, IsRejectedNamingTheField) {
    kube::L2Advertisement advertisement = l2("bad");
    GetParam().spoil(advertisement);

    const ParseResult result = parse({{}, {advertisement}});

    EXPECT_FALSE(result.config);
    ASSERT_THAT(result.problems, SizeIs(1));
    EXPECT_EQ(result.problems[0].field, GetParam().field);
}

using Ad = kube::L2Advertisement;
INSTANTIATE_TEST_SUITE_P(
    Config,
    BadL2Test,
    testing::Values(
        BadL2{
            "pool_twice",
            [](Ad& ad) {
                ad.ip_address_pools = {"a", "a"};
            },
            "spec.ipAddressPools[1]"},
        BadL2{
            "selector_twice",
            [](Ad& ad) {
                ad.node_selectors = {label("a", "b"), label("a", "b")};
            },
            "spec.nodeSelectors[1]"},
        BadL2{
            "weight_too_big",
            [](Ad& ad) {
                ad.preferred_node_selectors = {{101, label("a", "b")}};
            },
            "spec.preferredNodeSelectors[0].weight"},
        BadL2{
            "in_without_values",
            [](Ad& ad) {
                kube::LabelSelector selector;
                selector.match_expressions = {{"k", kube::LabelSelector::Operator::In, {}}};
                ad.service_selectors = {selector};
            },
            "spec.serviceSelectors[0].matchExpressions[0].values"},
        BadL2{
            "long_interface",
            [](Ad& ad) { ad.interfaces = {"a-name-too-long-for-linux"}; },
            "spec.interfaces[0]"}
    ),
    [](const auto& param) { return param.param.name; }
);

TEST(ConfigTest, PinnedPoolAdmitsByNamespaceNameOrLabelAndServiceLabels) {
    Pool pinned;
    pinned.service_allocation.emplace();
    pinned.service_allocation->namespaces = {"web"};
    pinned.service_allocation->namespace_selectors = {label("team", "a")};
    pinned.service_allocation->service_selectors = {label("app", "x")};
    const kube::Labels app{{"app", "x"}};

    EXPECT_TRUE(admits(pinned, "web", {}, app));
    EXPECT_TRUE(admits(pinned, "other", {{"team", "a"}}, app));
    EXPECT_FALSE(admits(pinned, "other", {}, app));
    EXPECT_FALSE(admits(pinned, "web", {}, {}));
}

TEST(ConfigTest, PinnedPoolWithoutRulesAdmitsEveryService) {
    Pool pinned;
    pinned.service_allocation.emplace();

    EXPECT_TRUE(admits(pinned, "any", {}, {}));
}

TEST(LastGoodTest, BrokenConfigKeepsTheOldOneAndIsStale) {
    LastGood last_good;
    ASSERT_TRUE(last_good.update(parse({{pool("a", {"10.0.0.0/24"})}, {}})));

    EXPECT_FALSE(last_good.update(parse({{pool("a", {"oops"})}, {}})));

    EXPECT_TRUE(last_good.stale());
    EXPECT_THAT(last_good.problems(), SizeIs(1));
    EXPECT_THAT(last_good.current()->pools, SizeIs(1));
}

TEST(LastGoodTest, SameConfigAgainIsNoChangeAndEndsStaleness) {
    LastGood last_good;
    last_good.update(parse({{pool("a", {"10.0.0.0/24"})}, {}}));
    last_good.update(parse({{pool("a", {"oops"})}, {}}));

    EXPECT_FALSE(last_good.update(parse({{pool("a", {"10.0.0.0/24"})}, {}})));

    EXPECT_FALSE(last_good.stale());
}

}  // namespace
}  // namespace steelyard::config
