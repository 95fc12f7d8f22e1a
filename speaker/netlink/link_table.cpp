#include "speaker/netlink/link_table.hpp"

#include "speaker/netlink/route_address.hpp"

#include <linux/if.h>
#include <linux/if_addr.h>
#include <linux/if_link.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <sys/socket.h>

#include <algorithm>
#include <cstring>

namespace steelyard::netlink {
namespace {

Bytes address_message(
    std::uint16_t type, std::uint16_t flags, unsigned index, const net::IpAddress& address
) {
    MessageWriter message(type, flags);
    ifaddrmsg header{};
    header.ifa_family = address.is_v4() ? AF_INET : AF_INET6;
    header.ifa_prefixlen = static_cast<std::uint8_t>(address.bits());
    header.ifa_index = index;
    message.header(header);
    message.attribute(IFA_LOCAL, std::as_bytes(address.bytes()));
    message.attribute(IFA_ADDRESS, std::as_bytes(address.bytes()));
    if (!address.is_v4()) {
        message.u32(IFA_FLAGS, IFA_F_NODAD);  // nobody is asked on a link that is down
    }
    return message.take();
}

}  // namespace

Bytes dump_links() {
    MessageWriter message(RTM_GETLINK, NLM_F_DUMP);
    message.header(ifinfomsg{});
    return message.take();
}

Bytes get_link(std::string_view name) {
    MessageWriter message(RTM_GETLINK, 0);
    message.header(ifinfomsg{});
    message.text(IFLA_IFNAME, name);
    return message.take();
}

Bytes dump_addresses(unsigned index) {
    MessageWriter message(RTM_GETADDR, NLM_F_DUMP);
    ifaddrmsg header{};
    header.ifa_index = index;
    message.header(header);
    return message.take();
}

Bytes new_dummy_link(std::string_view name) {
    MessageWriter message(RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL);
    message.header(ifinfomsg{});
    message.text(IFLA_IFNAME, name);
    const std::size_t kind = message.open(IFLA_LINKINFO);
    message.text(IFLA_INFO_KIND, "dummy");
    message.close(kind);
    return message.take();
}

Bytes del_link(unsigned index) {
    MessageWriter message(RTM_DELLINK, 0);
    ifinfomsg header{};
    header.ifi_index = static_cast<int>(index);
    message.header(header);
    return message.take();
}

Bytes new_address(unsigned index, const net::IpAddress& address) {
    return address_message(RTM_NEWADDR, NLM_F_CREATE | NLM_F_EXCL, index, address);
}

Bytes del_address(unsigned index, const net::IpAddress& address) {
    return address_message(RTM_DELADDR, 0, index, address);
}

std::optional<net::Interface> decode_link(ByteView payload) {
    const auto header = read_header<ifinfomsg>(payload);
    const Attributes attributes(payload, sizeof(ifinfomsg));
    // AF_BRIDGE messages describe a port, not the link.
    if (!header || header->ifi_family != AF_UNSPEC || header->ifi_index <= 0) {
        return std::nullopt;
    }
    net::Interface link;
    link.index = static_cast<unsigned>(header->ifi_index);
    link.name = attributes.text(IFLA_IFNAME);
    link.up = (header->ifi_flags & IFF_UP) != 0;
    link.running = (header->ifi_flags & IFF_RUNNING) != 0;
    link.loopback = (header->ifi_flags & IFF_LOOPBACK) != 0;
    link.no_arp = (header->ifi_flags & IFF_NOARP) != 0;
    link.broadcast = (header->ifi_flags & IFF_BROADCAST) != 0;
    link.enslaved = attributes.u32(IFLA_MASTER).value_or(0) != 0;
    if (const auto mac = attributes.find(IFLA_ADDRESS); mac && mac->size() == 6) {
        std::memcpy(link.mac.bytes.data(), mac->data(), 6);
    }
    return link;
}

std::optional<LinkAddress> decode_address(ByteView payload) {
    const auto header = read_header<ifaddrmsg>(payload);
    if (!header) {
        return std::nullopt;
    }
    const Attributes attributes(payload, sizeof(ifaddrmsg));
    // On a point-to-point link IFA_ADDRESS is the peer's and IFA_LOCAL ours; IPv6 usually has only
    // IFA_ADDRESS.
    const auto address = read_address(attributes, IFA_ADDRESS, header->ifa_family);
    const auto local = read_address(attributes, IFA_LOCAL, header->ifa_family);
    if (!address && !local) {
        return std::nullopt;
    }
    const net::IpAddress own = local ? *local : *address;
    const net::IpAddress subnet = address ? *address : *local;
    LinkAddress result;
    result.index = header->ifa_index;
    result.address.ip = own;
    result.address.subnet =
        net::Prefix(subnet, std::min<unsigned>(header->ifa_prefixlen, subnet.bits()));
    return result;
}

bool LinkTable::apply(std::uint16_t type, ByteView payload) {
    if (type == RTM_NEWLINK || type == RTM_DELLINK) {
        auto link = decode_link(payload);
        if (!link) {
            return false;
        }
        const bool visible = !ignored_.contains(link->name);
        if (type == RTM_DELLINK) {
            return links_.erase(link->index) > 0 && visible;
        }
        const auto [found, added] = links_.try_emplace(link->index);
        link->addresses = found->second.addresses;
        const bool changed = added || found->second != *link;
        found->second = std::move(*link);
        return changed && visible;
    }
    if (type != RTM_NEWADDR && type != RTM_DELADDR) {
        return false;
    }
    const auto changed = decode_address(payload);
    const auto link = changed ? links_.find(changed->index) : links_.end();
    if (link == links_.end() || ignored_.contains(link->second.name)) {
        return false;
    }
    auto& addresses = link->second.addresses;
    const auto found = std::find(addresses.begin(), addresses.end(), changed->address);
    const bool present = found != addresses.end();
    if (type == RTM_NEWADDR && !present) {
        addresses.push_back(changed->address);
    } else if (type == RTM_DELADDR && present) {
        addresses.erase(found);
    } else {
        return false;
    }
    return true;
}

std::vector<net::Interface> LinkTable::snapshot() const {
    std::vector<net::Interface> interfaces;
    for (const auto& [index, link] : links_) {
        if (ignored_.contains(link.name)) {
            continue;
        }
        interfaces.push_back(link);
        auto& addresses = interfaces.back().addresses;
        std::sort(addresses.begin(), addresses.end(), [](const auto& left, const auto& right) {
            return std::pair(left.ip, left.subnet) < std::pair(right.ip, right.subnet);
        });
    }
    return interfaces;
}

}  // namespace steelyard::netlink
