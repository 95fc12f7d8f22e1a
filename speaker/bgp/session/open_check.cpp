#include "speaker/bgp/session/open_check.hpp"

#include "speaker/bgp/wire/message.hpp"

#include <algorithm>
#include <chrono>
#include <optional>
#include <string>
#include <utility>

namespace steelyard::bgp {
namespace {

using bgp_wire::OpenError;
using bgp_wire::Role;
using std::chrono::seconds;

std::string as_text(std::uint32_t asn) {
    return "AS " + std::to_string(asn);
}

bool known_internal(const PeerConfig& config) {
    switch (config.remote_as.kind) {
        case RemoteAs::Kind::Exactly:
            return config.remote_as.asn == config.local_asn;
        case RemoteAs::Kind::Internal:
            return true;
        case RemoteAs::Kind::External:
            return false;
    }
    return false;
}

std::optional<Fault> check_as(const PeerConfig& config, std::uint32_t asn) {
    std::string wanted;
    switch (config.remote_as.kind) {
        case RemoteAs::Kind::Exactly:
            if (asn == config.remote_as.asn) {
                return std::nullopt;
            }
            wanted = as_text(config.remote_as.asn) + " is configured";
            break;
        case RemoteAs::Kind::Internal:
            if (asn == config.local_asn) {
                return std::nullopt;
            }
            wanted = "our own, " + as_text(config.local_asn) + ", is configured (internal)";
            break;
        case RemoteAs::Kind::External:
            if (asn != config.local_asn) {
                return std::nullopt;
            }
            wanted = "any but our own is configured (external)";
            break;
    }
    return Fault{
        bgp_wire::make_notification(OpenError::BadPeerAs),
        {Trouble::Kind::WrongAs, "the peer is in " + as_text(asn) + ", but " + wanted}};
}

// Within an AS router ids must differ; between two, they need not (RFC 6286 2.2).
std::optional<Fault> check_router_id(const PeerConfig& config, const bgp_wire::Open& received) {
    if (received.router_id != config.router_id || received.asn != config.local_asn) {
        return std::nullopt;
    }
    const auto id = net::to_string(net::IpAddress::v4(config.router_id));
    return Fault{
        bgp_wire::make_notification(OpenError::BadBgpIdentifier),
        {Trouble::Kind::OpenRejected, "the peer has our router id " + id + " and our AS"}};
}

std::string_view name_of(Role role) {
    switch (role) {
        case Role::Provider:
            return "provider";
        case Role::RouteServer:
            return "rs-server";
        case Role::RouteServerClient:
            return "rs-client";
        case Role::Customer:
            return "customer";
        case Role::Peer:
            return "peer";
    }
    return "unknown";
}

// RFC 9234 4.2. The wire may carry a role without a name: it fits none of ours.
bool fits(Role ours, Role theirs) {
    switch (ours) {
        case Role::Provider:
            return theirs == Role::Customer;
        case Role::RouteServer:
            return theirs == Role::RouteServerClient;
        case Role::RouteServerClient:
            return theirs == Role::RouteServer;
        case Role::Customer:
            return theirs == Role::Provider;
        case Role::Peer:
            return theirs == Role::Peer;
    }
    return false;
}

std::optional<Fault> check_role(
    const bgp_wire::Capabilities& ours, const bgp_wire::Capabilities& theirs, bool ibgp
) {
    if (ibgp || !ours.role || !theirs.role || fits(*ours.role, *theirs.role)) {
        return std::nullopt;
    }
    std::string text = "the peer's BGP role ";
    text += name_of(*theirs.role);
    text += " does not fit ours, ";
    text += name_of(*ours.role);
    return Fault{
        bgp_wire::make_notification(OpenError::RoleMismatch), {Trouble::Kind::RoleMismatch, text}};
}

// RFC 5492 5: the data are the capabilities that were missed.
Fault no_common_family(const PeerConfig& config, const bgp_wire::Capabilities& theirs) {
    wire::Writer missed;
    const auto add = [&](net::Family family) {
        constexpr std::uint8_t kMultiprotocol = 1;
        constexpr std::uint8_t kLength = 4;
        missed.u8(kMultiprotocol);
        missed.u8(kLength);
        missed.u16(bgp_wire::afi(family));
        missed.u8(0);
        missed.u8(bgp_wire::kSafiUnicast);
    };
    std::string ours;
    if (config.v4) {
        add(net::Family::V4);
        ours = "IPv4";
    }
    if (config.v6) {
        add(net::Family::V6);
        ours += ours.empty() ? "IPv6" : " or IPv6";
    }
    std::string text = "the peer does not carry " + ours + " unicast";
    if (theirs.carries(net::Family::V4)) {
        text += ", only IPv4";
    } else if (theirs.carries(net::Family::V6)) {
        text += ", only IPv6";
    }
    return Fault{
        bgp_wire::make_notification(OpenError::UnsupportedCapability, missed.take()),
        {Trouble::Kind::NoCommonFamily, std::move(text)}};
}

std::uint16_t whole_seconds(Duration duration) {
    const auto count = std::chrono::duration_cast<seconds>(duration).count();
    return static_cast<std::uint16_t>(std::clamp<std::int64_t>(count, 0, 65535));
}

Negotiated agree(
    const PeerConfig& config, const bgp_wire::Open& sent, const bgp_wire::Open& received
) {
    const bgp_wire::Capabilities& ours = sent.capabilities;
    const bgp_wire::Capabilities& theirs = received.capabilities;
    Negotiated out;
    out.local_asn = config.local_asn;
    out.remote_asn = received.asn;
    out.local_router_id = sent.router_id;
    out.remote_router_id = received.router_id;
    out.hold_time = seconds(std::min(sent.hold_seconds, received.hold_seconds));
    out.keepalive = keepalive_interval(config, out.hold_time);
    out.ibgp = received.asn == config.local_asn;
    out.as4 = theirs.as4.has_value();
    out.v4 = ours.v4_unicast && theirs.carries(net::Family::V4);
    out.v6 = ours.v6_unicast && theirs.carries(net::Family::V6);
    out.extended_message = theirs.extended_message;
    out.v4_over_v6 = out.v4 && ours.v4_over_v6 && theirs.v4_over_v6;
    out.route_refresh = theirs.route_refresh;
    out.enhanced_refresh = theirs.route_refresh && theirs.enhanced_refresh;
    if (theirs.graceful_restart) {
        out.peer_restarts = !theirs.graceful_restart->families.empty();
        out.peer_restarting = theirs.graceful_restart->restarting;
        if (ours.graceful_restart) {
            out.graceful_restart = true;
            out.gr_notification = theirs.graceful_restart->notification;
        }
    }
    if (!out.ibgp) {
        out.role = ours.role;
        out.remote_role = theirs.role;
    }
    return out;
}

}  // namespace

bgp_wire::Open make_open(const PeerConfig& config, const Endpoints& ends, const Kept& kept) {
    bgp_wire::Open out;
    out.asn = config.local_asn;
    out.hold_seconds = whole_seconds(config.hold_time);
    out.router_id = config.router_id;
    bgp_wire::Capabilities& offers = out.capabilities;
    offers.multiprotocol = true;
    offers.v4_unicast = config.v4;
    offers.v6_unicast = config.v6;
    offers.route_refresh = true;
    offers.enhanced_refresh = true;
    offers.extended_message = true;
    // Over IPv4 a session has an IPv4 next hop at hand.
    offers.v4_over_v6 = config.v4 && !ends.local.address.is_v4();
    offers.as4 = config.local_asn;
    offers.graceful_restart = offered_restart(config, kept);
    if (!known_internal(config)) {
        offers.role = config.role;
    }
    return out;
}

std::variant<Negotiated, Fault> check_open(
    const PeerConfig& config, const bgp_wire::Open& sent, const bgp_wire::Open& received
) {
    if (auto fault = check_as(config, received.asn)) {
        return std::move(*fault);
    }
    if (auto fault = check_router_id(config, received)) {
        return std::move(*fault);
    }
    Negotiated agreed = agree(config, sent, received);
    if (auto fault = check_role(sent.capabilities, received.capabilities, agreed.ibgp)) {
        return std::move(*fault);
    }
    if (!agreed.v4 && !agreed.v6) {
        return no_common_family(config, received.capabilities);
    }
    return agreed;
}

Duration keepalive_interval(const PeerConfig& config, Duration hold_time) {
    if (hold_time == Duration::zero()) {
        return Duration::zero();
    }
    const Duration third = hold_time / 3;
    const Duration wanted = config.keepalive_time.value_or(third);
    return std::clamp(wanted, std::min<Duration>(seconds(1), third), third);
}

}  // namespace steelyard::bgp
