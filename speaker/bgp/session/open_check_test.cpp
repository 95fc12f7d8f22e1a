#include "speaker/bgp/session/open_check.hpp"

#include "speaker/bgp/session/testing.hpp"

#include <gtest/gtest.h>

#include <functional>
#include <vector>

namespace steelyard::bgp {
namespace {

using namespace std::chrono_literals;
using bgp_wire::Role;

std::variant<Negotiated, Fault> judge(const PeerConfig& config, const bgp_wire::Open& received) {
    return check_open(config, make_open(config, Rig::ends(), {}), received);
}

Negotiated agreed(const PeerConfig& config, const bgp_wire::Open& received) {
    const auto out = judge(config, received);
    const auto* fault = std::get_if<Fault>(&out);
    EXPECT_EQ(fault, nullptr) << (fault == nullptr ? "" : fault->trouble.text);
    return fault == nullptr ? std::get<Negotiated>(out) : Negotiated{};
}

std::string refusal(const PeerConfig& config, const bgp_wire::Open& received) {
    const auto out = judge(config, received);
    const auto* fault = std::get_if<Fault>(&out);
    return fault == nullptr
               ? ""
               : std::to_string(fault->notification.code) + "/" +
                     std::to_string(fault->notification.subcode) + " " +
                     std::string(to_string(fault->trouble.kind)) + ": " + fault->trouble.text;
}

bgp_wire::Open open_of(std::uint32_t asn) {
    auto out = their_open();
    out.asn = asn;
    out.capabilities.as4 = asn;
    return out;
}

TEST(OpenCheckTest, TheAsMustBeTheConfiguredOne) {
    struct Case {
        RemoteAs wanted;
        std::uint32_t asn;
        std::string refusal;
    };
    const std::vector<Case> cases{
        {{RemoteAs::Kind::Exactly, 64513}, 64513, ""},
        {{RemoteAs::Kind::Exactly, 64513},
         4200000000,
         "2/2 WrongAS: the peer is in AS 4200000000, but AS 64513 is configured"},
        {{RemoteAs::Kind::Internal, 0}, kOurAs, ""},
        {{RemoteAs::Kind::Internal, 0},
         64513,
         "2/2 WrongAS: the peer is in AS 64513, but our own, AS 64512, is configured (internal)"},
        {{RemoteAs::Kind::External, 0}, 64513, ""},
        {{RemoteAs::Kind::External, 0},
         kOurAs,
         "2/2 WrongAS: the peer is in AS 64512, but any but our own is configured (external)"},
    };
    for (const Case& one : cases) {
        auto config = test_config();
        config.remote_as = one.wanted;
        EXPECT_EQ(refusal(config, open_of(one.asn)), one.refusal);
    }
}

TEST(OpenCheckTest, OurRouterIdIsRefusedWithinOurAsOnly) {
    auto config = test_config();
    auto open = their_open();
    open.router_id = kOurId;
    EXPECT_EQ(refusal(config, open), "");

    config.remote_as.kind = RemoteAs::Kind::Internal;
    open = open_of(kOurAs);
    open.router_id = kOurId;
    EXPECT_EQ(
        refusal(config, open), "2/3 OpenRejected: the peer has our router id 10.0.0.1 and our AS"
    );
}

TEST(OpenCheckTest, RolesMustFitWhereBothSayOne) {
    const std::vector<Role> roles{
        Role::Provider, Role::RouteServer, Role::RouteServerClient, Role::Customer, Role::Peer};
    // The role each of these accepts.
    const std::vector<Role> partners{
        Role::Customer, Role::RouteServerClient, Role::RouteServer, Role::Provider, Role::Peer};
    for (std::size_t i = 0; i < roles.size(); ++i) {
        auto config = test_config();
        config.role = roles[i];
        EXPECT_EQ(refusal(config, their_open()), "");
        for (const Role theirs : roles) {
            auto open = their_open();
            open.capabilities.role = theirs;
            EXPECT_EQ(refusal(config, open).empty(), theirs == partners[i]);
        }
        auto open = their_open();
        open.capabilities.role = static_cast<Role>(9);
        EXPECT_EQ(refusal(config, open).substr(0, 17), "2/11 RoleMismatch");
    }
}

TEST(OpenCheckTest, RolesMeanNothingWithinAnAs) {
    auto config = test_config();
    config.remote_as.kind = RemoteAs::Kind::Internal;
    config.role = Role::Provider;
    auto open = open_of(kOurAs);
    open.capabilities.role = Role::Provider;
    EXPECT_EQ(refusal(config, open), "");
    EXPECT_EQ(make_open(config, Rig::ends(), {}).capabilities.role, std::nullopt);
    EXPECT_EQ(agreed(config, open).role, std::nullopt);
}

TEST(OpenCheckTest, WithoutACommonFamilyTheMissedCapabilitiesAreSent) {
    auto config = test_config();
    config.v4 = false;
    config.v6 = true;
    const auto out = judge(config, their_open());
    const auto& fault = std::get<Fault>(out);
    EXPECT_EQ(
        refusal(config, their_open()),
        "2/7 NoCommonFamily: the peer does not carry IPv6 unicast, only IPv4"
    );
    EXPECT_EQ(fault.notification.data, from_hex("010400020001"));
}

TEST(OpenCheckTest, APeerWithoutMultiprotocolMeansIpv4) {
    auto open = their_open();
    open.capabilities = {};
    const Negotiated out = agreed(test_config(), open);
    EXPECT_TRUE(out.v4);
    EXPECT_FALSE(out.v6);
    EXPECT_FALSE(out.as4);
    EXPECT_FALSE(out.route_refresh);
    EXPECT_EQ(out.max_message(), bgp_wire::kMaxMessage);
}

TEST(OpenCheckTest, TheShorterHoldTimeHolds) {
    struct Case {
        Duration ours;
        std::uint16_t theirs;
        std::optional<Duration> keepalive;
        Duration hold;
        Duration interval;
    };
    const std::vector<Case> cases{
        {90s, 90, {}, 90s, 30s},
        {90s, 30, {}, 30s, 10s},
        {9s, 180, {}, 9s, 3s},
        {3s, 3, {}, 3s, 1s},
        {90s, 0, {}, 0s, 0s},
        {0s, 90, {}, 0s, 0s},
        {90s, 90, 10s, 90s, 10s},
        {90s, 90, 60s, 90s, 30s},
        {90s, 9, 10s, 9s, 3s},
        {90s, 90, 0s, 90s, 1s},
    };
    for (const Case& one : cases) {
        auto config = test_config();
        config.hold_time = one.ours;
        config.keepalive_time = one.keepalive;
        auto open = their_open();
        open.hold_seconds = one.theirs;
        const Negotiated out = agreed(config, open);
        EXPECT_EQ(out.hold_time, one.hold);
        EXPECT_EQ(out.keepalive, one.interval);
    }
}

TEST(OpenCheckTest, Ipv4OverIpv6NeedsBothAndAnIpv6Transport) {
    auto config = test_config();
    config.v6 = true;
    auto open = their_open();
    open.capabilities.v6_unicast = true;
    open.capabilities.v4_over_v6 = true;
    EXPECT_FALSE(agreed(config, open).v4_over_v6);

    const net::IpAddress local = net::IpAddress::parse("fe80::1").value();
    const Endpoints ends{{local, 179}, {net::IpAddress::parse("fe80::2").value(), 1024}};
    const auto sent = make_open(config, ends, {});
    const auto out = std::get<Negotiated>(check_open(config, sent, open));
    EXPECT_TRUE(out.v4_over_v6);
    EXPECT_TRUE(out.v4 && out.v6);
}

TEST(OpenCheckTest, GracefulRestartIsOfferedWhenConfigured) {
    auto config = test_config();
    EXPECT_EQ(
        make_open(config, Rig::ends(), {true, true}).capabilities.graceful_restart, std::nullopt
    );
    config.graceful_restart = true;
    config.v6 = true;
    config.restart_time = 2h;
    const bgp_wire::GracefulRestart expected{
        true, true, 4095, {{net::Family::V4, true}, {net::Family::V6, true}}};
    EXPECT_EQ(make_open(config, Rig::ends(), {true, true}).capabilities.graceful_restart, expected);
    const bgp_wire::GracefulRestart booted{
        false, true, 4095, {{net::Family::V4, false}, {net::Family::V6, false}}};
    EXPECT_EQ(make_open(config, Rig::ends(), {}).capabilities.graceful_restart, booted);
}

TEST(OpenCheckTest, ThePeerHelpsOnlyIfBothOfferedGracefulRestart) {
    auto config = test_config();
    auto open = their_open();
    open.capabilities.graceful_restart = helper(true);
    EXPECT_FALSE(agreed(config, open).graceful_restart);
    EXPECT_FALSE(agreed(config, open).gr_notification);
    EXPECT_TRUE(agreed(config, open).peer_restarts);

    config.graceful_restart = true;
    EXPECT_TRUE(agreed(config, open).graceful_restart);
    EXPECT_TRUE(agreed(config, open).gr_notification);
    open.capabilities.graceful_restart = bgp_wire::GracefulRestart{};  // helps, never restarts
    EXPECT_TRUE(agreed(config, open).graceful_restart);
    EXPECT_FALSE(agreed(config, open).gr_notification);
    EXPECT_FALSE(agreed(config, open).peer_restarts);
    EXPECT_FALSE(agreed(config, their_open()).graceful_restart);
}

TEST(NeedsResetTest, OnlyWhatIdentifiesOrWasSaidInOpenResets) {
    struct Case {
        std::string field;
        std::function<void(PeerConfig&)> change;
        bool resets;
    };
    const net::IpAddress other = net::IpAddress::v4(0x0a0000ff);
    const std::vector<Case> cases{
        {"nothing", [](PeerConfig&) {}, false},
        {"name", [](PeerConfig& c) { c.name = "x"; }, false},
        {"local_asn", [](PeerConfig& c) { c.local_asn = 1; }, true},
        {"remote_as", [](PeerConfig& c) { c.remote_as.asn = 1; }, true},
        {"remote_as kind",
         [](PeerConfig& c) { c.remote_as.kind = RemoteAs::Kind::External; },
         true},
        {"address", [&](PeerConfig& c) { c.address = other; }, true},
        {"interface", [](PeerConfig& c) { c.interface = "eth1"; }, true},
        {"port", [](PeerConfig& c) { c.port = 1179; }, true},
        {"source", [&](PeerConfig& c) { c.source = other; }, true},
        {"vrf", [](PeerConfig& c) { c.vrf = "red"; }, true},
        {"router_id", [](PeerConfig& c) { c.router_id = 9; }, true},
        {"hold_time", [](PeerConfig& c) { c.hold_time = 9s; }, false},
        {"keepalive_time", [](PeerConfig& c) { c.keepalive_time = 1s; }, false},
        {"connect_time", [](PeerConfig& c) { c.connect_time = 1s; }, false},
        {"password", [](PeerConfig& c) { c.password = "secret"; }, true},
        {"passive", [](PeerConfig& c) { c.passive = true; }, false},
        {"multihop", [](PeerConfig& c) { c.multihop = true; }, true},
        {"ttl_security_hops", [](PeerConfig& c) { c.ttl_security_hops = 1; }, true},
        {"v4", [](PeerConfig& c) { c.v4 = false; }, true},
        {"v6", [](PeerConfig& c) { c.v6 = true; }, true},
        {"graceful_restart", [](PeerConfig& c) { c.graceful_restart = true; }, true},
        {"restart_time", [](PeerConfig& c) { c.restart_time = 1s; }, false},
        {"role", [](PeerConfig& c) { c.role = Role::Customer; }, true},
        {"bfd", [](PeerConfig& c) { c.bfd = true; }, false},
    };
    for (const Case& one : cases) {
        PeerConfig next = test_config();
        one.change(next);
        EXPECT_EQ(needs_reset(test_config(), next), one.resets) << one.field;
        EXPECT_EQ(needs_reset(next, test_config()), one.resets) << one.field;
    }
}

}  // namespace
}  // namespace steelyard::bgp
