#include "speaker/netlink/conntrack.hpp"

#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/nfnetlink_conntrack.h>
#include <linux/netlink.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <array>
#include <cstring>

namespace steelyard::netlink::conntrack {
namespace {

using net::Endpoint;
using net::Family;
using net::IpAddress;

// Which parts of a filter's tuple count (net/netfilter/nf_internals.h, as CTA_FILTER_ORIG_FLAGS
// carries them); no installed header names them.
constexpr std::uint32_t kFilterProtocol = 1U << 3U;
constexpr unsigned kFilterOrigFlags = 1;

MessageWriter begin(unsigned command, Family family, std::uint16_t flags = 0) {
    MessageWriter message(static_cast<std::uint16_t>(NFNL_SUBSYS_CTNETLINK << 8 | command), flags);
    nfgenmsg header{};
    header.nfgen_family = family == Family::V4 ? AF_INET : AF_INET6;
    header.version = NFNETLINK_V0;
    message.header(header);
    return message;
}

std::optional<IpAddress> read_address(const Attributes& ip, unsigned v4, unsigned v6) {
    if (const auto address = ip.be32(v4)) {
        return IpAddress::v4(*address);
    }
    const auto value = ip.find(v6);
    std::array<std::uint8_t, 16> bytes{};
    if (!value || value->size() != bytes.size()) {
        return std::nullopt;
    }
    std::memcpy(bytes.data(), value->data(), bytes.size());
    return IpAddress::v6(bytes);
}

struct Tuple {
    std::uint8_t protocol = 0;
    Endpoint source;
    Endpoint destination;
};

std::optional<Tuple> read_tuple(const Attributes& tuple) {
    const Attributes ip = tuple.nested(CTA_TUPLE_IP);
    const Attributes protocol = tuple.nested(CTA_TUPLE_PROTO);
    const auto number = protocol.u8(CTA_PROTO_NUM);
    const auto source = read_address(ip, CTA_IP_V4_SRC, CTA_IP_V6_SRC);
    const auto destination = read_address(ip, CTA_IP_V4_DST, CTA_IP_V6_DST);
    const auto source_port = protocol.be16(CTA_PROTO_SRC_PORT);
    const auto destination_port = protocol.be16(CTA_PROTO_DST_PORT);
    if (!number || !source || !destination || !source_port || !destination_port) {
        return std::nullopt;
    }
    return Tuple{*number, {*source, *source_port}, {*destination, *destination_port}};
}

std::optional<net::Protocol> protocol_of(std::uint8_t number) {
    for (const auto protocol : {net::Protocol::Tcp, net::Protocol::Udp, net::Protocol::Sctp}) {
        if (number == net::ip_protocol_number(protocol)) {
            return protocol;
        }
    }
    return std::nullopt;
}

}  // namespace

Bytes get_stats() {
    return begin(IPCTNL_MSG_CT_GET_STATS, Family::V4).take();
}

std::optional<std::uint32_t> decode_stats(ByteView payload) {
    return Attributes(payload, sizeof(nfgenmsg)).be32(CTA_STATS_GLOBAL_ENTRIES);
}

Bytes dump_udp(Family family) {
    MessageWriter message = begin(IPCTNL_MSG_CT_GET, family, NLM_F_DUMP);
    const std::size_t tuple = message.open(CTA_TUPLE_ORIG);
    const std::size_t protocol = message.open(CTA_TUPLE_PROTO);
    message.u8(CTA_PROTO_NUM, IPPROTO_UDP);
    message.close(protocol);
    message.close(tuple);
    const std::size_t filter = message.open(CTA_FILTER);
    message.u32(kFilterOrigFlags, kFilterProtocol);
    message.close(filter);
    return message.take();
}

std::optional<Flow> decode_flow(ByteView payload) {
    const Attributes entry(payload, sizeof(nfgenmsg));
    const auto original = read_tuple(entry.nested(CTA_TUPLE_ORIG));
    const auto reply = read_tuple(entry.nested(CTA_TUPLE_REPLY));
    if (!original || !reply) {
        return std::nullopt;
    }
    const auto protocol = protocol_of(original->protocol);
    if (!protocol) {
        return std::nullopt;
    }
    Flow flow;
    flow.protocol = *protocol;
    flow.client = original->source;
    flow.destination = original->destination;
    flow.reply_source = reply->source;
    flow.zone = entry.be16(CTA_ZONE).value_or(0);
    flow.id = entry.be32(CTA_ID).value_or(0);
    return flow;
}

Bytes del(const Flow& flow) {
    const Family family = flow.client.address.family();
    const bool v4 = family == Family::V4;
    MessageWriter message = begin(IPCTNL_MSG_CT_DELETE, family);
    const std::size_t tuple = message.open(CTA_TUPLE_ORIG);
    const std::size_t ip = message.open(CTA_TUPLE_IP);
    message.attribute(
        v4 ? CTA_IP_V4_SRC : CTA_IP_V6_SRC, std::as_bytes(flow.client.address.bytes())
    );
    message.attribute(
        v4 ? CTA_IP_V4_DST : CTA_IP_V6_DST, std::as_bytes(flow.destination.address.bytes())
    );
    message.close(ip);
    const std::size_t protocol = message.open(CTA_TUPLE_PROTO);
    message.u8(CTA_PROTO_NUM, net::ip_protocol_number(flow.protocol));
    message.be16(CTA_PROTO_SRC_PORT, flow.client.port);
    message.be16(CTA_PROTO_DST_PORT, flow.destination.port);
    message.close(protocol);
    message.close(tuple);
    if (flow.zone != 0) {
        message.be16(CTA_ZONE, flow.zone);
    }
    if (flow.id != 0) {
        message.be32(CTA_ID, flow.id);
    }
    return message.take();
}

}  // namespace steelyard::netlink::conntrack
