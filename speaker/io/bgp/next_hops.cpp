#include "speaker/io/bgp/next_hops.hpp"

#include <algorithm>

namespace steelyard::io {
namespace {

using net::Family;
using net::Interface;
using net::IpAddress;

constexpr std::uint8_t kMaxTtl = 255;

bool is_global(const IpAddress& address) {
    return !address.is_link_local() && !address.is_loopback() && !address.is_multicast() &&
           !address.is_unspecified();
}

const Interface* find_interface(
    const IpAddress& local, const std::string& name, const std::vector<Interface>& interfaces
) {
    const auto found =
        std::find_if(interfaces.begin(), interfaces.end(), [&](const Interface& interface) {
            if (local.is_link_local() && !name.empty()) {
                return interface.name == name;
            }
            return std::any_of(
                interface.addresses.begin(),
                interface.addresses.end(),
                [&](const Interface::Address& own) { return own.ip == local; }
            );
        });
    return found == interfaces.end() ? nullptr : &*found;
}

// Addresses of a whole subnet come before host addresses, which may well be a service's.
std::optional<IpAddress> global_address(const Interface& interface, Family family) {
    std::optional<IpAddress> single;
    for (const Interface::Address& own : interface.addresses) {
        if (own.ip.family() != family || !is_global(own.ip)) {
            continue;
        }
        if (own.subnet.length() < own.ip.bits()) {
            return own.ip;
        }
        if (!single) {
            single = own.ip;
        }
    }
    return single;
}

std::optional<IpAddress> link_local_address(const Interface& interface) {
    for (const Interface::Address& own : interface.addresses) {
        if (!own.ip.is_v4() && own.ip.is_link_local()) {
            return own.ip;
        }
    }
    return std::nullopt;
}

bool on_subnet(const Interface& interface, const IpAddress& remote) {
    return std::any_of(
        interface.addresses.begin(),
        interface.addresses.end(),
        [&](const Interface::Address& own) { return own.subnet.contains(remote); }
    );
}

std::string no_address(const IpAddress& local, const Interface* interface, Family family) {
    const std::string what(net::to_string(family));
    if (interface == nullptr) {
        return "no " + what + " next hop: the session's address " + to_string(local) +
               " is on no interface of this node";
    }
    return "no " + what + " next hop: " + interface->name + ", which has the session's address " +
           to_string(local) + ", has no global " + what + " address";
}

}  // namespace

NextHops next_hops(
    const IpAddress& local,
    const IpAddress& remote,
    const std::string& interface,
    bool multihop,
    const bgp::Negotiated& negotiated,
    const std::vector<Interface>& interfaces
) {
    const Interface* own = find_interface(local, interface, interfaces);
    const bool global_v6 = !local.is_v4() && !local.is_link_local();
    NextHops out;
    if (local.is_v4()) {
        out.v4 = local;
    } else if (own != nullptr && !(local.is_link_local() && negotiated.v4_over_v6)) {
        // Over a link-local session the peer need not share an IPv4 subnet with us.
        out.v4 = global_address(*own, Family::V4);
    }
    if (global_v6) {
        out.v6 = local;
    } else if (own != nullptr) {
        out.v6 = global_address(*own, Family::V6);
    }
    if (!local.is_v4() && local.is_link_local()) {
        out.link_local = local;
    } else if (own != nullptr && !multihop && (local.is_v4() || on_subnet(*own, remote))) {
        out.link_local = link_local_address(*own);  // RFC 2545 3
    }
    const bool any_v6 = out.v6 || out.link_local;
    if (negotiated.v4 && !out.v4 && !(negotiated.v4_over_v6 && any_v6)) {
        out.why_not_v4 = no_address(local, own, Family::V4);
    }
    if (negotiated.v6 && !any_v6) {
        out.why_not_v6 = no_address(local, own, Family::V6);
    }
    return out;
}

TtlPlan ttl_plan(const bgp::PeerConfig& config) {
    if (config.ttl_security_hops) {
        const int hops = std::max<int>(*config.ttl_security_hops, 1);
        return {kMaxTtl, static_cast<std::uint8_t>(kMaxTtl + 1 - hops)};
    }
    const bool external = config.remote_as.kind == bgp::RemoteAs::Kind::External ||
                          (config.remote_as.kind == bgp::RemoteAs::Kind::Exactly &&
                           config.remote_as.asn != config.local_asn);
    if (external && !config.multihop) {
        return {std::uint8_t{1}, std::nullopt};
    }
    return {};
}

}  // namespace steelyard::io
