#include "speaker/bgp/discovery/discovery.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <numeric>

namespace steelyard::bgp_discovery {
namespace {

using namespace std::chrono_literals;
using testing::ElementsAre;
using testing::SizeIs;

constexpr Instant kStart = Instant{} + 1h;
const net::MacAddress kMac{{2, 0, 0, 0, 0, 0xaa}};

net::IpAddress ip(const char* text) {
    return net::IpAddress::parse(text).value();
}

wire::Bytes bytes(std::vector<int> values) {
    wire::Bytes out;
    for (const int value : values) {
        out.push_back(static_cast<std::byte>(value));
    }
    return out;
}

wire::Bytes advertisement(std::vector<int> options = {}) {
    std::vector<int> out = {134, 0, 0, 0, 64, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0};
    out.insert(out.end(), options.begin(), options.end());
    return bytes(std::move(out));
}

class DiscoveryTest : public testing::Test {
protected:
    bool hears(const char* source, const wire::Bytes& message = advertisement()) {
        return discovery_.on_packet(message, ip(source), 255, now_);
    }
    std::vector<Packet> due() {
        std::vector<Packet> out;
        discovery_.on_deadline(now_, out);
        return out;
    }

    Instant now_ = kStart;
    Discovery discovery_{{kMac, {ip("fe80::aa")}}, Rng(1), kStart};
};

TEST(RouterMessageTest, EachVectorHasItsVerdict) {
    struct Case {
        const char* name;
        wire::Bytes message;
        const char* source;
        int hop_limit;
        Refusal refusal;
    };
    const std::vector<Case> cases = {
        {"an advertisement", advertisement(), "fe80::1", 255, Refusal::None},
        {"with a link-layer option",
         advertisement({1, 1, 2, 0, 0, 0, 0, 1}),
         "fe80::1",
         255,
         Refusal::None},
        {"with an unknown long option",
         advertisement({99, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0}),
         "fe80::1",
         255,
         Refusal::None},
        {"a solicitation", bytes({133, 0, 0, 0, 0, 0, 0, 0}), "fe80::1", 255, Refusal::None},
        {"a solicitation without address",
         bytes({133, 0, 0, 0, 0, 0, 0, 0}),
         "::",
         255,
         Refusal::None},
        {"from beyond the link", advertisement(), "fe80::1", 254, Refusal::HopLimit},
        {"without a known hop limit", advertisement(), "fe80::1", -1, Refusal::HopLimit},
        {"from a global address", advertisement(), "2001:db8::1", 255, Refusal::Source},
        {"from an IPv4 link-local address", advertisement(), "169.254.0.1", 255, Refusal::Source},
        {"an echo request", bytes({128, 0, 0, 0, 0, 0, 0, 0}), "fe80::1", 255, Refusal::OtherType},
        {"nothing", {}, "fe80::1", 255, Refusal::Malformed},
        {"a cut header", bytes({134, 0, 0}), "fe80::1", 255, Refusal::Malformed},
        {"a cut advertisement",
         bytes({134, 0, 0, 0, 64, 0, 0}),
         "fe80::1",
         255,
         Refusal::Malformed},
        {"a code", bytes({133, 1, 0, 0, 0, 0, 0, 0}), "fe80::1", 255, Refusal::Malformed},
        {"an option of no length",
         advertisement({1, 0, 0, 0, 0, 0, 0, 0}),
         "fe80::1",
         255,
         Refusal::Malformed},
        {"an option beyond the end",
         advertisement({1, 2, 0, 0, 0, 0, 0, 0}),
         "fe80::1",
         255,
         Refusal::Malformed},
        {"half an option", advertisement({1}), "fe80::1", 255, Refusal::Malformed},
    };
    for (const Case& c : cases) {
        EXPECT_EQ(decode(c.message, ip(c.source), c.hop_limit).refusal, c.refusal) << c.name;
    }
}

TEST(RouterMessageTest, WhatWeSendIsValid) {
    const auto advertisement = decode(encode_advertisement(kMac), ip("fe80::1"), 255);
    const auto solicitation = decode(encode_solicitation({}), ip("fe80::1"), 255);

    EXPECT_EQ(advertisement.refusal, Refusal::None);
    EXPECT_EQ(advertisement.type, RouterMessage::Advertisement);
    EXPECT_EQ(solicitation.refusal, Refusal::None);
    EXPECT_EQ(solicitation.type, RouterMessage::Solicitation);
}

TEST(RouterMessageTest, OurAdvertisementMakesNobodyRouteThroughUs) {
    const wire::Bytes sent = encode_advertisement(kMac);

    ASSERT_EQ(sent.size(), 24U);
    EXPECT_EQ(sent[6], std::byte{0});  // router lifetime
    EXPECT_EQ(sent[7], std::byte{0});
}

TEST_F(DiscoveryTest, TheSourceOfAnAdvertisementIsTheNeighbour) {
    EXPECT_TRUE(hears("fe80::1"));
    EXPECT_FALSE(hears("fe80::1"));

    EXPECT_EQ(discovery_.neighbour(), ip("fe80::1"));
}

TEST_F(DiscoveryTest, ASolicitationNamesNoNeighbour) {
    EXPECT_FALSE(hears("fe80::1", encode_solicitation(kMac)));

    EXPECT_FALSE(discovery_.neighbour());
}

TEST_F(DiscoveryTest, OurOwnEchoIsNoNeighbour) {
    EXPECT_FALSE(hears("fe80::aa"));

    EXPECT_FALSE(discovery_.neighbour());
}

TEST_F(DiscoveryTest, WhatIsRefusedIsCountedAndChangesNothing) {
    EXPECT_FALSE(discovery_.on_packet(advertisement(), ip("fe80::1"), 64, now_));

    EXPECT_FALSE(discovery_.neighbour());
    EXPECT_EQ(discovery_.counters().refused[static_cast<std::size_t>(Refusal::HopLimit)], 1U);
}

TEST_F(DiscoveryTest, AnotherRouterIsTakenOnlyWhileNoSessionStands) {
    EXPECT_TRUE(hears("fe80::1"));
    now_ += 3s;
    EXPECT_TRUE(hears("fe80::2"));
    now_ += 3s;
    discovery_.set_in_use(true);
    EXPECT_FALSE(hears("fe80::1"));
    EXPECT_EQ(discovery_.neighbour(), ip("fe80::2"));
    discovery_.set_in_use(false);
    EXPECT_TRUE(hears("fe80::1"));
}

TEST_F(DiscoveryTest, RoutersDoNotTakeEachOthersPlaceAllTheTime) {
    EXPECT_TRUE(hears("fe80::1"));
    EXPECT_FALSE(hears("fe80::2"));
    EXPECT_FALSE(hears("fe80::3"));
    EXPECT_EQ(discovery_.neighbour(), ip("fe80::1"));
    now_ += 2s;
    EXPECT_TRUE(hears("fe80::2"));
}

TEST_F(DiscoveryTest, ARouterThatCalledIsAsGoodAsHeard) {
    discovery_.meet(ip("fe80::1"));
    EXPECT_EQ(discovery_.neighbour(), ip("fe80::1"));
    EXPECT_FALSE(hears("fe80::1"));
    discovery_.meet(ip("fe80::2"));
    EXPECT_EQ(discovery_.neighbour(), ip("fe80::1"));
}

TEST_F(DiscoveryTest, ItAdvertisesAndSolicitsAtOnce) {
    const auto first = due();

    ASSERT_THAT(first, SizeIs(2));
    EXPECT_EQ(first[0].destination, ip("ff02::1"));
    EXPECT_EQ(first[1].destination, ip("ff02::2"));
    EXPECT_THAT(due(), SizeIs(0));
}

TEST_F(DiscoveryTest, ItSolicitsThreeTimesAndAdvertisesOn) {
    std::vector<std::size_t> packets;
    for (int i = 0; i < 5; ++i) {
        packets.push_back(due().size());
        EXPECT_LE(discovery_.next_deadline(), now_ + 3s);
        EXPECT_GE(discovery_.next_deadline(), now_ + 2s);
        now_ = discovery_.next_deadline();
    }
    EXPECT_THAT(packets, ElementsAre(2, 2, 2, 1, 1));
}

TEST_F(DiscoveryTest, ASolicitationIsAnsweredAtOnceButOncePerSecond) {
    (void)due();
    now_ += 1500ms;
    hears("fe80::1", encode_solicitation({}));
    EXPECT_THAT(due(), SizeIs(2));
    now_ += 100ms;
    hears("fe80::1", encode_solicitation({}));
    EXPECT_THAT(due(), SizeIs(0));
    EXPECT_EQ(discovery_.next_deadline(), now_ + 900ms);
}

TEST_F(DiscoveryTest, ItAdvertisesMoreSeldomOnceFound) {
    hears("fe80::1");
    EXPECT_THAT(due(), SizeIs(1));

    EXPECT_GE(discovery_.next_deadline(), now_ + 7s);
    EXPECT_LE(discovery_.next_deadline(), now_ + 10s);
}

}  // namespace
}  // namespace steelyard::bgp_discovery
