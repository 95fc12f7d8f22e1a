#include "speaker/netlink/ipvs.hpp"

#include <linux/genetlink.h>
#include <linux/ip_vs.h>
#include <linux/netlink.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <string>

namespace steelyard::netlink::ipvs {
namespace {

using proxy::Scheduling;
using proxy::VirtualServerKey;

// The schedulers `sh` and `mh` read the first two scheduler flags alike (net/netfilter/ipvs):
// another real server when the hashed one takes nobody; the source port hashed too.
constexpr std::uint32_t kFallback = IP_VS_SVC_F_SCHED1;
constexpr std::uint32_t kSourcePort = IP_VS_SVC_F_SCHED2;

MessageWriter begin(std::uint16_t family, std::uint8_t command, std::uint16_t flags = 0) {
    MessageWriter message(family, flags);
    genlmsghdr header{};
    header.cmd = command;
    header.version = IPVS_GENL_VERSION;
    message.header(header);
    return message;
}

std::uint16_t address_family(net::Family family) {
    return family == net::Family::V4 ? AF_INET : AF_INET6;
}

// The kernel reads 16 bytes whatever the family (union nf_inet_addr).
void put_address(MessageWriter& message, unsigned type, const net::IpAddress& address) {
    std::array<std::uint8_t, 16> bytes{};
    std::ranges::copy(address.bytes(), bytes.begin());
    message.attribute(type, std::as_bytes(std::span(bytes)));
}

void put_key(MessageWriter& message, const VirtualServerKey& key) {
    const net::IpAddress& address = key.endpoint.address;
    message.u16(IPVS_SVC_ATTR_AF, address_family(address.family()));
    if (key.mark != 0) {
        message.u32(IPVS_SVC_ATTR_FWMARK, key.mark);
        return;
    }
    message.u16(IPVS_SVC_ATTR_PROTOCOL, net::ip_protocol_number(key.protocol));
    put_address(message, IPVS_SVC_ATTR_ADDR, address);
    message.be16(IPVS_SVC_ATTR_PORT, key.endpoint.port);
}

void put_service_key(MessageWriter& message, const VirtualServerKey& key) {
    const std::size_t service = message.open(IPVS_CMD_ATTR_SERVICE);
    put_key(message, key);
    message.close(service);
}

void put_service(
    MessageWriter& message, const VirtualServerKey& key, const Scheduling& scheduling
) {
    const std::size_t service = message.open(IPVS_CMD_ATTR_SERVICE);
    put_key(message, key);
    message.text(IPVS_SVC_ATTR_SCHED_NAME, scheduling.scheduler);
    ip_vs_flags flags{};
    flags.flags = (scheduling.persistence > 0 ? std::uint32_t{IP_VS_SVC_F_PERSISTENT} : 0U) |
                  (scheduling.flags.fallback ? kFallback : 0U) |
                  (scheduling.flags.source_port_hash ? kSourcePort : 0U);
    flags.mask = ~0U;
    message.attribute(IPVS_SVC_ATTR_FLAGS, std::as_bytes(std::span(&flags, 1)));
    message.u32(IPVS_SVC_ATTR_TIMEOUT, scheduling.persistence);
    // Persistence keys on whole client addresses: a v4 mask of ones, a v6 prefix length.
    message.u32(IPVS_SVC_ATTR_NETMASK, key.endpoint.address.is_v4() ? ~0U : 128U);
    message.close(service);
}

void put_dest(
    MessageWriter& message, const net::Endpoint& real_server, std::optional<std::uint32_t> weight
) {
    const std::size_t dest = message.open(IPVS_CMD_ATTR_DEST);
    put_address(message, IPVS_DEST_ATTR_ADDR, real_server.address);
    message.be16(IPVS_DEST_ATTR_PORT, real_server.port);
    message.u16(IPVS_DEST_ATTR_ADDR_FAMILY, address_family(real_server.address.family()));
    if (weight) {
        message.u32(IPVS_DEST_ATTR_FWD_METHOD, IP_VS_CONN_F_MASQ);
        message.u32(IPVS_DEST_ATTR_WEIGHT, *weight);
        message.u32(IPVS_DEST_ATTR_U_THRESH, 0);
        message.u32(IPVS_DEST_ATTR_L_THRESH, 0);
    }
    message.close(dest);
}

Bytes dest_message(
    std::uint16_t family,
    std::uint8_t command,
    const VirtualServerKey& key,
    const net::Endpoint& real_server,
    std::optional<std::uint32_t> weight
) {
    MessageWriter message = begin(family, command);
    put_service_key(message, key);
    put_dest(message, real_server, weight);
    return message.take();
}

std::optional<net::IpAddress> read_address(
    const Attributes& attributes, unsigned type, net::Family family
) {
    const auto value = attributes.find(type);
    const std::size_t size = family == net::Family::V4 ? 4 : 16;
    if (!value || value->size() < size) {
        return std::nullopt;
    }
    std::array<std::uint8_t, 16> bytes{};
    std::memcpy(bytes.data(), value->data(), size);
    if (family == net::Family::V6) {
        return net::IpAddress::v6(bytes);
    }
    return net::IpAddress::v4(
        std::uint32_t{bytes[0]} << 24U | std::uint32_t{bytes[1]} << 16U |
        std::uint32_t{bytes[2]} << 8U | std::uint32_t{bytes[3]}
    );
}

std::optional<net::Protocol> protocol_of(std::uint16_t number) {
    for (const auto protocol : {net::Protocol::Tcp, net::Protocol::Udp, net::Protocol::Sctp}) {
        if (net::ip_protocol_number(protocol) == number) {
            return protocol;
        }
    }
    return std::nullopt;
}

std::optional<net::Family> family_of(std::uint16_t number) {
    if (number == AF_INET) {
        return net::Family::V4;
    }
    return number == AF_INET6 ? std::optional(net::Family::V6) : std::nullopt;
}

std::optional<VirtualServerKey> read_key(const Attributes& service) {
    const auto family = family_of(service.u16(IPVS_SVC_ATTR_AF).value_or(0));
    if (!family) {
        return std::nullopt;
    }
    VirtualServerKey key;
    if (const auto mark = service.u32(IPVS_SVC_ATTR_FWMARK)) {
        key.endpoint.address =
            *family == net::Family::V4 ? net::IpAddress() : net::IpAddress::v6({});
        key.mark = *mark;
        return *mark == 0 ? std::nullopt : std::optional(key);
    }
    const auto protocol = protocol_of(service.u16(IPVS_SVC_ATTR_PROTOCOL).value_or(0));
    const auto address = read_address(service, IPVS_SVC_ATTR_ADDR, *family);
    const auto port = service.be16(IPVS_SVC_ATTR_PORT);
    if (!protocol || !address || !port) {
        return std::nullopt;
    }
    key.protocol = *protocol;
    key.endpoint = {*address, *port};
    return key;
}

}  // namespace

Bytes get_family() {
    MessageWriter message(GENL_ID_CTRL, 0);
    genlmsghdr header{};
    header.cmd = CTRL_CMD_GETFAMILY;
    header.version = 1;
    message.header(header);
    message.text(CTRL_ATTR_FAMILY_NAME, IPVS_GENL_NAME);
    return message.take();
}

std::optional<std::uint16_t> decode_family(ByteView payload) {
    return Attributes(payload, sizeof(genlmsghdr)).u16(CTRL_ATTR_FAMILY_ID);
}

Bytes new_service(std::uint16_t family, const VirtualServerKey& key, const Scheduling& scheduling) {
    MessageWriter message = begin(family, IPVS_CMD_NEW_SERVICE);
    put_service(message, key, scheduling);
    return message.take();
}

Bytes set_service(std::uint16_t family, const VirtualServerKey& key, const Scheduling& scheduling) {
    MessageWriter message = begin(family, IPVS_CMD_SET_SERVICE);
    put_service(message, key, scheduling);
    return message.take();
}

Bytes del_service(std::uint16_t family, const VirtualServerKey& key) {
    MessageWriter message = begin(family, IPVS_CMD_DEL_SERVICE);
    put_service_key(message, key);
    return message.take();
}

Bytes new_dest(
    std::uint16_t family,
    const VirtualServerKey& key,
    const net::Endpoint& real_server,
    std::uint32_t weight
) {
    return dest_message(family, IPVS_CMD_NEW_DEST, key, real_server, weight);
}

Bytes set_dest(
    std::uint16_t family,
    const VirtualServerKey& key,
    const net::Endpoint& real_server,
    std::uint32_t weight
) {
    return dest_message(family, IPVS_CMD_SET_DEST, key, real_server, weight);
}

Bytes del_dest(
    std::uint16_t family, const VirtualServerKey& key, const net::Endpoint& real_server
) {
    return dest_message(family, IPVS_CMD_DEL_DEST, key, real_server, std::nullopt);
}

Bytes get_service(std::uint16_t family, const VirtualServerKey& key) {
    MessageWriter message = begin(family, IPVS_CMD_GET_SERVICE);
    put_service_key(message, key);
    return message.take();
}

Bytes dump_services(std::uint16_t family) {
    return begin(family, IPVS_CMD_GET_SERVICE, NLM_F_DUMP).take();
}

Bytes dump_dests(std::uint16_t family, const VirtualServerKey& key) {
    MessageWriter message = begin(family, IPVS_CMD_GET_DEST, NLM_F_DUMP);
    put_service_key(message, key);
    return message.take();
}

Bytes set_timeouts(std::uint16_t family, const Timeouts& timeouts) {
    const auto number = [](std::chrono::seconds seconds) {
        return static_cast<std::uint32_t>(seconds.count());
    };
    MessageWriter message = begin(family, IPVS_CMD_SET_CONFIG);
    message.u32(IPVS_CMD_ATTR_TIMEOUT_TCP, number(timeouts.tcp));
    message.u32(IPVS_CMD_ATTR_TIMEOUT_TCP_FIN, number(timeouts.tcp_fin));
    message.u32(IPVS_CMD_ATTR_TIMEOUT_UDP, number(timeouts.udp));
    return message.take();
}

Bytes get_timeouts(std::uint16_t family) {
    return begin(family, IPVS_CMD_GET_CONFIG).take();
}

std::optional<Timeouts> decode_timeouts(ByteView payload) {
    const Attributes config(payload, sizeof(genlmsghdr));
    const auto tcp = config.u32(IPVS_CMD_ATTR_TIMEOUT_TCP);
    const auto tcp_fin = config.u32(IPVS_CMD_ATTR_TIMEOUT_TCP_FIN);
    if (!tcp || !tcp_fin) {
        return std::nullopt;
    }
    Timeouts timeouts;
    timeouts.tcp = std::chrono::seconds(*tcp);
    timeouts.tcp_fin = std::chrono::seconds(*tcp_fin);
    timeouts.udp = std::chrono::seconds(config.u32(IPVS_CMD_ATTR_TIMEOUT_UDP).value_or(0));
    return timeouts;
}

std::optional<Service> decode_service(ByteView payload) {
    const Attributes service =
        Attributes(payload, sizeof(genlmsghdr)).nested(IPVS_CMD_ATTR_SERVICE);
    const auto key = read_key(service);
    const auto flags =
        read_header<ip_vs_flags>(service.find(IPVS_SVC_ATTR_FLAGS).value_or(ByteView{}));
    if (!key || !flags) {
        return std::nullopt;
    }
    Service result;
    result.key = *key;
    result.scheduling.scheduler = service.text(IPVS_SVC_ATTR_SCHED_NAME);
    if ((flags->flags & IP_VS_SVC_F_PERSISTENT) != 0) {
        result.scheduling.persistence = service.u32(IPVS_SVC_ATTR_TIMEOUT).value_or(0);
    }
    result.scheduling.flags.fallback = (flags->flags & kFallback) != 0;
    result.scheduling.flags.source_port_hash = (flags->flags & kSourcePort) != 0;
    return result;
}

std::optional<Dest> decode_dest(ByteView payload, net::Family service_family) {
    const Attributes dest = Attributes(payload, sizeof(genlmsghdr)).nested(IPVS_CMD_ATTR_DEST);
    const auto own_family = dest.u16(IPVS_DEST_ATTR_ADDR_FAMILY);
    const auto family = own_family ? family_of(*own_family) : std::optional(service_family);
    const auto port = dest.be16(IPVS_DEST_ATTR_PORT);
    const auto weight = dest.u32(IPVS_DEST_ATTR_WEIGHT);
    if (!family || !port || !weight) {
        return std::nullopt;
    }
    const auto address = read_address(dest, IPVS_DEST_ATTR_ADDR, *family);
    if (!address) {
        return std::nullopt;
    }
    Dest result;
    result.endpoint = {*address, *port};
    result.weight = *weight;
    const std::uint32_t method =
        dest.u32(IPVS_DEST_ATTR_FWD_METHOD).value_or(IP_VS_CONN_F_MASQ) & IP_VS_CONN_F_FWD_MASK;
    // The kernel says "local" of a real server that is one of the node's own addresses.
    result.masquerading = method == IP_VS_CONN_F_MASQ || method == IP_VS_CONN_F_LOCALNODE;
    return result;
}

}  // namespace steelyard::netlink::ipvs
