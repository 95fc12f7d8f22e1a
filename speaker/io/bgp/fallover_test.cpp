#include "speaker/io/bgp/fallover.hpp"

#include "speaker/io/bgp/bgp_fixture.hpp"

#include <gmock/gmock.h>

namespace steelyard::io {
namespace {

using namespace std::chrono_literals;
using testing::IsEmpty;

net::IpAddress ip(const char* text) {
    return net::IpAddress::parse(text).value();
}

std::vector<net::Interface> two_interfaces() {
    net::Interface eth0;
    eth0.index = 2;
    eth0.name = "eth0";
    eth0.up = eth0.running = true;
    eth0.addresses = {
        {ip("10.0.0.1"), net::Prefix::parse("10.0.0.0/24").value()},
        {ip("fe80::1"), net::Prefix::parse("fe80::/64").value()}};
    net::Interface eth1 = eth0;
    eth1.index = 3;
    eth1.name = "eth1";
    eth1.addresses = {{ip("fe80::1"), net::Prefix::parse("fe80::/64").value()}};
    return {eth0, eth1};
}

struct Case {
    const char* name;
    const char* local;
    const char* remote;
    const char* interface;
    bool multihop;
    bool ibgp;
    std::function<void(std::vector<net::Interface>&)> change;
    const char* why;
};

TEST(FalloverTest, EachChangeHasItsVerdict) {
    const auto no_carrier = [](auto& all) {
        all[0].running = false;
    };
    const auto set_down = [](auto& all) {
        all[0].up = all[0].running = false;
    };
    const auto gone = [](auto& all) {
        all.erase(all.begin());
    };
    const auto no_address = [](auto& all) {
        all[0].addresses.erase(all[0].addresses.begin());
    };
    const auto moved = [](auto& all) {
        all[1].addresses.push_back(all[0].addresses[0]);
        all[0].addresses.erase(all[0].addresses.begin());
    };
    const auto other = [](auto& all) {
        all[1].running = false;
    };
    const char* const carrier = "interface eth0 lost its carrier";
    const char* const taken = "its address 10.0.0.1 was taken from this node";
    const std::vector<Case> cases = {
        {"nothing", "10.0.0.1", "10.0.0.9", "", false, false, [](auto&) {}, ""},
        {"carrier", "10.0.0.1", "10.0.0.9", "", false, false, no_carrier, carrier},
        {"of another", "10.0.0.1", "10.0.0.9", "", false, false, other, ""},
        {"iBGP", "10.0.0.1", "10.0.0.9", "", false, true, no_carrier, ""},
        {"multihop", "10.0.0.1", "10.0.0.9", "", true, false, no_carrier, ""},
        {"peer elsewhere", "10.0.0.1", "10.7.0.9", "", false, false, no_carrier, ""},
        {"down", "10.0.0.1", "10.0.0.9", "", false, false, set_down, "interface eth0 was set down"},
        {"gone", "10.0.0.1", "10.0.0.9", "", false, false, gone, "interface eth0 is gone"},
        {"gone, iBGP", "10.0.0.1", "10.0.0.9", "", false, true, gone, taken},
        {"address", "10.0.0.1", "10.0.0.9", "", false, false, no_address, taken},
        {"address, multihop", "10.0.0.1", "10.7.0.9", "", true, false, no_address, taken},
        {"moved", "10.0.0.1", "10.7.0.9", "", true, false, moved, ""},
        {"link-local", "fe80::1", "fe80::9", "eth0", false, false, no_carrier, carrier},
        {"link-local elsewhere", "fe80::1", "fe80::9", "eth1", false, false, no_carrier, ""},
        {"never seen", "127.0.0.1", "127.0.0.9", "", false, false, gone, ""},
    };
    for (const Case& one : cases) {
        SCOPED_TRACE(one.name);
        bgp::PeerConfig config;
        config.interface = one.interface;
        config.multihop = one.multihop;
        auto now = two_interfaces();
        one.change(now);
        const bgp::Endpoints ends{{ip(one.local), 1}, {ip(one.remote), 179}};
        EXPECT_EQ(cut_off(config, ends, one.ibgp, two_interfaces(), now), one.why);
    }
}

class FalloverDriverTest : public testing::Test, protected BgpFixture {};

TEST_F(FalloverDriverTest, ASessionWhoseLinkIsLostEndsAtOnce) {
    BgpNode& node = add_node();
    TestRouter& router = add_router();
    net::Interface lo;
    lo.index = 1;
    lo.name = "lo";
    lo.up = lo.running = true;
    lo.addresses = {{BgpFixture::ip("127.0.0.1"), prefix("127.0.0.0/8")}};
    node.driver->set_interfaces({lo});
    bgp::PeerConfig config = peer(router);
    config.source = lo.addresses[0].ip;
    node.driver->set_peers({config});
    ASSERT_TRUE(run_until([&] { return node.established("tor"); }));
    node.driver->set_interfaces({lo});
    run_for(20ms);
    EXPECT_EQ(node.peer("tor").flaps, 0U);

    lo.running = false;
    node.driver->set_interfaces({lo});

    EXPECT_EQ(node.driver->status()->front().state, bgp::State::Active);
    EXPECT_TRUE(node.logged("peer tor: connection lost: interface lo lost its carrier"));
    EXPECT_TRUE(run_until([&] { return router.ended(); }));
    EXPECT_THAT(router.notifications(), IsEmpty());
}

}  // namespace
}  // namespace steelyard::io
