#include "speaker/bgp/discovery/router_message.hpp"
#include "speaker/io/bgp/bgp_fixture.hpp"
#include "speaker/io/bgp/router_socket.hpp"
#include "speaker/io/l2/netns_fixture.hpp"

#include <gmock/gmock.h>

#include <net/if.h>

// Two drivers at the two ends of a cable of their own namespace, who know each other by interface
// only.
namespace steelyard::io {
namespace {

using namespace std::chrono_literals;
using testing::HasSubstr;
using testing::SizeIs;

class BgpUnnumberedTest : public io_l2::NetnsFixture, protected BgpFixture {
protected:
    void SetUp() override {
        NetnsFixture::SetUp();
        if (IsSkipped()) {
            return;
        }
        const std::string made = in_node(
            "ip link add left type veth peer name right;"
            "ip link set left addrgenmode none; ip link set right addrgenmode none;"
            "ip link set left up; ip link set right up;"
            "ip addr add fe80::a/64 dev left nodad; ip addr add fe80::b/64 dev right nodad"
        );
        ASSERT_EQ(made, "");
        a_ = &add_node();
        b_ = &add_node();
        a_->driver->set_interfaces({interface("left", "fe80::a")});
        b_->driver->set_interfaces({interface("right", "fe80::b")});
    }
    void TearDown() override {
        stop_all();
        in_node("ip link del left");
    }

    static net::Interface interface(const std::string& name, const std::string& address) {
        net::Interface out;
        out.index = ::if_nametoindex(name.c_str());
        out.name = name;
        out.up = true;
        out.running = true;
        out.addresses = {{ip(address), prefix("fe80::/64")}};
        return out;
    }
    static bgp::PeerConfig unnumbered(const std::string& name, const std::string& interface) {
        bgp::PeerConfig out = peer(name, "::");
        out.address.reset();
        out.interface = interface;
        out.remote_as = {bgp::RemoteAs::Kind::External, 0};
        out.v6 = true;
        return out;
    }
    void connect(const std::string& password = "") {
        bgp::PeerConfig to_b = unnumbered("b", "left");
        bgp::PeerConfig to_a = unnumbered("a", "right");
        to_a.local_asn = 64513;
        to_a.router_id = 0x7f000002;
        to_a.password = to_b.password = password;
        to_a.bfd = true;
        to_a.passive = true;
        b_->driver->set_peers({to_a});
        to_b.port = b_->driver->listen_port();
        a_->driver->set_peers({to_b});
    }

    BgpNode* a_ = nullptr;
    BgpNode* b_ = nullptr;
};

TEST_F(BgpUnnumberedTest, TheyFindEachOtherAndExchangeBothFamilies) {
    bgp_rib::Changes changes = announce("192.0.2.1");
    changes.upsert.push_back(announce("2001:db8::1").upsert.front());
    a_->driver->apply(changes, 1);
    connect();

    ASSERT_TRUE(run_until([&] { return a_->established("b") && b_->established("a"); }));
    EXPECT_EQ(a_->peer("b").remote.address, ip("fe80::b"));
    EXPECT_EQ(b_->peer("a").remote.address, ip("fe80::a"));
    EXPECT_TRUE(a_->peer("b").negotiated->v4_over_v6);
    ASSERT_TRUE(run_until([&] {
        const auto status = b_->driver->status();
        return status->front().counters.v4.announced == 1 &&
               status->front().counters.v6.announced == 1;
    }));
    EXPECT_EQ(b_->driver->status()->front().counters.treated_as_withdraw, 0U);
    ASSERT_TRUE(run_until([&] { return !b_->bfd.empty(); }));
    const BfdWanted& wanted = b_->bfd.back().front();
    EXPECT_EQ(wanted.remote, ip("fe80::a"));
    EXPECT_EQ(wanted.interface, "right");
    EXPECT_FALSE(wanted.multihop);
}

TEST_F(BgpUnnumberedTest, APasswordHoldsForTheAddressFound) {
    connect("secret");

    EXPECT_TRUE(run_until([&] { return a_->established("b") && b_->established("a"); }));
}

TEST_F(BgpUnnumberedTest, AnInterfaceThatIsNotThereYetIsWaitedFor) {
    a_->driver->set_interfaces({});
    connect();
    EXPECT_TRUE(run_until([&] {
        return a_->peer("b").trouble &&
               a_->peer("b").trouble->text == "no router advertisement heard on left yet";
    }));

    a_->driver->set_interfaces({interface("left", "fe80::a")});

    EXPECT_TRUE(run_until([&] { return a_->established("b"); }));
}

TEST_F(BgpUnnumberedTest, ARouterThatOnlyCallsStaysKnown) {
    TestRouter& router = add_router("fe80::b%right");
    bgp::PeerConfig config = unnumbered("b", "left");
    config.passive = true;
    config.bfd = true;
    a_->driver->set_peers({config});
    router.call("fe80::a%right", a_->driver->listen_port());
    ASSERT_TRUE(run_until([&] { return a_->established("b"); }));

    a_->driver->set_interfaces({interface("left", "fe80::a")});
    run_for(20ms);

    ASSERT_THAT(a_->bfd, SizeIs(1));
    EXPECT_EQ(a_->bfd[0].at(0).remote, ip("fe80::b"));
    EXPECT_EQ(a_->driver->status()->front().state, bgp::State::Established);
}

TEST_F(BgpUnnumberedTest, RouterMessagesCarryHopLimit255) {
    auto socket = RouterSocket::open(ioc_.get_executor(), "right", ::if_nametoindex("right"));
    ASSERT_TRUE(socket) << to_string(socket.error());
    connect();

    std::optional<RouterSocket::Packet> packet;
    ASSERT_TRUE(run_until([&] {
        packet = socket->receive();
        return packet && packet->source == ip("fe80::a");
    }));
    EXPECT_EQ(packet->hop_limit, 255);
    EXPECT_EQ(
        bgp_discovery::decode(packet->message, packet->source, 255).refusal,
        bgp_discovery::Refusal::None
    );
}

TEST_F(BgpUnnumberedTest, TheOtherFamilysNextHopIsOfTheSessionsInterface) {
    in_node("ip addr add 10.8.0.1/24 dev left; ip addr add fd08::1/64 dev left nodad");
    TestRouter& router = add_router("10.8.0.1");
    router.open.capabilities.v6_unicast = true;
    net::Interface left = interface("left", "fe80::a");
    left.addresses.push_back({ip("10.8.0.1"), prefix("10.8.0.0/24")});
    left.addresses.push_back({ip("fd08::1"), prefix("fd08::/64")});
    a_->driver->set_interfaces({left});
    bgp::PeerConfig config = peer("tor", "10.8.0.1");
    config.port = router.port();
    config.source = ip("10.8.0.1");
    config.v6 = true;
    a_->driver->apply(announce("2001:db8::1"), 1);
    a_->driver->set_peers({config});

    ASSERT_TRUE(run_until([&] { return router.announced().size() == 1; }));
    for (const auto& update : router.updates()) {
        if (!update.announced.empty()) {
            EXPECT_EQ(update.attributes.next_hop, ip("fd08::1"));
            EXPECT_EQ(update.attributes.next_hop_link_local, ip("fe80::a"));
        }
    }
}

}  // namespace
}  // namespace steelyard::io
