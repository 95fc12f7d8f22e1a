#pragma once

#include "common/net/ip.hpp"
#include "speaker/bgp/wire/message.hpp"
#include "speaker/bgp/wire/notification.hpp"

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

// OPEN (RFC 4271 4.2, 6.2) and the capabilities of RFC 5492 that this speaker uses: multiprotocol
// (4760), route refresh (2918, 7313), IPv4 with IPv6 next hop (8950), extended messages (8654),
// roles (9234), graceful restart (4724, 8538), four-octet AS (6793); ADD-PATH (7911) is noticed.
// Every other capability is skipped by its length. Both formats of optional parameters (9072).
namespace steelyard::bgp_wire {

struct GracefulRestart {
    struct Entry {
        net::Family family = net::Family::V4;
        bool forwarding = false;  // F bit: forwarding state was kept
        friend bool operator==(const Entry&, const Entry&) = default;
    };
    bool restarting = false;            // R bit
    bool notification = false;          // N bit (RFC 8538)
    std::uint16_t restart_seconds = 0;  // 12 bits
    std::vector<Entry> families;        // those of ours only, each at most once when decoded
    friend bool operator==(const GracefulRestart&, const GracefulRestart&) = default;
};

enum class Role : std::uint8_t {
    Provider = 0,
    RouteServer = 1,
    RouteServerClient = 2,
    Customer = 3,
    Peer = 4,
};

struct Capabilities {
    bool multiprotocol = false;  // any multiprotocol capability; without one, IPv4 unicast is meant
    bool v4_unicast = false;
    bool v6_unicast = false;
    bool route_refresh = false;
    bool enhanced_refresh = false;
    bool extended_message = false;
    bool v4_over_v6 = false;  // IPv4 unicast with an IPv6 next hop (RFC 8950: 1, 1, 2)
    std::optional<std::uint32_t> as4;
    std::optional<GracefulRestart> graceful_restart;
    std::optional<Role> role;  // of a peer: may be a value that has no name
    bool add_path = false;     // only read, never sent
    std::vector<std::uint8_t>
        unknown;  // codes skipped, each once, in order of appearance; not sent

    // Whether this family may be used by the sender, the implied IPv4 unicast included.
    [[nodiscard]] bool carries(net::Family family) const;
    friend bool operator==(const Capabilities&, const Capabilities&) = default;
};

struct Open {
    std::uint8_t version = 4;
    std::uint32_t asn = 0;  // the four-octet number where the capability tells it
    std::uint16_t hold_seconds = 0;
    std::uint32_t router_id = 0;  // host order
    Capabilities capabilities;
    friend bool operator==(const Open&, const Open&) = default;
};

// Refuses version other than 4, AS 0 (RFC 7607), AS_TRANS without the capability, router id 0, hold
// time of 1 or 2 s, unknown optional parameters, roles that contradict each other, and lengths that
// lie. Whether the AS, the id and the role are the expected ones is the session's to judge.
[[nodiscard]] Decoded<Open> decode_open(std::span<const std::byte> body);

// Writes AS_TRANS where asn needs four octets; capabilities.as4 is sent as it stands. The extended
// format (RFC 9072) only when the parameters need it.
void encode_open(wire::Writer& out, const Open& open);

}  // namespace steelyard::bgp_wire
