#include "speaker/gossip/wire/stream.hpp"

#include "speaker/gossip/wire/lzw.hpp"
#include "speaker/gossip/wire/testing.hpp"

#include <gtest/gtest.h>

namespace steelyard::gossip_wire {
namespace {

PushPull state_of(std::size_t nodes) {
    PushPull out;
    out.join = true;
    for (std::size_t i = 0; i < nodes; ++i) {
        const net::Endpoint address{
            net::IpAddress::v4(0x0a000000U + static_cast<std::uint32_t>(i)), 7946};
        out.nodes.push_back(
            {Alive{1, "node-" + std::to_string(i), address, bytes_of("m"), Versions{}},
             NodeState::Alive}
        );
    }
    out.user_state = bytes_of("user");
    return out;
}

std::vector<Envelope> every_envelope() {
    std::vector<Envelope> out;
    for (unsigned bits = 0; bits < 8; ++bits) {
        Envelope envelope;
        envelope.compress = (bits & 1U) != 0;
        envelope.label = (bits & 2U) != 0 ? "blue" : "";
        if ((bits & 4U) != 0) {
            envelope.keys = KeyRing::make({metallb_key("secret")}).value();
        }
        out.push_back(envelope);
    }
    return out;
}

TEST(StreamTest, AMessageArrivesWholeHoweverItIsCut) {
    const PushPull message = state_of(50);
    for (const Envelope& envelope : every_envelope()) {
        const auto bytes = seal_stream(envelope, encode(message), true, counting_bytes());
        for (const std::size_t step : {std::size_t{1}, std::size_t{7}, bytes.size()}) {
            StreamReader reader(envelope, true);
            std::optional<StreamMessage> got;
            for (std::size_t at = 0; at < bytes.size(); at += step) {
                ASSERT_FALSE(got.has_value());
                auto fed =
                    reader.feed(std::span(bytes).subspan(at, std::min(step, bytes.size() - at)));
                ASSERT_TRUE(fed.has_value()) << to_string(fed.error());
                got = std::move(*fed);
            }
            ASSERT_TRUE(got.has_value());
            EXPECT_EQ(*got, StreamMessage(message));
        }
    }
}

TEST(StreamTest, PingsAcksAndErrorsTravelTheSameWay) {
    const Envelope envelope;
    const std::vector<std::pair<StreamMessage, wire::Bytes>> cases = {
        {Ping{1, "a", std::nullopt, ""}, encode(Ping{1, "a", std::nullopt, ""})},
        {AckResp{2, {}}, encode(AckResp{2, {}})},
        {Err{"no"}, encode(Err{"no"})}};
    for (const auto& [message, bytes] : cases) {
        StreamReader reader(envelope, false);
        const auto got = reader.feed(seal_stream(envelope, bytes, false, counting_bytes()));
        ASSERT_TRUE(got.has_value());
        ASSERT_TRUE(got->has_value());
        EXPECT_EQ(**got, message);
    }
}

TEST(StreamTest, AnEncryptedRingRefusesClearTextAndTheOtherWayRound) {
    Envelope locked;
    locked.keys = KeyRing::make({metallb_key("secret")}).value();
    const Envelope clear;
    const wire::Bytes ping = encode(Ping{1, "a", std::nullopt, ""});
    StreamReader first(locked, true);
    StreamReader second(clear, true);

    EXPECT_FALSE(first.feed(seal_stream(clear, ping, true, counting_bytes())).has_value());
    EXPECT_FALSE(second.feed(seal_stream(locked, ping, true, counting_bytes())).has_value());
}

TEST(StreamTest, AClaimBeyondTheLimitIsRefusedBeforeTheBytesCome) {
    Envelope locked;
    locked.keys = KeyRing::make({metallb_key("secret")}).value();
    StreamReader reader(locked, true);

    EXPECT_FALSE(reader.feed(from_hex("0aff000000")).has_value());
}

TEST(StreamTest, MoreBytesThanTheLimitAreRefused) {
    Envelope envelope;
    envelope.max_stream = 1000;
    StreamReader reader(envelope, true);
    const wire::Bytes claim = from_hex("0983a3427566dbffffffff");

    EXPECT_TRUE(reader.feed(claim).has_value());
    EXPECT_FALSE(reader.feed(wire::Bytes(1000)).has_value());
}

TEST(StreamTest, ACompressedBombIsRefused) {
    Envelope envelope;
    envelope.max_stream_plain = 1 << 16;
    StreamReader reader(envelope, true);

    EXPECT_FALSE(reader.feed(encode_compress(lzw_compress(wire::Bytes(1 << 20)))).has_value());
}

TEST(StreamTest, ASealedMessageThatEndsEarlyIsRefused) {
    Envelope locked;
    locked.keys = KeyRing::make({metallb_key("secret")}).value();
    wire::Bytes message = encode(state_of(3));
    message.resize(message.size() / 2);
    StreamReader reader(locked, true);

    EXPECT_FALSE(reader.feed(seal_stream(locked, message, true, counting_bytes())).has_value());
}

TEST(StreamTest, TooManyNodesAreRefusedByTheirCount) {
    Envelope envelope;
    envelope.compress = false;
    StreamReader reader(envelope, true);

    // {"Nodes": 2^31, "UserStateLen": 0, "Join": false}
    EXPECT_FALSE(reader
                     .feed(from_hex("0683a54e6f646573ce80000000ac5573657253746174654c656e00a44a6f69"
                                    "6ec2"))
                     .has_value());
}

}  // namespace
}  // namespace steelyard::gossip_wire
