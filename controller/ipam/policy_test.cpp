#include "controller/ipam/allocator.hpp"
#include "controller/ipam/ipam_test_support.hpp"

#include <gmock/gmock.h>

// What an AllocationPolicy adds: exclude lists and quotas.
namespace steelyard::ipam {
namespace {

using test::ip;
using test::pool;
using test::request;
using test::texts;
using testing::ElementsAre;
using testing::HasSubstr;

config::AllocationPolicy policy(std::string name, std::vector<std::string> pools) {
    config::AllocationPolicy made;
    made.name = std::move(name);
    made.pools = std::move(pools);
    return made;
}

config::AllocationPolicy excluding(
    std::vector<std::string> pools, const std::vector<std::string>& ranges
) {
    config::AllocationPolicy made = policy("no-routers", std::move(pools));
    for (const std::string& range : ranges) {
        made.exclude.push_back(*net::Range::parse(range));
    }
    return made;
}

config::AllocationPolicy limiting(
    std::vector<std::string> pools, std::string ns, std::int64_t addresses
) {
    config::AllocationPolicy made = policy("fair", std::move(pools));
    made.quotas.emplace_back();
    if (!ns.empty()) {
        made.quotas[0].namespaces = {std::move(ns)};
    }
    made.quotas[0].addresses = addresses;
    return made;
}

class PolicyTest : public testing::Test {
protected:
    void use(std::vector<config::Pool> pools, std::vector<config::AllocationPolicy> policies) {
        auto made = std::make_shared<config::Config>();
        made->pools = std::move(pools);
        made->policies = std::move(policies);
        allocator.set_pools(made);
    }
    std::vector<std::string> allocate(const Request& wanted) {
        return texts(allocator.allocate(wanted));
    }
    Allocator allocator;
};

Request of(std::string ns, std::string name) {
    Request made = request(std::move(name));
    made.service.ns = std::move(ns);
    return made;
}

TEST_F(PolicyTest, ExcludedAddressesAreNeitherGivenNorCounted) {
    use({pool("a", {"10.0.0.0/29"})}, {excluding({"a"}, {"10.0.0.0-10.0.0.2", "10.0.0.2/31"})});

    EXPECT_THAT(allocate(request("one")), ElementsAre("10.0.0.4"));
    EXPECT_EQ(allocator.counts()[0].v4, (FamilyCount{4, 1}));
}

TEST_F(PolicyTest, ExclusionOfAnotherPoolDoesNotMatter) {
    use({pool("a", {"10.0.0.0/29"}), pool("b", {"10.1.0.0/29"})},
        {excluding({"b"}, {"10.0.0.0/8"})});

    EXPECT_THAT(allocate(request("one")), ElementsAre("10.0.0.0"));
    EXPECT_EQ(allocator.counts()[1].v4.total, 0U);
}

TEST_F(PolicyTest, HalfOfASlash64IsExcludedWithoutEnumeration) {
    use({pool("six", {"fd00::/64"})}, {excluding({"six"}, {"fd00::/65"})});
    Request wanted = request("one");
    wanted.families = {net::Family::V6};

    EXPECT_THAT(allocate(wanted), ElementsAre("fd00::8000:0:0:0"));
    EXPECT_EQ(allocator.counts()[0].v6.total, 0x7fffffffffffffffU);
}

TEST_F(PolicyTest, ExcludedAddressIsRefusedNamingThePolicy) {
    use({pool("a", {"10.0.0.0/24"})}, {excluding({"a"}, {"10.0.0.1/32"})});
    Request wanted = request("one");
    wanted.addresses = {ip("10.0.0.1")};

    const auto refused = allocator.allocate(wanted);

    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().reason, Reason::AddressExcluded);
    EXPECT_THAT(refused.error().message, HasSubstr("AllocationPolicy \"no-routers\" excludes it"));
}

TEST_F(PolicyTest, HolderOfAnAddressExcludedLaterMayNotKeepIt) {
    use({pool("a", {"10.0.0.0/24"})}, {});
    allocate(request("one"));

    use({pool("a", {"10.0.0.0/24"})}, {excluding({"a"}, {"10.0.0.0/32"})});

    EXPECT_THAT(
        texts(allocator.adopt(request("one"), std::vector{ip("10.0.0.0")})),
        ElementsAre("AddressExcluded")
    );
    allocator.release({"default", "one"});
    EXPECT_THAT(allocate(request("two")), ElementsAre("10.0.0.1"));
    EXPECT_EQ(allocator.counts()[0].v4, (FamilyCount{255, 1}));
}

TEST_F(PolicyTest, ExclusionAndAvoidBuggyIpsCountEachAddressOnce) {
    config::Pool careful = pool("a", {"10.0.0.0/23"});
    careful.avoid_buggy_ips = true;
    use({careful}, {excluding({"a"}, {"10.0.0.0/25"})});

    EXPECT_EQ(allocator.counts()[0].v4.total, 512U - 128U - 3U);
    EXPECT_THAT(allocate(request("one")), ElementsAre("10.0.0.128"));
}

TEST_F(PolicyTest, QuotaEndsWhatANamespaceMayTake) {
    use({pool("a", {"10.0.0.0/24"})}, {limiting({"a"}, "team", 2)});

    EXPECT_THAT(allocate(of("team", "one")), ElementsAre("10.0.0.0"));
    EXPECT_THAT(allocate(of("team", "two")), ElementsAre("10.0.0.1"));
    const auto refused = allocator.allocate(of("team", "three"));
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().reason, Reason::QuotaExceeded);
    EXPECT_THAT(
        refused.error().message,
        HasSubstr("namespace \"team\" may hold 2 addresses under AllocationPolicy \"fair\"")
    );
    EXPECT_THAT(allocate(of("other", "four")), ElementsAre("10.0.0.2"));
}

