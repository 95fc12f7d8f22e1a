#include "speaker/ring/wire.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <vector>

namespace steelyard::ring {
namespace {

std::vector<Body> all_bodies() {
    WatcherSet three;
    three.count = 3;
    three.ids = {NodeId{1}, NodeId{2}, NodeId{0xffffffffffffffffULL}};
    WatcherSet most;
    most.count = kMaxWatchers;
    most.ids.fill(NodeId{0x0102030405060708ULL});
    return {
        {View::None, Heartbeat{}},
        {View::Heard, Heartbeat{three}},
        {View::Silent, Heartbeat{most}},
        {View::Unreachable, Probe{0xdeadbeef}},
        {View::Heard, Answer{7, true}},
        {View::Heard, Answer{0, false}},
        {View::None, Opinion{NodeId{9}, true}},
        {View::None, Opinion{NodeId{9}, false}},
        {View::None, Verdict{NodeId{9}, true}},
        {View::None, Verdict{NodeId{9}, false}},
        {View::None, Released{}},
        {View::None, Leaving{}},
    };
}

std::vector<std::byte> bytes_of(const Body& body) {
    std::array<std::byte, kMaxBody> out{};
    const std::size_t size = encode(body, out);
    return {out.begin(), out.begin() + static_cast<std::ptrdiff_t>(size)};
}

TEST(RingWireTest, EveryMessageRoundTrips) {
    for (const Body& body : all_bodies()) {
        const auto decoded = decode_body(bytes_of(body));
        ASSERT_TRUE(decoded.has_value()) << body.message.index();
        EXPECT_EQ(*decoded, body);
    }
}

TEST(RingWireTest, AnyMissingOrExtraByteIsRefused) {
    for (const Body& body : all_bodies()) {
        std::vector<std::byte> bytes = bytes_of(body);
        for (std::size_t size = 0; size < bytes.size(); ++size) {
            EXPECT_FALSE(decode_body(std::span(bytes).first(size)).has_value());
        }
        bytes.push_back(std::byte{0});
        EXPECT_FALSE(decode_body(bytes).has_value());
    }
}

TEST(RingWireTest, ValuesWithoutMeaningAreRefused) {
    const auto refused = [](std::vector<unsigned> values) {
        std::vector<std::byte> bytes;
        for (const unsigned value : values) {
            bytes.push_back(static_cast<std::byte>(value));
        }
        return !decode_body(bytes).has_value();
    };
    EXPECT_TRUE(refused({7, 0}));                                // no such type
    EXPECT_TRUE(refused({5, 4}));                                // no such view
    EXPECT_TRUE(refused({2, 0, 0, 0, 0, 0, 2}));                 // a flag is 0 or 1
    EXPECT_TRUE(refused({3, 0, 0, 0, 0, 0, 0, 0, 0, 9, 0x80}));  // likewise
    EXPECT_TRUE(refused({0, 0, kMaxWatchers + 1}));              // too many watchers
}

TEST(RingWireTest, AHeaderNeedsItsVersionAndSize) {
    std::vector<std::byte> packet(kMaxPacket + 1);
    encode(Header{NodeId{5}, 6}, std::span(packet).first<kHeader>());

    const Header expected{NodeId{5}, 6};
    EXPECT_EQ(*decode_header(std::span(packet).first(kHeader + kTag)), expected);
    EXPECT_EQ(*decode_header(std::span(packet).first(kMaxPacket)), expected);
    EXPECT_EQ(
        decode_header(std::span(packet).first(kHeader + kTag - 1)).error().context,
        "ring packet: 32 bytes, accepted are 33 to 92"
    );
    EXPECT_FALSE(decode_header(packet).has_value());
    packet[0] = std::byte{2};
    EXPECT_EQ(
        decode_header(std::span(packet).first(60)).error().context,
        "ring packet: version 2, accepted is 1"
    );
}

TEST(RingWireTest, MostOfTheWatchersMakeAQuorum) {
    WatcherSet set;
    const std::vector<unsigned> expected = {1, 1, 2, 2, 3, 3, 4, 4};
    for (std::uint8_t count = 1; count <= kMaxWatchers; ++count) {
        set.count = count;
        EXPECT_EQ(set.quorum(), expected[count]) << unsigned{count};
    }
}

}  // namespace
}  // namespace steelyard::ring
