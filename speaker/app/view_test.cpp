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

TEST(ViewTest, ASteelyardMemberTellsWhetherItIsReady) {
    const auto views = member_views({
        member("a", gossip::MemberState::Alive, meta_of(true)),
        member("b", gossip::MemberState::Suspect, meta_of(false)),
        member("metallb", gossip::MemberState::Alive, {}),
        member("gone", gossip::MemberState::Dead, meta_of(true)),
    });

    ASSERT_EQ(views.size(), 4U);
    EXPECT_TRUE(views[0].ready);
    EXPECT_TRUE(views[0].steelyard_capable);
    EXPECT_EQ(views[1].state, speaker_plan::MemberState::Suspect);
    EXPECT_FALSE(views[1].ready);
    EXPECT_FALSE(views[2].steelyard_capable);
    EXPECT_EQ(views[3].state, speaker_plan::MemberState::Left);
}

TEST(ViewTest, OnlyADeadMembersEndpointsLeaveRotation) {
    // One that left says that its speaker stops; its node still forwards.
    EXPECT_THAT(
        dead_nodes({
            member("alive", gossip::MemberState::Alive, {}),
            member("suspect", gossip::MemberState::Suspect, {}),
            member("left", gossip::MemberState::Left, {}),
            member("dead", gossip::MemberState::Dead, {}),
        }),
        ElementsAre("dead")
    );
}

TEST(ViewTest, ANodeThatHearsNobodyBlamesItself) {
    const auto self = member("self", gossip::MemberState::Alive, {});
    const auto b = member("b", gossip::MemberState::Dead, {});
    const auto c = member("c", gossip::MemberState::Dead, {});
    EXPECT_THAT(dead_nodes({self, b, c}), testing::IsEmpty());
    // Of two nodes, either may be the broken one; the other's endpoints cannot be reached.
    EXPECT_THAT(dead_nodes({self, b}), ElementsAre("b"));
    EXPECT_THAT(
        dead_nodes({self, b, c, member("d", gossip::MemberState::Suspect, {})}),
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

    const l2::Announcements out = announced_here(plan);

    ASSERT_EQ(out.size(), 1U);
    EXPECT_THAT(out.at(ip("192.0.2.1")).interfaces, ElementsAre("eth0"));
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

    EXPECT_THAT(gossip_peers(pods, ip("192.0.2.11")), ElementsAre(ip("192.0.2.12")));
}

}  // namespace
}  // namespace steelyard::speaker
