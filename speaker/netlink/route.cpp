#include "speaker/netlink/route.hpp"

#include "speaker/netlink/route_address.hpp"

#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <sys/socket.h>

namespace steelyard::netlink {
namespace {

constexpr std::uint32_t kLoopback = 1;  // LOOPBACK_IFINDEX: lo's index in every namespace

rtmsg header_for(net::Family family) {
    rtmsg header{};
    header.rtm_family = family == net::Family::V4 ? AF_INET : AF_INET6;
    header.rtm_table = RT_TABLE_LOCAL;
    header.rtm_protocol = kRouteProtocol;
    header.rtm_type = RTN_LOCAL;
    header.rtm_scope = family == net::Family::V4 ? RT_SCOPE_HOST : RT_SCOPE_UNIVERSE;
    return header;
}

MessageWriter route_message(
    std::uint16_t type, std::uint16_t flags, const net::IpAddress& address
) {
    MessageWriter message(type, flags);
    rtmsg header = header_for(address.family());
    header.rtm_dst_len = static_cast<unsigned char>(address.bits());
    message.header(header);
    message.attribute(RTA_DST, std::as_bytes(address.bytes()));
    message.u32(RTA_OIF, kLoopback);
    return message;
}

}  // namespace

Bytes new_local_route(const LocalRoute& route) {
    MessageWriter message =
        route_message(RTM_NEWROUTE, NLM_F_CREATE | NLM_F_REPLACE, route.address);
    if (route.source) {
        message.attribute(RTA_PREFSRC, std::as_bytes(route.source->bytes()));
    }
    return message.take();
}

Bytes del_local_route(const net::IpAddress& address) {
    return route_message(RTM_DELROUTE, 0, address).take();
}

Bytes dump_local_routes(net::Family family) {
    MessageWriter message(RTM_GETROUTE, NLM_F_DUMP);
    rtmsg header = header_for(family);
    header.rtm_scope = 0;  // strict checking wants zero here
    message.header(header);
    message.u32(RTA_TABLE, RT_TABLE_LOCAL);
    return message.take();
}

std::optional<LocalRoute> decode_local_route(ByteView payload) {
    const auto header = read_header<rtmsg>(payload);
    if (!header || header->rtm_table != RT_TABLE_LOCAL || header->rtm_type != RTN_LOCAL ||
        header->rtm_protocol != kRouteProtocol) {
        return std::nullopt;
    }
    const Attributes attributes(payload, sizeof(rtmsg));
    const auto address = read_address(attributes, RTA_DST, header->rtm_family);
    if (!address || header->rtm_dst_len != address->bits()) {
        return std::nullopt;
    }
    return LocalRoute{*address, read_address(attributes, RTA_PREFSRC, header->rtm_family)};
}

}  // namespace steelyard::netlink
