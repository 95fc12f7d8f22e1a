#include "speaker/bgp/wire/message.hpp"
#include "speaker/io/bgp/bfd_sessions.hpp"
#include "speaker/io/bgp/link.hpp"
#include "speaker/io/bgp/next_hops.hpp"
#include "speaker/io/bgp/pacer.hpp"

#include <boost/asio/io_context.hpp>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace steelyard::io {
namespace {

using namespace std::chrono_literals;
using testing::HasSubstr;

net::IpAddress ip(const char* text) {
    return net::IpAddress::parse(text).value();
}

net::Interface eth0(std::vector<std::pair<const char*, const char*>> addresses) {
    net::Interface out;
    out.index = 2;
    out.name = "eth0";
    for (const auto& [address, subnet] : addresses) {
        out.addresses.push_back({ip(address), net::Prefix::parse(subnet).value()});
    }
    return out;
}

struct NextHopCase {
    const char* name;
    const char* local;
    const char* remote;
    bool multihop;
    bool v4_over_v6;
    std::vector<std::pair<const char*, const char*>> addresses;
    const char* v4;  // "" for none
    const char* v6;
    const char* link_local;
};

TEST(NextHopsTest, EachCaseHasItsAddresses) {
    const std::vector<NextHopCase> cases = {
        {"IPv4 alone",
         "10.0.0.1",
         "10.0.0.2",
         false,
         false,
         {{"10.0.0.1", "10.0.0.0/24"}},
         "10.0.0.1",
         "",
         ""},
        {"no interface known", "10.0.0.1", "10.0.0.2", false, false, {}, "10.0.0.1", "", ""},
        {"dual stack over IPv4",
         "10.0.0.1",
         "10.0.0.2",
         false,
         false,
         {{"10.0.0.1", "10.0.0.0/24"}, {"fd00::1", "fd00::/64"}, {"fe80::1", "fe80::/64"}},
         "10.0.0.1",
         "fd00::1",
         "fe80::1"},
        {"the same over several hops",
         "10.0.0.1",
         "10.7.0.2",
         true,
         false,
         {{"10.0.0.1", "10.0.0.0/24"}, {"fd00::1", "fd00::/64"}, {"fe80::1", "fe80::/64"}},
         "10.0.0.1",
         "fd00::1",
         ""},
        {"a host address comes last",
         "10.0.0.1",
         "10.0.0.2",
         false,
         false,
         {{"10.0.0.1", "10.0.0.0/24"}, {"fd00::5", "fd00::5/128"}, {"fd00::9", "fd00::/64"}},
         "10.0.0.1",
         "fd00::9",
         ""},
        {"dual stack over IPv6",
         "fd00::1",
         "fd00::2",
         false,
         false,
         {{"10.0.0.1", "10.0.0.0/24"}, {"fd00::1", "fd00::/64"}, {"fe80::1", "fe80::/64"}},
         "10.0.0.1",
         "fd00::1",
         "fe80::1"},
        {"IPv6 with a peer elsewhere",
         "fd00::1",
         "fd07::2",
         false,
         false,
         {{"fd00::1", "fd00::/64"}, {"fe80::1", "fe80::/64"}},
         "",
         "fd00::1",
         ""},
        {"unnumbered",
         "fe80::1",
         "fe80::2",
         false,
         true,
         {{"10.0.0.1", "10.0.0.0/24"}, {"fe80::1", "fe80::/64"}},
         "",
         "",
         "fe80::1"},
        {"unnumbered with a global address",
         "fe80::1",
         "fe80::2",
         false,
         true,
         {{"fd00::1", "fd00::/64"}, {"fe80::1", "fe80::/64"}},
         "",
         "fd00::1",
         "fe80::1"},
        {"unnumbered without RFC 8950",
         "fe80::1",
         "fe80::2",
         false,
         false,
         {{"10.0.0.1", "10.0.0.0/24"}, {"fe80::1", "fe80::/64"}},
         "10.0.0.1",
         "",
         "fe80::1"},
    };
    for (const NextHopCase& c : cases) {
        bgp::Negotiated negotiated;
        negotiated.v4 = negotiated.v6 = true;
        negotiated.v4_over_v6 = c.v4_over_v6;
        const auto out = next_hops(
            ip(c.local), ip(c.remote), "eth0", c.multihop, negotiated, {eth0(c.addresses)}
        );
        const auto text = [](const std::optional<net::IpAddress>& address) {
            return address ? to_string(*address) : std::string();
        };
        EXPECT_EQ(text(out.v4), c.v4) << c.name;
        EXPECT_EQ(text(out.v6), c.v6) << c.name;
        EXPECT_EQ(text(out.link_local), c.link_local) << c.name;
        const bool v6 = out.v6 || out.link_local;
        EXPECT_EQ(out.why_not_v6.empty(), v6) << c.name;
        EXPECT_EQ(out.why_not_v4.empty(), out.v4 || (c.v4_over_v6 && v6)) << c.name;
    }
}

TEST(NextHopsTest, AFamilyWithoutAddressSaysWhichInterfaceLacksIt) {
    bgp::Negotiated negotiated;
    negotiated.v4 = negotiated.v6 = true;

    const auto out = next_hops(
        ip("10.0.0.1"), ip("10.0.0.2"), "", false, negotiated, {eth0({{"10.0.0.1", "10.0.0.0/24"}})}
    );

    EXPECT_EQ(
        out.why_not_v6,
        "no IPv6 next hop: eth0, which has the session's address 10.0.0.1, has no global IPv6 "
        "address"
    );
    EXPECT_EQ(out.why_not_v4, "");
}

TEST(TtlPlanTest, EachKindOfPeerHasItsTtls) {
    using Kind = bgp::RemoteAs::Kind;
    bgp::PeerConfig config;
    config.local_asn = 64512;
    config.remote_as = {Kind::Exactly, 64513};
    EXPECT_EQ(ttl_plan(config), (TtlPlan{std::uint8_t{1}, {}}));
    config.remote_as = {Kind::External, 0};
    EXPECT_EQ(ttl_plan(config), (TtlPlan{std::uint8_t{1}, {}}));
    config.multihop = true;
    EXPECT_EQ(ttl_plan(config), TtlPlan{});
    config.ttl_security_hops = std::uint8_t{1};
    EXPECT_EQ(ttl_plan(config), (TtlPlan{std::uint8_t{255}, std::uint8_t{255}}));
    config.ttl_security_hops = std::uint8_t{254};
    EXPECT_EQ(ttl_plan(config), (TtlPlan{std::uint8_t{255}, std::uint8_t{2}}));
    config = {};
    config.remote_as = {Kind::Internal, 0};
    EXPECT_EQ(ttl_plan(config), TtlPlan{});
}

TEST(PacerTest, TheFirstChangeIsWrittenAtOnceAndAStormEveryFewMilliseconds) {
    Pacer pacer;
    Instant now = Instant{} + 1h;
    const Instant start = now;
    int writes = 0;
    for (; now < start + 10ms; now += 10us) {
        if (pacer.due(now) <= now) {
            pacer.count(now);
            ++writes;
        }
    }
    EXPECT_EQ(pacer.due(start), pacer.due(now));
    EXPECT_LE(pacer.due(now), now + 8ms);
    EXPECT_LE(writes + 1, 3) << "with the one for what came last";
    now += 1s;
    EXPECT_EQ(pacer.due(now), now);
}

TEST(PacerTest, ChangesFarApartAreNeverDelayed) {
    Pacer pacer;
    Instant now = Instant{} + 1h;
    for (int i = 0; i < 100; ++i) {
        EXPECT_EQ(pacer.due(now), now);
        pacer.count(now);
        now += 20ms;
    }
}

TEST(LinkTest, RoutesNotYetBegunAreDroppedAtAMessagesBorder) {
    asio::io_context ioc;
    for (std::size_t written = 0; written <= 95; ++written) {
        Link link(ioc.get_executor(), bgp::ConnectionId{1}, nullptr);
        wire::Writer out;
        for (int i = 0; i < 4; ++i) {
            bgp_wire::encode_keepalive(out);
        }
        link.routes_end = out.size();
        bgp_wire::encode_keepalive(out);
        link.out = out.take();
        link.written = written;

        drop_routes(link);

        // What is begun, and the last one, which is no route.
        const std::size_t begun = std::min<std::size_t>((written + 18) / 19, 4);
        EXPECT_EQ(link.out.size(), (begun + 1) * 19) << written;
        EXPECT_LE(link.written, link.out.size()) << written;
    }
}

TEST(BfdSessionsTest, AWantedSessionIsThatOfItsPeersProfile) {
    BfdWanted wanted;
    wanted.peer = "tor";
    wanted.remote = ip("2001:db8::1");
    wanted.local = ip("2001:db8::2");
    wanted.interface = "eth0";
    wanted.vrf = "red";
    wanted.multihop = true;
    bfd::SessionConfig session;
    session.key = "tor";
    session.remote = ip("2001:db8::1");
    session.local = ip("2001:db8::2");
    session.interface = "eth0";
    session.vrf = "red";
    session.multihop = true;
    session.profile.multiplier = 5;
    const BfdProfiles profiles{{"spine", {}}, {"tor", session.profile}};
    BfdWanted unknown;
    unknown.peer = "stranger";

    EXPECT_EQ(bfd_sessions({unknown, wanted}, profiles), std::vector{session});
}

TEST(BfdSessionsTest, EveryStateHasItsName) {
    EXPECT_EQ(as_bgp_sees(bfd::State::AdminDown), bgp::BfdState::AdminDown);
    EXPECT_EQ(as_bgp_sees(bfd::State::Down), bgp::BfdState::Down);
    EXPECT_EQ(as_bgp_sees(bfd::State::Init), bgp::BfdState::Init);
    EXPECT_EQ(as_bgp_sees(bfd::State::Up), bgp::BfdState::Up);
}

}  // namespace
}  // namespace steelyard::io
