#include "common/config/config_test_support.hpp"

namespace steelyard::config {
namespace {

using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;
using Object = kube::BgpAdvertisement;

// One pool of each family and one of both.
Objects with(std::vector<Object> advertisements) {
    Objects objects;
    objects.pools = {
        pool("v4", {"192.0.2.0/24"}),
        pool("v6", {"2001:db8::/64"}),
        pool("both", {"198.51.100.0/26", "2001:db8:1::/120"}),
    };
    objects.bgp_advertisements = std::move(advertisements);
    return objects;
}

BgpAdvertisement only(const ParseResult& result) {
    EXPECT_THAT(texts(result.problems), IsEmpty());
    return result.config && result.config->bgp_advertisements.size() == 1
               ? result.config->bgp_advertisements[0]
               : BgpAdvertisement{};
}

TEST(BgpAdvertisementTest, AWrongAggregationLengthIsToldOnceWhateverThePools) {
    Objects objects;
    objects.pools = {pool("a", {"10.0.0.0/24"})};
    objects.bgp_advertisements = {bgp_ad("ad")};
    objects.bgp_advertisements[0].aggregation_length = 33;

    EXPECT_THAT(parse(objects).problems, SizeIs(1));
}

TEST(BgpAdvertisementTest, WhatIsAbsentTakesItsDefault) {
    const BgpAdvertisement ad = only(parse(with({bgp_ad("a")})));

    BgpAdvertisement expected;
    expected.name = "a";
    expected.pools = {"both", "v4", "v6"};
    EXPECT_EQ(ad, expected);
    EXPECT_EQ(ad.aggregation(net::Family::V4), 32U);
    EXPECT_EQ(ad.aggregation(net::Family::V6), 128U);
}

TEST(BgpAdvertisementTest, EverythingWrittenIsTakenOver) {
    Object object = bgp_ad("a");
    object.aggregation_length = 24;
    object.aggregation_length_v6 = 64;
    object.local_pref = 4294967295;
    object.communities = {"64512:2", "64512:1", "large:1:2:3", "extended:rt:1:2", "no-export"};
    object.ip_address_pools = {"v4", "unknown"};
    object.node_selectors = {label("rack", "1")};
    object.peers = {"tor-2", "unknown"};
    object.med = 0;
    object.as_path_prepend = 10;
    object.link_bandwidth = true;

    const BgpAdvertisement ad = only(parse(with({object})));

    EXPECT_EQ(ad.aggregation_length, 24);
    EXPECT_EQ(ad.aggregation_length_v6, 64);
    EXPECT_EQ(ad.local_pref, 4294967295);
    EXPECT_THAT(ad.communities.standard, ElementsAre(0xFC000001, 0xFC000002, 0xFFFFFF01));
    EXPECT_THAT(ad.communities.large, ElementsAre(LargeCommunity{1, 2, 3}));
    EXPECT_THAT(ad.communities.extended, SizeIs(1));
    EXPECT_THAT(ad.pools, ElementsAre("v4"));
    EXPECT_THAT(ad.node_selectors, SizeIs(1));
    EXPECT_THAT(ad.peers, ElementsAre("tor-2", "unknown"));
    EXPECT_EQ(ad.med, 0U);
    EXPECT_EQ(ad.as_path_prepend, 10);
    EXPECT_TRUE(ad.link_bandwidth);
}

TEST(BgpAdvertisementTest, ServicesAreSelectedWithWholeAddresses) {
    Object object = bgp_ad("a");
    object.aggregation_length = 32;
    object.service_selectors = {label("app", "x")};

    EXPECT_THAT(only(parse(with({object}))).service_selectors, SizeIs(1));
}

struct Bad {
    const char* name;
    void (*spoil)(Object&);
    const char* field;
    const char* text;
};

class BadBgpAdvertisementTest : public testing::TestWithParam<Bad> {};

TEST_P(BadBgpAdvertisementTest, IsRefusedNamingTheField) {
    Object object = bgp_ad("a");
    GetParam().spoil(object);

    const ParseResult result = parse(with({object}));

    EXPECT_FALSE(result.config);
    ASSERT_THAT(texts(result.problems), SizeIs(1));
    EXPECT_EQ(result.problems[0].kind, Kind::BgpAdvertisement);
    EXPECT_EQ(result.problems[0].field, GetParam().field);
    EXPECT_THAT(to_string(result.problems[0]), HasSubstr(GetParam().text));
}

std::vector<Bad> bad_advertisements() {
    return {
        {"aggregation_0",
         [](Object& o) {
             o.aggregation_length = 0;
             o.ip_address_pools = {"v6"};
         },
         "spec.aggregationLength",
         "give 1 to 32"},
        {"aggregation_33",
         [](Object& o) {
             o.aggregation_length = 33;
             o.ip_address_pools = {"v6"};
         },
         "spec.aggregationLength",
         "\"33\""},
        {"aggregation_v6_129",
         [](Object& o) {
             o.aggregation_length_v6 = 129;
             o.ip_address_pools = {"v4"};
         },
         "spec.aggregationLengthV6",
         "give 1 to 128"},
        {"wider_than_a_pool",
         [](Object& o) { o.aggregation_length = 24; },
         "spec.aggregationLength",
         "\"24\": give at least 26, as 198.51.100.0-198.51.100.63 of IPAddressPool both holds no "
         "wider block"},
        {"wider_than_a_pool_v6",
         [](Object& o) { o.aggregation_length_v6 = 119; },
         "spec.aggregationLengthV6",
         "give at least 120"},
        {"local_pref", [](Object& o) { o.local_pref = -1; }, "spec.localPref", "4294967295"},
        {"med", [](Object& o) { o.med = 4294967296; }, "spec.med", "0 to 4294967295"},
        {"prepend", [](Object& o) { o.as_path_prepend = 11; }, "spec.asPathPrepend", "0 to 10"},
        {"community",
         [](Object& o) {
             o.communities = {"64512:1", "gold"};
         },
         "spec.communities[1]",
         "\"gold\": give 64512:100, large:64512:1:100, extended:rt:64512:100"},
        {"community_twice",
         [](Object& o) {
             o.communities = {"1:1", "1:1"};
         },
         "spec.communities[1]",
         "once"},
        {"community_empty",
         [](Object& o) { o.communities = {""}; },
         "spec.communities[0]",
         "empty"},
        {"communities_64",
         [](Object& o) {
             for (int i = 0; i < 64; ++i) {
                 o.communities.push_back("1:" + std::to_string(i));
             }
         },
         "spec.communities",
         "\"64 communities\": list at most 63"},
        {"pool_twice",
         [](Object& o) {
             o.ip_address_pools = {"v4", "v4"};
         },
         "spec.ipAddressPools[1]",
         "once"},
        {"peer_twice",
         [](Object& o) {
             o.peers = {"p", "p"};
         },
         "spec.peers[1]",
         "once"},
        {"selector",
         [](Object& o) {
             kube::LabelSelector selector;
             selector.match_expressions = {{"k", kube::LabelSelector::Operator::In, {}}};
             o.node_selectors = {selector};
         },
         "spec.nodeSelectors[0].matchExpressions[0].values",
         "at least one value"},
        {"services_of_an_aggregate",
         [](Object& o) {
             o.aggregation_length_v6 = 120;
             o.service_selectors = {label("app", "x")};
         },
         "spec.serviceSelectors",
         "\"app=x\""},
    };
}

INSTANTIATE_TEST_SUITE_P(
    Config,
    BadBgpAdvertisementTest,
    testing::ValuesIn(bad_advertisements()),
    [](const auto& param) { return param.param.name; }
);

TEST(BgpAggregationTest, ARangeCountsByItsWidestBlock) {
    struct Row {
        const char* range;
        std::int64_t length;
        bool accepted;
    };
    for (const Row& row : {
             Row{"10.0.0.0-10.0.0.255", 24, true},
             Row{"10.0.0.0-10.0.0.255", 23, false},
             // .1/32 .2/31 .4/30 .8/29 .16/28
             Row{"10.0.0.1-10.0.0.31", 28, true},
             Row{"10.0.0.1-10.0.0.31", 27, false},
             Row{"10.0.0.7-10.0.0.8", 32, true},
             Row{"10.0.0.7-10.0.0.8", 31, false},
             Row{"255.255.255.254-255.255.255.255", 31, true},
             Row{"0.0.0.0/0", 1, true},
             Row{"128.0.0.0/1", 1, true},
         }) {
        Objects objects;
        objects.pools = {pool("p", {row.range})};
        objects.bgp_advertisements = {bgp_ad("a")};
        objects.bgp_advertisements[0].aggregation_length = row.length;
        EXPECT_EQ(parse(objects).config != nullptr, row.accepted) << row.range << " " << row.length;
    }
}

TEST(BgpAggregationTest, AnEditedPoolIsNoticed) {
    Object object = bgp_ad("a");
    object.aggregation_length = 24;
    object.ip_address_pool_selectors = {label("tier", "gold")};
    Objects objects = with({object});
    ASSERT_TRUE(parse(objects).config);

    objects.pools[2].meta.labels["tier"] = "gold";

    EXPECT_THAT(texts(parse(objects).problems), ElementsAre(HasSubstr("IPAddressPool both")));
}

// Two advertisements of every pool that differ in localPref, refined by the test.
Objects conflicting(void (*refine)(Object& a, Object& b)) {
    Objects objects = with({bgp_ad("a"), bgp_ad("b")});
    objects.bgp_advertisements[0].local_pref = 100;
    refine(objects.bgp_advertisements[0], objects.bgp_advertisements[1]);
    return objects;
}

TEST(BgpConflictTest, OnePrefixHasOneLocalPref) {
    const Objects objects = conflicting([](Object&, Object&) {});

    EXPECT_THAT(
        texts(parse(objects).problems),
        ElementsAre("BGPAdvertisement metallb-system/b: spec.localPref: \"0\": BGPAdvertisement "
                    "metallb-system/a has 100 for the same prefixes of IPAddressPool both and the "
                    "same peer and node: let them agree")
    );
}

TEST(BgpConflictTest, MedAndPrependAreAttributesOfTheRouteToo) {
    const Objects med = conflicting([](Object& a, Object& b) {
        b.local_pref = 100;
        a.med = 0;
    });
    EXPECT_THAT(
        texts(parse(med).problems),
        ElementsAre(AllOf(HasSubstr("spec.med: \"none\""), HasSubstr("has 0")))
    );
    const Objects prepend = conflicting([](Object& a, Object& b) {
        b.local_pref = 100;
        a.as_path_prepend = 3;
    });
    EXPECT_THAT(texts(parse(prepend).problems), ElementsAre(HasSubstr("spec.asPathPrepend")));
}

TEST(BgpConflictTest, ThereIsNoneWhereTheRoutesDiffer) {
    using Refine = void (*)(Object&, Object&);
    const std::pair<const char*, Refine> rows[] = {
        {"pools",
         [](Object& a, Object& b) {
             a.ip_address_pools = {"v4"};
             b.ip_address_pools = {"v6", "both"};
         }},
        {"lengths",
         [](Object& a, Object&) {
             a.aggregation_length = 28;
             a.aggregation_length_v6 = 124;
         }},
        {"length of the family of the pool",
         [](Object& a, Object& b) {
             a.ip_address_pools = {"v6"};
             b.ip_address_pools = {"v6"};
             a.aggregation_length_v6 = 124;
         }},
        {"peers",
         [](Object& a, Object& b) {
             a.peers = {"one"};
             b.peers = {"two"};
         }},
        {"nodes",
         [](Object& a, Object& b) {
             a.node_selectors = {label("rack", "1")};
             b.node_selectors = {label("rack", "2")};
         }},
        {"services",
         [](Object& a, Object&) {
             a.service_selectors = {label("app", "x")};
         }},
    };
    for (const auto& [name, refine] : rows) {
        EXPECT_THAT(texts(parse(conflicting(refine)).problems), IsEmpty()) << name;
    }
}

TEST(BgpConflictTest, TheOtherFamilyOfAPoolMayStillConflict) {
    const Objects objects = conflicting([](Object& a, Object& b) {
        a.ip_address_pools = {"both"};
        b.ip_address_pools = {"both"};
        a.aggregation_length = 28;
    });
    EXPECT_THAT(parse(objects).problems, SizeIs(1));
}

TEST(BgpAdvertisementTest, PoolsThatOtherNodesAdvertiseAreKnown) {
    Object object = bgp_ad("a");
    object.node_selectors = {label("rack", "1")};
    object.ip_address_pools = {"both"};
    object.communities = {"wrong, but not our business"};
    Objects objects = with({object});
    objects.scope = Scope{"n", {{"rack", "2"}}};

    const ParseResult result = parse(objects);

    ASSERT_TRUE(result.config);
    EXPECT_THAT(result.config->bgp_advertisements, SizeIs(0));
    EXPECT_THAT(result.config->pools_advertised_elsewhere, ElementsAre("both"));
}

TEST(BgpConflictTest, OnOneNodeSelectorsThatBothMatchConflict) {
    Objects objects = conflicting([](Object& a, Object& b) {
        a.node_selectors = {label("rack", "1")};
        b.node_selectors = {label("role", "edge")};
    });
    objects.scope = Scope{"n", {{"rack", "1"}, {"role", "edge"}}};
    EXPECT_THAT(parse(objects).problems, SizeIs(1));

    objects.scope->labels.erase("role");
    EXPECT_EQ(only(parse(objects)).name, "a");
}

kube::Community community(std::string name, std::vector<kube::Community::Alias> aliases) {
    auto object = named<kube::Community>(std::move(name));
    object.communities = std::move(aliases);
    return object;
}

TEST(CommunityAliasTest, AliasesStandForTheirValueAndHideRegisteredNames) {
    Object object = bgp_ad("a");
    object.communities = {"gold", "no-export", "big"};
    Objects objects = with({object});
    objects.communities = {
        community("c", {{"gold", "1:1"}, {"no-export", "1:2"}}),
        community("d", {{"big", "large:1:2:3"}, {"unused", "no-peer"}}),
    };

    const BgpAdvertisement ad = only(parse(objects));

    EXPECT_THAT(ad.communities.standard, ElementsAre(0x00010001, 0x00010002));
    EXPECT_THAT(ad.communities.large, ElementsAre(LargeCommunity{1, 2, 3}));
}

TEST(CommunityAliasTest, ANameIsGivenOnceAmongAllObjects) {
    Objects objects;
    objects.communities = {community("b", {{"x", "1:1"}}), community("a", {{"x", "1:1"}})};

    EXPECT_THAT(
        texts(parse(objects).problems),
        ElementsAre("Community metallb-system/b: spec.communities[0].name: \"x\": give each name "
                    "once, and Community metallb-system/a has this one too")
    );
}

TEST(CommunityAliasTest, AWrongValueIsToldOnceAndNotByItsUsers) {
    Object object = bgp_ad("a");
    object.communities = {"x"};
    Objects objects = with({object});
    objects.communities = {community("c", {{"x", "70000:1"}, {"", "1:1"}})};

    const auto problems = parse(objects).problems;

    EXPECT_THAT(
        texts(problems),
        ElementsAre(
            HasSubstr("spec.communities[0].value: \"70000:1\""),
            HasSubstr("spec.communities[1].name: \"\": give a name")
        )
    );
}

}  // namespace
}  // namespace steelyard::config
