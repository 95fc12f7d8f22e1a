#include "common/config/config_test_support.hpp"

namespace steelyard::config {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using testing::SizeIs;

template <class T>
std::vector<std::string> names(const std::vector<T>& items) {
    std::vector<std::string> result;
    for (const T& item : items) {
        result.push_back(item.name);
    }
    return result;
}

// A pool announced both ways, two peers, and a profile and an alias that one of each uses.
class PartialTest : public testing::Test {
protected:
    PartialTest() {
        objects_.pools = {pool("lan", {"10.0.0.0/24"})};
        objects_.l2_advertisements = {named<kube::L2Advertisement>("l2")};
        objects_.bgp_peers = {bgp_peer("r1", "192.0.2.1"), bgp_peer("r2", "192.0.2.2")};
        objects_.bgp_peers[1].bfd_profile = "fast";
        objects_.bfd_profiles = {named<kube::BfdProfile>("fast")};
        objects_.communities = {named<kube::Community>("names")};
        objects_.communities[0].communities = {{"far", "64512:1"}};
        objects_.bgp_advertisements = {bgp_ad("a1"), bgp_ad("a2")};
        objects_.bgp_advertisements[1].communities = {"far"};
    }

    std::shared_ptr<const Config> partial() {
        ParseResult result = parse(objects_);
        EXPECT_FALSE(result.config);
        EXPECT_THAT(result.problems, SizeIs(1));
        return result.partial;
    }

    Objects objects_;
};

TEST_F(PartialTest, AWrongPeerIsLeftOut) {
    objects_.bgp_peers[0].my_asn = 0;
    const auto config = partial();

    ASSERT_TRUE(config);
    EXPECT_THAT(names(config->bgp_peers), ElementsAre("r2"));
    EXPECT_THAT(names(config->bgp_advertisements), ElementsAre("a1", "a2"));
    EXPECT_THAT(names(config->pools), ElementsAre("lan"));
    EXPECT_THAT(names(config->l2_advertisements), ElementsAre("l2"));
}

TEST_F(PartialTest, APeerIsLeftOutWithTheProfileItNames) {
    objects_.bfd_profiles[0].detect_multiplier = 1;
    const auto config = partial();

    ASSERT_TRUE(config);
    EXPECT_THAT(names(config->bgp_peers), ElementsAre("r1"));
    EXPECT_THAT(config->bfd_profiles, IsEmpty());
}

TEST_F(PartialTest, AWrongAdvertisementIsLeftOut) {
    objects_.bgp_advertisements[0].aggregation_length = 33;
    const auto config = partial();

    ASSERT_TRUE(config);
    EXPECT_THAT(names(config->bgp_advertisements), ElementsAre("a2"));
}

// Announced without a community that should have kept it near, a route would go too far.
TEST_F(PartialTest, AnAdvertisementIsLeftOutWithTheAliasItUses) {
    objects_.communities[0].communities[0].value = "oops";
    const auto config = partial();

    ASSERT_TRUE(config);
    EXPECT_THAT(names(config->bgp_advertisements), ElementsAre("a1"));
}

TEST_F(PartialTest, AnAliasGivenTwiceIsNoAlias) {
    objects_.communities.push_back(named<kube::Community>("other"));
    objects_.communities[1].communities = {{"far", "64512:2"}};
    const auto config = partial();

    ASSERT_TRUE(config);
    EXPECT_THAT(names(config->bgp_advertisements), ElementsAre("a1"));
}

TEST_F(PartialTest, OfTwoThatContradictEachOtherTheFirstStays) {
    objects_.bgp_advertisements[1].local_pref = 200;
    const auto config = partial();

    ASSERT_TRUE(config);
    EXPECT_THAT(names(config->bgp_advertisements), ElementsAre("a1"));
}

TEST_F(PartialTest, WhatAllNodesMustSeeAlikeIsTakenWholeOrNotAtAll) {
    Objects wrong_pool = objects_;
    wrong_pool.pools.push_back(pool("bad", {"oops"}));
    EXPECT_FALSE(parse(wrong_pool).partial);

    Objects wrong_l2 = objects_;
    wrong_l2.l2_advertisements[0].interfaces = {"eth0", "eth0"};
    EXPECT_FALSE(parse(wrong_l2).partial);
}

TEST_F(PartialTest, ARightConfigurationHasNoPart) {
    const ParseResult result = parse(objects_);
    EXPECT_TRUE(result.config);
    EXPECT_FALSE(result.partial);
}

class LastGoodBgpTest : public PartialTest {
protected:
    bool update() { return last_good_.update(parse(objects_)); }
    std::vector<std::string> peers() { return names(last_good_.current()->bgp_peers); }

    LastGood last_good_;
};

TEST_F(LastGoodBgpTest, WithoutAnEarlierOneTheWrongObjectsAreLeftOut) {
    objects_.bgp_peers[0].my_asn = 0;
    EXPECT_TRUE(update());

    EXPECT_TRUE(last_good_.loaded());
    EXPECT_TRUE(last_good_.stale());
    EXPECT_TRUE(last_good_.partial());
    EXPECT_THAT(peers(), ElementsAre("r2"));
}

TEST_F(LastGoodBgpTest, UntilAllAreRightWhatIsRightIsFollowed) {
    objects_.bgp_peers[0].my_asn = 0;
    update();
    objects_.bgp_peers.push_back(bgp_peer("r3", "192.0.2.3"));
    EXPECT_TRUE(update());
    EXPECT_THAT(peers(), ElementsAre("r2", "r3"));

    objects_.bgp_peers[0].my_asn = 64512;
    EXPECT_TRUE(update());
    EXPECT_THAT(peers(), ElementsAre("r1", "r2", "r3"));
    EXPECT_FALSE(last_good_.partial());
    EXPECT_FALSE(last_good_.stale());
}

TEST_F(LastGoodBgpTest, AWrongPeerChangesNothingAboutBgp) {
    update();
    objects_.bgp_peers[0].my_asn = 0;
    objects_.bgp_peers.push_back(bgp_peer("r3", "192.0.2.3"));
    objects_.bgp_advertisements.pop_back();
    EXPECT_FALSE(update());

    EXPECT_THAT(peers(), ElementsAre("r1", "r2"));
    EXPECT_THAT(names(last_good_.current()->bgp_advertisements), ElementsAre("a1", "a2"));
    EXPECT_TRUE(last_good_.stale());
    EXPECT_FALSE(last_good_.partial());
}

// A peer may be wrong on one node and no business of the others: they must elect alike.
TEST_F(LastGoodBgpTest, Layer2GoesOnWhileAPeerIsWrong) {
    update();
    objects_.bgp_peers[0].my_asn = 0;
    objects_.pools.push_back(pool("more", {"10.0.1.0/24"}));
    objects_.l2_advertisements.push_back(named<kube::L2Advertisement>("l2-more"));
    EXPECT_TRUE(update());

    EXPECT_THAT(names(last_good_.current()->pools), ElementsAre("lan", "more"));
    EXPECT_THAT(names(last_good_.current()->l2_advertisements), ElementsAre("l2", "l2-more"));
    EXPECT_THAT(peers(), ElementsAre("r1", "r2"));
    EXPECT_TRUE(last_good_.stale());
}

TEST_F(LastGoodBgpTest, AWrongPoolChangesNothingAtAll) {
    update();
    objects_.pools.push_back(pool("bad", {"oops"}));
    objects_.bgp_peers.pop_back();
    EXPECT_FALSE(update());
    EXPECT_THAT(peers(), ElementsAre("r1", "r2"));
}

}  // namespace
}  // namespace steelyard::config
