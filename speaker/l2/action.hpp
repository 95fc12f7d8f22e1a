#pragma once

#include "common/net/ip.hpp"
#include "common/net/mac.hpp"
#include "speaker/l2/frame.hpp"

#include <variant>
#include <vector>

// What the cores of this room ask their driver to do, in order. The driver reuses one Actions.
namespace steelyard::l2 {

struct Send {
    unsigned interface_index = 0;
    Frame frame;
};

// Somebody else says the address is his (RFC 5227 2.4). Reported at most once an address in ten
// seconds.
struct Conflict {
    unsigned interface_index = 0;
    net::IpAddress address;
    net::MacAddress claimant;
    bool defended = false;  // we claimed it back; false when the port's pace did not allow it
    friend bool operator==(const Conflict&, const Conflict&) = default;
};

using Action = std::variant<Send, Conflict>;
using Actions = std::vector<Action>;

}  // namespace steelyard::l2
