#include "common/wire/testing.hpp"
#include "speaker/l2/arp.hpp"
#include "speaker/l2/ndp.hpp"

#include <gtest/gtest.h>

namespace steelyard::l2 {
namespace {

using wire::Bytes;
using wire::from_hex;

net::IpAddress ip(std::string_view text) {
    return net::IpAddress::parse(text).value();
}

net::MacAddress mac(std::string_view text) {
    return net::MacAddress::parse(text).value();
}

Bytes copy(const Frame& frame) {
    return {frame.view().begin(), frame.view().end()};
}

const net::MacAddress kAsker = mac("02:00:00:00:00:01");
const net::MacAddress kOurs = mac("02:00:00:00:00:aa");

ArpPacket request() {
    return {
        net::MacAddress::broadcast(),
        kAsker,
        ArpOperation::Request,
        kAsker,
        ip("192.0.2.1"),
        {},
        ip("192.0.2.10")};
}

NdpPacket solicitation() {
    NdpPacket packet;
    packet.frame_destination = multicast_mac(solicited_node_group(ip("2001:db8::10")));
    packet.frame_source = kAsker;
    packet.source = ip("2001:db8::1");
    packet.destination = solicited_node_group(ip("2001:db8::10"));
    packet.type = NdpType::Solicitation;
    packet.target = ip("2001:db8::10");
    packet.link_layer = kAsker;
    return packet;
}

TEST(ArpCodecTest, ReadsARequestAndIgnoresPadding) {
    const Bytes frame = from_hex(
        "ffffffffffff 020000000001 0806 0001 0800 06 04 0001"
        "020000000001 c0000201 000000000000 c000020a 000000000000000000"
    );

    EXPECT_EQ(decode_arp(frame), request());
}

TEST(ArpCodecTest, EncodesWhatItDecodes) {
    for (const ArpPacket& packet :
         {request(),
          arp_reply(kOurs, ip("192.0.2.10"), request()),
          gratuitous_arp(ArpOperation::Reply, kOurs, ip("192.0.2.10")),
          arp_probe(kOurs, ip("192.0.2.10"))}) {
        EXPECT_EQ(decode_arp(encode_arp(packet).view()), packet);
    }
}

TEST(ArpCodecTest, AReplyGoesToTheAskerAlone) {
    const ArpPacket reply = arp_reply(kOurs, ip("192.0.2.10"), request());

    EXPECT_EQ(reply.frame_destination, kAsker);
    EXPECT_EQ(reply.sender_mac, kOurs);
    EXPECT_EQ(reply.sender_ip, ip("192.0.2.10"));
    EXPECT_EQ(reply.target_ip, ip("192.0.2.1"));
}

TEST(ArpCodecTest, GratuitousFormsNameTheAddressTwiceAndAreBroadcast) {
    const ArpPacket packet = gratuitous_arp(ArpOperation::Request, kOurs, ip("192.0.2.10"));

    EXPECT_EQ(packet.frame_destination, net::MacAddress::broadcast());
    EXPECT_EQ(packet.sender_ip, packet.target_ip);
    EXPECT_EQ(packet.target_mac, net::MacAddress::broadcast());
}

TEST(ArpCodecTest, AProbeClaimsNothing) {
    EXPECT_TRUE(arp_probe(kOurs, ip("192.0.2.10")).sender_ip.is_unspecified());
}

TEST(ArpCodecTest, RefusesEveryTruncation) {
    const Bytes whole = copy(encode_arp(request()));
    for (std::size_t size = 0; size < whole.size(); ++size) {
        EXPECT_FALSE(decode_arp(std::span(whole).first(size))) << size;
    }
}

TEST(ArpCodecTest, RefusesOtherHardwareProtocolsLengthsAndOperations) {
    for (const std::size_t offset : {12U, 15U, 16U, 18U, 19U, 20U, 21U}) {
        Bytes frame = copy(encode_arp(request()));
        frame[offset] = std::byte{9};
        EXPECT_FALSE(decode_arp(frame)) << offset;
    }
}

TEST(NdpCodecTest, EncodesWhatItDecodes) {
    NdpPacket bare = solicitation();
    bare.link_layer.reset();
    for (const NdpPacket& packet :
         {solicitation(),
          bare,
          solicited_advertisement(kOurs, solicitation()),
          unsolicited_advertisement(kOurs, ip("2001:db8::10"), all_nodes())}) {
        EXPECT_EQ(decode_ndp(encode_ndp(packet).view()), packet);
    }
}

// Laid out as the Linux kernel sends it; the checksum comes from an independent program.
TEST(NdpCodecTest, ReadsASolicitationWrittenByHand) {
    const Bytes frame = from_hex(
        "3333ff000010 020000000001 86dd 60000000 0020 3a ff"
        "20010db8000000000000000000000001 ff0200000000000000000001ff000010"
        "87 00 1c0b 00000000 20010db8000000000000000000000010 01 01 020000000001"
    );

    const auto packet = decode_ndp(frame);

    ASSERT_TRUE(packet);
    EXPECT_EQ(*packet, solicitation());
}

TEST(NdpCodecTest, RefusesEveryTruncation) {
    const Bytes whole = copy(encode_ndp(solicitation()));
    for (std::size_t size = 0; size < whole.size(); ++size) {
        EXPECT_FALSE(decode_ndp(std::span(whole).first(size))) << size;
    }
}

TEST(NdpCodecTest, RefusesAnyFlippedBitBehindTheEthernetHeader) {
    const Bytes whole = copy(encode_ndp(solicitation()));
    for (std::size_t offset = 14; offset < whole.size(); ++offset) {
        if (offset >= 14 && offset < 18) {
            continue;  // traffic class and flow label are nobody's business
        }
        Bytes frame = whole;
        frame[offset] ^= std::byte{0x10};
        EXPECT_FALSE(decode_ndp(frame)) << offset;
    }
}

TEST(NdpCodecTest, RefusesWhatCameThroughARouter) {
    Bytes frame = copy(encode_ndp(solicitation()));
    frame[21] = std::byte{254};  // not part of the checksum
    EXPECT_FALSE(decode_ndp(frame));
}

TEST(NdpCodecTest, RefusesAnUnspecifiedSourceWithALinkLayerOption) {
    NdpPacket packet = solicitation();
    packet.source = ip("::");
    EXPECT_FALSE(decode_ndp(encode_ndp(packet).view()));

    packet.link_layer.reset();
    EXPECT_TRUE(decode_ndp(encode_ndp(packet).view()));
}

TEST(NdpCodecTest, RefusesAMulticastTarget) {
    NdpPacket packet = solicitation();
    packet.target = ip("ff02::1");
    EXPECT_FALSE(decode_ndp(encode_ndp(packet).view()));
}

TEST(NdpCodecTest, AnswersAProbeToAllNodesUnsolicited) {
    NdpPacket probe = solicitation();
    probe.source = ip("::");
    probe.link_layer.reset();

    const NdpPacket reply = solicited_advertisement(kOurs, probe);

    EXPECT_EQ(reply.destination, ip("ff02::1"));
    EXPECT_EQ(reply.frame_destination, mac("33:33:00:00:00:01"));
    EXPECT_FALSE(reply.solicited);
    EXPECT_TRUE(reply.override_cache);
}

TEST(NdpCodecTest, AnswersWithoutAnOptionToTheFramesSource) {
    NdpPacket bare = solicitation();
    bare.link_layer.reset();

    const NdpPacket reply = solicited_advertisement(kOurs, bare);

    EXPECT_EQ(reply.frame_destination, kAsker);
    EXPECT_EQ(reply.destination, ip("2001:db8::1"));
    EXPECT_TRUE(reply.solicited);
}

TEST(NdpCodecTest, SolicitedNodeGroupTakesTheLast24Bits) {
    EXPECT_EQ(solicited_node_group(ip("2001:db8::12:3456")), ip("ff02::1:ff12:3456"));
    EXPECT_EQ(multicast_mac(ip("ff02::1:ff12:3456")), mac("33:33:ff:12:34:56"));
}

}  // namespace
}  // namespace steelyard::l2
