#include "speaker/netlink/conntrack.hpp"
#include "speaker/netlink/ipset.hpp"
#include "speaker/netlink/ipvs.hpp"
#include "speaker/netlink/link_table.hpp"
#include "speaker/netlink/route.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <linux/genetlink.h>
#include <linux/if.h>
#include <linux/if_addr.h>
#include <linux/if_link.h>
#include <linux/ip_vs.h>
#include <linux/netfilter/ipset/ip_set.h>
#include <linux/netfilter/ipset/ip_set_bitmap.h>
#include <linux/netfilter/ipset/ip_set_hash.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/nfnetlink_conntrack.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <sys/socket.h>

#include <array>
#include <cerrno>
#include <cstddef>
#include <limits>
#include <utility>
#include <vector>

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
    const std::vector<proxy::VirtualServerKey> keys = {
        {Protocol::Udp, {ip("10.96.0.1"), 53}, 0},
        {Protocol::Sctp, {ip("fd00::1"), 53}, 0},
        proxy::by_mark(0x80001234, Family::V4),
        proxy::by_mark(0x80001234, Family::V6),
    };
    const std::vector<proxy::Scheduling> schedulings = {
        {"rr", 0, {}}, {"wlc", 600, {}}, {"mh", 0, {true, true}}, {"sh", 0, {false, true}}};
    for (const auto& key : keys) {
        for (const auto& scheduling : schedulings) {
            const Bytes bytes = ipvs::new_service(28, key, scheduling);
            const auto service = ipvs::decode_service(payload_of(bytes));

            ASSERT_TRUE(service) << proxy::to_string(key);
            EXPECT_EQ(service->key, key);
            EXPECT_EQ(service->scheduling, scheduling);
            EXPECT_EQ(split(bytes).front().type, 28);
        }
    }
}

TEST(IpvsTest, ADestinationReadsBackInTheServicesFamilyByDefault) {
    const proxy::VirtualServerKey key{Protocol::Tcp, {ip("10.96.0.1"), 80}, 0};
    const Endpoint real{ip("10.244.0.1"), 8080};

    const Bytes bytes = ipvs::new_dest(28, key, real, 3);

    const auto dest = ipvs::decode_dest(payload_of(bytes), Family::V6);
    ASSERT_TRUE(dest);
    EXPECT_EQ(dest->endpoint, real);
    EXPECT_EQ(dest->weight, 3U);
    EXPECT_TRUE(dest->masquerading);
}

TEST(IpvsTest, ADestinationTellsThatItForwardsOtherwise) {
    MessageWriter message(28, 0);
    message.header(genlmsghdr{});
    const std::size_t dest = message.open(IPVS_CMD_ATTR_DEST);
    const std::array<std::uint8_t, 16> address{10, 244, 0, 1};
    message.attribute(IPVS_DEST_ATTR_ADDR, std::as_bytes(std::span(address)));
    message.be16(IPVS_DEST_ATTR_PORT, 8080);
    message.u32(IPVS_DEST_ATTR_WEIGHT, 0);
    message.u32(IPVS_DEST_ATTR_FWD_METHOD, IP_VS_CONN_F_DROUTE);
    message.close(dest);
    const Bytes bytes = message.take();

    const auto read = ipvs::decode_dest(payload_of(bytes), Family::V4);

    ASSERT_TRUE(read);
    EXPECT_FALSE(read->masquerading);
}

TEST(IpvsTest, WhatIsMalformedIsNothing) {
    MessageWriter message(28, 0);
    message.header(genlmsghdr{});
    const std::size_t service = message.open(IPVS_CMD_ATTR_SERVICE);
    message.u16(IPVS_SVC_ATTR_AF, AF_INET);
    message.u32(IPVS_SVC_ATTR_FWMARK, 0);
    message.close(service);
    const Bytes bytes = message.take();

    EXPECT_FALSE(ipvs::decode_service(payload_of(bytes)));
    EXPECT_FALSE(ipvs::decode_service({}));
    EXPECT_FALSE(ipvs::decode_dest({}, Family::V4));
    EXPECT_FALSE(ipvs::decode_timeouts({}));
}

TEST(IpvsTest, TimeoutsReadBackAsTheyWereWritten) {
    ipvs::Timeouts timeouts;
    timeouts.tcp = std::chrono::seconds(900);
    timeouts.tcp_fin = std::chrono::seconds(120);
    timeouts.udp = std::chrono::seconds(300);

    const Bytes bytes = ipvs::set_timeouts(28, timeouts);

    EXPECT_EQ(ipvs::decode_timeouts(payload_of(bytes)), timeouts);
}

