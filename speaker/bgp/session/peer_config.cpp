#include "speaker/bgp/session/peer_config.hpp"

namespace steelyard::bgp {

bool needs_reset(const PeerConfig& old, const PeerConfig& next) {
    PeerConfig comparable = next;
    comparable.name = old.name;
    comparable.hold_time = old.hold_time;
    comparable.keepalive_time = old.keepalive_time;
    comparable.connect_time = old.connect_time;
    comparable.restart_time = old.restart_time;
    comparable.passive = old.passive;
    comparable.bfd = old.bfd;
    return comparable != old;
}

bool same_neighbour(const PeerConfig& one, const PeerConfig& other) {
    return one.address == other.address && one.interface == other.interface &&
           one.port == other.port && one.source == other.source && one.vrf == other.vrf;
}

std::string remote_name(const PeerConfig& config) {
    if (!config.address) {
        return config.interface;
    }
    const net::Endpoint remote{*config.address, config.port};
    std::string out = net::to_string(remote);
    return config.interface.empty() ? out : out + "%" + config.interface;
}

}  // namespace steelyard::bgp
