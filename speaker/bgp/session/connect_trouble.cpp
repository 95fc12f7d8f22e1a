#include "speaker/bgp/session/connect_trouble.hpp"

#include "speaker/bgp/session/timing.hpp"

#include <boost/system/errc.hpp>

#include <string>

namespace steelyard::bgp {
namespace {

// An external peer that must be on a network of this node: our packets live for one hop.
bool is_one_hop(const PeerConfig& config) {
    const bool internal = config.remote_as.kind == RemoteAs::Kind::Internal ||
                          (config.remote_as.kind == RemoteAs::Kind::Exactly &&
                           config.remote_as.asn == config.local_asn);
    return !internal && !config.multihop && !config.ttl_security_hops;
}

// Kernel and peer drop segments with a wrong or missing MD5 signature, and those of too low a TTL,
// without a word.
std::string silent_causes(const PeerConfig& config) {
    std::string out = "it is unreachable, ";
    out += config.password.empty() ? "expects a password" : "has another password";
    out += is_one_hop(config) ? ", or is more than one hop away (that needs ebgpMultiHop)"
                              : ", or its TTL security drops our packets";
    return out;
}

}  // namespace

Trouble no_address(const PeerConfig& config) {
    return {
        Trouble::Kind::NoAddress, "no router advertisement heard on " + config.interface + " yet"};
}

Trouble no_open(const PeerConfig& config, const net::IpAddress& remote) {
    std::string causes = "its TTL security or a firewall drops our packets, or it hangs";
    if (config.ttl_security_hops) {
        causes = "it does not use TTL security, is more than " +
                 std::to_string(*config.ttl_security_hops) + " hops away, or hangs";
    }
    return {
        Trouble::Kind::Unreachable,
        "connected with " + net::to_string(remote) + ", but no OPEN came for " +
            seconds_text(kOpenPatience) + ": " + causes};
}

Trouble no_call() {
    return {
        Trouble::Kind::NoCall,
        "the peer has not called for " + seconds_text(kOpenPatience) +
            ", and this node does not dial: passive mode"};
}

Trouble no_answer(const PeerConfig& config, const net::Endpoint& remote) {
    return {
        Trouble::Kind::Unreachable,
        "no answer from " + net::to_string(remote) + ": " + silent_causes(config)};
}

Trouble connect_failed(const PeerConfig& config, const net::Endpoint& remote, const Error& error) {
    namespace errc = boost::system::errc;
    const std::string whom = net::to_string(remote);
    if (error.code == errc::connection_refused) {
        return {
            Trouble::Kind::Refused,
            whom +
                " refuses connections: nothing listens on that port, or "
                "a firewall answers"};
    }
    if (error.code == errc::timed_out || error.code == make_error_code(Errc::Timeout)) {
        return no_answer(config, remote);
    }
    if (error.code == errc::network_unreachable) {
        return {Trouble::Kind::Unreachable, "this node has no route to " + whom};
    }
    if (error.code == errc::host_unreachable) {
        return {
            Trouble::Kind::Unreachable,
            whom +
                " cannot be reached: on this network it answers no ARP or neighbour discovery, or "
                "a router reports it unreachable" +
                (is_one_hop(config) ? " (more than one hop away needs ebgpMultiHop)" : "")};
    }
    if (error.code == errc::address_not_available && config.source) {
        return {
            Trouble::Kind::Local,
            "the source address " + net::to_string(*config.source) + " is not on this node"};
    }
    if (error.code == errc::connection_reset || error.code == errc::connection_aborted) {
        return {Trouble::Kind::ClosedEarly, whom + " closed the connection while it was opened"};
    }
    return {Trouble::Kind::Local, "cannot connect to " + whom + ": " + to_string(error)};
}

}  // namespace steelyard::bgp
