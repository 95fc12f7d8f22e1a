#include "speaker/bgp/wire/open.hpp"

#include "speaker/bgp/wire/testing.hpp"

#include <gtest/gtest.h>

namespace steelyard::bgp_wire {
namespace {

constexpr std::string_view kMarker = "ffffffffffffffffffffffffffffffff";

Open full_open() {
    Open open;
    open.asn = 4200000001;
    open.hold_seconds = 90;
    open.router_id = 0x0a000001;
    Capabilities& capabilities = open.capabilities;
    capabilities.multiprotocol = true;
    capabilities.v4_unicast = true;
    capabilities.v6_unicast = true;
    capabilities.route_refresh = true;
    capabilities.enhanced_refresh = true;
    capabilities.extended_message = true;
    capabilities.v4_over_v6 = true;
    capabilities.as4 = 4200000001;
    capabilities.role = Role::Customer;
    capabilities.graceful_restart =
        GracefulRestart{true, true, 120, {{net::Family::V4, true}, {net::Family::V6, true}}};
    return open;
}

wire::Bytes body_of(const Open& open) {
    wire::Writer out;
    encode_open(out, open);
    return split_messages(out.view()).at(0).body;
}

// An OPEN of AS 65001, hold 90, id 10.0.0.1 with these optional parameters, whose length is right.
wire::Bytes with_parameters(std::string_view hex) {
    wire::Bytes out = from_hex("04fde9005a0a000001");
    const wire::Bytes parameters = from_hex(hex);
    out.push_back(static_cast<std::byte>(parameters.size()));
    out.insert(out.end(), parameters.begin(), parameters.end());
    return out;
}

wire::Bytes with_capabilities(std::string_view hex) {
    const wire::Bytes capabilities = from_hex(hex);
    wire::Bytes parameter = {std::byte{2}, static_cast<std::byte>(capabilities.size())};
    parameter.insert(parameter.end(), capabilities.begin(), capabilities.end());
    return with_parameters(to_hex(parameter));
}

Open accepted(std::span<const std::byte> body) {
    auto decoded = decode_open(body);
    const auto* refused = std::get_if<Notification>(&decoded);
    EXPECT_EQ(refused, nullptr) << (refused != nullptr ? to_string(*refused) : "");
    return refused == nullptr ? std::get<Open>(decoded) : Open{};
}

Notification refused(std::span<const std::byte> body) {
    auto decoded = decode_open(body);
    EXPECT_TRUE(std::holds_alternative<Notification>(decoded)) << to_hex(body);
    const auto* notification = std::get_if<Notification>(&decoded);
    return notification != nullptr ? *notification : Notification{};
}

TEST(OpenTest, EveryCapabilityOfOursHasItsOctets) {
    wire::Writer out;
    encode_open(out, full_open());

    EXPECT_EQ(
        to_hex(out.view()),
        std::string(kMarker) +
            "004e01"              // length, type
            "045ba0005a0a000001"  // version, AS_TRANS, hold, id
            "31022f"              // one parameter
            "010400010001"        // multiprotocol, IPv4 unicast
            "010400020001"        // IPv6 unicast
            "0200"                // route refresh
            "0506000100010002"    // IPv4 over IPv6
            "0600"                // extended message
            "090103"              // role
            "400ac078"            // graceful restart
            "0001018000020180"
            "4104fa56ea01"  // four-octet AS
            "4600"          // enhanced refresh
    );
}

TEST(OpenTest, WhatIsEncodedDecodesToItself) {
    EXPECT_EQ(accepted(body_of(full_open())), full_open());
}

TEST(OpenTest, WithoutParametersIpv4UnicastIsMeant) {
    const Open open = accepted(from_hex("04fde900000a00000100"));

    EXPECT_EQ(open.asn, 65001U);
    EXPECT_EQ(open.hold_seconds, 0);
    EXPECT_TRUE(open.capabilities.carries(net::Family::V4));
    EXPECT_FALSE(open.capabilities.carries(net::Family::V6));
    EXPECT_FALSE(open.capabilities.v4_unicast);
}

TEST(OpenTest, AMultiprotocolCapabilityEndsTheImpliedFamily) {
    const Open vpn = accepted(with_capabilities("010400010080"));

    EXPECT_TRUE(vpn.capabilities.multiprotocol);
    EXPECT_FALSE(vpn.capabilities.carries(net::Family::V4));
}

TEST(OpenTest, ErrorsHaveTheirExactSubcodeAndData) {
    struct Case {
        std::string_view name;
        wire::Bytes body;
        Notification expected;
    };
    const Notification malformed = make_notification(OpenError::Unspecific);
    const Notification bad_as = make_notification(OpenError::BadPeerAs);
    const Notification bad_hold = make_notification(OpenError::UnacceptableHoldTime);
    const Notification bad_parameter = make_notification(OpenError::UnsupportedOptionalParameter);
    const Case cases[] = {
        {"version 3", from_hex("03fde9005a0a00000100"), {2, 1, from_hex("0004")}},
        {"version 5", from_hex("05fde9005a0a00000100"), {2, 1, from_hex("0004")}},
        {"AS 0", from_hex("040000005a0a00000100"), bad_as},
        {"AS 0 in the capability", with_capabilities("410400000000"), bad_as},
        {"AS_TRANS alone", from_hex("045ba0005a0a00000100"), bad_as},
        {"id 0", from_hex("04fde9005a0000000000"), {2, 3, {}}},
        {"hold 1", from_hex("04fde900010a00000100"), bad_hold},
        {"hold 2", from_hex("04fde900020a00000100"), bad_hold},
        {"authentication parameter", with_parameters("0100"), bad_parameter},
        {"unknown parameter", with_parameters("0703aabbcc"), bad_parameter},
        {"two roles", with_capabilities("090103090104"), {2, 11, {}}},
        {"empty body", {}, malformed},
        {"no parameter length", from_hex("04fde9005a0a000001"), malformed},
        {"parameter length too long", from_hex("04fde9005a0a00000103020002"), malformed},
        {"parameter length too short", from_hex("04fde9005a0a00000101020200"), malformed},
        {"octets after parameters", from_hex("04fde9005a0a0000010000"), malformed},
        {"parameter past the end", with_parameters("020502"), malformed},
        {"parameter without length", with_parameters("02"), malformed},
    };
    for (const Case& test : cases) {
        EXPECT_EQ(refused(test.body), test.expected) << test.name;
    }
}

TEST(OpenTest, CapabilityLengthsThatLieAreMalformed) {
    const std::string_view cases[] = {
        "41",              // no length
        "4104fa56ea",      // one octet short of the parameter
        "41ff00000001",    // far past the end
        "4103000001",      // four-octet AS of three
        "41050000000001",  // and of five
        "4100",
        "0103000100",      // multiprotocol of three
        "01050001000100",  // and of five
        "0100",
        "020100",    // route refresh with a value
        "060100",    // extended message with a value
        "460100",    // enhanced refresh with a value
        "0900",      // role without one
        "09020303",  // role of two
        "4000",      // graceful restart without flags
        "400100",
        "4003007800",  // half an entry
        "40050078000101",
        "0505000100010002",  // half an entry of next hops
        "050700010001000200",
    };
    for (const std::string_view capability : cases) {
        EXPECT_EQ(refused(with_capabilities(capability)), make_notification(OpenError::Unspecific))
            << capability;
    }
}

TEST(OpenTest, CapabilitiesWeDoNotUseAreSkippedByTheirLength) {
    const Open open =
        accepted(with_capabilities("4700"          // long-lived graceful restart, empty
                                   "47020001"      // and too short to mean anything
                                   "4b00"          // software version, empty
                                   "4b03ff6162"    // whose inner length lies
                                   "4904ff616263"  // FQDN likewise
                                   "0301ff"        // ORF
                                   "4301ff"        // dynamic capability
                                   "8000"          // Cisco's route refresh
                                   "00024142"      // reserved
                                   "ff00"
                                   "0200"));

    EXPECT_TRUE(open.capabilities.route_refresh);
    EXPECT_EQ(
        open.capabilities.unknown,
        (std::vector<std::uint8_t>{0x47, 0x4b, 0x49, 0x03, 0x43, 0x80, 0x00, 0xff})
    );
}

TEST(OpenTest, CapabilitiesMayComeInSeveralParametersAndTwice) {
    const Open open =
        accepted(with_parameters("02020200"
                                 "0206010400020001"
                                 "0206010400020001"));

    EXPECT_TRUE(open.capabilities.route_refresh);
    EXPECT_TRUE(open.capabilities.carries(net::Family::V6));
}

TEST(OpenTest, AddPathIsNoticedAndNeverWorthASession) {
    EXPECT_TRUE(accepted(with_capabilities("450400010103")).capabilities.add_path);
    EXPECT_FALSE(accepted(with_capabilities("450400010104")).capabilities.add_path);
    EXPECT_FALSE(accepted(with_capabilities("450400010100")).capabilities.add_path);
    EXPECT_FALSE(accepted(with_capabilities("4503000101")).capabilities.add_path);
    EXPECT_FALSE(accepted(with_capabilities("450400020203")).capabilities.add_path);
}

TEST(OpenTest, OfSeveralGracefulRestartsTheLastCounts) {
    const Open open =
        accepted(with_capabilities("4002807840060000"
                                   "00010100"
                                   "40064fff00010180"));

    const GracefulRestart expected{false, true, 4095, {{net::Family::V4, true}}};
    EXPECT_EQ(open.capabilities.graceful_restart, expected);
}

TEST(OpenTest, FamiliesOfOthersAreLeftOutOfGracefulRestart) {
    const Open open =
        accepted(with_capabilities("400e007800018080000201000002018"
                                   "0"));

    const GracefulRestart expected{false, false, 120, {{net::Family::V6, true}}};
    EXPECT_EQ(open.capabilities.graceful_restart, expected);
}

TEST(OpenTest, ARoleWithoutANameIsKeptForTheSessionToJudge) {
    EXPECT_EQ(accepted(with_capabilities("0901c8")).capabilities.role, static_cast<Role>(200));
    EXPECT_EQ(accepted(with_capabilities("090104090104")).capabilities.role, Role::Peer);
}

TEST(OpenTest, ExtendedParametersAreRead) {
    const std::string fixed = "04fde9005a0a000001";

    const Open open = accepted(from_hex(fixed + "ffff0005" + "02000202" + "00"));
    const Open any_length = accepted(from_hex(fixed + "01ff0005" + "02000202" + "00"));

    EXPECT_TRUE(open.capabilities.route_refresh);
    EXPECT_EQ(any_length, open);
}

TEST(OpenTest, ExtendedParametersThatLieAreMalformed) {
    const std::string fixed = "04fde9005a0a000001";
    for (const std::string_view rest : {
             "ffff",
             "ffff00",
             "ffff0006020002"
             "0200",  // one more than there is
             "ffff0004020002"
             "0200",  // one less
             "ffff000502000302"
             "00",            // parameter past the end
             "ffff00020200",  // parameter without its length
             "ffffffff",
         }) {
        EXPECT_EQ(
            refused(from_hex(fixed + std::string(rest))), make_notification(OpenError::Unspecific)
        ) << rest;
    }
}

TEST(OpenTest, TheExtendedFormatIsWrittenWhenTheParametersNeedIt) {
    Open open = full_open();
    open.capabilities.graceful_restart->families.assign(60, {net::Family::V6, false});

    const wire::Bytes body = body_of(open);
    const Open back = accepted(body);

    EXPECT_EQ(body.at(9), std::byte{255});
    EXPECT_EQ(body.at(10), std::byte{255});
    EXPECT_EQ(back.capabilities.as4, open.capabilities.as4);
    EXPECT_EQ(back.capabilities.graceful_restart->families.size(), 1U);
}

TEST(OpenTest, EveryCutOfAnOpenIsRefused) {
    const wire::Bytes body = body_of(full_open());
    for (std::size_t size = 0; size < body.size(); ++size) {
        (void)refused(std::span(body).first(size));
    }
}

}  // namespace
}  // namespace steelyard::bgp_wire
