#include "speaker/bgp/wire/notification.hpp"

#include "speaker/bgp/wire/testing.hpp"
#include "speaker/bgp/wire/text.hpp"

#include <gtest/gtest.h>

namespace steelyard::bgp_wire {
namespace {

constexpr std::string_view kMarker = "ffffffffffffffffffffffffffffffff";

TEST(NotificationTest, OperatorsReadTheNamesTheyKnow) {
    const std::pair<Notification, std::string_view> cases[] = {
        {make_notification(HeaderError::ConnectionNotSynchronized),
         "Message Header Error/Connection Not Synchronized"},
        {{1, 2, from_hex("1001")}, "Message Header Error/Bad Message Length (4097)"},
        {{1, 3, from_hex("09")}, "Message Header Error/Bad Message Type (9)"},
        {{2, 1, from_hex("0004")}, "OPEN Message Error/Unsupported Version Number (supported: 4)"},
        {make_notification(OpenError::BadPeerAs), "OPEN Message Error/Bad Peer AS"},
        {make_notification(OpenError::BadBgpIdentifier), "OPEN Message Error/Bad BGP Identifier"},
        {make_notification(OpenError::UnacceptableHoldTime),
         "OPEN Message Error/Unacceptable Hold Time"},
        {make_notification(OpenError::UnsupportedCapability),
         "OPEN Message Error/Unsupported Capability"},
        {make_notification(OpenError::RoleMismatch), "OPEN Message Error/Role Mismatch"},
        {make_notification(UpdateError::MalformedAsPath), "UPDATE Message Error/Malformed AS_PATH"},
        {hold_timer_expired(), "Hold Timer Expired"},
        {send_hold_timer_expired(), "Send Hold Timer Expired"},
        {make_notification(FsmError::UnexpectedInOpenConfirm),
         "Finite State Machine Error/Unexpected Message in OpenConfirm"},
        {cease(Cease::Unspecific), "Cease"},
        {cease(Cease::BfdDown), "Cease/BFD Down"},
        {cease(Cease::ConnectionCollisionResolution), "Cease/Connection Collision Resolution"},
        {cease(Cease::AdministrativeShutdown, "back at noon"),
         "Cease/Administrative Shutdown: back at noon"},
        {hard_reset(cease(Cease::AdministrativeReset, "new key")),
         "Cease/Hard Reset (Cease/Administrative Reset: new key)"},
        {{6, 9, {}}, "Cease/Hard Reset"},
        {{6, 77, {}}, "Cease/subcode 77"},
        {{7, 1, {}}, "ROUTE-REFRESH Message Error/Invalid Message Length"},
        {{99, 3, {}}, "code 99/subcode 3"},
        {{0, 0, {}}, "code 0"},
        {{4, 5, {}}, "Hold Timer Expired/subcode 5"},
    };
    for (const auto& [notification, expected] : cases) {
        EXPECT_EQ(to_string(notification), expected);
    }
}

TEST(NotificationTest, AShutdownHasItsOctets) {
    wire::Writer out;
    encode_notification(out, cease(Cease::AdministrativeShutdown, "bye"));

    EXPECT_EQ(to_hex(out.view()), std::string(kMarker) + "001903" + "0602" + "03627965");
}

TEST(NotificationTest, AHardResetWrapsCodeSubcodeAndData) {
    const Notification inner = cease(Cease::AdministrativeShutdown, "bye");
    const Notification outer = hard_reset(inner);

    EXPECT_EQ(outer, (Notification{6, 9, from_hex("060203627965")}));
    EXPECT_EQ(encapsulated(outer), inner);
    EXPECT_FALSE(encapsulated(inner).has_value());
    EXPECT_FALSE(encapsulated({6, 9, from_hex("06")}).has_value());
}

TEST(NotificationTest, HardResetsInsideEachOtherEndSoon) {
    Notification nested = cease(Cease::AdministrativeReset);
    for (int i = 0; i < 1000; ++i) {
        nested = hard_reset(nested);
    }

    EXPECT_EQ(to_string(nested), "Cease/Hard Reset (Cease/Hard Reset)");
}

TEST(NotificationTest, OnlyShutdownAndResetCarryText) {
    EXPECT_TRUE(cease(Cease::PeerDeconfigured, "text").data.empty());
    EXPECT_TRUE(cease(Cease::AdministrativeShutdown, "").data.empty());
    EXPECT_EQ(communication({6, 3, from_hex("0161")}), "");
    EXPECT_EQ(communication({6, 4, from_hex("0161")}), "a");
    EXPECT_EQ(communication({2, 2, from_hex("0161")}), "");
}

TEST(NotificationTest, OurTextIsCutAtACharacterTo255Octets) {
    const std::string euros = [] {
        std::string text;
        for (int i = 0; i < 86; ++i) {
            text += "\xe2\x82\xac";  // 258 octets
        }
        return text;
    }();
    const Notification exact = cease(Cease::AdministrativeShutdown, euros);
    const Notification shifted = cease(Cease::AdministrativeShutdown, "a" + euros);

    EXPECT_EQ(exact.data.size(), 256U);
    EXPECT_EQ(exact.data.at(0), std::byte{255});
    EXPECT_EQ(shifted.data.size(), 1U + 253U);
    EXPECT_EQ(communication(shifted), "a" + euros.substr(0, 252));
}

TEST(NotificationTest, TheirTextIsMadePrintable) {
    const std::pair<std::string_view, std::string_view> cases[] = {
        {"00", ""},
        {"03616263", "abc"},
        {"02616263", "ab"},               // more data than text
        {"ff616263", "abc"},              // more text claimed than there is
        {"0261ff", "a\\xff"},             // not UTF-8
        {"02c0af", "\\xc0\\xaf"},         // overlong
        {"03eda080", "\\xed\\xa0\\x80"},  // surrogate
        {"04f4908080", "\\xf4\\x90\\x80\\x80"},
        {"03e282ac", "\xe2\x82\xac"},
        {"02e282", "\\xe2\\x82"},  // cut inside a character
        {"03610a62", "a\\x0ab"},
        {"051b5b33316d", "\\x1b[31m"},
        {"03e280ae", "\\xe2\\x80\\xae"},  // would turn the line round
    };
    for (const auto& [data, expected] : cases) {
        EXPECT_EQ(communication({6, 2, from_hex(data)}), expected) << data;
    }
}

TEST(NotificationTest, PrintableTextIsBounded) {
    const wire::Bytes text = bytes_of("abcdefgh");

    EXPECT_EQ(printable(text, 8), "abcdefgh");
    EXPECT_EQ(printable(text, 7), "abcdefg...");
    EXPECT_EQ(printable(bytes_of("ab\xe2\x82\xac"), 4), "ab...");
    EXPECT_EQ(printable({}, 0), "");
}

TEST(NotificationTest, AnyBodyDecodesAndEncodesToItself) {
    for (const std::string_view hex : {"0602", "060203627965", "ff00", "0000", "01020013"}) {
        const wire::Bytes body = from_hex(hex);
        const Notification notification = decode_notification(body);
        wire::Writer out;
        encode_notification(out, notification);

        EXPECT_EQ(split_messages(out.view()).at(0).body, body);
    }
}

TEST(NotificationTest, ABodyThatIsTooShortReadsAsZeros) {
    EXPECT_EQ(decode_notification({}), Notification{});
    EXPECT_EQ(decode_notification(from_hex("06")), (Notification{6, 0, {}}));
}

TEST(NotificationTest, DataThatDoesNotFitIsCut) {
    wire::Writer out;
    encode_notification(out, {3, 9, wire::Bytes(70000)});
    encode_notification(out, {3, 9, wire::Bytes(70000)}, kMaxExtendedMessage);

    EXPECT_EQ(out.size(), kMaxMessage + kMaxExtendedMessage);
}

}  // namespace
}  // namespace steelyard::bgp_wire
