#include "speaker/app/bgp/bgp_view.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace steelyard::speaker {
namespace {

using namespace std::chrono_literals;
using testing::ElementsAre;

net::IpAddress ip(const char* text) {
    return net::IpAddress::parse(text).value();
}

config::BgpPeer peer(const char* name, const char* address) {
    config::BgpPeer peer;
    peer.name = name;
    peer.local_asn = 64512;
    peer.remote_as.asn = 64513;
    peer.address = ip(address);
    return peer;
}

BgpPeers seen(const config::BgpPeer& peer, const config::Config& config = {}) {
    return wire_peers({&peer}, config, 0x0a000001);
}

TEST(RouterId, IsTheNodesFirstIpv4Address) {
    kube::Node node;
    node.meta.key.name = "n1";
    node.internal_ips = {ip("2001:db8::1"), ip("192.0.2.7"), ip("192.0.2.8")};
    EXPECT_EQ(default_router_id(node), ip("192.0.2.7").v4_host_order());
}

TEST(RouterId, OfANodeWithIpv6AloneComesFromItsName) {
    kube::Node one;
    one.meta.key.name = "n1";
    one.internal_ips = {ip("2001:db8::1")};
    kube::Node other = one;
    other.meta.key.name = "n2";
    EXPECT_NE(default_router_id(one), 0U);
    EXPECT_NE(default_router_id(one), default_router_id(other));
    const kube::Node again = one;
    EXPECT_EQ(default_router_id(one), default_router_id(again));
}

TEST(WirePeers, CarryTheFamilyOfTheirAddress) {
    const auto v4 = seen(peer("r", "192.0.2.1")).peers.front();
    EXPECT_TRUE(v4.v4 && !v4.v6);
    const auto v6 = seen(peer("r", "2001:db8::1")).peers.front();
    EXPECT_TRUE(v6.v6 && !v6.v4);
}

TEST(WirePeers, CarryBothFamiliesWhenAskedOrUnnumbered) {
    auto asked = peer("r", "192.0.2.1");
    asked.dual_stack = true;
    EXPECT_TRUE(seen(asked).peers.front().v4 && seen(asked).peers.front().v6);
    config::BgpPeer unnumbered;
    unnumbered.name = "r";
    unnumbered.interface = "eth1";
    const auto wire = seen(unnumbered).peers.front();
    EXPECT_TRUE(wire.v4 && wire.v6);
    EXPECT_EQ(wire.interface, "eth1");
}

TEST(WirePeers, KeepTheirOwnRouterIdElseTheNodes) {
    auto own = peer("r", "192.0.2.1");
    EXPECT_EQ(seen(own).peers.front().router_id, 0x0a000001U);
    own.router_id = 7;
    EXPECT_EQ(seen(own).peers.front().router_id, 7U);
}

TEST(WirePeers, BringTheirBfdProfile) {
    config::Config config;
    config::BfdProfile fast;
    fast.name = "fast";
    fast.receive_interval = 50ms;
    fast.transmit_interval = 60ms;
    fast.detect_multiplier = 5;
    fast.echo = true;
    config.bfd_profiles = {fast};
    auto watched = peer("r", "192.0.2.1");
    watched.bfd_profile = "fast";
    const BgpPeers wire = seen(watched, config);
    EXPECT_TRUE(wire.peers.front().bfd);
    const bfd::Profile& profile = wire.profiles.at("r");
    EXPECT_EQ(profile.receive, 50ms);
    EXPECT_EQ(profile.transmit, 60ms);
    EXPECT_EQ(profile.multiplier, 5);
    EXPECT_TRUE(profile.echo);
    EXPECT_FALSE(seen(peer("r", "192.0.2.1"), config).peers.front().bfd);
}

TEST(WirePeers, BringTheirRoleByItsNumber) {
    auto customer = peer("r", "192.0.2.1");
    customer.role = config::BgpRole::Customer;
    EXPECT_EQ(seen(customer).peers.front().role, bgp_wire::Role::Customer);
}

TEST(RibChanges, SayWhatThePlanSays) {
    auto paths = std::make_shared<speaker_plan::BgpPaths>();
    speaker_plan::BgpPath path;
    path.peers = {"r1"};
    path.attributes.local_pref = 200;
    path.attributes.prepend = 2;
    path.attributes.communities.standard = {1, 2};
    path.attributes.communities.large = {{1, 2, 3}};
    path.attributes.link_bandwidth_weight = 4;
    paths->push_back(path);
    speaker_plan::BgpChanges changes;
    changes.upsert.push_back({net::Prefix::parse("192.0.2.10/32").value(), paths});
    changes.remove.push_back(net::Prefix::parse("192.0.2.11/32").value());

    const bgp_rib::Changes rib = rib_changes(changes);
    EXPECT_EQ(rib.remove, changes.remove);
    ASSERT_EQ(rib.upsert.size(), 1U);
    ASSERT_EQ(rib.upsert.front().paths.size(), 1U);
    const bgp_rib::Path& told = rib.upsert.front().paths.front();
    EXPECT_THAT(told.peers, ElementsAre("r1"));
    EXPECT_EQ(told.attributes.local_pref, 200U);
    EXPECT_EQ(told.attributes.prepend, 2U);
    EXPECT_THAT(told.attributes.communities, ElementsAre(1, 2));
    EXPECT_EQ(told.attributes.large.front(), (bgp_wire::LargeCommunity{1, 2, 3}));
    EXPECT_EQ(told.attributes.link_bandwidth_weight, 4U);
}

}  // namespace
}  // namespace steelyard::speaker
