#include "speaker/bgp/rib/session_view.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace steelyard::bgp_rib {
namespace {

using bgp_wire::Nlri;
using bgp_wire::Role;
using testing::ElementsAre;

net::IpAddress ip(const std::string& text) {
    return net::IpAddress::parse(text).value();
}

SessionView ebgp() {
    SessionView session;
    session.local_asn = 64'512;
    session.v4 = true;
    session.v6 = true;
    session.next_hop_v4 = ip("192.0.2.1");
    return session;
}

SessionView ibgp() {
    SessionView session = ebgp();
    session.ibgp = true;
    session.default_local_pref = 100;
    return session;
}

const NextHop kHop{net::IpAddress::v4(0xc0000201U), std::nullopt, Nlri::Classic};

bgp_wire::PathAttributes made(
    const SessionView& session, const Attributes& route = {}, bool shutdown = false
) {
    return make_attributes(route, session, kHop, shutdown);
}

TEST(MakeAttributesTest, EbgpCarriesOurAsAndNoLocalPref) {
    Attributes route;
    route.local_pref = 200;
    route.med = 5;

    const auto attributes = made(ebgp(), route);

    EXPECT_THAT(attributes.as_path, ElementsAre(64'512U));
    EXPECT_EQ(attributes.local_pref, std::nullopt);
    EXPECT_EQ(attributes.med, 5U);
    EXPECT_EQ(attributes.origin, bgp_wire::Origin::Igp);
    EXPECT_EQ(attributes.next_hop, ip("192.0.2.1"));
}

TEST(MakeAttributesTest, PrependingRepeatsOurAsOnEbgpOnly) {
    Attributes route;
    route.prepend = 2;

    EXPECT_THAT(made(ebgp(), route).as_path, ElementsAre(64'512U, 64'512U, 64'512U));
    EXPECT_THAT(made(ibgp(), route).as_path, ElementsAre());
}

TEST(MakeAttributesTest, IbgpCarriesTheLocalPrefOfTheRouteOrElseTheDefault) {
    Attributes route;
    route.local_pref = 0;

    EXPECT_EQ(made(ibgp(), route).local_pref, 0U);
    EXPECT_EQ(made(ibgp()).local_pref, 100U);
}

TEST(MakeAttributesTest, GracefulShutdownAddsItsCommunityInOrderAndSinksLocalPref) {
    Attributes route;
    route.local_pref = 200;
    route.communities = {1, 0xffffff01U};

    EXPECT_THAT(made(ebgp(), route, true).communities, ElementsAre(1U, 0xffff0000U, 0xffffff01U));
    EXPECT_EQ(made(ebgp(), route, true).local_pref, std::nullopt);
    EXPECT_EQ(made(ibgp(), route, true).local_pref, 0U);
}

TEST(MakeAttributesTest, GracefulShutdownDoesNotRepeatItsCommunity) {
    Attributes route;
    route.communities = {0xffff0000U};

    EXPECT_THAT(made(ebgp(), route, true).communities, ElementsAre(0xffff0000U));
}

TEST(MakeAttributesTest, OnlyToCustomerIsSetTowardsCustomersPeersAndRouteServerClients) {
    const std::vector<std::pair<Role, bool>> cases{
        {Role::Provider, true},
        {Role::Peer, true},
        {Role::RouteServer, true},
        {Role::Customer, false},
        {Role::RouteServerClient, false}};
    for (const auto& [role, marked] : cases) {
        SessionView session = ebgp();
        session.role = role;

        EXPECT_EQ(made(session).only_to_customer.has_value(), marked) << static_cast<int>(role);
        EXPECT_EQ(made(session).only_to_customer.value_or(64'512), 64'512U);
    }
    EXPECT_EQ(made(ebgp()).only_to_customer, std::nullopt);
}

TEST(MakeAttributesTest, TwoOctetPeersAreNoted) {
    SessionView session = ebgp();
    session.as4 = false;
    session.local_asn = 4'200'000'000;

    EXPECT_FALSE(made(session).as4);
    EXPECT_THAT(made(session).as_path, ElementsAre(4'200'000'000U));
}

TEST(MakeAttributesTest, LinkBandwidthIsAmongTheExtendedCommunitiesInOrder) {
    Attributes route;
    route.extended = {{{0x00, 0x02, 0, 0, 0, 0, 0, 1}}, {{0x43, 0, 0, 0, 0, 0, 0, 1}}};
    route.link_bandwidth_weight = 3;

    const auto attributes = made(ebgp(), route);

    EXPECT_THAT(
        attributes.extended,
        ElementsAre(route.extended[0], link_bandwidth(64'512, 3), route.extended[1])
    );
}

TEST(LinkBandwidthTest, IsAFloatOfBytesASecond) {
    // 8 endpoints: 1 000 000 bytes a second = 0x49742400.
    const std::array<std::uint8_t, 8> expected{0x40, 0x04, 0xfc, 0x00, 0x49, 0x74, 0x24, 0x00};

    EXPECT_EQ(link_bandwidth(64'512, 8).bytes, expected);
}

TEST(LinkBandwidthTest, AnAsOfFourOctetsIsAsTrans) {
    const auto bytes = link_bandwidth(4'200'000'000, 1).bytes;

    EXPECT_EQ(bytes[2] << 8U | bytes[3], 23'456);
}

TEST(SameOnTest, ComparesWhatShowsOnTheSession) {
    Attributes plain;
    Attributes preferred;
    preferred.local_pref = 200;
    Attributes usual;
    usual.local_pref = 100;
    Attributes longer;
    longer.prepend = 1;

    EXPECT_TRUE(same_on(ebgp(), plain, preferred, false));
    EXPECT_FALSE(same_on(ibgp(), plain, preferred, false));
    EXPECT_TRUE(same_on(ibgp(), plain, preferred, true));
    EXPECT_TRUE(same_on(ibgp(), plain, usual, false));
    EXPECT_FALSE(same_on(ebgp(), plain, longer, false));
    EXPECT_TRUE(same_on(ibgp(), plain, longer, false));
}

TEST(SameOnTest, SeesEveryOtherDifference) {
    std::vector<Attributes> others(5);
    others[0].med = 0;
    others[1].communities = {1};
    others[2].large = {{1, 2, 3}};
    others[3].extended = {{{1}}};
    others[4].link_bandwidth_weight = 0;
    for (const Attributes& other : others) {
        EXPECT_FALSE(same_on(ebgp(), {}, other, false));
        EXPECT_FALSE(same_on(ibgp(), {}, other, true));
    }
}

struct HopCase {
    std::string name;
    bool v4_over_v6 = false;
    std::string hop_v4;
    std::string hop_v6;
    std::string link_local;
    net::Family family = net::Family::V4;
    std::string expected;  // next hop, "+link-local", "mp" or "classic"; or the reason
};

class NextHopTest : public testing::TestWithParam<HopCase> {};

TEST_P(NextHopTest, FollowsTheFamilyAndTheAddressesThereAre) {
    const HopCase& hop = GetParam();
    SessionView session;
    session.v4 = session.v6 = true;
    session.v4_over_v6 = hop.v4_over_v6;
    const auto optional_ip = [](const std::string& text) {
        return text.empty() ? std::optional<net::IpAddress>() : ip(text);
    };
    session.next_hop_v4 = optional_ip(hop.hop_v4);
    session.next_hop_v6 = optional_ip(hop.hop_v6);
    session.next_hop_link_local = optional_ip(hop.link_local);

    const auto choice = choose_next_hop(session, hop.family);

    std::string text;
    if (const auto* const found = std::get_if<NextHop>(&choice)) {
        text = to_string(found->address) +
               (found->link_local ? "+" + to_string(*found->link_local) : "") +
               (found->nlri == Nlri::Classic ? " classic" : " mp");
    } else {
        text = to_string(std::get<Unsendable>(choice));
    }
    EXPECT_EQ(text, hop.expected);
}

const std::string kNone = "no address of this node on the session can be the next hop";

INSTANTIATE_TEST_SUITE_P(
    Cases,
    NextHopTest,
    testing::Values(
        HopCase{"V4", false, "192.0.2.1", "", "", net::Family::V4, "192.0.2.1 classic"},
        HopCase{
            "V4PrefersV4", true, "192.0.2.1", "fd00::1", "", net::Family::V4, "192.0.2.1 classic"},
        HopCase{"V4OverV6", true, "", "fd00::1", "fe80::1", net::Family::V4, "fd00::1+fe80::1 mp"},
        HopCase{"V4OverLinkLocal", true, "", "", "fe80::1", net::Family::V4, "fe80::1 mp"},
        HopCase{"V4WithoutCapability", false, "", "fd00::1", "fe80::1", net::Family::V4, kNone},
        HopCase{"V4Nothing", true, "", "", "", net::Family::V4, kNone},
        HopCase{"V6", false, "", "fd00::1", "", net::Family::V6, "fd00::1 mp"},
        HopCase{"V6Both", false, "", "fd00::1", "fe80::1", net::Family::V6, "fd00::1+fe80::1 mp"},
        HopCase{"V6LinkLocal", false, "", "", "fe80::1", net::Family::V6, "fe80::1 mp"},
        HopCase{"V6OnV4Only", true, "192.0.2.1", "", "", net::Family::V6, kNone}
    ),
    [](const auto& tested) { return tested.param.name; }
);

TEST(NextHopChoiceTest, AFamilyThatWasNotNegotiatedIsSaidSo) {
    SessionView session = ebgp();
    session.v4 = false;

    EXPECT_EQ(
        std::get<Unsendable>(choose_next_hop(session, net::Family::V4)), Unsendable::NotNegotiated
    );
}

}  // namespace
}  // namespace steelyard::bgp_rib
