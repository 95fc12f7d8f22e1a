#pragma once

#include "common/net/ip.hpp"

#include <compare>
#include <cstdint>
#include <string>
#include <vector>

// What a Service without an address waits for, and what becomes available when another one gives
// something up or changes. A waiter need not be looked at before one of its wants is opened.
namespace steelyard::ipam {

struct Want {
    enum class Kind : std::uint8_t {
        Address,   // a change of who holds `address`, or keeps it
        Room4,     // a free IPv4 address of the pool `index`
        Room6,     // a free IPv6 address of it
        RoomBoth,  // one of each
        Shared,    // any address of the pool `index`, shared under the key `name`
        Quota,     // fewer addresses held by the namespace `name` under the policy `index`
    };
    Kind kind = Kind::Address;
    std::uint32_t index = 0;  // place in the configuration
    net::IpAddress address;
    std::string name;
    friend auto operator<=>(const Want&, const Want&) = default;
};

}  // namespace steelyard::ipam
