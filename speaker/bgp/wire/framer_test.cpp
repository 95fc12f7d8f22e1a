#include "speaker/bgp/wire/framer.hpp"

#include "speaker/bgp/wire/testing.hpp"

#include <gtest/gtest.h>

namespace steelyard::bgp_wire {
namespace {

constexpr std::string_view kMarker = "ffffffffffffffffffffffffffffffff";

wire::Bytes message(std::string_view rest) {
    return from_hex(std::string(kMarker) + std::string(rest));
}

// What the framer says about these bytes alone.
std::variant<NeedMore, Frame, Notification> judge(
    std::span<const std::byte> bytes, std::size_t max_message = kMaxMessage
) {
    static Framer framer;
    framer = Framer();
    framer.push(bytes);
    return framer.next(max_message);
}

struct Refused {
    std::string_view name;
    std::string_view after_marker;
    Notification expected;
};

TEST(FramerTest, AKeepaliveIsNineteenOctets) {
    wire::Writer out;
    encode_keepalive(out);

    EXPECT_EQ(to_hex(out.view()), std::string(kMarker) + "001304");
}

TEST(FramerTest, HeadersThatMakeNoSenseAreAnsweredBySubcodeAndData) {
    const auto length = [](std::string_view hex) {
        return Notification{1, 2, from_hex(hex)};
    };
    const Refused cases[] = {
        {"length 0", "000002", length("0000")},
        {"length 18", "001204", length("0012")},
        {"length 4097", "100102", length("1001")},
        {"length 65535", "ffff02", length("ffff")},
        {"OPEN of 28", "001c01", length("001c")},
        {"UPDATE of 22", "001602", length("0016")},
        {"NOTIFICATION of 20", "001403", length("0014")},
        {"KEEPALIVE of 20", "001404", length("0014")},
        {"ROUTE-REFRESH of 22", "001605", length("0016")},
        {"type 0", "001300", {1, 3, from_hex("00")}},
        {"type 6", "001306", {1, 3, from_hex("06")}},
        {"type 255", "0013ff", {1, 3, from_hex("ff")}},
        {"length before type", "001200", length("0012")},
    };
    for (const Refused& test : cases) {
        const auto bytes = message(test.after_marker);
        const auto outcome = judge(bytes);

        const auto* refused = std::get_if<Notification>(&outcome);
        ASSERT_NE(refused, nullptr) << test.name;
        EXPECT_EQ(*refused, test.expected) << test.name;
    }
}

TEST(FramerTest, AWrongMarkerIsNoticedAtItsFirstOctet) {
    const auto outcome = judge(bytes_of("GET / HTTP/1.1"));

    const auto* refused = std::get_if<Notification>(&outcome);
    ASSERT_NE(refused, nullptr);
    EXPECT_EQ(*refused, make_notification(HeaderError::ConnectionNotSynchronized));
    EXPECT_TRUE(std::holds_alternative<Notification>(judge(from_hex("fffffffe"))));
}

TEST(FramerTest, ExtendedMessagesAreTakenOnceNegotiatedButNeverForOpen) {
    const auto update = message("100102" + std::string(std::size_t{4097 - 19} * 2, '0'));

    const auto outcome = judge(update, kMaxExtendedMessage);

    ASSERT_TRUE(std::holds_alternative<Frame>(outcome));
    EXPECT_EQ(std::get<Frame>(outcome).body.size(), 4097U - 19U);
    EXPECT_TRUE(std::holds_alternative<Notification>(judge(message("100101"), kMaxExtendedMessage))
    );
}

TEST(FramerTest, ARefusalIsFinal) {
    Framer framer;
    framer.push(message("001300"));
    const auto first = framer.next(kMaxMessage);
    framer.push(message("001304"));

    EXPECT_TRUE(std::holds_alternative<Notification>(first));
    EXPECT_TRUE(std::holds_alternative<Notification>(framer.next(kMaxMessage)));
    EXPECT_EQ(framer.held(), 0U);
}

TEST(FramerTest, AStreamCutAnywhereGivesTheSameMessages) {
    wire::Writer stream;
    encode_keepalive(stream);
    encode_notification(stream, hold_timer_expired());
    encode_keepalive(stream);
    const auto whole = split_messages(stream.view());

    for (std::size_t step = 1; step <= stream.size(); ++step) {
        Framer framer;
        std::vector<MessageType> types;
        for (std::size_t at = 0; at < stream.size(); at += step) {
            const auto piece = std::span(stream.view()).subspan(at);
            framer.push(piece.first(std::min(step, piece.size())));
            while (true) {
                const auto next = framer.next(kMaxMessage);
                const auto* frame = std::get_if<Frame>(&next);
                if (frame == nullptr) {
                    EXPECT_TRUE(std::holds_alternative<NeedMore>(next));
                    break;
                }
                types.push_back(frame->type);
            }
        }
        EXPECT_EQ(types.size(), whole.size()) << step;
        EXPECT_EQ(framer.held(), 0U) << step;
    }
}

TEST(FramerTest, WhatIsHandedOutIsNotHeld) {
    Framer framer;
    for (int i = 0; i < 1000; ++i) {
        framer.push(message("001304"));
        ASSERT_TRUE(std::holds_alternative<Frame>(framer.next(kMaxMessage)));
        ASSERT_EQ(framer.held(), 0U);
    }
}

}  // namespace
}  // namespace steelyard::bgp_wire
