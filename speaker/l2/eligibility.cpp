#include "speaker/l2/eligibility.hpp"

#include "speaker/l2/arp.hpp"

#include <algorithm>

namespace steelyard::l2 {
namespace {

WhyNot first_obstacle(const net::Interface& interface, const NameExclusions& exclusions) {
    if (interface.loopback) {
        return WhyNot::Loopback;
    }
    if (exclusions.matches(interface.name)) {
        return WhyNot::ExcludedByName;
    }
    if (!interface.up) {
        return WhyNot::Down;
    }
    if (interface.enslaved) {
        return WhyNot::Enslaved;
    }
    if (interface.no_arp) {
        return WhyNot::NoArp;
    }
    if (is_zero(interface.mac)) {
        return WhyNot::NoMac;
    }
    if (!interface.running) {
        return WhyNot::NoCarrier;
    }
    return interface.broadcast ? WhyNot::Eligible : WhyNot::NoBroadcast;
}

}  // namespace

std::string_view to_string(WhyNot why_not) {
    switch (why_not) {
        case WhyNot::Eligible:
            return "eligible";
        case WhyNot::ExcludedByName:
            return "excluded by name";
        case WhyNot::Loopback:
            return "loopback";
        case WhyNot::Down:
            return "down";
        case WhyNot::NoCarrier:
            return "no carrier";
        case WhyNot::Enslaved:
            return "port of a bond, bridge or VRF";
        case WhyNot::NoArp:
            return "ARP is switched off";
        case WhyNot::NoMac:
            return "no Ethernet address";
        case WhyNot::NoBroadcast:
            return "no broadcast, so no ARP";
    }
    return "unknown";
}

NameExclusions NameExclusions::standard() {
    return parse({"^docker.*",
                  "^cbr.*",
                  "^dummy.*",
                  "^virbr.*",
                  "^lxcbr.*",
                  "^veth.*",
                  "^lo$",
                  "^cali.*",
                  "^tunl.*",
                  "^flannel.*",
                  "^kube-ipvs.*",
                  "^cni.*",
                  "^nodelocaldns.*",
                  "^lxc.*"})
        .value();
}

Result<NameExclusions> NameExclusions::parse(const std::vector<std::string>& patterns) {
    NameExclusions exclusions;
    for (const std::string& pattern : patterns) {
        try {
            exclusions.patterns_.emplace_back(
                pattern, std::regex::ECMAScript | std::regex::optimize
            );
        } catch (const std::regex_error& bad) {
            return make_error(
                Errc::Invalid,
                "excluded interface \"" + pattern + "\" is not a regular expression: " + bad.what()
            );
        }
    }
    return exclusions;
}

bool NameExclusions::matches(const std::string& name) const {
    return std::any_of(patterns_.begin(), patterns_.end(), [&](const std::regex& pattern) {
        return std::regex_search(name, pattern);
    });
}

Eligibility eligibility(const net::Interface& interface, const NameExclusions& exclusions) {
    const WhyNot why_not = first_obstacle(interface, exclusions);
    const bool ndp = why_not == WhyNot::Eligible || why_not == WhyNot::NoBroadcast;
    return {why_not == WhyNot::Eligible, ndp, why_not};
}

std::vector<Port> eligible_ports(
    const std::vector<net::Interface>& interfaces, const NameExclusions& exclusions
) {
    std::vector<Port> ports;
    for (const net::Interface& interface : interfaces) {
        const Eligibility found = eligibility(interface, exclusions);
        if (found.arp || found.ndp) {
            ports.push_back({interface.index, interface.name, interface.mac, found.arp, found.ndp});
        }
    }
    return ports;
}

}  // namespace steelyard::l2
