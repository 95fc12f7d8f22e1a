#include "speaker/bgp/wire/update_pack.hpp"

#include "speaker/bgp/wire/samples.hpp"

#include <gtest/gtest.h>

namespace steelyard::bgp_wire {
namespace {

constexpr std::string_view kMarker = "ffffffffffffffffffffffffffffffff";

net::Prefix prefix(std::string_view text) {
    return net::Prefix::parse(text).value();
}

net::IpAddress address(std::string_view text) {
    return net::IpAddress::parse(text).value();
}

PathAttributes plain() {
    PathAttributes out;
    out.as_path = {64512};
    out.next_hop = address("10.0.0.1");
    return out;
}

std::string packed(UpdatePacker packer, const std::vector<net::Prefix>& prefixes) {
    return to_hex(pack_all(packer, prefixes));
}

std::vector<net::Prefix> hosts(std::size_t count) {
    std::vector<net::Prefix> out;
    for (std::size_t i = 0; i < count; ++i) {
        out.emplace_back(address("10.0.0.0").plus(i), 32);
    }
    return out;
}

TEST(UpdatePackTest, AClassicUpdateHasItsOctets) {
    const UpdatePacker packer(net::Family::V4, plain(), Nlri::Classic, kMaxMessage);

    EXPECT_EQ(
        packed(packer, {prefix("192.0.2.1/32"), prefix("198.51.100.0/22"), prefix("0.0.0.0/0")}),
        std::string(kMarker) + "003502" + "0000" + "0014" + "40010100" + "4002060201" + "0000fc00" +
            "4003040a000001" + "20c0000201" + "16c63364" + "00"
    );
}

TEST(UpdatePackTest, MpReachComesFirst) {
    PathAttributes attributes = plain();
    attributes.next_hop = address("2001:db8::1");
    attributes.next_hop_link_local = address("fe80::1");
    const UpdatePacker packer(net::Family::V6, attributes, Nlri::Multiprotocol, kMaxMessage);

    EXPECT_EQ(
        packed(packer, {prefix("2001:db8:1::/48")}),
        std::string(kMarker) + "005402" + "0000" + "003d" + "900e002c" + "000201" + "20" +
            "20010db8000000000000000000000001" + "fe800000000000000000000000000001" + "00" +
            "3020010db80001" + "40010100" + "4002060201" + "0000fc00"
    );
}

TEST(UpdatePackTest, Ipv4GoesOverAnIpv6NextHop) {
    PathAttributes attributes = plain();
    attributes.next_hop = address("fe80::1");
    const UpdatePacker packer(net::Family::V4, attributes, Nlri::Multiprotocol, kMaxMessage);

    EXPECT_EQ(
        packed(packer, {prefix("192.0.2.1/32")}),
        std::string(kMarker) + "004202" + "0000" + "002b" + "900e001a" + "000101" + "10" +
            "fe800000000000000000000000000001" + "00" + "20c0000201" + "40010100" + "4002060201" +
            "0000fc00"
    );
}

TEST(UpdatePackTest, MultiprotocolIpv4KeepsAnIpv4NextHop) {
    UpdatePacker packer(net::Family::V4, plain(), Nlri::Multiprotocol, kMaxMessage);
    const auto read = read_update(split_messages(pack_all(packer, hosts(1))).at(0).body);

    EXPECT_EQ(read.attributes.next_hop, address("10.0.0.1"));
    EXPECT_EQ(read.types, (std::vector<std::uint8_t>{14, 1, 2}));
}

TEST(UpdatePackTest, AnIpv6RouteOverAnIpv4NextHopTakesTheMappedForm) {
    UpdatePacker packer(net::Family::V6, plain(), Nlri::Multiprotocol, kMaxMessage);

    EXPECT_NE(
        to_hex(pack_all(packer, {prefix("2001:db8::/32")}))
            .find("00000000000000000000ffff0a000001"),
        std::string::npos
    );
}

TEST(UpdatePackTest, EveryAttributeHasItsOctets) {
    PathAttributes attributes = plain();
    attributes.med = 5;
    attributes.local_pref = 100;
    attributes.communities = {0xffff0000, 0x00010002};
    attributes.extended = {{{0x40, 0x04, 0xfc, 0x00, 0x41, 0x20, 0x00, 0x00}}};
    attributes.large = {{64512, 1, 2}};
    attributes.only_to_customer = 64512;
    wire::Writer out;
    encode_attributes(out, attributes, NextHopIn::Attribute);

    EXPECT_EQ(
        to_hex(out.view()),
        "40010100"
        "40020602010000fc00"
        "4003040a000001"
        "80040400000005"
        "40050400000064"
        "c00808ffff000000010002"
        "c010084004fc0041200000"
        "c0200c0000fc000000000100000002"
        "c023040000fc00"
    );
}

TEST(UpdatePackTest, AnOldSpeakerGetsAsTransAndTheTruthBesideIt) {
    PathAttributes attributes;
    attributes.as4 = false;
    attributes.as_path = {64512, 4200000001};
    wire::Writer out;
    encode_attributes(out, attributes, NextHopIn::MpReach);

    EXPECT_EQ(
        to_hex(out.view()),
        "40010100"
        "4002060202fc005ba0"
        "c0110a02020000fc00fa56ea01"
    );
}

TEST(UpdatePackTest, AnOldSpeakerGetsNoAs4PathWithoutNeed) {
    PathAttributes attributes;
    attributes.as4 = false;
    attributes.as_path = {64512};
    wire::Writer out;
    encode_attributes(out, attributes, NextHopIn::MpReach);

    EXPECT_EQ(
        to_hex(out.view()),
        "40010100"
        "4002040201fc00"
    );
}

TEST(UpdatePackTest, LongAttributesTakeTheExtendedLength) {
    PathAttributes attributes;
    attributes.communities.assign(64, 7);
    attributes.as_path.assign(256, 64512);
    wire::Writer out;
    encode_attributes(out, attributes, NextHopIn::MpReach);
    const std::string hex = to_hex(out.view());

    EXPECT_EQ(
        hex.substr(8, 12),
        "50020404"
        "02ff"
    );  // two segments: 255 and 1
    EXPECT_NE(hex.find("d0080100"), std::string::npos);
}

TEST(UpdatePackTest, EightHundredAndTenHostRoutesFillAMessage) {
    UpdatePacker packer(net::Family::V4, plain(), Nlri::Classic, kMaxMessage);
    const auto messages = split_messages(pack_all(packer, hosts(8100)));

    EXPECT_EQ(messages.size(), 10U);
    for (const Message& message : messages) {
        EXPECT_EQ(read_update(message.body).announced.size(), 810U);
        EXPECT_LE(message.body.size() + kHeaderSize, kMaxMessage);
    }
}

TEST(UpdatePackTest, ExtendedMessagesAreFilledToo) {
    UpdatePacker packer(net::Family::V4, plain(), Nlri::Classic, kMaxExtendedMessage);
    const auto stream = pack_all(packer, hosts(13098 * 2));

    EXPECT_EQ(split_messages(stream).size(), 2U);
}

TEST(UpdatePackTest, AnIpv4WithdrawalHasItsOctets) {
    WithdrawalPacker packer(net::Family::V4, Nlri::Classic, kMaxMessage);
    wire::Writer out;
    EXPECT_TRUE(packer.add(prefix("192.0.2.1/32")));
    packer.finish(out);

    EXPECT_EQ(to_hex(out.view()), std::string(kMarker) + "001c02" + "0005" + "20c0000201" + "0000");
    EXPECT_TRUE(packer.empty());
}

TEST(UpdatePackTest, AnIpv6WithdrawalHasItsOctets) {
    WithdrawalPacker packer(net::Family::V6, Nlri::Multiprotocol, kMaxMessage);
    wire::Writer out;
    EXPECT_TRUE(packer.add(prefix("2001:db8::/32")));
    packer.finish(out);

    EXPECT_EQ(
        to_hex(out.view()),
        std::string(kMarker) + "002302" + "0000" + "000c" + "900f0008" + "000201" + "2020010db8"
    );
}

TEST(UpdatePackTest, WithdrawalsAreSplitWhereAMessageIsFull) {
    for (const Nlri nlri : {Nlri::Classic, Nlri::Multiprotocol}) {
        WithdrawalPacker packer(net::Family::V4, nlri, kMaxMessage);
        wire::Writer out;
        const auto prefixes = hosts(3000);
        for (const net::Prefix& each : prefixes) {
            if (!packer.add(each)) {
                packer.finish(out);
                ASSERT_TRUE(packer.add(each));
            }
        }
        packer.finish(out);

        std::vector<net::Prefix> back;
        for (const Message& message : split_messages(out.view())) {
            EXPECT_LE(message.body.size() + kHeaderSize, kMaxMessage);
            const auto read = read_update(message.body);
            back.insert(back.end(), read.withdrawn.begin(), read.withdrawn.end());
        }
        EXPECT_EQ(back, prefixes);
    }
}

TEST(UpdatePackTest, EndOfRibHasItsOctets) {
    wire::Writer out;
    encode_end_of_rib(out, net::Family::V4);
    encode_end_of_rib(out, net::Family::V6);

    EXPECT_EQ(
        to_hex(out.view()),
        std::string(kMarker) + "00170200000000" + std::string(kMarker) + "001e02" + "0000" +
            "0007" + "900f0003" + "000201"
    );
}

TEST(UpdatePackTest, AttributesThatLeaveNoRoomAreSaid) {
    PathAttributes attributes = plain();
    attributes.communities.assign(1012, 7);  // 4048 octets
    for (const Nlri nlri : {Nlri::Classic, Nlri::Multiprotocol}) {
        UpdatePacker packer(net::Family::V4, attributes, nlri, kMaxMessage);
        EXPECT_FALSE(packer.usable());
        EXPECT_FALSE(packer.add(prefix("192.0.2.1/32")));
        EXPECT_TRUE(UpdatePacker(net::Family::V4, attributes, nlri, kMaxExtendedMessage).usable());
    }
    attributes.communities.assign(40000, 7);
    UpdatePacker packer(net::Family::V4, attributes, Nlri::Classic, kMaxExtendedMessage);
    EXPECT_FALSE(packer.usable());
    EXPECT_FALSE(packer.add(prefix("192.0.2.1/32")));
}

// Each 255 AS numbers cost two octets more: before the message is full, so is the length field.
TEST(UpdatePackTest, APathThatFillsAnExtendedMessageLeavesNoRoom) {
    const auto usable = [](std::size_t hops) {
        PathAttributes attributes = plain();
        attributes.as_path.assign(hops, 64'512);
        return UpdatePacker(net::Family::V4, attributes, Nlri::Classic, kMaxExtendedMessage)
            .usable();
    };

    EXPECT_TRUE(usable(16'300));
    for (std::size_t hops = 16'345; hops < 16'400; ++hops) {
        EXPECT_FALSE(usable(hops)) << hops;
    }
}

TEST(UpdatePackTest, TheLastRoomIsUsedAndNoMore) {
    for (std::size_t communities = 0; communities < 1010; ++communities) {
        PathAttributes attributes = plain();
        attributes.communities.assign(communities, 7);
        for (const Nlri nlri : {Nlri::Classic, Nlri::Multiprotocol}) {
            UpdatePacker packer(net::Family::V4, attributes, nlri, kMaxMessage);
            if (!packer.usable()) {
                continue;
            }
            while (packer.add(prefix("192.0.2.1/32"))) {
            }
            wire::Writer out;
            packer.finish(out);

            EXPECT_LE(out.size(), kMaxMessage);
            EXPECT_GT(out.size(), kMaxMessage - 5);
            ASSERT_EQ(split_messages(out.view()).size(), 1U);
        }
    }
}

}  // namespace
}  // namespace steelyard::bgp_wire
