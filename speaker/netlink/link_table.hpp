#pragma once

#include "common/net/interface.hpp"
#include "speaker/netlink/message.hpp"

#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

// rtnetlink links and addresses to and from values. Pure; LinkTable folds notifications and dump
// answers alike into the node's interfaces.
namespace steelyard::netlink {

[[nodiscard]] Bytes dump_links();
[[nodiscard]] Bytes get_link(std::string_view name);  // ENODEV when absent
// Of one link, if the socket asks for strict checking; `index` 0: of all.
[[nodiscard]] Bytes dump_addresses(unsigned index = 0);
[[nodiscard]] Bytes new_dummy_link(std::string_view name);
[[nodiscard]] Bytes del_link(unsigned index);
[[nodiscard]] Bytes new_address(unsigned index, const net::IpAddress& address);  // /32 or /128
[[nodiscard]] Bytes del_address(unsigned index, const net::IpAddress& address);

struct LinkAddress {
    unsigned index = 0;
    net::Interface::Address address;
};
// Of RTM_NEWLINK and RTM_DELLINK, RTM_NEWADDR and RTM_DELADDR payloads.
[[nodiscard]] std::optional<net::Interface> decode_link(ByteView payload);
[[nodiscard]] std::optional<LinkAddress> decode_address(ByteView payload);

class LinkTable {
public:
    explicit LinkTable(std::set<std::string> ignored) : ignored_(std::move(ignored)) {}

    // True when the snapshot changed. Other message types are ignored.
    bool apply(std::uint16_t type, ByteView payload);
    void clear() { links_.clear(); }
    [[nodiscard]] std::vector<net::Interface> snapshot() const;

private:
    std::set<std::string> ignored_;
    std::map<unsigned, net::Interface>
        links_;  // ignored ones too: their addresses must not confuse
};

}  // namespace steelyard::netlink
