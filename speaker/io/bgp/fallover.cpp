#include "speaker/io/bgp/fallover.hpp"

#include <algorithm>

namespace steelyard::io {
namespace {

using net::Interface;

bool has_address(const Interface& interface, const net::IpAddress& address) {
    return std::any_of(
        interface.addresses.begin(),
        interface.addresses.end(),
        [&](const Interface::Address& own) { return own.ip == address; }
    );
}

// A link-local address means something on its own interface only.
const Interface* holder(
    const bgp::PeerConfig& config,
    const net::IpAddress& address,
    const std::vector<Interface>& interfaces
) {
    const auto found =
        std::find_if(interfaces.begin(), interfaces.end(), [&](const Interface& one) {
            const bool named = !address.is_link_local() || config.interface.empty() ||
                               one.name == config.interface;
            return named && has_address(one, address);
        });
    return found == interfaces.end() ? nullptr : &*found;
}

bool one_hop_away(const bgp::PeerConfig& config, const net::IpAddress& remote, const Interface& interface) {
    if (config.multihop || config.ttl_security_hops.value_or(1) > 1) {
        return false;
    }
    return remote.is_link_local() ||
           std::any_of(
               interface.addresses.begin(),
               interface.addresses.end(),
               [&](const Interface::Address& own) { return own.subnet.contains(remote); }
           );
}

std::string lost_link(const Interface& was, const std::vector<Interface>& now) {
    const auto is = std::find_if(now.begin(), now.end(), [&](const Interface& one) {
        return one.index == was.index;
    });
    if (is == now.end()) {
        return "interface " + was.name + " is gone";
    }
    if (was.up && !is->up) {
        return "interface " + is->name + " was set down";
    }
    return was.running && !is->running ? "interface " + is->name + " lost its carrier" : "";
}

}  // namespace

std::string cut_off(
    const bgp::PeerConfig& config,
    const bgp::Endpoints& ends,
    bool ibgp,
    const std::vector<Interface>& before,
    const std::vector<Interface>& now
) {
    const Interface* was = holder(config, ends.local.address, before);
    if (was == nullptr) {
        return {};
    }
    if (!ibgp && one_hop_away(config, ends.remote.address, *was)) {
        if (std::string why = lost_link(*was, now); !why.empty()) {
            return why;
        }
    }
    if (holder(config, ends.local.address, now) == nullptr) {
        return "its address " + to_string(ends.local.address) + " was taken from this node";
    }
    return {};
}

}  // namespace steelyard::io
