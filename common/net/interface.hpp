#pragma once

#include "common/net/ip.hpp"
#include "common/net/mac.hpp"
#include "common/net/prefix.hpp"

#include <string>
#include <vector>

namespace steelyard::net {

// A network interface as rtnetlink describes it, reduced to what election, announcing and NodePorts
// need. Identity is the index: a name can be given to another device.
struct Interface {
    struct Address {
        IpAddress ip;
        Prefix subnet;
        friend bool operator==(const Address&, const Address&) = default;
    };
    unsigned index = 0;
    std::string name;
    MacAddress mac;
    bool up = false;       // IFF_UP: administratively up
    bool running = false;  // IFF_RUNNING: has carrier
    bool loopback = false;
    bool no_arp = false;     // IFF_NOARP
    bool broadcast = false;  // IFF_BROADCAST
    bool enslaved = false;   // has a master (bond, bridge or VRF port)
    std::vector<Address> addresses;
    friend bool operator==(const Interface&, const Interface&) = default;
};

}  // namespace steelyard::net
