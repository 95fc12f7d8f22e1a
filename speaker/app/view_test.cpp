#include "speaker/app/view.hpp"

#include "speaker/app/node_meta/node_meta.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace steelyard::speaker {
namespace {

using testing::ElementsAre;

net::IpAddress ip(std::string_view text) {
    return net::IpAddress::parse(text).value();
}

gossip::Member member(const std::string& name, gossip::MemberState state, wire::Bytes meta) {
    gossip::Member out;
    out.name = name;
    out.state = state;
    out.meta = std::move(meta);
    return out;
}

wire::Bytes meta_of(bool ready) {
    NodeMeta meta;
    meta.ready = ready;
    return encode(meta);
}

net::Interface ethernet(const std::string& name, std::vector<std::string> addresses) {
    net::Interface out;
    out.name = name;
    out.mac = net::MacAddress::parse("02:00:00:00:00:01").value();
    out.up = out.running = out.broadcast = true;
    for (const std::string& address : addresses) {
        out.addresses.push_back({ip(address), net::Prefix(ip(address), 24)});
    }
    return out;
}

Sight sight(
    std::vector<gossip::Member> members, std::set<std::string, std::less<>> unreachable = {}
) {
    Sight out;
    out.members = std::move(members);
    out.unreachable = std::move(unreachable);
    return out;
}

TEST(ViewTest, ASteelyardMemberTellsWhetherItIsReady) {
    const auto views = member_views(sight({
        member("a", gossip::MemberState::Alive, meta_of(true)),
        member("b", gossip::MemberState::Suspect, meta_of(false)),
        member("metallb", gossip::MemberState::Alive, {}),
        member("gone", gossip::MemberState::Dead, meta_of(true)),
    }));

    ASSERT_EQ(views.size(), 4U);
    EXPECT_TRUE(views[0].ready);
    EXPECT_TRUE(views[0].steelyard_capable);
    EXPECT_EQ(views[1].state, speaker_plan::MemberState::Suspect);
    EXPECT_FALSE(views[1].ready);
    EXPECT_FALSE(views[2].steelyard_capable);
    EXPECT_EQ(views[3].state, speaker_plan::MemberState::Left);
}

TEST(ViewTest, OnlyAnotherLiveMemberIsCompany) {
    const auto alive = gossip::MemberState::Alive;
    EXPECT_FALSE(has_company(sight({}), "a"));
    EXPECT_FALSE(has_company(sight({member("a", alive, {})}), "a"));
    EXPECT_FALSE(has_company(
        sight({member("a", alive, {}), member("b", gossip::MemberState::Dead, {})}), "a"
    ));
    EXPECT_TRUE(has_company(sight({member("a", alive, {}), member("b", alive, {})}), "a"));
}

// What was started or rolled out together must not wait for whoever is through first, which would
// get everything.
TEST(ViewTest, OnlyAMemberThatIsSettledForAWhileIsAKeeper) {
    const auto keeps = [](const NodeMeta& meta, gossip::MemberState state) {
        return has_keepers(
            sight(
                {member("a", gossip::MemberState::Alive, meta_of(true)),
                 member("b", state, encode(meta))}
            ),
            "a"
        );
    };
    NodeMeta settled;
    settled.ready = true;
    EXPECT_TRUE(keeps(settled, gossip::MemberState::Alive));
    EXPECT_FALSE(keeps(settled, gossip::MemberState::Dead));
    EXPECT_FALSE(keeps(NodeMeta(), gossip::MemberState::Alive));
    for (bool NodeMeta::*state : {&NodeMeta::draining, &NodeMeta::settling, &NodeMeta::founder}) {
        NodeMeta meta = settled;
        meta.*state = true;
        EXPECT_FALSE(keeps(meta, gossip::MemberState::Alive));
    }
}

TEST(ViewTest, OnlyADeadMembersEndpointsLeaveRotation) {
    // One that left says that its speaker stops; its node still forwards.
    EXPECT_THAT(
        dead_nodes(
            sight({
                member("alive", gossip::MemberState::Alive, {}),
                member("suspect", gossip::MemberState::Suspect, {}),
                member("left", gossip::MemberState::Left, {}),
                member("dead", gossip::MemberState::Dead, {}),
            }),
            "alive"
        ),
        ElementsAre("dead")
    );
}

TEST(ViewTest, ANodeThatHearsNobodyBlamesItself) {
    const auto self = member("self", gossip::MemberState::Alive, {});
    const auto b = member("b", gossip::MemberState::Dead, {});
    const auto c = member("c", gossip::MemberState::Dead, {});
    EXPECT_THAT(dead_nodes(sight({self, b, c}), "self"), testing::IsEmpty());
    // Of two nodes, either may be the broken one; the other's endpoints cannot be reached.
    EXPECT_THAT(dead_nodes(sight({self, b}), "self"), ElementsAre("b"));
    EXPECT_THAT(
        dead_nodes(sight({self, b, c, member("d", gossip::MemberState::Suspect, {})}), "self"),
        ElementsAre("b", "c")
    );
}

TEST(ViewTest, NodePortsAnswerOnEveryAddressButLoopbackAndLinkLocal) {
    net::Interface loopback = ethernet("lo", {"127.0.0.1", "10.9.9.9"});
    loopback.loopback = true;

    EXPECT_THAT(
        node_addresses({loopback, ethernet("eth0", {"192.0.2.11", "fe80::1"})}),
        ElementsAre(ip("10.9.9.9"), ip("192.0.2.11"))
    );
}

TEST(ViewTest, OnlyEligibleInterfacesAnnounce) {
    const auto out = local_interfaces(
        {ethernet("eth0", {}), ethernet("cni0", {}), ethernet("veth12", {})},
        l2::NameExclusions::standard()
    );

    ASSERT_EQ(out.size(), 1U);
    EXPECT_EQ(out[0].name, "eth0");
    EXPECT_TRUE(out[0].arp);
}

TEST(ViewTest, AnnouncesOnlyWhatThePlanSaysIsAnnouncedHere) {
    speaker_plan::Announcements plan;
    plan.addresses[ip("192.0.2.1")].announced_here = true;
    plan.addresses[ip("192.0.2.1")].interfaces = {"eth0"};
    plan.addresses[ip("192.0.2.2")].mine = true;

    const l2::Announcements out = announced_here(plan, {}, {}, {}, true);

    ASSERT_EQ(out.size(), 1U);
    EXPECT_THAT(out.at(ip("192.0.2.1")).interfaces, ElementsAre("eth0"));
}

TEST(ViewTest, AnAddressThatMovesIsYieldedAndOneThatGoesIsSilent) {
    l2::Announcements before;
    for (const char* address : {"192.0.2.1", "192.0.2.2", "192.0.2.3"}) {
        before[ip(address)].interfaces = {"eth0"};
    }
    speaker_plan::Announcements plan;
    plan.addresses[ip("192.0.2.1")].owner = "other";
    plan.addresses[ip("192.0.2.2")];  // nobody may announce it
    plan.addresses[ip("192.0.2.4")].owner = "other";

    const l2::Announcements once = announced_here(plan, {}, before, {"other"}, false);
    const l2::Announcements again = announced_here(plan, {}, once, {"other"}, false);

    ASSERT_EQ(once.size(), 1U);
    EXPECT_EQ(once.at(ip("192.0.2.1")).role, l2::Role::Yield);
    EXPECT_THAT(once.at(ip("192.0.2.1")).interfaces, ElementsAre("eth0"));
    EXPECT_EQ(again, once);
}

TEST(ViewTest, WhatALiveNodeOwnedIsTakenOverGentlyUntilItDies) {
    speaker_plan::Announcements last;
    speaker_plan::Announcements plan;
    for (const char* address : {"192.0.2.1", "192.0.2.2", "192.0.2.3"}) {
        plan.addresses[ip(address)].announced_here = true;
    }
    last.addresses[ip("192.0.2.1")].owner = "living";
    last.addresses[ip("192.0.2.2")].owner = "dead";

    const auto first = announced_here(plan, last, {}, {"living"}, false);
    const auto second = announced_here(plan, plan, first, {"living"}, false);
    const auto alone = announced_here(plan, plan, second, {}, false);

    EXPECT_EQ(first.at(ip("192.0.2.1")).relieves, "living");
    EXPECT_EQ(first.at(ip("192.0.2.2")).relieves, "");
    EXPECT_EQ(first.at(ip("192.0.2.3")).relieves, "");
    EXPECT_EQ(second, first);
    EXPECT_EQ(alone.at(ip("192.0.2.1")).relieves, "");
}

TEST(ViewTest, AVerdictMakesALiveMemberUnreachable) {
    const Sight seen = sight(
        {member("self", gossip::MemberState::Alive, {}),
         member("a", gossip::MemberState::Alive, meta_of(true)),
         member("b", gossip::MemberState::Left, meta_of(true))},
        {"a", "b"}
    );

    const auto views = member_views(seen);

    EXPECT_EQ(views[1].state, speaker_plan::MemberState::Unreachable);
    EXPECT_EQ(views[2].state, speaker_plan::MemberState::Left);
    EXPECT_THAT(dead_nodes(seen, "self"), ElementsAre("a"));
}

TEST(ViewTest, WhoeverIsCutOffKeepsTheOthersEndpoints) {
    const auto alive = [](const char* name) {
        return member(name, gossip::MemberState::Alive, {});
    };
    const std::vector<gossip::Member> three{alive("self"), alive("a"), alive("b")};

    EXPECT_THAT(dead_nodes(sight(three, {"a", "b"}), "self"), testing::IsEmpty());
    EXPECT_THAT(dead_nodes(sight(three, {"self", "a"}), "self"), ElementsAre("a"));
    EXPECT_THAT(dead_nodes(sight(three, {"self", "a", "b"}), "self"), testing::IsEmpty());
}

TEST(ViewTest, AMembersMetaBecomesWhatElectionSees) {
    NodeMeta meta;
    meta.ready = meta.draining = meta.settling = meta.unservable_overflow = true;
    meta.interfaces = {{"eth0", true, false, false}};
    meta.unservable = {7};

    const auto views = member_views(sight({member("a", gossip::MemberState::Alive, encode(meta))}));

    speaker_plan::MemberView expected;
    expected.name = "a";
    expected.steelyard_capable = expected.ready = expected.draining = expected.settling = true;
    expected.unservable_overflow = true;
    expected.interfaces = {{"eth0", true, false, false}};
    expected.unservable = {7};
    EXPECT_THAT(views, ElementsAre(expected));
}

TEST(ViewTest, OnlyLiveMembersWithARingWatch) {
    NodeMeta with_ring;
    with_ring.ring = NodeMeta::Ring{7947, 9};
    const auto at = [&](const char* name, gossip::MemberState state, wire::Bytes meta) {
        gossip::Member out = member(name, state, std::move(meta));
        out.address = {ip("192.0.2.1"), 7946};
        return out;
    };

    const auto peers = ring_peers(
        {at("self", gossip::MemberState::Alive, encode(with_ring)),
         at("c", gossip::MemberState::Suspect, encode(with_ring)),
         at("gone", gossip::MemberState::Dead, encode(with_ring)),
         at("metallb", gossip::MemberState::Alive, {}),
         at("b", gossip::MemberState::Alive, encode(with_ring))},
        "self"
    );

    const net::Endpoint where{ip("192.0.2.1"), 7947};
    EXPECT_THAT(peers, ElementsAre(ring::Peer{"b", where, 9}, ring::Peer{"c", where, 9}));
}

TEST(ViewTest, AnInterfaceThatIsDownIsToldAsDown) {
    net::Interface down = ethernet("eth1", {});
    down.running = false;

    EXPECT_THAT(
        told_interfaces(
            {ethernet("eth0", {}), down, ethernet("veth12", {})}, l2::NameExclusions::standard()
        ),
        ElementsAre(
            NodeMeta::Interface{"eth0", true, true, true},
            NodeMeta::Interface{"eth1", true, true, false}
        )
    );
}

TEST(ViewTest, FingerprintsAreOfAnnouncedAddressesOnly) {
    speaker_plan::Announcements plan;
    plan.addresses[ip("192.0.2.1")];
    plan.addresses[ip("192.0.2.2")];
    EXPECT_THAT(
        fingerprints({ip("192.0.2.1"), ip("10.96.0.1")}, plan),
        ElementsAre(speaker_plan::address_fingerprint(ip("192.0.2.1")))
    );
}

TEST(ViewTest, PrimaryAddressesAreTheNodesInternalOnesFirst) {
    kube::Node node;
    node.internal_ips = {ip("192.168.1.5")};
    node.external_ips = {ip("203.0.113.5"), ip("2001:db8::6"), ip("2001:db8::5")};
    const std::vector<net::IpAddress> present{
        ip("10.0.0.1"), ip("fd00::1"), ip("192.168.1.5"), ip("2001:db8::5")};

    auto primary = primary_addresses(&node, present);
    EXPECT_EQ(primary.at(net::Family::V4), ip("192.168.1.5"));
    EXPECT_EQ(primary.at(net::Family::V6), ip("2001:db8::5"));

    primary = primary_addresses(nullptr, present);
    EXPECT_EQ(primary.at(net::Family::V4), ip("10.0.0.1"));
    EXPECT_EQ(primary.at(net::Family::V6), ip("fd00::1"));
}

TEST(ViewTest, ServiceRangesAreThoseThatAreReadyAndThoseOfTheCommandLine) {
    speaker_plan::Objects<kube::ServiceCidr> objects;
    const auto add = [&](const std::string& name, const char* range, bool ready) {
        kube::ServiceCidr object;
        object.cidrs = {*net::Prefix::parse(range)};
        object.ready = ready;
        objects[{"", name}] = std::make_shared<const kube::ServiceCidr>(object);
    };
    add("kubernetes", "10.96.0.0/12", true);
    add("new", "10.200.0.0/16", false);
    EXPECT_THAT(
        service_ranges(objects, {*net::Prefix::parse("fd00::/108")}),
        testing::UnorderedElementsAre(
            *net::Prefix::parse("10.96.0.0/12"), *net::Prefix::parse("fd00::/108")
        )
    );
}

TEST(ViewTest, NodeFactsNameTaintsAndDeletion) {
    EXPECT_FALSE(node_facts(nullptr).known);
    kube::Node node;
    node.taints.push_back({"ToBeDeletedByClusterAutoscaler", "NoSchedule"});
    EXPECT_TRUE(node_facts(&node).known);
    EXPECT_FALSE(node_facts(&node).deleting);
    EXPECT_THAT(node_facts(&node).taint_keys, ElementsAre("ToBeDeletedByClusterAutoscaler"));
    node.meta.deletion_timestamp = WallTime();
    EXPECT_TRUE(node_facts(&node).deleting);
}

TEST(ViewTest, GossipsWithTheOtherPodsOfOneFamily) {
    speaker_plan::Objects<kube::Pod> pods;
    const auto add = [&](const std::string& name, std::vector<net::IpAddress> addresses) {
        kube::Pod pod;
        pod.meta.key = {"metallb-system", name};
        pod.pod_ips = std::move(addresses);
        pods[pod.meta.key] = std::make_shared<const kube::Pod>(pod);
    };
    add("self", {ip("192.0.2.11")});
    add("other", {ip("2001:db8::12"), ip("192.0.2.12")});
    add("pending", {});

    EXPECT_THAT(
        gossip_peers(pods, ip("192.0.2.11"), 7946),
        ElementsAre(net::Endpoint{ip("192.0.2.12"), 7946})
    );
}

}  // namespace
}  // namespace steelyard::speaker
