#include "speaker/gossip/wire/packet.hpp"

#include "speaker/gossip/wire/lzw.hpp"
#include "speaker/gossip/wire/testing.hpp"

#include <gtest/gtest.h>

namespace steelyard::gossip_wire {
namespace {

Envelope encrypted() {
    Envelope envelope;
    envelope.label = "blue";
    envelope.keys = KeyRing::make({metallb_key("secret")}).value();
    return envelope;
}

std::vector<wire::Bytes> some_messages(std::size_t count) {
    std::vector<wire::Bytes> out;
    for (std::size_t i = 0; i < count; ++i) {
        out.push_back(encode(Suspect{static_cast<std::uint32_t>(i), "node-a", "node-b"}));
    }
    return out;
}

wire::Bytes only(const std::vector<wire::Bytes>& packets) {
    EXPECT_EQ(packets.size(), 1U);
    return packets.empty() ? wire::Bytes() : packets.front();
}

TEST(PacketTest, WhatIsSealedOpensUnderEveryCombinationOfWrappers) {
    for (unsigned bits = 0; bits < 16; ++bits) {
        SCOPED_TRACE(bits);
        Envelope envelope = (bits & 1U) != 0 ? encrypted() : Envelope();
        envelope.label = (bits & 2U) != 0 ? "blue" : "";
        envelope.compress = (bits & 4U) != 0;
        for (const std::size_t count : {1U, 2U, 40U}) {
            const auto messages = some_messages(count);

            const auto packet =
                only(seal_packets(envelope, messages, (bits & 8U) != 0, counting_bytes()));
            const auto opened = open_packet(envelope, packet);

            ASSERT_TRUE(opened.has_value()) << to_string(opened.error());
            ASSERT_EQ(opened->messages.size(), count);
            EXPECT_EQ(opened->messages.back(), *decode_packet_message(messages.back()));
            EXPECT_TRUE(opened->refused.empty());
        }
    }
}

TEST(PacketTest, MoreThanACompoundHoldsBecomesSeveralPackets) {
    const auto packets = seal_packets(Envelope(), some_messages(300), false, counting_bytes());

    EXPECT_EQ(packets.size(), 2U);
}

TEST(PacketTest, AnotherLabelKeyOrNoEncryptionIsRefused) {
    const auto packet = only(seal_packets(encrypted(), some_messages(1), false, counting_bytes()));
    Envelope other_label = encrypted();
    other_label.label = "green";
    Envelope other_key = encrypted();
    other_key.keys = KeyRing::make({metallb_key("other")}).value();
    Envelope clear;
    clear.label = "blue";

    EXPECT_FALSE(open_packet(other_label, packet).has_value());
    EXPECT_FALSE(open_packet(other_key, packet).has_value());
    const auto plain = only(seal_packets(clear, some_messages(1), false, counting_bytes()));
    EXPECT_FALSE(open_packet(encrypted(), plain).has_value());
}

TEST(PacketTest, AWrongChecksumIsRefused) {
    wire::Bytes packet = only(seal_packets(Envelope(), some_messages(1), true, counting_bytes()));
    packet.back() ^= std::byte{1};

    EXPECT_FALSE(open_packet(Envelope(), packet).has_value());
}

TEST(PacketTest, ABadMessageInAGoodCompoundCostsOnlyItself) {
    auto messages = some_messages(2);
    messages.insert(messages.begin() + 1, from_hex("0b81a55365714e6fff"));

    const auto opened =
        open_packet(Envelope(), only(seal_packets(Envelope(), messages, false, counting_bytes())));

    ASSERT_TRUE(opened.has_value());
    EXPECT_EQ(opened->messages.size(), 2U);
    EXPECT_EQ(opened->refused.size(), 1U);
}

TEST(PacketTest, LiesAboutCompoundsAreRefused) {
    for (const char* hex :
         {"07", "07ff", "0701", "070100", "07010005", "0702000100010b", "07010000"}) {
        EXPECT_FALSE(open_packet(Envelope(), from_hex(hex)).has_value()) << hex;
    }
}

TEST(PacketTest, ADecompressionBombIsRefused) {
    wire::Bytes bomb = encode_compress(lzw_compress(wire::Bytes(4 << 20)));

    EXPECT_FALSE(open_packet(Envelope(), bomb).has_value());
}

TEST(PacketTest, WrappersNestedTooDeepAreRefused) {
    wire::Bytes packet = encode(NackResp{1});
    for (int i = 0; i < 8; ++i) {
        packet = encode_compress(lzw_compress(packet));
    }

    EXPECT_FALSE(open_packet(Envelope(), packet).has_value());
}

TEST(PacketTest, ManyMessagesInNestedCompoundsAreRefused) {
    // 255 compounds of 255 nacks each: about 300 kB of plain text would be 65 025 messages.
    wire::Bytes nack = from_hex("0b80");
    const auto wrap = [](const wire::Bytes& part) {
        wire::Bytes out = from_hex("07ff");
        for (int i = 0; i < 255; ++i) {
            out.push_back(static_cast<std::byte>(part.size() >> 8U));
            out.push_back(static_cast<std::byte>(part.size() & 0xffU));
        }
        for (int i = 0; i < 255; ++i) {
            out.insert(out.end(), part.begin(), part.end());
        }
        return out;
    };

    EXPECT_FALSE(open_packet(Envelope(), wrap(wrap(nack))).has_value());
}

TEST(PacketTest, LabelHeadersThatLieAreRefused) {
    for (const char* hex : {"f4", "f400", "f40562", "f404626c7565"}) {
        EXPECT_FALSE(open_packet(encrypted(), from_hex(hex)).has_value()) << hex;
    }
}

TEST(PacketTest, TheChecksumIsIeee) {
    EXPECT_EQ(crc32(bytes_of("123456789")), 0xcbf43926U);
}

}  // namespace
}  // namespace steelyard::gossip_wire