// What a list answers: the same DATA attribute, inside ADT.
Bytes listed(const proxy::SetId& set, const SetEntry& entry, std::uint32_t mark) {
    const Bytes add = ipset::add("x", set, entry, mark);
    const auto data = Attributes(payload_of(add), sizeof(nfgenmsg)).find(IPSET_ATTR_DATA);
    MessageWriter message(0, 0);
    message.header(nfgenmsg{});
    const std::size_t adt = message.open(IPSET_ATTR_ADT);
    message.attribute(IPSET_ATTR_DATA, *data);
    message.close(adt);
    return message.take();
}

using Members = std::vector<std::pair<SetEntry, std::uint32_t>>;
Members members(ByteView payload, const proxy::SetId& set) {
    Members found;
    ipset::decode_members(payload, set, [&](const SetEntry& entry, std::uint32_t mark) {
        found.emplace_back(entry, mark);
    });
    return found;
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
    SetEntry range;
    range.ip = ip("10.96.0.0");
    range.prefix_length = 12;

    struct Case {
        proxy::SetId set;
        SetEntry entry;
        std::uint32_t mark = 0;
    };
    const std::vector<Case> cases = {
        {{SetName::NodePortTcp, Family::V4}, port, 0},
        {{SetName::IpvsIps, Family::V4}, address, 0},
        {{SetName::ClusterIp, Family::V4}, pair, 0},
        {{SetName::LoopBack, Family::V4}, triple, 0},
        {{SetName::LoadBalancerSourceCidr, Family::V4}, net, 0},
        {{SetName::ClusterIp, Family::V6}, six, 0},
        {{SetName::InternalMark, Family::V6}, six, 0x80001234},
        {{SetName::ServiceCidr, Family::V4}, range, 0},
    };
    for (const auto& [set, entry, mark] : cases) {
        const Bytes bytes = listed(set, entry, mark);
        EXPECT_THAT(members(payload_of(bytes), set), ElementsAre(std::pair(entry, mark)))
            << proxy::set_name(set);
    }
    EXPECT_THAT(members({}, {SetName::ClusterIp, Family::V4}), IsEmpty());
}

TEST(IpsetTest, ASetThatCarriesMarksNeedsARevisionThatCan) {
    const proxy::SetId marks{SetName::InternalMark, Family::V4};
    const proxy::SetId plain{SetName::ClusterIp, Family::V4};

    EXPECT_EQ(ipset::choose_revision(marks, {7, 0}), 5);  // no newer than needed
    EXPECT_EQ(ipset::choose_revision(marks, {5, 1}), 5);
    EXPECT_EQ(ipset::choose_revision(marks, {4, 0}), std::nullopt);
    EXPECT_EQ(ipset::choose_revision(plain, {4, 0}), 4);
    EXPECT_EQ(ipset::choose_revision(plain, {8, 6}), 6);
}

TEST(IpsetTest, AHeaderTellsLimitsAndContents) {
    MessageWriter message(0, 0);
    message.header(nfgenmsg{});
    message.text(IPSET_ATTR_SETNAME, "KUBE-CLUSTER-IP");
    message.text(IPSET_ATTR_TYPENAME, "hash:ip,port");
    message.u8(IPSET_ATTR_REVISION, 5);
    const std::size_t data = message.open(IPSET_ATTR_DATA);
    message.be32(IPSET_ATTR_MAXELEM, 65536);
    message.be32(IPSET_ATTR_ELEMENTS, 50000);
    message.be32(IPSET_ATTR_REFERENCES, 2);
    message.be32(IPSET_ATTR_CADT_FLAGS, IPSET_FLAG_WITH_SKBINFO);
    message.close(data);
    const Bytes bytes = message.take();

    const auto header = ipset::decode_header(payload_of(bytes));

    ASSERT_TRUE(header);
    EXPECT_EQ(header->name, "KUBE-CLUSTER-IP");
    EXPECT_EQ(header->type, "hash:ip,port");
    EXPECT_EQ(header->revision, 5);
    EXPECT_EQ(header->max_elements, 65536U);
    EXPECT_EQ(header->elements, 50000U);
    EXPECT_EQ(header->references, 2U);
    EXPECT_TRUE(header->carries_marks);
    EXPECT_FALSE(ipset::decode_header({}));
}

