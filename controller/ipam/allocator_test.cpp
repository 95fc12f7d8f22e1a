#include "controller/ipam/allocator.hpp"

#include "controller/ipam/ipam_test_support.hpp"

#include <gmock/gmock.h>

namespace steelyard::ipam {
namespace {

using test::ip;
using test::pool;
using test::pools;
using test::request;
using test::texts;
using testing::ElementsAre;
using testing::HasSubstr;

class AllocatorTest : public testing::Test {
protected:
    void use(std::vector<config::Pool> list) { allocator.set_pools(pools(std::move(list))); }
    std::vector<std::string> allocate(const Request& wanted) {
        return texts(allocator.allocate(wanted));
    }
    Allocator allocator;
};

Request dual(std::string name, kube::IpFamilyPolicy policy) {
    Request made = request(std::move(name));
    made.families = {net::Family::V4, net::Family::V6};
    made.policy = policy;
    return made;
}

Request sharing(std::string name, std::string key, std::uint16_t port) {
    Request made = request(std::move(name));
    made.sharing.key = std::move(key);
    made.sharing.ports = {{net::Protocol::Tcp, port}};
    return made;
}

config::Pool pinned(config::Pool base, std::string ns, std::int64_t priority) {
    base.service_allocation.emplace();
    base.service_allocation->priority = priority;
    if (!ns.empty()) {
        base.service_allocation->namespaces = {std::move(ns)};
    }
    return base;
}

TEST_F(AllocatorTest, HandsOutTheLowestFreeAddressInListedOrder) {
    use({pool("a", {"10.0.0.8-10.0.0.9", "10.0.0.1/32"})});

    EXPECT_THAT(allocate(request("one")), ElementsAre("10.0.0.8"));
    EXPECT_THAT(allocate(request("two")), ElementsAre("10.0.0.9"));
    EXPECT_THAT(allocate(request("three")), ElementsAre("10.0.0.1"));
}

TEST_F(AllocatorTest, ReleasedAddressIsTheNextOneGiven) {
    use({pool("a", {"10.0.0.0/24"})});
    allocate(request("one"));
    allocate(request("two"));
    allocate(request("three"));

    EXPECT_TRUE(allocator.release({"default", "two"}));

    EXPECT_THAT(allocate(request("four")), ElementsAre("10.0.0.1"));
    EXPECT_THAT(allocate(request("five")), ElementsAre("10.0.0.3"));
}

TEST_F(AllocatorTest, FullPoolIsRefusedNamingThePoolAndWhatToDo) {
    use({pool("a", {"10.0.0.1/32"})});
    allocate(request("one"));

    const auto verdict = allocator.allocate(request("two"));

    ASSERT_FALSE(verdict);
    EXPECT_EQ(verdict.error().reason, Reason::PoolExhausted);
    EXPECT_THAT(
        verdict.error().message, HasSubstr("no available IPv4 IP in pool \"a\": add a range")
    );
}

TEST_F(AllocatorTest, AvoidBuggyIpsSkipsZeroAndTwoHundredFiftyFive) {
    config::Pool careful = pool("a", {"10.0.0.254-10.0.1.1"});
    careful.avoid_buggy_ips = true;
    use({careful});

    EXPECT_THAT(allocate(request("one")), ElementsAre("10.0.0.254"));
    EXPECT_THAT(allocate(request("two")), ElementsAre("10.0.1.1"));
    EXPECT_THAT(allocate(request("three")), ElementsAre("PoolExhausted"));
    EXPECT_EQ(allocator.counts()[0].v4.total, 2U);
}

TEST_F(AllocatorTest, AvoidBuggyIpsRefusesTheAddressWhenAskedFor) {
    config::Pool careful = pool("a", {"10.0.0.0/24"});
    careful.avoid_buggy_ips = true;
    use({careful});
    Request wanted = request("one");
    wanted.addresses = {ip("10.0.0.255")};

    EXPECT_THAT(allocate(wanted), ElementsAre("AddressAvoided"));
}

TEST_F(AllocatorTest, HugeIpv6PoolNeedsNoEnumeration) {
    use({pool("six", {"::/0"})});
    Request wanted = request("one");
    wanted.families = {net::Family::V6};
    Request far = wanted;
    far.service.name = "far";
    far.addresses = {ip("ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff")};

    EXPECT_THAT(allocate(wanted), ElementsAre("::"));
    EXPECT_THAT(allocate(far), ElementsAre("ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"));
    EXPECT_TRUE(allocator.release(far.service));
    EXPECT_EQ(allocator.counts()[0].v6.available(), 0x7fffffffffffffffU);
}

TEST_F(AllocatorTest, RequestedAddressIgnoresAutoAssign) {
    config::Pool manual = pool("a", {"10.0.0.0/24"});
    manual.auto_assign = false;
    use({manual});
    Request by_address = request("one");
    by_address.addresses = {ip("10.0.0.77")};
    Request by_pool = request("two");
    by_pool.pool = "a";

    EXPECT_THAT(allocate(by_address), ElementsAre("10.0.0.77"));
    EXPECT_THAT(allocate(by_pool), ElementsAre("10.0.0.0"));
    EXPECT_THAT(allocate(request("three")), ElementsAre("NoMatchingPool"));
}

TEST_F(AllocatorTest, RequestedAddressOfAnotherServiceIsRefusedNamingTheHolder) {
    use({pool("a", {"10.0.0.0/24"})});
    allocate(request("one"));
    Request wanted = request("two");
    wanted.addresses = {ip("10.0.0.0")};

    const auto verdict = allocator.allocate(wanted);

    ASSERT_FALSE(verdict);
    EXPECT_EQ(verdict.error().reason, Reason::AddressInUse);
    EXPECT_THAT(verdict.error().message, HasSubstr("held by \"default/one\""));
}

TEST_F(AllocatorTest, RequestsThatCannotBeServedSayWhy) {
    use(
        {pool("a", {"10.0.0.0/24"}),
         pool("b", {"10.0.1.0/24", "fd00::/64"}),
         pool("c", {"fd01::/64"})}
    );
    Request nowhere = request("s");
    nowhere.addresses = {ip("192.0.2.1")};
    EXPECT_THAT(allocate(nowhere), ElementsAre("AddressNotInPool"));

    Request unknown = request("s");
    unknown.pool = "x";
    EXPECT_THAT(allocate(unknown), ElementsAre("UnknownPool"));

    Request wrong_pool = request("s");
    wrong_pool.addresses = {ip("10.0.0.1")};
    wrong_pool.pool = "b";
    EXPECT_THAT(allocate(wrong_pool), ElementsAre("PoolMismatch"));

    Request wrong_family = request("s");
    wrong_family.addresses = {ip("fd00::1")};
    EXPECT_THAT(allocate(wrong_family), ElementsAre("FamilyMismatch"));

    Request apart = dual("s", kube::IpFamilyPolicy::RequireDualStack);
    apart.addresses = {ip("10.0.0.1"), ip("fd01::1")};
    EXPECT_THAT(allocate(apart), ElementsAre("AddressesInDifferentPools"));
}

TEST_F(AllocatorTest, NoPoolsAtAllSaysSo) {
    use({});

    EXPECT_THAT(allocate(request("one")), ElementsAre("NoPools"));
}

TEST_F(AllocatorTest, PinnedPoolsComeFirstByPriorityThenName) {
    use(
        {pool("a", {"10.0.0.1/32"}),
         pinned(pool("m", {"10.0.1.1/32"}), "", 0),
         pinned(pool("y", {"10.0.2.1/32"}), "default", 5),
         pinned(pool("x", {"10.0.3.1/32"}), "default", 5),
         pinned(pool("z", {"10.0.4.1/32"}), "other", 1)}
    );

    EXPECT_THAT(allocate(request("1")), ElementsAre("10.0.3.1"));
    EXPECT_THAT(allocate(request("2")), ElementsAre("10.0.2.1"));
    EXPECT_THAT(allocate(request("3")), ElementsAre("10.0.1.1"));
    EXPECT_THAT(allocate(request("4")), ElementsAre("10.0.0.1"));
    EXPECT_THAT(allocate(request("5")), ElementsAre("PoolExhausted"));
}

TEST_F(AllocatorTest, PinnedPoolIsClosedToOthersEvenWhenAskedFor) {
    use({pinned(pool("p", {"10.0.0.0/24"}), "other", 1)});
    Request by_pool = request("one");
    by_pool.pool = "p";
    Request by_address = request("two");
    by_address.addresses = {ip("10.0.0.5")};

    EXPECT_THAT(allocate(by_pool), ElementsAre("PoolNotAllowed"));
    EXPECT_THAT(allocate(by_address), ElementsAre("PoolNotAllowed"));
}

TEST_F(AllocatorTest, RequireDualStackTakesBothFromOnePool) {
    use({pool("a", {"10.0.0.0/24"}), pool("b", {"10.0.1.0/24", "fd00::/64"})});

    EXPECT_THAT(
        allocate(dual("one", kube::IpFamilyPolicy::RequireDualStack)),
        ElementsAre("10.0.1.0", "fd00::")
    );
}

TEST_F(AllocatorTest, RequireDualStackWaitsWhenNoPoolHasBoth) {
    use({pool("a", {"10.0.0.0/24"}), pool("b", {"fd00::/64"})});

    EXPECT_THAT(
        allocate(dual("one", kube::IpFamilyPolicy::RequireDualStack)), ElementsAre("PoolExhausted")
    );
}

TEST_F(AllocatorTest, PreferDualStackTakesADualPoolBeforeAnEarlierSingleOne) {
    use({pool("a", {"10.0.0.0/24"}), pool("b", {"10.0.1.0/24", "fd00::/64"})});

    EXPECT_THAT(
        allocate(dual("one", kube::IpFamilyPolicy::PreferDualStack)),
        ElementsAre("10.0.1.0", "fd00::")
    );
}

TEST_F(AllocatorTest, PreferDualStackSettlesForThePrimaryFamily) {
    use({pool("a", {"10.0.0.0/24"}), pool("b", {"fd00::/64"})});
    Request wanted = dual("one", kube::IpFamilyPolicy::PreferDualStack);
    wanted.families = {net::Family::V6, net::Family::V4};

    EXPECT_THAT(allocate(wanted), ElementsAre("fd00::"));
}

TEST_F(AllocatorTest, ExtendAddsTheOtherFamilyOnceThePoolHasIt) {
    use({pool("a", {"10.0.0.0/24"})});
    const Request wanted = dual("one", kube::IpFamilyPolicy::PreferDualStack);
    allocate(wanted);
    EXPECT_THAT(texts(allocator.extend(wanted)), ElementsAre("PoolExhausted"));

    use({pool("a", {"10.0.0.0/24", "fd00::/64"})});

    EXPECT_THAT(texts(allocator.extend(wanted)), ElementsAre("10.0.0.0", "fd00::"));
}

TEST_F(AllocatorTest, SameKeyAndOtherPortsPackOnOneAddress) {
    use({pool("a", {"10.0.0.0/24"})});

    EXPECT_THAT(allocate(sharing("one", "k", 80)), ElementsAre("10.0.0.0"));
    EXPECT_THAT(allocate(sharing("two", "k", 443)), ElementsAre("10.0.0.0"));
    EXPECT_THAT(allocate(sharing("clash", "k", 443)), ElementsAre("10.0.0.1"));
    EXPECT_THAT(allocate(sharing("other", "j", 25)), ElementsAre("10.0.0.2"));
    EXPECT_EQ(allocator.counts()[0].v4.assigned, 3U);
}

TEST_F(AllocatorTest, SharedAddressIsFreeOnlyAfterTheLastHolderLeft) {
    use({pool("a", {"10.0.0.1/32"})});
    allocate(sharing("one", "k", 80));
    allocate(sharing("two", "k", 443));

    allocator.release({"default", "one"});
    EXPECT_THAT(allocate(request("three")), ElementsAre("PoolExhausted"));

    allocator.release({"default", "two"});
    EXPECT_THAT(allocate(request("three")), ElementsAre("10.0.0.1"));
}

struct SharingCase {
    const char* name;
    const char* first_backend;
    const char* second_backend;
    std::uint16_t second_port;
    const char* expected;
};

class SharingRuleTest : public testing::TestWithParam<SharingCase> {};

TEST_P(SharingRuleTest, DecidesWhetherAnAskedForAddressIsShared) {
    Allocator allocator;
    allocator.set_pools(pools({pool("a", {"10.0.0.0/24"})}));
    Request first = sharing("one", "k", 80);
    first.sharing.backend = GetParam().first_backend;
    Request second = sharing("two", "k", GetParam().second_port);
    second.sharing.backend = GetParam().second_backend;
    second.addresses = {ip("10.0.0.0")};
    ASSERT_TRUE(allocator.allocate(first));

    EXPECT_THAT(texts(allocator.allocate(second)), ElementsAre(GetParam().expected));
}

INSTANTIATE_TEST_SUITE_P(
    Allocator,
    SharingRuleTest,
    testing::Values(
        SharingCase{"cluster_and_cluster", "", "", 81, "10.0.0.0"},
        SharingCase{"local_same_pods", "app=x", "app=x", 81, "10.0.0.0"},
        SharingCase{"local_other_pods", "app=x", "app=y", 81, "SharingBackendMismatch"},
        SharingCase{"cluster_and_local", "", "app=x", 81, "SharingBackendMismatch"},
        SharingCase{"same_port", "", "", 80, "SharingPortConflict"}
    ),
    [](const auto& param) { return param.param.name; }
);

TEST_F(AllocatorTest, SoleHolderMayChangeItsSharingKey) {
    use({pool("a", {"10.0.0.0/24"})});
    allocate(sharing("one", "k", 80));
    const auto changed = sharing("one", "j", 80);

    EXPECT_THAT(
        texts(allocator.adopt(changed, std::vector{ip("10.0.0.0")})), ElementsAre("10.0.0.0")
    );

    EXPECT_THAT(allocate(sharing("two", "j", 81)), ElementsAre("10.0.0.0"));
}

TEST_F(AllocatorTest, AdoptedAddressIsNotGivenAgain) {
    use({pool("a", {"10.0.0.0/24"})});

    ASSERT_TRUE(allocator.adopt(request("old"), std::vector{ip("10.0.0.0")}));

    EXPECT_THAT(allocate(request("new")), ElementsAre("10.0.0.1"));
}

TEST_F(AllocatorTest, AdoptRefusesWhatTheServiceNoLongerAsksFor) {
    use({pool("a", {"10.0.0.0/24"})});
    Request wanted = request("one");
    wanted.addresses = {ip("10.0.0.9")};

    EXPECT_THAT(
        texts(allocator.adopt(wanted, std::vector{ip("10.0.0.1")})),
        ElementsAre("AddressNotRequested")
    );
}

TEST_F(AllocatorTest, NewPoolsKeepHoldersAndRenameTheirPool) {
    use({pool("a", {"10.0.0.0/24"})});
    allocate(request("one"));

    use({pool("b", {"10.0.0.0/16"})});

    EXPECT_EQ(allocator.find({"default", "one"})->pool, "b");
    EXPECT_THAT(allocate(request("two")), ElementsAre("10.0.0.1"));
}

TEST_F(AllocatorTest, AddressOutsideEveryPoolIsHeldUntilReleased) {
    use({pool("a", {"10.0.0.0/24"})});
    allocate(request("one"));

    use({pool("a", {"10.9.0.0/24"})});

    EXPECT_EQ(allocator.find({"default", "one"})->pool, "");
    EXPECT_THAT(
        texts(allocator.adopt(request("one"), std::vector{ip("10.0.0.0")})),
        ElementsAre("AddressNotInPool")
    );
    EXPECT_TRUE(allocator.release({"default", "one"}));
    EXPECT_EQ(allocator.counts()[0].v4.assigned, 0U);
}

TEST_F(AllocatorTest, CountsSayWhatIsAssignedAndAvailable) {
    use({pool("a", {"10.0.0.0/30", "fd00::/126"})});
    allocate(dual("one", kube::IpFamilyPolicy::RequireDualStack));
    allocate(request("two"));

    const PoolCount count = allocator.counts().at(0);

    EXPECT_EQ(count.v4, (FamilyCount{4, 2}));
    EXPECT_EQ(count.v6, (FamilyCount{4, 1}));
    EXPECT_EQ(count.v6.available(), 3U);
}

}  // namespace
}  // namespace steelyard::ipam
