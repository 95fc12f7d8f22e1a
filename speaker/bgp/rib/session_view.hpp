#pragma once

#include "common/net/ip.hpp"
#include "speaker/bgp/rib/route.hpp"
#include "speaker/bgp/wire/attributes.hpp"
#include "speaker/bgp/wire/message.hpp"
#include "speaker/bgp/wire/open.hpp"
#include "speaker/bgp/wire/update_pack.hpp"

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>

// What was negotiated with one peer, as far as it shapes what we send, and the pure functions from
// a planned route to the path attributes of that session (RFC 4271 5, 4760, 2545, 8950, 8326,
// 9234).
namespace steelyard::bgp_rib {

struct SessionView {
    std::string peer;  // the name paths select by
    bool ibgp = false;
    std::uint32_t local_asn = 0;  // as the peer sees us
    bool as4 = true;
    bool v4 = false;  // families negotiated
    bool v6 = false;
    bool v4_over_v6 = false;
    bool enhanced_refresh = false;
    std::size_t max_message = bgp_wire::kMaxMessage;
    // Addresses of ours that the peer reaches us at, where there is one of that kind.
    std::optional<net::IpAddress> next_hop_v4;
    std::optional<net::IpAddress> next_hop_v6;  // global
    std::optional<net::IpAddress> next_hop_link_local;
    std::uint32_t default_local_pref = 100;
    std::optional<bgp_wire::Role> role;  // ours towards this peer; set only when it is in force
};

// Why a family is not sent on a session.
enum class Unsendable : std::uint8_t { NotNegotiated, NoNextHop };
[[nodiscard]] std::string_view to_string(Unsendable reason);

struct NextHop {
    net::IpAddress address;
    std::optional<net::IpAddress> link_local;
    bgp_wire::Nlri nlri = bgp_wire::Nlri::Classic;
    friend bool operator==(const NextHop&, const NextHop&) = default;
};
[[nodiscard]] std::variant<NextHop, Unsendable> choose_next_hop(
    const SessionView& session, net::Family family
);

// Under `shutdown` (RFC 8326) GRACEFUL_SHUTDOWN is added, and LOCAL_PREF is 0 on iBGP.
[[nodiscard]] bgp_wire::PathAttributes make_attributes(
    const Attributes& route, const SessionView& session, const NextHop& next_hop, bool shutdown
);

// Whether both make the same attributes on this session: LOCAL_PREF means nothing to an eBGP peer
// or under shutdown, prepending nothing to an iBGP peer.
[[nodiscard]] bool same_on(
    const SessionView& session, const Attributes& left, const Attributes& right, bool shutdown
);

// draft-ietf-idr-link-bandwidth: bytes a second as an IEEE float, 1 Mbit/s for each endpoint, so
// that routers show round numbers; only the ratio between nodes counts.
[[nodiscard]] bgp_wire::ExtendedCommunity link_bandwidth(std::uint32_t asn, std::uint32_t weight);

}  // namespace steelyard::bgp_rib
