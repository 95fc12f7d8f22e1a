#pragma once

#include "common/net/ip.hpp"
#include "speaker/netlink/message.hpp"

#include <optional>

namespace steelyard::netlink {

// An address in an rtnetlink attribute (RTA_*, IFA_*); `family` is the message's, AF_INET or
// AF_INET6. nullopt when absent or not of the family's length.
[[nodiscard]] std::optional<net::IpAddress> read_address(
    const Attributes& attributes, unsigned type, unsigned family
);

}  // namespace steelyard::netlink
