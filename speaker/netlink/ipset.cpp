#include "speaker/netlink/ipset.hpp"

#include "common/base/check.hpp"

#include <linux/netfilter/ipset/ip_set.h>
#include <linux/netfilter/ipset/ip_set_bitmap.h>
#include <linux/netfilter/ipset/ip_set_hash.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netlink.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cstring>

namespace steelyard::netlink::ipset {
namespace {

using proxy::SetEntry;
using proxy::SetId;
using proxy::SetType;

constexpr std::uint8_t kProtocol = 6;  // every kernel since 2.6.39 speaks it
constexpr unsigned kNetOrder = NLA_F_NET_BYTEORDER;

std::uint8_t kernel_family(SetId set) {
    if (proxy::set_type(set.name) == SetType::BitmapPort) {
        return AF_UNSPEC;
    }
    return set.family == net::Family::V4 ? AF_INET : AF_INET6;
}

MessageWriter begin(unsigned command, std::uint16_t flags = 0) {
    MessageWriter message(static_cast<std::uint16_t>(NFNL_SUBSYS_IPSET << 8 | command), flags);
    nfgenmsg header{};
    header.nfgen_family = AF_INET;
    header.version = NFNETLINK_V0;
    message.header(header);
    message.u8(IPSET_ATTR_PROTOCOL, kProtocol);
    return message;
}

void put_address(MessageWriter& message, unsigned type, const net::IpAddress& address) {
    const std::size_t nested = message.open(type);
    message.attribute(
        (address.is_v4() ? IPSET_ATTR_IPADDR_IPV4 : IPSET_ATTR_IPADDR_IPV6) | kNetOrder,
        std::as_bytes(address.bytes())
    );
    message.close(nested);
}

bool has_port(SetType type) {
    return type != SetType::HashIp && type != SetType::HashNet;
}

void put_entry(MessageWriter& message, SetId set, const SetEntry& entry, std::uint32_t mark) {
    const SetType type = proxy::set_type(set.name);
    const std::size_t nested = message.open(IPSET_ATTR_DATA);
    if (type != SetType::BitmapPort) {
        put_address(message, IPSET_ATTR_IP, entry.ip);
    }
    if (type == SetType::HashNet) {
        message.u8(IPSET_ATTR_CIDR, entry.prefix_length);
    }
    if (mark != 0) {
        // Value and mask; the mask says which bits of a packet's mark are set.
        message.be64(IPSET_ATTR_SKBMARK | kNetOrder, std::uint64_t{mark} << 32U | 0xffffffffU);
    }
    if (has_port(type)) {
        message.be16(IPSET_ATTR_PORT | kNetOrder, entry.port);
    }
    if (has_port(type) && type != SetType::BitmapPort) {
        message.u8(IPSET_ATTR_PROTO, net::ip_protocol_number(entry.protocol));
    }
    if (type == SetType::HashIpPortIp && entry.second_ip) {
        put_address(message, IPSET_ATTR_IP2, *entry.second_ip);
    }
    if (type == SetType::HashIpPortNet && entry.second_ip) {
        put_address(message, IPSET_ATTR_IP2, *entry.second_ip);
        message.u8(IPSET_ATTR_CIDR2, entry.prefix_length);
    }
    message.close(nested);
}

Bytes pair_message(unsigned command, std::string_view one, std::string_view other) {
    MessageWriter message = begin(command);
    message.text(IPSET_ATTR_SETNAME, one);
    message.text(IPSET_ATTR_SETNAME2, other);
    return message.take();
}

// The revision of each type that brought skbinfo (Linux 3.18): what every ipset program of the last
// ten years can list, and more than the other sets need.
std::uint8_t revision_with_marks(SetType type) {
    switch (type) {
        case SetType::BitmapPort:
            return 3;
        case SetType::HashIp:
            return 4;
        case SetType::HashIpPort:
        case SetType::HashIpPortIp:
            return 5;
        case SetType::HashNet:
            return 6;
        case SetType::HashIpPortNet:
            return 7;
    }
    SY_CHECK(false, "unreachable");
}

Bytes entry_message(
    unsigned command, std::string_view name, SetId set, const SetEntry& entry, std::uint32_t mark
) {
    MessageWriter message = begin(command);
    message.text(IPSET_ATTR_SETNAME, name);
    put_entry(message, set, entry, mark);
    return message.take();
}

std::optional<net::IpAddress> read_address(const Attributes& attributes, unsigned type) {
    const Attributes nested = attributes.nested(type);
    if (const auto v4 = nested.be32(IPSET_ATTR_IPADDR_IPV4)) {
        return net::IpAddress::v4(*v4);
    }
    const auto v6 = nested.find(IPSET_ATTR_IPADDR_IPV6);
    std::array<std::uint8_t, 16> bytes{};
    if (!v6 || v6->size() != bytes.size()) {
        return std::nullopt;
    }
    std::memcpy(bytes.data(), v6->data(), bytes.size());
    return net::IpAddress::v6(bytes);
}

std::optional<net::Protocol> protocol_of(std::optional<std::uint8_t> number) {
    for (const auto protocol : {net::Protocol::Tcp, net::Protocol::Udp, net::Protocol::Sctp}) {
        if (number == net::ip_protocol_number(protocol)) {
            return protocol;
        }
    }
    return std::nullopt;
}

bool read_entry(const Attributes& data, SetType type, SetEntry& entry) {
    if (type == SetType::HashNet) {
        const auto address = read_address(data, IPSET_ATTR_IP);
        if (!address) {
            return false;
        }
        const auto whole = static_cast<std::uint8_t>(address->bits());
        entry.ip = *address;
        entry.prefix_length = std::min(data.u8(IPSET_ATTR_CIDR).value_or(whole), whole);
        return true;
    }
    if (type != SetType::BitmapPort) {
        const auto address = read_address(data, IPSET_ATTR_IP);
        if (!address) {
            return false;
        }
        entry.ip = *address;
    }
    if (type != SetType::HashIp) {
        const auto port = data.be16(IPSET_ATTR_PORT);
        if (!port) {
            return false;
        }
        entry.port = *port;
    }
    if (type != SetType::HashIp && type != SetType::BitmapPort) {
        const auto protocol = protocol_of(data.u8(IPSET_ATTR_PROTO));
        if (!protocol) {
            return false;
        }
        entry.protocol = *protocol;
    }
    if (type == SetType::HashIpPortIp || type == SetType::HashIpPortNet) {
        const auto second = read_address(data, IPSET_ATTR_IP2);
        if (!second) {
            return false;
        }
        entry.second_ip = *second;
        if (type == SetType::HashIpPortNet) {
            const auto whole = static_cast<std::uint8_t>(second->bits());
            entry.prefix_length = std::min(data.u8(IPSET_ATTR_CIDR2).value_or(whole), whole);
        }
    }
    return true;
}

// Each kind of set counts its own errors from the same number.
std::string_view hash_error(int error) {
    switch (error) {
        case IPSET_ERR_HASH_FULL:
            return "the set is full";
        case IPSET_ERR_HASH_ELEM:
            return "such a set cannot hold an empty element";
        case IPSET_ERR_INVALID_PROTO:
            return "the protocol is invalid";
        case IPSET_ERR_MISSING_PROTO:
            return "the protocol is missing";
        case IPSET_ERR_HASH_RANGE_UNSUPPORTED:
            return "the set type knows no ranges";
        case IPSET_ERR_HASH_RANGE:
            return "the range is invalid";
        default:
            return {};
    }
}

std::string_view bitmap_error(int error) {
    switch (error) {
        case IPSET_ERR_BITMAP_RANGE:
            return "the element is outside the set's range";
        case IPSET_ERR_BITMAP_RANGE_SIZE:
            return "the set's range is too large";
        default:
            return {};
    }
}

}  // namespace

Bytes get_type(SetId set) {
    MessageWriter message = begin(IPSET_CMD_TYPE);
    message.text(IPSET_ATTR_TYPENAME, proxy::to_string(proxy::set_type(set.name)));
    message.u8(IPSET_ATTR_FAMILY, kernel_family(set));
    return message.take();
}

std::optional<Revisions> decode_revisions(ByteView payload) {
    const Attributes type(payload, sizeof(nfgenmsg));
    const auto newest = type.u8(IPSET_ATTR_REVISION);
    if (!newest) {
        return std::nullopt;
    }
    return Revisions{*newest, type.u8(IPSET_ATTR_REVISION_MIN).value_or(*newest)};
}

std::optional<std::uint8_t> choose_revision(SetId set, const Revisions& revisions) {
    const std::uint8_t wanted = revision_with_marks(proxy::set_type(set.name));
    if (proxy::has_marks(set.name) && revisions.newest < wanted) {
        return std::nullopt;
    }
    return std::clamp(wanted, revisions.oldest, revisions.newest);
}

Bytes create(std::string_view name, SetId set, std::uint8_t revision, std::uint32_t max_elements) {
    const SetType type = proxy::set_type(set.name);
    MessageWriter message = begin(IPSET_CMD_CREATE, NLM_F_CREATE);
    message.text(IPSET_ATTR_SETNAME, name);
    message.text(IPSET_ATTR_TYPENAME, proxy::to_string(type));
    message.u8(IPSET_ATTR_REVISION, revision);
    message.u8(IPSET_ATTR_FAMILY, kernel_family(set));
    const std::size_t data = message.open(IPSET_ATTR_DATA);
    if (type == SetType::BitmapPort) {
        message.be16(IPSET_ATTR_PORT | kNetOrder, 0);
        message.be16(IPSET_ATTR_PORT_TO | kNetOrder, 65535);
    } else {
        message.be32(IPSET_ATTR_MAXELEM | kNetOrder, max_elements);
    }
    if (proxy::has_marks(set.name)) {
        message.be32(IPSET_ATTR_CADT_FLAGS | kNetOrder, IPSET_FLAG_WITH_SKBINFO);
    }
    message.close(data);
    return message.take();
}

Bytes destroy(std::string_view name) {
    MessageWriter message = begin(IPSET_CMD_DESTROY, NLM_F_EXCL);  // else absent is as good
    message.text(IPSET_ATTR_SETNAME, name);
    return message.take();
}

Bytes rename(std::string_view from, std::string_view to) {
    return pair_message(IPSET_CMD_RENAME, from, to);
}

Bytes swap(std::string_view one, std::string_view other) {
    return pair_message(IPSET_CMD_SWAP, one, other);
}

Bytes dump_headers() {
    MessageWriter message = begin(IPSET_CMD_LIST, NLM_F_DUMP);
    message.be32(IPSET_ATTR_FLAGS | kNetOrder, IPSET_FLAG_LIST_HEADER);
    return message.take();
}

std::optional<Header> decode_header(ByteView payload) {
    const Attributes set(payload, sizeof(nfgenmsg));
    const Attributes data = set.nested(IPSET_ATTR_DATA);
    Header header;
    header.name = set.text(IPSET_ATTR_SETNAME);
    header.type = set.text(IPSET_ATTR_TYPENAME);
    if (header.name.empty() || header.type.empty()) {
        return std::nullopt;
    }
    header.revision = set.u8(IPSET_ATTR_REVISION).value_or(0);
    header.max_elements = data.be32(IPSET_ATTR_MAXELEM).value_or(0);
    header.elements = data.be32(IPSET_ATTR_ELEMENTS).value_or(0);
    header.references = data.be32(IPSET_ATTR_REFERENCES).value_or(0);
    const std::uint32_t flags = data.be32(IPSET_ATTR_CADT_FLAGS).value_or(0);
    header.carries_marks = (flags & IPSET_FLAG_WITH_SKBINFO) != 0;
    return header;
}

Bytes add(std::string_view name, SetId set, const SetEntry& entry, std::uint32_t mark) {
    return entry_message(IPSET_CMD_ADD, name, set, entry, mark);
}

Bytes del(std::string_view name, SetId set, const SetEntry& entry) {
    return entry_message(IPSET_CMD_DEL, name, set, entry, 0);
}

Bytes list(std::string_view name) {
    MessageWriter message = begin(IPSET_CMD_LIST, NLM_F_DUMP);
    message.text(IPSET_ATTR_SETNAME, name);
    return message.take();
}

void decode_members(ByteView payload, SetId set, const OnMember& on_member) {
    const SetType type = proxy::set_type(set.name);
    Attributes list = Attributes(payload, sizeof(nfgenmsg)).nested(IPSET_ATTR_ADT);
    while (const auto member = list.next()) {
        const Attributes data(member->value);
        SetEntry entry;
        if (member->type == IPSET_ATTR_DATA && read_entry(data, type, entry)) {
            const std::uint64_t mark = data.be64(IPSET_ATTR_SKBMARK).value_or(0);
            on_member(entry, static_cast<std::uint32_t>(mark >> 32U));
        }
    }
}

// In the order of linux/netfilter/ipset/ip_set.h; what the kernel means by each is in its
// net/netfilter/ipset.
std::string describe_error(int error, SetType type) {
    if (error >= IPSET_ERR_TYPE_SPECIFIC) {
        const std::string_view words =
            type == SetType::BitmapPort ? bitmap_error(error) : hash_error(error);
        return words.empty() ? "ipset error " + std::to_string(error) : std::string(words);
    }
    switch (error) {
        case IPSET_ERR_PROTOCOL:
            return "the kernel does not speak this ipset protocol";
        case IPSET_ERR_FIND_TYPE:
            return "the kernel lacks the set type (modprobe ip_set_hash_ipport and the like)";
        case IPSET_ERR_MAX_SETS:
            return "the kernel holds as many sets as it can";
        case IPSET_ERR_BUSY:
            return "the set is in use";
        case IPSET_ERR_EXIST_SETNAME2:
            return "the second set's name is taken, or for a swap there is no such set";
        case IPSET_ERR_TYPE_MISMATCH:
            return "the set that exists is of another type or family";
        case IPSET_ERR_EXIST:
            return "the element is in the set already, or was not there to be removed";
        case IPSET_ERR_INVALID_CIDR:
            return "the prefix length is invalid";
        case IPSET_ERR_INVALID_NETMASK:
            return "the netmask is invalid";
        case IPSET_ERR_INVALID_FAMILY:
            return "the set type knows no such address family";
        case IPSET_ERR_TIMEOUT:
            return "the set was created without timeouts";
        case IPSET_ERR_REFERENCED:
            return "rules or other sets refer to the set";
        case IPSET_ERR_IPADDR_IPV4:
            return "the set wants an IPv4 address";
        case IPSET_ERR_IPADDR_IPV6:
            return "the set wants an IPv6 address";
        case IPSET_ERR_COUNTER:
            return "the set was created without counters";
        case IPSET_ERR_COMMENT:
            return "the set was created without comments";
        case IPSET_ERR_INVALID_MARKMASK:
            return "the mark mask is invalid";
        case IPSET_ERR_SKBINFO:
            return "the set was created without marks (skbinfo)";
        default:
            return error < IPSET_ERR_PRIVATE ? std::strerror(error)
                                             : "ipset error " + std::to_string(error);
    }
}

}  // namespace steelyard::netlink::ipset
