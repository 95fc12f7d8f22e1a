#include "speaker/netlink/ipset.hpp"
#include "speaker/netlink/ipvs.hpp"
#include "speaker/netlink/link_table.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <linux/genetlink.h>
#include <linux/if.h>
#include <linux/if_addr.h>
#include <linux/if_link.h>
#include <linux/ip_vs.h>
#include <linux/netfilter/ipset/ip_set.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <sys/socket.h>

#include <array>
#include <cerrno>
#include <limits>

namespace steelyard::netlink {
namespace {

using net::Endpoint;
using net::Family;
using net::IpAddress;
using net::Protocol;
using proxy::SetEntry;
using proxy::SetName;
using testing::ElementsAre;
using testing::IsEmpty;
using testing::SizeIs;

IpAddress ip(std::string_view text) {
    return IpAddress::parse(text).value();
}

// The payload of the single message in `bytes`.
ByteView payload_of(const Bytes& bytes) {
    const auto messages = split(bytes);
    return messages.empty() ? ByteView{} : messages.front().payload;
}

TEST(MessageTest, SplitsWhatWasWrittenAndStopsAtALie) {
    MessageWriter one(20, 0);
    one.u8(1, 7);
    MessageWriter two(21, 0);
    two.text(2, "name");
    Bytes datagram = one.take();
    const Bytes second = two.take();
    datagram.insert(datagram.end(), second.begin(), second.end());

    const auto messages = split(datagram);
    ASSERT_THAT(messages, SizeIs(2));
    EXPECT_EQ(Attributes(messages[0].payload).u8(1), 7);
    EXPECT_EQ(Attributes(messages[1].payload).text(2), "name");

    datagram.resize(datagram.size() - 1);
    EXPECT_THAT(split(datagram), SizeIs(1));
    datagram[0] = std::byte{3};  // shorter than its own header
    EXPECT_THAT(split(datagram), IsEmpty());
}

TEST(MessageTest, AnAcknowledgementIsZeroAndAnErrorItsErrno) {
    const auto ack = [](int value) {
        MessageWriter message(NLMSG_ERROR, 0);
        nlmsgerr body{};
        body.error = value;
        message.header(body);
        const Bytes bytes = message.take();
        return decode_ack(split(bytes).front());
    };

    EXPECT_EQ(ack(0), 0);
    EXPECT_EQ(ack(-ENOENT), ENOENT);
    EXPECT_EQ(ack(std::numeric_limits<int>::min()), EPROTO);
    EXPECT_EQ(decode_ack(Message{NLMSG_ERROR, 0, 1, {}}), std::nullopt);
    EXPECT_EQ(decode_ack(Message{NLMSG_DONE, 0, 1, {}}), std::nullopt);
}

TEST(MessageTest, AttributesEndAtTheFirstImpossibleLength) {
    MessageWriter message(1, 0);
    message.u32(1, 42);
    message.u16(2, 7);
    const Bytes bytes = message.take();
    Bytes payload(payload_of(bytes).begin(), payload_of(bytes).end());

    payload[8] = std::byte{200};
    const Attributes attributes(payload);
    EXPECT_EQ(attributes.u32(1), 42U);
    EXPECT_EQ(attributes.u16(2), std::nullopt);
    EXPECT_EQ(attributes.u32(9), std::nullopt);
    EXPECT_EQ(attributes.text(9), "");
}

TEST(IpvsTest, AServiceReadsBackAsItWasWritten) {
    for (const char* address : {"10.96.0.1", "fd00::1"}) {
        const proxy::VirtualServerKey key{Protocol::Udp, {ip(address), 53}};
        const proxy::Scheduling scheduling{"wlc", 600, true};

        const Bytes bytes = ipvs::new_service(28, key, scheduling);
        const auto service = ipvs::decode_service(payload_of(bytes));

        ASSERT_TRUE(service);
        EXPECT_EQ(service->key, key);
        EXPECT_EQ(service->scheduling, scheduling);
        EXPECT_EQ(split(bytes).front().type, 28);
    }
}

TEST(IpvsTest, ADestinationReadsBackInTheServicesFamilyByDefault) {
    const proxy::VirtualServerKey key{Protocol::Tcp, {ip("10.96.0.1"), 80}};
    const Endpoint real{ip("10.244.0.1"), 8080};

    const Bytes bytes = ipvs::new_dest(28, key, real, 3);

    const auto dest = ipvs::decode_dest(payload_of(bytes), Family::V6);
    ASSERT_TRUE(dest);
    EXPECT_EQ(dest->first, real);
    EXPECT_EQ(dest->second, 3U);
}

TEST(IpvsTest, AFirewallMarkServiceIsNotOurs) {
    MessageWriter message(28, 0);
    message.header(genlmsghdr{});
    const std::size_t service = message.open(IPVS_CMD_ATTR_SERVICE);
    message.u16(IPVS_SVC_ATTR_AF, AF_INET);
    message.u32(IPVS_SVC_ATTR_FWMARK, 7);
    message.close(service);
    const Bytes bytes = message.take();

    EXPECT_FALSE(ipvs::decode_service(payload_of(bytes)));
    EXPECT_FALSE(ipvs::decode_service({}));
    EXPECT_FALSE(ipvs::decode_dest({}, Family::V4));
}

// What a list answers: the same DATA attribute, inside ADT.
Bytes listed(const proxy::SetId& set, const SetEntry& entry) {
    const Bytes add = ipset::add("x", set, entry);
    const auto data = Attributes(payload_of(add), sizeof(nfgenmsg)).find(IPSET_ATTR_DATA);
    MessageWriter message(0, 0);
    message.header(nfgenmsg{});
    const std::size_t adt = message.open(IPSET_ATTR_ADT);
    message.attribute(IPSET_ATTR_DATA, *data);
    message.close(adt);
    return message.take();
}

TEST(IpsetTest, EveryTypesMemberReadsBackAsItWasWritten) {
    SetEntry port;
    port.port = 30080;
    SetEntry address;
    address.ip = ip("192.0.2.1");
    SetEntry pair = address;
    pair.protocol = Protocol::Sctp;
    pair.port = 80;
    SetEntry triple = pair;
    triple.second_ip = ip("192.0.2.2");
    SetEntry net = pair;
    net.second_ip = ip("10.0.0.0");
    net.prefix_length = 8;
    SetEntry six;
    six.ip = ip("fd00::1");
    six.port = 443;

    const std::vector<std::pair<proxy::SetId, SetEntry>> cases = {
        {{SetName::NodePortTcp, Family::V4}, port},
        {{SetName::IpvsIps, Family::V4}, address},
        {{SetName::ClusterIp, Family::V4}, pair},
        {{SetName::LoopBack, Family::V4}, triple},
        {{SetName::LoadBalancerSourceCidr, Family::V4}, net},
        {{SetName::ClusterIp, Family::V6}, six},
    };
    for (const auto& [set, entry] : cases) {
        const Bytes bytes = listed(set, entry);
        EXPECT_THAT(ipset::decode_members(payload_of(bytes), set), ElementsAre(entry))
            << proxy::set_name(set);
    }
    EXPECT_THAT(ipset::decode_members({}, {SetName::ClusterIp, Family::V4}), IsEmpty());
}

class LinkTableTest : public testing::Test {
protected:
    void link(std::uint16_t type, int index, std::string_view name, unsigned flags) {
        MessageWriter message(type, 0);
        ifinfomsg header{};
        header.ifi_index = index;
        header.ifi_flags = flags;
        message.header(header);
        message.text(IFLA_IFNAME, name);
        const std::array<std::uint8_t, 6> mac{2, 0, 0, 0, 0, 1};
        message.attribute(IFLA_ADDRESS, std::as_bytes(std::span(mac)));
        feed(type, message.take());
    }
    void address(std::uint16_t type, unsigned index, std::string_view text, std::uint8_t length) {
        const IpAddress value = ip(text);
        MessageWriter message(type, 0);
        ifaddrmsg header{};
        header.ifa_family = value.is_v4() ? AF_INET : AF_INET6;
        header.ifa_prefixlen = length;
        header.ifa_index = index;
        message.header(header);
        message.attribute(IFA_ADDRESS, std::as_bytes(value.bytes()));
        feed(type, message.take());
    }
    void feed(std::uint16_t type, const Bytes& bytes) {
        changed_ = table_.apply(type, payload_of(bytes));
    }
    LinkTable table_{{"kube-ipvs0"}};
    bool changed_ = false;
};

TEST_F(LinkTableTest, FollowsLinksAndAddresses) {
    link(RTM_NEWLINK, 2, "eth0", IFF_UP | IFF_BROADCAST);
    address(RTM_NEWADDR, 2, "fd00::1", 64);
    address(RTM_NEWADDR, 2, "192.0.2.7", 24);
    link(RTM_NEWLINK, 2, "eth0", IFF_UP | IFF_RUNNING | IFF_BROADCAST);

    const auto interfaces = table_.snapshot();
    ASSERT_THAT(interfaces, SizeIs(1));
    EXPECT_EQ(interfaces[0].name, "eth0");
    EXPECT_EQ(to_string(interfaces[0].mac), "02:00:00:00:00:01");
    EXPECT_TRUE(interfaces[0].running);
    ASSERT_THAT(interfaces[0].addresses, SizeIs(2));
    EXPECT_EQ(to_string(interfaces[0].addresses[0].subnet), "192.0.2.0/24");

    address(RTM_DELADDR, 2, "192.0.2.7", 24);
    EXPECT_TRUE(changed_);
    EXPECT_THAT(table_.snapshot()[0].addresses, SizeIs(1));
    link(RTM_DELLINK, 2, "eth0", 0);
    EXPECT_THAT(table_.snapshot(), IsEmpty());
}

TEST_F(LinkTableTest, AnIgnoredLinkChangesNothing) {
    link(RTM_NEWLINK, 9, "kube-ipvs0", 0);
    EXPECT_FALSE(changed_);
    address(RTM_NEWADDR, 9, "10.96.0.1", 32);
    EXPECT_FALSE(changed_);
    EXPECT_THAT(table_.snapshot(), IsEmpty());
}

TEST_F(LinkTableTest, TheSameAgainIsNoChange) {
    link(RTM_NEWLINK, 2, "eth0", IFF_UP);
    link(RTM_NEWLINK, 2, "eth0", IFF_UP);
    EXPECT_FALSE(changed_);
    address(RTM_NEWADDR, 2, "192.0.2.7", 24);
    address(RTM_NEWADDR, 2, "192.0.2.7", 24);
    EXPECT_FALSE(changed_);
    address(RTM_DELADDR, 2, "192.0.2.8", 24);
    EXPECT_FALSE(changed_);
}

}  // namespace
}  // namespace steelyard::netlink
