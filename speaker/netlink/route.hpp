#pragma once

#include "common/net/ip.hpp"
#include "speaker/netlink/message.hpp"

#include <cstdint>
#include <optional>

// `local` routes of single addresses on the loopback link, in table local: the way to make many
// virtual addresses this node's own, at a cost that does not grow with their number. Ours carry
// their own protocol number, by which they are found again. Pure.
namespace steelyard::netlink {

inline constexpr std::uint8_t kRouteProtocol = 120;  // rtnetlink protocols from 5 up are anybody's

struct LocalRoute {
    net::IpAddress address;                // the whole /32 or /128
    std::optional<net::IpAddress> source;  // of packets the node itself sends there
    friend bool operator==(const LocalRoute&, const LocalRoute&) = default;
};

// Takes the place of a route to the same address, so that a source can change.
[[nodiscard]] Bytes new_local_route(const LocalRoute& route);
[[nodiscard]] Bytes del_local_route(const net::IpAddress& address);  // ESRCH when absent
// Only ours on a socket with strict checking; without it every route of the family comes back.
[[nodiscard]] Bytes dump_local_routes(net::Family family);
// Of an RTM_NEWROUTE payload; nullopt for every route that is not one of ours.
[[nodiscard]] std::optional<LocalRoute> decode_local_route(ByteView payload);

}  // namespace steelyard::netlink
