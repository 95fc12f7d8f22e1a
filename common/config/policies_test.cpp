#include "common/config/config_test_support.hpp"
#include "common/config/reservation.hpp"

#include <gmock/gmock.h>

namespace steelyard::config {
namespace {

using std::chrono::seconds;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;

kube::AllocationPolicy policy(std::string name) {
    return named<kube::AllocationPolicy>(std::move(name));
}

kube::AddressReservation reservation(std::string name, std::vector<std::string> addresses) {
    auto object = named<kube::AddressReservation>(std::move(name));
    object.service_namespace = "shop";
    object.service_name = "web";
    object.addresses = std::move(addresses);
    return object;
}

ParseResult parse_with(std::vector<kube::AllocationPolicy> policies) {
    Objects objects;
    objects.pools = {pool("a", {"192.0.2.0/24"}), pool("b", {"2001:db8::/64"})};
    objects.pools[0].meta.labels["tier"] = "gold";
    objects.allocation_policies = std::move(policies);
    return parse(objects);
}

TEST(PoliciesTest, APolicyAboutNoPoolIsAboutAll) {
    const ParseResult result = parse_with({policy("p")});
    ASSERT_TRUE(result.config);
    ASSERT_THAT(result.config->policies, SizeIs(1));
    EXPECT_THAT(result.config->policies[0].pools, ElementsAre("a", "b"));
}

TEST(PoliciesTest, PoliciesComeByNameAndTakeNamedAndSelectedPools) {
    kube::AllocationPolicy named_pool = policy("z");
    named_pool.ip_address_pools = {"b", "unknown"};
    kube::AllocationPolicy selected = policy("y");
    selected.ip_address_pool_selectors = {label("tier", "gold")};
    const ParseResult result = parse_with({named_pool, selected});
    ASSERT_TRUE(result.config);
    EXPECT_EQ(result.config->policies[0].name, "y");
    EXPECT_TRUE(result.config->policies[0].covers("a"));
    EXPECT_FALSE(result.config->policies[0].covers("b"));
    EXPECT_THAT(result.config->policies[1].pools, ElementsAre("b"));
}

TEST(PoliciesTest, ExclusionsAreAddressesCidrsAndRangesInTheOrderWritten) {
    kube::AllocationPolicy object = policy("p");
    object.exclude = {"192.0.2.9", "192.0.2.0/30", "192.0.2.20 - 192.0.2.30", "2001:db8::1"};
    const ParseResult result = parse_with({object});
    ASSERT_TRUE(result.config);
    std::vector<std::string> shown;
    for (const net::Range& range : result.config->policies[0].exclude) {
        shown.push_back(to_string(range));
    }
    EXPECT_THAT(
        shown,
        ElementsAre(
            "192.0.2.9-192.0.2.9",
            "192.0.2.0-192.0.2.3",
            "192.0.2.20-192.0.2.30",
            "2001:db8::1-2001:db8::1"
        )
    );
}

TEST(PoliciesTest, AQuotaIsAboutNamespacesByNameOrByLabelOrAboutAll) {
    Quota quota;
    EXPECT_TRUE(applies(quota, "any", {}));
    quota.namespaces = {"web"};
    EXPECT_TRUE(applies(quota, "web", {}));
    EXPECT_FALSE(applies(quota, "other", {{"team", "a"}}));
    quota.namespace_selectors = {label("team", "a")};
    EXPECT_TRUE(applies(quota, "other", {{"team", "a"}}));
    EXPECT_FALSE(applies(quota, "other", {}));
}

TEST(PoliciesTest, AnAddressIsKeptAsLongAsThePolicyOfItsPoolSays) {
    kube::AllocationPolicy silent = policy("a");
    kube::AllocationPolicy keeping = policy("b");
    keeping.ip_address_pools = {"a"};
    keeping.keep_after_delete = "1h30m";
    const ParseResult result = parse_with({silent, keeping});
    ASSERT_TRUE(result.config);
    EXPECT_EQ(result.config->keep_after_delete("a"), seconds(5400));
    EXPECT_EQ(result.config->keep_after_delete("b"), std::nullopt);
    EXPECT_EQ(result.config->keep_after_delete("unknown"), std::nullopt);
}

TEST(PoliciesTest, TwoPoliciesDoNotDifferInHowLongAPoolsAddressesAreKept) {
    kube::AllocationPolicy first = policy("first");
    first.keep_after_delete = "60s";
    kube::AllocationPolicy same = policy("same");
    same.keep_after_delete = "1m";
    kube::AllocationPolicy third = policy("third");
    third.ip_address_pools = {"b"};
    third.keep_after_delete = "2m";
    EXPECT_TRUE(parse_with({first, same}).config);
    EXPECT_THAT(
        texts(parse_with({third, first, same}).problems),
        ElementsAre(
            "AllocationPolicy metallb-system/third: spec.keepAfterDelete: \"2m\": AllocationPolicy "
            "metallb-system/first has 60s for IPAddressPool b: let them agree"
        )
    );
}

TEST(PoliciesTest, EveryMistakeOfAPolicyIsListed) {
    kube::AllocationPolicy object = policy("p");
    object.ip_address_pools = {"a", "a"};
    object.exclude = {"router", "192.0.2.9-192.0.2.1", "192.0.2.1-2001:db8::1", ""};
    object.quotas = {{{"web", "web"}, {}, 5}, {{}, {}, -1}, {{}, {}, 1LL << 40}};
    object.keep_after_delete = "soon";
    const ParseResult result = parse_with({object});
    EXPECT_FALSE(result.config);
    EXPECT_FALSE(result.partial);  // as with pools: all or nothing
    std::vector<std::string> fields;
    for (const Problem& problem : result.problems) {
        fields.push_back(problem.field);
    }
    EXPECT_THAT(
        fields,
        ElementsAre(
            "spec.ipAddressPools[1]",
            "spec.exclude[0]",
            "spec.exclude[1]",
            "spec.exclude[2]",
            "spec.exclude[3]",
            "spec.quotas[0].namespaces[1]",
            "spec.quotas[1].addresses",
            "spec.quotas[2].addresses",
            "spec.keepAfterDelete"
        )
    );
    EXPECT_THAT(to_string(result.problems[1]), HasSubstr("\"router\": give an address such as"));
}

TEST(PoliciesTest, NothingIsKeptForNoTimeOrForMonths) {
    for (const char* text : {"0", "0s", "999ms", "721h", "-1m", "10"}) {
        kube::AllocationPolicy object = policy("p");
        object.keep_after_delete = text;
        EXPECT_THAT(parse_with({object}).problems, SizeIs(1)) << text;
    }
}

TEST(ReservationTest, KeepsOneAddressOrOneOfEachFamily) {
    std::vector<Problem> problems;
    auto object = reservation("r", {"2001:db8::1", "192.0.2.1"});
    object.keep_for = "10m";
    const auto parsed = parse_reservation(object, problems);
    EXPECT_THAT(problems, IsEmpty());
    ASSERT_TRUE(parsed);
    EXPECT_EQ(to_string(parsed->service), "shop/web");
    EXPECT_THAT(parsed->addresses, SizeIs(2));
    EXPECT_EQ(parsed->keep_for, seconds(600));
    EXPECT_EQ(parse_reservation(reservation("r", {"192.0.2.1"}), problems)->keep_for, std::nullopt);
}

TEST(ReservationTest, EveryMistakeIsListed) {
    struct Row {
        kube::AddressReservation object;
        const char* field;
    };
    auto without_service = reservation("r", {"192.0.2.1"});
    without_service.service_name.clear();
    auto without_namespace = reservation("r", {"192.0.2.1"});
    without_namespace.service_namespace.clear();
    auto forever = reservation("r", {"192.0.2.1"});
    forever.keep_for = "ever";
    for (const Row& row : {
             Row{reservation("r", {}), "spec.addresses"},
             Row{reservation("r", {"192.0.2.1", "2001:db8::1", "192.0.2.2"}), "spec.addresses"},
             Row{reservation("r", {"192.0.2.0/31"}), "spec.addresses[0]"},
             Row{reservation("r", {""}), "spec.addresses[0]"},
             Row{reservation("r", {"192.0.2.1", "192.0.2.2"}), "spec.addresses[1]"},
             Row{without_service, "spec.serviceName"},
             Row{without_namespace, "spec.serviceNamespace"},
             Row{forever, "spec.keepFor"},
         }) {
        std::vector<Problem> problems;
        EXPECT_FALSE(parse_reservation(row.object, problems)) << row.field;
        ASSERT_THAT(problems, testing::Not(IsEmpty())) << row.field;
        EXPECT_EQ(problems[0].field, row.field);
    }
}

}  // namespace
}  // namespace steelyard::config