TEST_F(PolicyTest, QuotaWithoutNamespacesHoldsForEachNamespaceByItself) {
    use({pool("a", {"10.0.0.0/24"})}, {limiting({"a"}, "", 1)});

    EXPECT_THAT(allocate(of("x", "one")), ElementsAre("10.0.0.0"));
    EXPECT_THAT(allocate(of("y", "one")), ElementsAre("10.0.0.1"));
    EXPECT_THAT(allocate(of("x", "two")), ElementsAre("QuotaExceeded"));
}

TEST_F(PolicyTest, QuotaCountsAddressesNotServices) {
    use({pool("a", {"10.0.0.0/24"})}, {limiting({"a"}, "team", 1)});
    Request first = of("team", "one");
    first.sharing.key = "k";
    Request second = of("team", "two");
    second.sharing.key = "k";
    second.sharing.ports = {{net::Protocol::Tcp, 443}};
    Request third = of("team", "three");
    third.sharing.key = "k";
    third.sharing.ports = {{net::Protocol::Tcp, 443}};

    EXPECT_THAT(allocate(first), ElementsAre("10.0.0.0"));
    EXPECT_THAT(allocate(second), ElementsAre("10.0.0.0"));
    EXPECT_THAT(allocate(third), ElementsAre("QuotaExceeded"));

    allocator.release(first.service);
    EXPECT_THAT(allocate(first), ElementsAre("10.0.0.0"));
    allocator.release(first.service);
    allocator.release(second.service);
    EXPECT_THAT(allocate(third), ElementsAre("10.0.0.0"));
}

TEST_F(PolicyTest, DualStackTakesTwoOfAQuota) {
    use({pool("a", {"10.0.0.0/24", "fd00::/64"})}, {limiting({"a"}, "", 3)});
    Request both = of("team", "one");
    both.families = {net::Family::V4, net::Family::V6};
    both.policy = kube::IpFamilyPolicy::RequireDualStack;
    Request more = both;
    more.service.name = "two";

    EXPECT_THAT(allocate(both), ElementsAre("10.0.0.0", "fd00::"));
    EXPECT_THAT(allocate(more), ElementsAre("QuotaExceeded"));
    more.policy = kube::IpFamilyPolicy::PreferDualStack;
    EXPECT_THAT(allocate(more), ElementsAre("10.0.0.1"));
    EXPECT_THAT(texts(allocator.extend(more)), ElementsAre("QuotaExceeded"));
}

TEST_F(PolicyTest, FullQuotaSendsTheServiceToAPoolWithoutOne) {
    use({pool("a", {"10.0.0.0/24"}), pool("b", {"10.1.0.0/24"})}, {limiting({"a"}, "team", 1)});
    allocate(of("team", "one"));

    EXPECT_THAT(allocate(of("team", "two")), ElementsAre("10.1.0.0"));
}

TEST_F(PolicyTest, QuotaHoldsForAnAddressAskedForByValueToo) {
    use({pool("a", {"10.0.0.0/24"})}, {limiting({"a"}, "team", 1)});
    allocate(of("team", "one"));
    Request wanted = of("team", "two");
    wanted.addresses = {ip("10.0.0.9")};

    EXPECT_THAT(allocate(wanted), ElementsAre("QuotaExceeded"));
}

TEST_F(PolicyTest, QuotaTakesNothingAwayFromThoseWhoHaveMore) {
    use({pool("a", {"10.0.0.0/24"})}, {});
    allocate(of("team", "one"));
    allocate(of("team", "two"));

    use({pool("a", {"10.0.0.0/24"})}, {limiting({"a"}, "team", 1)});

    EXPECT_TRUE(allocator.adopt(of("team", "two"), std::vector{ip("10.0.0.1")}));
    EXPECT_THAT(allocate(of("team", "three")), ElementsAre("QuotaExceeded"));
    allocator.release({"team", "one"});
    EXPECT_THAT(allocate(of("team", "three")), ElementsAre("QuotaExceeded"));
    allocator.release({"team", "two"});
    EXPECT_THAT(allocate(of("team", "three")), ElementsAre("10.0.0.0"));
}

TEST_F(PolicyTest, QuotaSelectsNamespacesByLabel) {
    config::AllocationPolicy limited = limiting({"a"}, "", 0);
    limited.quotas[0].namespace_selectors.emplace_back().match_labels["tier"] = "free";
    use({pool("a", {"10.0.0.0/24"})}, {limited});
    const kube::Labels free{{"tier", "free"}};
    Request poor = of("poor", "one");
    poor.namespace_labels = &free;

    EXPECT_THAT(allocate(poor), ElementsAre("QuotaExceeded"));
    EXPECT_THAT(allocate(of("rich", "one")), ElementsAre("10.0.0.0"));
}

}  // namespace
}  // namespace steelyard::ipam