TEST(IpsetTest, EveryErrorOfItsOwnHasWords) {
    using proxy::SetType;
    struct Case {
        int error = 0;
        SetType type = SetType::HashIpPort;
        std::string_view words;
    };
    const std::vector<Case> cases = {
        {ENOMEM, SetType::HashIpPort, "Cannot allocate memory"},
        {IPSET_ERR_PRIVATE, SetType::HashIpPort, "ipset error 4096"},
        {IPSET_ERR_MAX_SETS, SetType::HashIp, "the kernel holds as many sets as it can"},
        {IPSET_ERR_BUSY, SetType::HashIpPort, "the set is in use"},
        {IPSET_ERR_REFERENCED, SetType::HashIpPort, "rules or other sets refer to the set"},
        {IPSET_ERR_IPADDR_IPV6, SetType::HashNet, "the set wants an IPv6 address"},
        {IPSET_ERR_SKBINFO, SetType::HashIpPort, "the set was created without marks (skbinfo)"},
        {IPSET_ERR_SKBINFO + 1, SetType::HashIpPort, "ipset error 4115"},
        {IPSET_ERR_HASH_FULL, SetType::HashIpPortNet, "the set is full"},
        {IPSET_ERR_HASH_RANGE, SetType::HashNet, "the range is invalid"},
        {IPSET_ERR_BITMAP_RANGE, SetType::BitmapPort, "the element is outside the set's range"},
        {IPSET_ERR_HASH_FULL + 99, SetType::HashIp, "ipset error 4451"},
        {IPSET_ERR_HASH_FULL + 99, SetType::BitmapPort, "ipset error 4451"},
    };
    for (const auto& [error, type, words] : cases) {
        EXPECT_EQ(ipset::describe_error(error, type), words) << error;
    }
    for (int error = IPSET_ERR_PROTOCOL; error <= IPSET_ERR_SKBINFO; ++error) {
        EXPECT_EQ(ipset::describe_error(error).find("rror"), std::string::npos) << error;
    }
}

TEST(RouteTest, ALocalRouteReadsBackAsItWasWritten) {
    const std::vector<LocalRoute> routes = {
        {ip("10.96.0.10"), std::nullopt},
        {ip("10.96.0.10"), ip("172.16.0.1")},
        {ip("fd96::10"), ip("fd16::1")},
    };
    for (const LocalRoute& route : routes) {
        const Bytes bytes = new_local_route(route);
        EXPECT_EQ(decode_local_route(payload_of(bytes)), route);
    }
    EXPECT_FALSE(decode_local_route({}));
}

TEST(RouteTest, SomebodyElsesRouteIsNotOurs) {
    for (const std::size_t offset :
         {offsetof(rtmsg, rtm_protocol),
          offsetof(rtmsg, rtm_table),
          offsetof(rtmsg, rtm_type),
          offsetof(rtmsg, rtm_dst_len)}) {
        const Bytes bytes = new_local_route({ip("10.96.0.10"), std::nullopt});
        Bytes payload(payload_of(bytes).begin(), payload_of(bytes).end());
        payload[offset] = std::byte{9};
        EXPECT_FALSE(decode_local_route(payload)) << offset;
    }
}

// What a dump answers: the tuples of the client's packets and of the replies.
Bytes tracked(const conntrack::Flow& flow) {
    const Bytes deletion = conntrack::del(flow);
    const Attributes entry(payload_of(deletion), sizeof(nfgenmsg));
    MessageWriter message(0, 0);
    message.header(nfgenmsg{});
    message.attribute(CTA_TUPLE_ORIG, *entry.find(CTA_TUPLE_ORIG));
    conntrack::Flow reply = flow;
    reply.client = flow.reply_source;
    reply.destination = flow.client;
    const Bytes reversed = conntrack::del(reply);
    const Attributes back(payload_of(reversed), sizeof(nfgenmsg));
    message.attribute(CTA_TUPLE_REPLY, *back.find(CTA_TUPLE_ORIG));
    message.be16(CTA_ZONE, flow.zone);
    message.be32(CTA_ID, flow.id);
    return message.take();
}

TEST(ConntrackTest, AFlowReadsBackAsItsDeletionNamesIt) {
    conntrack::Flow four;
    four.client = {ip("10.244.9.9"), 40000};
    four.destination = {ip("10.96.0.10"), 53};
    four.reply_source = {ip("10.244.1.2"), 5353};
    four.id = 77;
    conntrack::Flow six = four;
    six.protocol = Protocol::Tcp;
    six.client = {ip("fd44::9"), 40000};
    six.destination = {ip("fd96::10"), 53};
    six.reply_source = {ip("fd44::2"), 5353};
    six.zone = 3;
    for (const conntrack::Flow& flow : {four, six}) {
        const Bytes bytes = tracked(flow);
        EXPECT_EQ(conntrack::decode_flow(payload_of(bytes)), flow);
    }
    EXPECT_FALSE(conntrack::decode_flow({}));
    EXPECT_FALSE(conntrack::decode_stats({}));
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
