#include "speaker/l2/station.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace steelyard::l2 {
namespace {

using namespace std::chrono_literals;
using testing::IsEmpty;
using testing::SizeIs;

net::IpAddress ip(std::string_view text) {
    return net::IpAddress::parse(text).value();
}

net::MacAddress mac(std::string_view text) {
    return net::MacAddress::parse(text).value();
}

const net::MacAddress kAsker = mac("02:00:00:00:00:01");
const net::MacAddress kOurs = mac("02:00:00:00:00:aa");
const net::MacAddress kOther = mac("02:00:00:00:00:bb");
const Instant kNow{};

class ResponderTest : public testing::Test {
protected:
    ResponderTest() {
        station_.set_ports({{1, "eth0", kOurs, true, true}, {2, "eth1", kOther, true, true}}, kNow);
        announce(Announcements{
            {ip("192.0.2.10"), {}},
            {ip("192.0.2.11"), {{"eth1"}}},
            {ip("2001:db8::10"), {}},
        });
    }

    void announce(Announcements announcements, Instant now = kNow) {
        station_.set_announcements(
            std::make_shared<const Announcements>(std::move(announcements)), now
        );
    }

    Actions receive(const Frame& frame, unsigned interface_index = 1, Instant now = kNow) {
        Actions out;
        station_.on_frame(interface_index, frame.view(), now, out);
        return out;
    }

    static ArpPacket request(std::string_view target) {
        return {
            net::MacAddress::broadcast(),
            kAsker,
            ArpOperation::Request,
            kAsker,
            ip("192.0.2.1"),
            {},
            ip(target)};
    }

    static NdpPacket solicitation(std::string_view target) {
        NdpPacket packet;
        packet.destination = solicited_node_group(ip(target));
        packet.frame_destination = multicast_mac(packet.destination);
        packet.frame_source = kAsker;
        packet.source = ip("2001:db8::1");
        packet.target = ip(target);
        packet.link_layer = kAsker;
        return packet;
    }

    Rng rng_{1};
    Station station_{{}, rng_};
};

const Send& sent(const Actions& actions) {
    return std::get<Send>(actions.at(0));
}

TEST_F(ResponderTest, AnswersARequestForAnAnnouncedAddress) {
    const Actions out = receive(encode_arp(request("192.0.2.10")));

    ASSERT_THAT(out, SizeIs(1));
    EXPECT_EQ(sent(out).interface_index, 1U);
    EXPECT_EQ(
        decode_arp(sent(out).frame.view()),
        arp_reply(kOurs, ip("192.0.2.10"), request("192.0.2.10"))
    );
    EXPECT_EQ(station_.counters().at(ip("192.0.2.10")), (AddressCounters{1, 1, 0}));
}

TEST_F(ResponderTest, AnswersARequestSentToItsOwnMac) {
    ArpPacket unicast = request("192.0.2.10");
    unicast.frame_destination = kOurs;
    EXPECT_THAT(receive(encode_arp(unicast)), SizeIs(1));

    unicast.frame_destination = kOther;
    EXPECT_THAT(receive(encode_arp(unicast)), IsEmpty());
}

TEST_F(ResponderTest, AnswersAnAddressProbe) {
    EXPECT_THAT(receive(encode_arp(arp_probe(kAsker, ip("192.0.2.10")))), SizeIs(1));
}

TEST_F(ResponderTest, IgnoresForeignAddresses) {
    EXPECT_THAT(receive(encode_arp(request("192.0.2.99"))), IsEmpty());
    EXPECT_THAT(receive(encode_ndp(solicitation("2001:db8::99"))), IsEmpty());
    EXPECT_THAT(station_.counters(), IsEmpty());
}

TEST_F(ResponderTest, AnswersOnlyOnAllowedInterfaces) {
    EXPECT_THAT(receive(encode_arp(request("192.0.2.11")), 1), IsEmpty());
    EXPECT_THAT(receive(encode_arp(request("192.0.2.11")), 2), SizeIs(1));
}

TEST_F(ResponderTest, IgnoresUnknownInterfaces) {
    EXPECT_THAT(receive(encode_arp(request("192.0.2.10")), 7), IsEmpty());
}

TEST_F(ResponderTest, AnswersOnlyFamiliesThePortCanDo) {
    station_.set_ports({{1, "eth0", kOurs, false, true}}, kNow);
    EXPECT_THAT(receive(encode_arp(request("192.0.2.10"))), IsEmpty());
    EXPECT_THAT(receive(encode_ndp(solicitation("2001:db8::10"))), SizeIs(1));
}

TEST_F(ResponderTest, FollowsANewMacOfThePort) {
    station_.set_ports({{1, "eth0", kOther, true, true}}, kNow);
    const Actions out = receive(encode_arp(request("192.0.2.10")));
    EXPECT_EQ(decode_arp(sent(out).frame.view())->sender_mac, kOther);
}

TEST_F(ResponderTest, DoesNotAnswerReplies) {
    ArpPacket reply = request("192.0.2.10");
    reply.operation = ArpOperation::Reply;
    EXPECT_THAT(receive(encode_arp(reply)), IsEmpty());
}

TEST_F(ResponderTest, CannotBeMadeToAnswerToAGroup) {
    ArpPacket hostile = request("192.0.2.10");
    hostile.sender_mac = net::MacAddress::broadcast();
    EXPECT_THAT(receive(encode_arp(hostile)), IsEmpty());

    NdpPacket hostile6 = solicitation("2001:db8::10");
    hostile6.link_layer = net::MacAddress::broadcast();
    EXPECT_THAT(receive(encode_ndp(hostile6)), IsEmpty());
}

TEST_F(ResponderTest, AnswersEverySortOfSolicitation) {
    NdpPacket unicast = solicitation("2001:db8::10");
    unicast.destination = unicast.target;
    unicast.frame_destination = kOurs;
    NdpPacket bare = unicast;
    bare.link_layer.reset();
    NdpPacket probe = solicitation("2001:db8::10");
    probe.source = ip("::");
    probe.link_layer.reset();

    for (const NdpPacket& packet : {solicitation("2001:db8::10"), unicast, bare, probe}) {
        const Actions out = receive(encode_ndp(packet));
        ASSERT_THAT(out, SizeIs(1));
        EXPECT_EQ(decode_ndp(sent(out).frame.view()), solicited_advertisement(kOurs, packet));
    }
}

TEST_F(ResponderTest, ItsOwnFramesSeenOnAnotherPortAreNoConflict) {
    EXPECT_THAT(
        receive(
            encode_arp(gratuitous_arp(ArpOperation::Reply, kOther, ip("192.0.2.10"))), 1, kNow + 1h
        ),
        IsEmpty()
    );
    EXPECT_THAT(
        receive(
            encode_ndp(unsolicited_advertisement(kOther, ip("2001:db8::10"), all_nodes())),
            1,
            kNow + 1h
        ),
        IsEmpty()
    );
}

TEST_F(ResponderTest, ForgetsReleasedAddresses) {
    (void)receive(encode_arp(request("192.0.2.10")));
    announce({});

    EXPECT_THAT(receive(encode_arp(request("192.0.2.10"))), IsEmpty());
    EXPECT_THAT(station_.counters(), IsEmpty());
}

TEST_F(ResponderTest, IgnoresGarbage) {
    const std::vector<std::byte> garbage(60, std::byte{0xff});
    Actions out;
    for (std::size_t size = 0; size <= garbage.size(); ++size) {
        station_.on_frame(1, std::span(garbage).first(size), kNow, out);
    }
    EXPECT_THAT(out, IsEmpty());
}

}  // namespace
}  // namespace steelyard::l2
