#pragma once

#include "common/net/ip.hpp"
#include "common/net/mac.hpp"

#include <cstdint>
#include <string>
#include <unordered_map>
#include <vector>

// What this node answers for, and where. Both values come from outside as a whole: the election
// makes Announcements, the link monitor makes Ports.
namespace steelyard::l2 {

enum class Role : std::uint8_t {
    Announce,  // ours: answer, send gratuitous packets, defend
    // Another live node's now: go on answering, and nothing else, until its claim is heard on the
    // wire or kYieldTime has passed. Nothing at all when it was not announced before.
    Yield
};

struct Announcement {
    std::vector<std::string> interfaces;  // names; empty: every port
    Role role = Role::Announce;
    bool echo = false;  // answer ICMP echo requests to it too
    // The live node it is taken over from, which goes on answering until it hears us: so we do not
    // answer before our first claim is out. Empty: nobody answers now, be quick.
    std::string relieves = {};
    friend bool operator==(const Announcement&, const Announcement&) = default;
};

// An address that is absent is released: silent at once.
using Announcements = std::unordered_map<net::IpAddress, Announcement>;

// An interface that passed eligibility() for at least one family.
struct Port {
    unsigned index = 0;
    std::string name;
    net::MacAddress mac;
    bool arp = false;
    bool ndp = false;
    friend bool operator==(const Port&, const Port&) = default;
};

// Whether `address`, announced so, is announced on this port.
[[nodiscard]] bool is_on_port(
    const net::IpAddress& address, const Announcement& announcement, const Port& port
);

// metallb_layer2_{requests_received,responses_sent,gratuitous_sent} of one address.
struct AddressCounters {
    std::uint64_t requests_received = 0;
    std::uint64_t responses_sent = 0;
    std::uint64_t gratuitous_sent = 0;
    friend bool operator==(const AddressCounters&, const AddressCounters&) = default;
};

}  // namespace steelyard::l2
