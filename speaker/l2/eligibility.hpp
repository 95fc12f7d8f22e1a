#pragma once

#include "common/base/error.hpp"
#include "common/net/interface.hpp"
#include "speaker/l2/announcements.hpp"

#include <regex>
#include <string>
#include <string_view>
#include <vector>

// Which interfaces addresses may be announced on: MetalLB's rules, plus carrier. Neither an IPv4
// address nor an IPv6 link-local address is needed: the packet socket answers without one.
namespace steelyard::l2 {

enum class WhyNot {
    Eligible,
    ExcludedByName,
    Loopback,
    Down,
    NoCarrier,
    Enslaved,    // the bond, bridge or VRF above it announces
    NoArp,       // IFF_NOARP
    NoMac,       // tunnels
    NoBroadcast  // ARP only; NDP is fine
};
[[nodiscard]] std::string_view to_string(WhyNot why_not);  // "no carrier"

struct Eligibility {
    bool arp = false;
    bool ndp = false;
    WhyNot why_not = WhyNot::Eligible;  // Eligible iff both are true
    friend bool operator==(const Eligibility&, const Eligibility&) = default;
};

// Interface names that never announce, as regular expressions searched for in the name.
class NameExclusions {
public:
    // Docker, CNI and other virtual devices: the list of MetalLB's excludel2.yaml.
    static NameExclusions standard();
    // One Error names the first pattern that is no regular expression.
    static Result<NameExclusions> parse(const std::vector<std::string>& patterns);

    [[nodiscard]] bool matches(const std::string& name) const;

private:
    std::vector<std::regex> patterns_;
};

[[nodiscard]] Eligibility eligibility(
    const net::Interface& interface, const NameExclusions& exclusions
);
// The eligible ones among them.
[[nodiscard]] std::vector<Port> eligible_ports(
    const std::vector<net::Interface>& interfaces, const NameExclusions& exclusions
);

}  // namespace steelyard::l2
