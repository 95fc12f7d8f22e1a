#include "common/config/validate.hpp"

#include "common/config/config_test_support.hpp"

#include <gmock/gmock.h>

#include <algorithm>

// What MetalLB's webhook lets through because it looks at one kind at a time, and what is allowed
// but hardly meant.
namespace steelyard::config {
namespace {

using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;

// A right configuration about which there is nothing to say.
Objects good() {
    Objects objects;
    objects.pools = {pool("a", {"192.0.2.0/24"}), pool("b", {"2001:db8::/64"})};
    objects.l2_advertisements = {named<kube::L2Advertisement>("all")};
    objects.bgp_peers = {bgp_peer("router")};
    objects.bgp_advertisements = {bgp_ad("all")};
    return objects;
}

TEST(ValidateTest, NothingIsSaidOfWhatIsRight) {
    const Findings findings = validate(good());
    EXPECT_THAT(texts(findings.problems), IsEmpty());
    EXPECT_THAT(texts(findings.warnings), IsEmpty());
}

struct Mistake {
    const char* name;
    void (*make)(Objects& objects);
    const char* told;
};

class ProblemTest : public testing::TestWithParam<Mistake> {};

TEST_P(ProblemTest, IsTold) {
    Objects objects = good();
    GetParam().make(objects);
    EXPECT_THAT(texts(validate(objects).problems), ElementsAre(HasSubstr(GetParam().told)));
}

INSTANTIATE_TEST_SUITE_P(
    Config,
    ProblemTest,
    testing::Values(
        Mistake{
            "a_pool_edit_breaks_an_aggregation_length",
            [](Objects& objects) {
                objects.bgp_advertisements[0].aggregation_length = 24;
                objects.pools[0].addresses = {"192.0.2.0/26"};
            },
            "BGPAdvertisement metallb-system/all: spec.aggregationLength: \"24\": give at least "
            "26, as 192.0.2.0-192.0.2.63 of IPAddressPool a"},
        Mistake{
            "a_bfd_profile_is_missing",
            [](Objects& objects) { objects.bgp_peers[0].bfd_profile = "fast"; },
            "BGPPeer metallb-system/router: spec.bfdProfile: \"fast\": there is no BFDProfile"},
        Mistake{
            "an_alias_is_given_twice",
            [](Objects& objects) {
                objects.communities = {named<kube::Community>("x"), named<kube::Community>("y")};
                objects.communities[0].communities = {{"near", "1:1"}};
                objects.communities[1].communities = {{"near", "1:2"}};
            },
            "Community metallb-system/y: spec.communities[0].name: \"near\": give each name once"},
        Mistake{
            "an_alias_is_unknown",
            [](Objects& objects) { objects.bgp_advertisements[0].communities = {"near"}; },
            "BGPAdvertisement metallb-system/all: spec.communities[0]: \"near\""},
        Mistake{
            "a_secret_has_the_wrong_type",
            [](Objects& objects) {
                objects.bgp_peers[0].password_secret = "key";
                objects.secrets.emplace();
                objects.secrets->push_back(named<kube::Secret>("key"));
                objects.secrets->back().type = "Opaque";
            },
            "spec.passwordSecret.name: \"key\": the Secret has type Opaque; give one of type "
            "kubernetes.io/basic-auth"},
        Mistake{
            "pools_overlap",
            [](Objects& objects) { objects.pools.push_back(pool("c", {"192.0.2.9/32"})); },
            "IPAddressPool metallb-system/c: spec.addresses[0]: \"192.0.2.9/32\": ranges must not"},
        Mistake{
            "local_preferences_differ_for_one_pool",
            [](Objects& objects) {
                objects.bgp_advertisements.push_back(bgp_ad("other"));
                objects.bgp_advertisements[1].local_pref = 200;
            },
            "BGPAdvertisement metallb-system/other: spec.localPref: \"200\""},
        Mistake{
            "an_address_is_kept_for_two_services",
            [](Objects& objects) {
                for (const char* name : {"one", "two"}) {
                    auto object = named<kube::AddressReservation>(name);
                    object.service_namespace = "shop";
                    object.service_name = name;
                    object.addresses = {"192.0.2.7"};
                    objects.address_reservations.push_back(object);
                }
            },
            "AddressReservation metallb-system/two: spec.addresses[0]: \"192.0.2.7\": an address "
            "is kept for one Service, and AddressReservation metallb-system/one keeps this one for "
            "Service shop/one"}
    ),
    [](const auto& param) { return param.param.name; }
);

class WarningTest : public testing::TestWithParam<Mistake> {};

TEST_P(WarningTest, IsGivenAndRefusesNothing) {
    Objects objects = good();
    GetParam().make(objects);
    const Findings findings = validate(objects);
    EXPECT_THAT(texts(findings.problems), IsEmpty());
    EXPECT_THAT(texts(findings.warnings), ElementsAre(HasSubstr(GetParam().told)));
}

kube::AddressReservation kept(std::vector<std::string> addresses) {
    auto object = named<kube::AddressReservation>("kept");
    object.service_namespace = "shop";
    object.service_name = "web";
    object.addresses = std::move(addresses);
    return object;
}

void exclude(Objects& objects, std::vector<std::string> ranges) {
    auto policy = named<kube::AllocationPolicy>("p");
    policy.exclude = std::move(ranges);
    objects.allocation_policies.push_back(std::move(policy));
}

void echo(Objects& objects) {
    auto profile = named<kube::BfdProfile>("fast");
    profile.echo_mode = true;
    objects.bfd_profiles = {profile};
    objects.bgp_peers[0].bfd_profile = "fast";
}

INSTANTIATE_TEST_SUITE_P(
    Config,
    WarningTest,
    testing::Values(
        Mistake{
            "a_layer_2_advertisement_names_a_pool_that_is_not_there",
            [](Objects& objects) {
                objects.l2_advertisements[0].ip_address_pools = {"a", "typo"};
            },
            "L2Advertisement metallb-system/all: spec.ipAddressPools[1]: \"typo\": there is no"},
        Mistake{
            "a_selector_finds_no_pool",
            [](Objects& objects) {
                objects.bgp_advertisements[0].ip_address_pool_selectors = {label("tier", "gold")};
            },
            "spec.ipAddressPoolSelectors[0]: \"tier=gold\": no IPAddressPool has such labels"},
        Mistake{
            "a_peer_is_not_there",
            [](Objects& objects) {
                objects.bgp_advertisements[0].peers = {"router", "typo"};
            },
            "BGPAdvertisement metallb-system/all: spec.peers[1]: \"typo\": there is no BGPPeer"},
        Mistake{
            "there_is_no_peer_at_all",
            [](Objects& objects) { objects.bgp_peers.clear(); },
            "spec.peers: \"\": there is no BGPPeer: nobody hears"},
        Mistake{
            "a_peer_gets_no_route",
            [](Objects& objects) {
                objects.bgp_peers.push_back(bgp_peer("other", "192.0.2.2"));
                objects.bgp_advertisements[0].peers = {"router"};
            },
            "BGPPeer metallb-system/other: metadata.name: \"other\": no BGPAdvertisement is for"},
        Mistake{
            "nobody_advertises_a_pool",
            [](Objects& objects) {
                objects.l2_advertisements[0].ip_address_pools = {"a"};
                objects.bgp_advertisements[0].ip_address_pools = {"a"};
            },
            "IPAddressPool metallb-system/b: metadata.name: \"b\": no L2Advertisement and no"},
        Mistake{
            "echo_for_a_peer_behind_a_router",
            [](Objects& objects) {
                echo(objects);
                objects.bgp_peers[0].ebgp_multi_hop = true;
            },
            "spec.bfdProfile: \"fast\": it has echoMode, which stays off"},
        Mistake{
            "echo_where_a_pool_has_ipv6",
            echo,
            "and IPAddressPool b, advertised to this peer, has IPv6 addresses: MetalLB refuses"},
        Mistake{
            "a_policy_says_nothing",
            [](Objects& objects) { exclude(objects, {}); },
            "AllocationPolicy metallb-system/p: spec: \"\": it says nothing"},
        Mistake{
            "a_policy_names_a_pool_that_is_not_there",
            [](Objects& objects) {
                exclude(objects, {"192.0.2.1"});
                objects.allocation_policies[0].ip_address_pools = {"a", "typo"};
            },
            "AllocationPolicy metallb-system/p: spec.ipAddressPools[1]: \"typo\""},
        Mistake{
            "an_exclusion_touches_no_pool",
            [](Objects& objects) {
                exclude(objects, {"192.0.2.1", "198.51.100.1"});
            },
            "spec.exclude[1]: \"198.51.100.1\": none of its pools has such an address"},
        Mistake{
            "exclusions_leave_nothing",
            [](Objects& objects) {
                exclude(objects, {"192.0.2.128/25", "192.0.2.0-192.0.2.130"});
            },
            "IPAddressPool metallb-system/a: spec.addresses: \"192.0.2.0-192.0.2.255\": "
            "AllocationPolicies exclude every address"},
        Mistake{
            "a_reserved_address_is_in_no_pool",
            [](Objects& objects) { objects.address_reservations = {kept({"198.51.100.1"})}; },
            "AddressReservation metallb-system/kept: spec.addresses[0]: \"198.51.100.1\": no "
            "IPAddressPool has this address"},
        Mistake{
            "a_reserved_address_is_excluded",
            [](Objects& objects) {
                exclude(objects, {"192.0.2.1"});
                objects.address_reservations = {kept({"192.0.2.1"})};
            },
            "spec.addresses[0]: \"192.0.2.1\": AllocationPolicy p excludes it"},
        Mistake{
            "reserved_addresses_are_of_two_pools",
            [](Objects& objects) {
                objects.address_reservations = {kept({"192.0.2.1", "2001:db8::1"})};
            },
            "spec.addresses: \"192.0.2.1, 2001:db8::1\": they are of two IPAddressPools"}
    ),
    [](const auto& param) { return param.param.name; }
);

TEST(ValidateTest, TheOrderOfTheObjectsDoesNotMatter) {
    Objects objects = good();
    objects.pools.push_back(pool("c", {"198.51.100.0/24"}));
    objects.pools.push_back(pool("d", {"198.51.100.7/32"}));
    objects.l2_advertisements[0].ip_address_pools = {"typo"};
    objects.bgp_advertisements[0].ip_address_pools = {"a", "typo"};
    const Findings findings = validate(objects);
    std::reverse(objects.pools.begin(), objects.pools.end());
    const Findings reversed = validate(objects);
    EXPECT_EQ(texts(findings.problems), texts(reversed.problems));
    EXPECT_EQ(texts(findings.warnings), texts(reversed.warnings));
    EXPECT_THAT(findings.warnings, SizeIs(5));
}

TEST(ValidateTest, WrongObjectsAreWarnedOfToo) {
    Objects objects = good();
    objects.pools[0].addresses = {"oops"};
    objects.l2_advertisements[0].ip_address_pools = {"a", "typo"};
    EXPECT_THAT(texts(validate(objects).warnings), Contains(HasSubstr("\"typo\"")));
}

// Selectors as the text a person would write.
struct Selectors {
    const char* name;
    std::vector<kube::LabelSelector> one;
    std::vector<kube::LabelSelector> other;
    bool meet;
};

kube::LabelSelector expression(
    std::string key, kube::LabelSelector::Operator op, std::vector<std::string> values = {}
) {
    kube::LabelSelector selector;
    selector.match_expressions = {{std::move(key), op, std::move(values)}};
    return selector;
}

class NodesTest : public testing::TestWithParam<Selectors> {};

TEST_P(NodesTest, PeersOfOneAddressConflictWhereTheySurelyMeet) {
    Objects objects;
    objects.bgp_peers = {bgp_peer("one"), bgp_peer("two")};
    objects.bgp_peers[0].node_selectors = GetParam().one;
    objects.bgp_peers[1].node_selectors = GetParam().other;
    EXPECT_EQ(validate(objects).problems.size(), GetParam().meet ? 1U : 0U);
    std::swap(objects.bgp_peers[0].node_selectors, objects.bgp_peers[1].node_selectors);
    EXPECT_EQ(validate(objects).problems.size(), GetParam().meet ? 1U : 0U);
}

using Op = kube::LabelSelector::Operator;

INSTANTIATE_TEST_SUITE_P(
    Config,
    NodesTest,
    testing::Values(
        Selectors{"all_and_some", {}, {label("a", "1")}, true},
        Selectors{"the_same", {label("a", "1")}, {label("a", "1")}, true},
        Selectors{"different_values", {label("a", "1")}, {label("a", "2")}, false},
        Selectors{"different_labels", {label("a", "1")}, {label("b", "1")}, false},
        Selectors{
            "lists_with_a_common_value",
            {expression("a", Op::In, {"1", "2"})},
            {expression("a", Op::In, {"2", "3"})},
            true},
        Selectors{"lists_without", {expression("a", Op::In, {"1", "2"})}, {label("a", "3")}, false},
        Selectors{"value_and_presence", {label("a", "1")}, {expression("a", Op::Exists)}, true},
        Selectors{
            "value_and_absence", {label("a", "1")}, {expression("a", Op::DoesNotExist)}, false},
        Selectors{
            "value_outside_a_list",
            {label("a", "1")},
            {expression("a", Op::NotIn, {"2", "3"})},
            true},
        Selectors{
            "value_in_an_excluding_list",
            {label("a", "1")},
            {expression("a", Op::NotIn, {"1"})},
            false},
        Selectors{
            "absence_and_excluding_list",
            {expression("a", Op::DoesNotExist)},
            {expression("a", Op::NotIn, {"1"})},
            true},
        Selectors{
            "excluding_lists_one_in_the_other",
            {expression("a", Op::NotIn, {"1", "2"})},
            {expression("a", Op::NotIn, {"1"})},
            true},
        Selectors{"any_of_several", {label("a", "1"), label("a", "2")}, {label("a", "2")}, true}
    ),
    [](const auto& param) { return param.param.name; }
);

}  // namespace
}  // namespace steelyard::config
