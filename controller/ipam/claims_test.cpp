#include "controller/ipam/allocator.hpp"
#include "controller/ipam/ipam_test_support.hpp"

#include <gmock/gmock.h>

// What a reservation means to the allocator.
namespace steelyard::ipam {
namespace {

using test::ip;
using test::pool;
using test::pools;
using test::request;
using test::texts;
using testing::ElementsAre;
using testing::HasSubstr;

class ClaimsTest : public testing::Test {
protected:
    void use(std::vector<config::Pool> list) { allocator.set_pools(pools(std::move(list))); }
    void reserve(const std::string& service, const std::vector<std::string>& addresses) {
        Claim claim{{"system", "for-" + service}, {"default", service}, {}};
        for (const std::string& address : addresses) {
            claim.addresses.push_back(ip(address));
        }
        allocator.reserve(claim);
    }
    void unreserve(const std::string& service) {
        allocator.unreserve({"system", "for-" + service});
    }
    std::vector<std::string> allocate(const Request& wanted) {
        return texts(allocator.allocate(wanted));
    }
    Allocator allocator;
};

Request asking(std::string name, const std::string& address) {
    Request made = request(std::move(name));
    made.addresses = {ip(address)};
    return made;
}

Request sharing(std::string name, std::uint16_t port) {
    Request made = request(std::move(name));
    made.sharing.key = "k";
    made.sharing.ports = {{net::Protocol::Tcp, port}};
    return made;
}

TEST_F(ClaimsTest, ReservedAddressGoesToItsServiceOnly) {
    use({pool("a", {"10.0.0.0/30"})});
    reserve("mine", {"10.0.0.0"});

    EXPECT_THAT(allocate(request("other")), ElementsAre("10.0.0.1"));
    EXPECT_EQ(allocator.counts()[0].v4, (FamilyCount{4, 1, 1}));
    EXPECT_EQ(allocator.counts()[0].v4.available(), 2U);
    EXPECT_THAT(allocate(request("mine")), ElementsAre("10.0.0.0"));
    EXPECT_EQ(allocator.counts()[0].v4, (FamilyCount{4, 2, 0}));
}

TEST_F(ClaimsTest, RefusalNamesTheReservation) {
    use({pool("a", {"10.0.0.0/30"})});
    reserve("mine", {"10.0.0.0"});

    const auto refused = allocator.allocate(asking("other", "10.0.0.0"));

    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().reason, Reason::AddressReserved);
    EXPECT_THAT(
        refused.error().message,
        HasSubstr("kept for Service \"default/mine\" by AddressReservation \"system/for-mine\"")
    );
}

TEST_F(ClaimsTest, EndOfAReservationFreesTheAddress) {
    use({pool("a", {"10.0.0.1/32"})});
    reserve("mine", {"10.0.0.1"});
    EXPECT_THAT(allocate(request("other")), ElementsAre("PoolExhausted"));

    unreserve("mine");

    EXPECT_THAT(allocate(request("other")), ElementsAre("10.0.0.1"));
    EXPECT_EQ(allocator.counts()[0].v4, (FamilyCount{1, 1, 0}));
}

TEST_F(ClaimsTest, HolderKeepsWhatIsReservedForSomebodyElse) {
    use({pool("a", {"10.0.0.0/30"})});
    allocate(request("holder"));
    reserve("mine", {"10.0.0.0"});

    EXPECT_TRUE(allocator.adopt(request("holder"), std::vector{ip("10.0.0.0")}));
    EXPECT_THAT(allocate(request("mine")), ElementsAre("10.0.0.1"));

    allocator.release({"default", "holder"});
    EXPECT_THAT(allocate(request("third")), ElementsAre("10.0.0.2"));
}

TEST_F(ClaimsTest, ReservedDualStackAddressesComeBackTogether) {
    use({pool("a", {"10.0.0.0/30", "fd00::/64"})});
    reserve("mine", {"10.0.0.3", "fd00::3"});
    Request wanted = request("mine");
    wanted.families = {net::Family::V4, net::Family::V6};
    wanted.policy = kube::IpFamilyPolicy::RequireDualStack;

    EXPECT_THAT(allocate(wanted), ElementsAre("10.0.0.3", "fd00::3"));
}

TEST_F(ClaimsTest, SingleStackServiceTakesTheReservedAddressOfItsFamily) {
    use({pool("a", {"10.0.0.0/30", "fd00::/64"})});
    reserve("mine", {"10.0.0.3", "fd00::3"});
    Request wanted = request("mine");
    wanted.families = {net::Family::V6};

    EXPECT_THAT(allocate(wanted), ElementsAre("fd00::3"));
}

TEST_F(ClaimsTest, MissingFamilyComesFromThePoolOfTheReservedOne) {
    use({pool("a", {"10.0.0.0/30", "fd00::/64"}), pool("b", {"10.1.0.0/30", "fd01::/64"})});
    reserve("mine", {"10.1.0.2"});
    Request wanted = request("mine");
    wanted.families = {net::Family::V4, net::Family::V6};
    wanted.policy = kube::IpFamilyPolicy::PreferDualStack;

    EXPECT_THAT(allocate(wanted), ElementsAre("10.1.0.2", "fd01::"));
}

TEST_F(ClaimsTest, ReservationIgnoresAutoAssignLikeAnAddressAskedFor) {
    config::Pool manual = pool("m", {"10.9.0.0/30"});
    manual.auto_assign = false;
    use({pool("a", {"10.0.0.0/30"}), manual});
    reserve("mine", {"10.9.0.1"});

    EXPECT_THAT(allocate(request("mine")), ElementsAre("10.9.0.1"));
}

TEST_F(ClaimsTest, PoolOfTheReservedAddressIsTheFirstToAnswer) {
    use({pool("a", {"10.0.0.0/30"}), pool("b", {"10.1.0.0/30"})});
    reserve("mine", {"10.1.0.2"});

    const auto answers = allocator.ask_every_pool(request("mine"));

    ASSERT_EQ(answers.size(), 2U);
    EXPECT_EQ(answers[0].pool, "b");
    EXPECT_THAT(answers[0].addresses, ElementsAre(ip("10.1.0.2")));
    EXPECT_THAT(allocate(request("mine")), ElementsAre("10.1.0.2"));
}

TEST_F(ClaimsTest, ReservationOutsideTheRequestedPoolDoesNotMatter) {
    use({pool("a", {"10.0.0.0/30"}), pool("b", {"10.1.0.0/30"})});
    reserve("mine", {"10.1.0.2"});
    Request wanted = request("mine");
    wanted.pool = "a";

    EXPECT_THAT(allocate(wanted), ElementsAre("10.0.0.0"));
}

TEST_F(ClaimsTest, SharersOfAReservedAddressAreWelcomeWhileItsServiceHoldsIt) {
    use({pool("a", {"10.0.0.0/30"})});
    reserve("mine", {"10.0.0.0"});
    allocate(sharing("mine", 80));

    EXPECT_THAT(allocate(sharing("guest", 81)), ElementsAre("10.0.0.0"));

    allocator.release({"default", "mine"});
    EXPECT_THAT(allocate(sharing("late", 82)), ElementsAre("10.0.0.1"));
    EXPECT_THAT(allocate(sharing("mine", 80)), ElementsAre("10.0.0.0"));
}

TEST_F(ClaimsTest, AddressSharedByTwoIsKeptForBoth) {
    use({pool("a", {"10.0.0.0/30"})});
    reserve("one", {"10.0.0.0"});
    reserve("two", {"10.0.0.0"});

    EXPECT_THAT(allocate(sharing("two", 81)), ElementsAre("10.0.0.0"));
    unreserve("two");
    EXPECT_THAT(allocate(sharing("one", 80)), ElementsAre("10.0.0.0"));
    EXPECT_EQ(allocator.counts()[0].v4, (FamilyCount{4, 1, 0}));
}

TEST_F(ClaimsTest, NewPoolsKeepReservationsInForce) {
    use({pool("a", {"10.0.0.0/30"})});
    reserve("mine", {"10.0.0.0"});

    use({pool("b", {"10.0.0.0/29"})});

    EXPECT_THAT(allocate(request("other")), ElementsAre("10.0.0.1"));
    EXPECT_THAT(allocate(request("mine")), ElementsAre("10.0.0.0"));
}

TEST_F(ClaimsTest, ReservationOfAnAddressInNoPoolChangesNothing) {
    use({pool("a", {"10.0.0.0/30"})});
    reserve("mine", {"192.0.2.1"});

    EXPECT_THAT(allocate(request("mine")), ElementsAre("10.0.0.0"));
    unreserve("mine");
    EXPECT_EQ(allocator.counts()[0].v4, (FamilyCount{4, 1, 0}));
}

}  // namespace
}  // namespace steelyard::ipam
